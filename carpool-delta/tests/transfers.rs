//! What is encoded against old blocks comes out as it went in, in few bytes.

mod common;

use carpool_core::{Bytes, Cid, Limits};
use carpool_delta::Options;
use common::{Came, Store, decode, encode, noise, text, total};

struct Transfer {
    bytes: usize,
    came: Came,
    sent: Vec<carpool_core::Block>,
    counts: carpool_delta::Counts,
}

/// From a store with both versions to one with the old version.
fn transfer(new: &Store, root: &Cid, old: &Store, old_root: Option<Cid>) -> Transfer {
    let sent = new.missing(root, old);
    let known: Vec<Cid> = [*root].into_iter().chain(old_root).collect();
    let pair = |cid: &Cid| old_root.filter(|_| cid == root);
    let (body, counts) = encode(&known, &sent, pair, old, Options::default());
    let (came, result) = decode(&known, body.clone(), old, &Limits::default());
    assert_eq!(result, Ok(()));
    Transfer { bytes: total(&body), came, sent, counts }
}

/// All blocks came, in their order.
fn same(came: &Came, sent: &[carpool_core::Block]) {
    assert_eq!((&came.wrong, &came.lost), (&vec![], &vec![]));
    let cids = |blocks: &[carpool_core::Block]| -> Vec<Cid> {
        blocks.iter().map(|block| *block.cid()).collect()
    };
    assert_eq!(cids(&came.blocks), cids(sent));
}

#[test]
fn an_insertion_near_the_start_of_a_file_costs_few_bytes() {
    let mut data = text(3_000_000, 1);
    let mut old = Store::new();
    let old_root = old.file(&data, 65_536, 174);
    data.splice(1_000..1_000, *b"one more line of it\n");
    let mut new = old.clone();
    let root = new.file(&data, 65_536, 174);
    let Transfer { bytes, came, sent, counts } = transfer(&new, &root, &old, Some(old_root));
    assert_eq!(sent.len(), 47);
    same(&came, &sent);
    assert_eq!((counts.copies.blocks, counts.computed), (46, 46));
    assert!(bytes < 400, "{bytes}");
}

#[test]
fn trees_of_files_come_out_in_the_order_of_the_walk() {
    let mut old = Store::new();
    let files: Vec<Vec<u8>> = (0..20).map(|n| text(30_000 * n, n as u64)).collect();
    let tree = |store: &mut Store, files: &[Vec<u8>]| {
        let folders: Vec<Cid> = files
            .chunks(5)
            .map(|files| {
                let files: Vec<Cid> =
                    files.iter().map(|data| store.file(data, 16_384, 8)).collect();
                store.node(&files)
            })
            .collect();
        store.node(&folders)
    };
    let old_root = tree(&mut old, &files);
    let (mut new, mut changed) = (old.clone(), files);
    for n in [3, 4, 11, 19] {
        changed[n].splice(100..120, *b"changed");
        changed[n].extend(text(2_000, n as u64));
    }
    let root = tree(&mut new, &changed);
    let Transfer { bytes, came, sent, .. } = transfer(&new, &root, &old, Some(old_root));
    same(&came, &sent);
    assert!(bytes < 8_000, "{bytes}");
    let cold = transfer(&new, &root, &Store::new(), None);
    same(&cold.came, &cold.sent);
    assert_eq!(cold.came.loads, []);
}

#[test]
fn what_does_not_compress_goes_plain() {
    let mut new = Store::new();
    let data = noise(3_000_000, 9);
    let root = new.file(&data, 1 << 18, 174);
    let Transfer { bytes, came, sent, counts } = transfer(&new, &root, &Store::new(), None);
    same(&came, &sent);
    assert_eq!((counts.plain.blocks, counts.compressed.blocks), (11, 2));
    assert!(bytes < 3_000_000 + 700, "{bytes}");
}

/// 8 MiB wait where little is written for them, and else half a MiB of what is written.
#[test]
fn more_than_may_wait_goes_by_place() {
    let (mut old, before) = (Store::new(), text(30_000_000, 3));
    let old_root = old.file(&before, 1 << 18, 174);
    let mut new = old.clone();
    let root = new.file(&[b"new", &before[..]].concat(), 1 << 18, 174);
    for (old_root, computed) in [(Some(old_root), 32), (None, 2)] {
        let held = if old_root.is_some() { old.clone() } else { Store::new() };
        let Transfer { came, sent, counts, .. } = transfer(&new, &root, &held, old_root);
        same(&came, &sent);
        assert_eq!((counts.computed, sent.len()), (computed, 116));
    }
}

#[test]
fn matches_that_are_short_go_as_a_prefix() {
    let mut data: Vec<u8> = noise(400_000, 5).iter().map(|byte| byte & 0x3f).collect();
    let mut old = Store::new();
    let old_root = old.file(&data, 1 << 16, 174);
    for n in (0..data.len()).step_by(21) {
        data[n] ^= 0x55;
    }
    let mut new = old.clone();
    let root = new.file(&data, 1 << 16, 174);
    let Transfer { bytes, came, sent, counts } = transfer(&new, &root, &old, Some(old_root));
    same(&came, &sent);
    assert_eq!(counts.prefix.blocks, 6, "the last one is too short");
    assert!(bytes < 150_000, "{bytes}");
}

#[test]
fn a_lost_base_costs_what_refers_to_it_and_nothing_else() {
    let mut data = text(1_000_000, 4);
    let mut old = Store::new();
    let old_root = old.file(&data, 65_536, 4);
    data.splice(10..10, *b"x");
    let mut new = old.clone();
    let root = new.file(&data, 65_536, 4);
    let sent = new.missing(&root, &old);
    let known = [root, old_root];
    let pair = |cid: &Cid| (*cid == root).then_some(old_root);
    let (body, _) = encode(&known, &sent, pair, &old, Options::default());
    let whole: Bytes = body.concat().into();
    let mut named = 0;
    for lost in old.missing(&old_root, &Store::new()) {
        let mut gaps = old.clone();
        gaps.remove(lost.cid());
        let (came, result) = decode(&known, [whole.clone()], &gaps, &Limits::default());
        assert_eq!((result, &came.wrong), (Ok(()), &vec![]));
        assert!(came.blocks.iter().all(|block| sent.contains(block)));
        let used = came.loads.contains(lost.cid());
        assert_eq!(came.lost.iter().any(|(cid, _)| cid.is_some()), used);
        assert_eq!(came.blocks.len() < sent.len(), used);
        named += usize::from(came.lost.iter().any(|(_, base)| base.as_ref() == Some(lost.cid())));
    }
    assert!(named > 10, "{named}");
}

#[test]
fn a_block_of_too_many_operations_goes_without_them() {
    let mut data = noise(2 << 20, 8);
    let mut old = Store::new();
    let old_root = old.file(&data, 2 << 20, 174);
    (0..data.len()).step_by(14).for_each(|n| data[n] ^= 1);
    let mut new = old.clone();
    let root = new.file(&data, 2 << 20, 174);
    let sent = new.missing(&root, &old);
    let (known, pair) = ([root, old_root], |cid: &Cid| (*cid == root).then_some(old_root));
    let mut options = Options::default();
    options.prefix = false;
    let (body, counts) = encode(&known, &sent, pair, &old, options);
    let (came, result) = decode(&known, body, &old, &Limits::default());
    assert_eq!((result, counts.plain.blocks, counts.compressed.blocks), (Ok(()), 1, 1));
    same(&came, &sent);
}
