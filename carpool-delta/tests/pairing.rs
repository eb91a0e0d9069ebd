//! Blocks below what came before a cut are held against the old ones at their places, and renamed and copied
//! files against what they were.

mod common;

use carpool_core::{Block, Cid, Limits};
use carpool_delta::Pairing;
use common::{Store, paired, receive, send, text};

/// A tree of three levels, of which only some leaves are still missing.
#[test]
fn below_a_cut_leaves_are_held_against_old_ones() {
    let (mut old, before) = (Store::new(), text(200_000, 1));
    let mut after = before.clone();
    after.splice(100..100, *b"an insertion shifts all that follows");
    let old_root = old.file(&before, 1_000, 10);
    let mut new = old.clone();
    let root = new.file(&after, 1_000, 10);
    let missing = new.missing(&root, &old);
    let leaves: Vec<Block> =
        missing.iter().filter(|it| it.cid().codec() == 0x55).cloned().collect();
    let mut came_before = Store::new();
    missing.iter().filter(|it| it.cid().codec() != 0x55).for_each(|it| came_before.put(it));
    let rest = &leaves[150..];
    let wanted: Vec<Cid> = rest.iter().map(|block| *block.cid()).collect();
    let pairing = paired(root, old_root, &wanted, &new);
    // A push names the root and nothing else, a pull each block that it wants.
    for known in [&[root][..], &wanted] {
        let body = send((known, old_root), rest, &pairing, &new);
        let (came, lost) = receive((known, old_root), &body, &old, &came_before);
        assert_eq!((came, lost), (rest.to_vec(), 0));
        assert!(body.len() < 12 * rest.len(), "{} B for {} leaves", body.len(), rest.len());
    }
}

/// However many nodes come between, names lead down from the old root.
#[test]
fn bases_are_named_from_the_old_root_down() {
    let (mut old, before) = (Store::new(), text(60_000, 1));
    let old_root = old.file(&before, 100, 2);
    let after: Vec<u8> = before.chunks(100).flat_map(|part| [&part[..99], b"!"].concat()).collect();
    let mut new = old.clone();
    let root = new.file(&after, 100, 2);
    let missing = new.missing(&root, &old);
    let known = (&[root][..], old_root);
    let body = send(known, &missing, &paired(root, old_root, &[], &new), &new);
    assert_eq!(receive(known, &body, &old, &Store::new()), (missing, 0));
}

fn tree(store: &mut Store, directories: &[&[Cid]]) -> Cid {
    let nodes: Vec<Cid> = directories.iter().map(|links| store.node(links)).collect();
    store.node(&nodes)
}

#[test]
fn renamed_and_copied_files_are_held_against_what_they_were() {
    let mut old = Store::new();
    let contents: Vec<Vec<u8>> = (1..6).map(|seed| text(8_000, seed)).collect();
    let small: Vec<Cid> = contents[..4].iter().map(|bytes| old.leaf(bytes.clone())).collect();
    let large = old.file(&text(100_000, 9), 4_000, 30);
    let old_root = tree(&mut old, &[&[small[0], small[1]], &[small[2], large], &[small[3]]]);
    let mut new = old.clone();
    let changed = |bytes: &[u8]| [&bytes[..3_000], b"changed", &bytes[3_000..]].concat();
    let renamed = new.leaf(changed(&contents[1]));
    let copied = new.leaf(changed(&contents[2]));
    let moved = new.file(&changed(&text(100_000, 9)), 4_000, 30);
    // The first directory loses a file, the last one has it, a copy, and a large file of the second.
    let root = tree(&mut new, &[&[small[0]], &[small[2]], &[small[3], renamed, copied, moved]]);
    let pairing = paired(root, old_root, &[], &new);
    assert_eq!(pairing.like(&renamed).last(), Some(&small[1]));
    assert_eq!(pairing.like(&copied).last(), Some(&small[2]));
    assert_eq!(pairing.like(&moved).last(), Some(&large));
    let missing = new.missing(&root, &old);
    let known = (&[root][..], old_root);
    let body = send(known, &missing, &pairing, &new);
    assert_eq!(receive(known, &body, &old, &Store::new()), (missing, 0));
    assert!(body.len() < 1_000, "{} B", body.len());
}

/// Beside what has its place nothing is compared, and so no leaf is read.
#[test]
fn leaves_are_not_read_where_all_have_their_places() {
    let mut old = Store::new();
    let old_root = old.file(&text(50_000, 1), 1_000, 8);
    let mut new = old.clone();
    let root = new.file(&text(50_000, 2), 1_000, 8);
    let mut pairing = Pairing::new(root, old_root, [], &Limits::default(), 0);
    while let Some(cid) = pairing.poll() {
        assert_ne!(cid.codec(), 0x55);
        pairing.handle_load(&cid, new.get(&cid));
    }
}
