//! Shards made depth-first from sorted entries are those of a tree grown name by name; `List` gives
//! the entries back and `Resolve` finds each.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod reference;
mod support;

use std::collections::BTreeMap;

use carpool_core::{Block, codec};
use carpool_unixfs::{DirectoryBuilder, Metadata, Options, Overrides, Profile, resolve::Output};
use proptest::{collection::btree_set, prelude::*};
use reference::Tree;
use support::{Blocks, import::finish, list, resolve};

type Entries = BTreeMap<Vec<u8>, Tree>;

fn entries(names: impl IntoIterator<Item = Vec<u8>>) -> Entries {
    let tree = |name: &[u8]| {
        let block = Block::new(codec::RAW, name.to_vec().into());
        Tree { cid: *block.cid(), size: 0, tsize: 100 * name.len() as u64 }
    };
    names.into_iter().map(|name| (name.clone(), tree(&name))).collect()
}

fn check(entries: &Entries, fanout: u32, threshold: u64) {
    let asked = Overrides {
        hamt_fanout: Some(u64::from(fanout)),
        hamt_threshold: Some(threshold),
        ..Overrides::default()
    };
    let options = Options::new(Profile::UnixfsV1_2025, &asked).unwrap();
    let mut builder = DirectoryBuilder::new(&options, Metadata::NONE);
    for (name, tree) in entries.iter().rev() {
        builder.insert(name, &tree.cid, tree.tsize).unwrap();
    }
    let sharded = builder.is_sharded();
    let mut blocks = Blocks::new();
    let root = finish(builder, &mut blocks);
    if sharded {
        let expected = reference::hamt(entries, fanout, options.cid_version());
        assert_eq!((root.cid, root.tsize), (expected.cid, expected.tsize));
    }
    let mut listed = list(root.cid, &blocks).unwrap();
    listed.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(listed.len(), entries.len());
    for (entry, (name, tree)) in listed.iter().zip(entries) {
        assert_eq!((&entry.name[..], entry.cid, entry.tsize), (&name[..], tree.cid, tree.tsize));
        let (end, loaded) = resolve(root.cid, name, &blocks).unwrap();
        assert_eq!(end, Output::Resolved { cid: tree.cid, tsize: Some(tree.tsize) });
        assert!(loaded.iter().all(|cid| blocks.contains_key(cid)));
    }
    let (end, _) = resolve(root.cid, b"no such name here", &blocks).unwrap();
    assert_eq!(end, Output::NotFound { at: 0 });
}

#[test]
fn every_fanout() {
    let names = entries((0..700).map(|n| format!("name-{n}").into_bytes()));
    for log in 3..=10 {
        check(&names, 1 << log, 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_set_of_names(
        names in btree_set("[a-z\u{e9} .]{1,8}", 0..120),
        log in 3u32..=10,
        flat in any::<bool>(),
    ) {
        let safe = names.into_iter().filter(|name| name != "." && name != "..");
        check(&entries(safe.map(String::into_bytes)), 1 << log, u64::from(!flat));
    }
}
