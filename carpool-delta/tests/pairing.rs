//! Blocks below what came before a cut are held against the old ones at their places, and renamed and copied
//! files against what they were.

mod common;

use carpool_core::{Block, Bytes, Cid, Limits};
use carpool_delta::{Decoder, Encoder, Options, Output, Pairing, Sending};
use common::{Store, text};

fn paired(root: Cid, old: Cid, wanted: &[Cid], store: &Store) -> Pairing {
    let mut pairing = Pairing::new(root, old, wanted.iter().copied(), &Limits::default(), 0);
    while let Some(cid) = pairing.poll() {
        pairing.handle_load(&cid, store.get(&cid));
    }
    pairing
}

fn drive(encoder: &mut Encoder, store: &Store, body: &mut Vec<u8>) {
    while let Some(output) = encoder.poll() {
        match output {
            Sending::Load(cid) => encoder.handle_load(&cid, store.get(&cid)),
            Sending::Data(data) => body.extend_from_slice(&data),
        }
    }
}

/// Sends blocks with what the pairing knows; those above the first are told of where nothing was sent above
/// it.
fn send(known: (&[Cid], Cid), blocks: &[Block], pairing: &Pairing, store: &Store) -> Vec<u8> {
    let (wanted, old) = (known.0.iter().copied(), known.1);
    let mut encoder = Encoder::new(wanted, [old], &Limits::default(), Options::default(), 0);
    let (mut body, mut told) = (Vec::new(), Vec::new());
    for block in blocks {
        for cid in pairing.above(block.cid()) {
            if !told.contains(&cid) {
                let block = Block::new_unchecked(cid, store.get(&cid).expect("it is there"));
                let before = [old];
                encoder.handle_known(block, if told.is_empty() { &before } else { &[] });
                drive(&mut encoder, store, &mut body);
                told.push(cid);
            }
        }
        encoder.handle_block(block.clone(), &pairing.like(block.cid()));
        drive(&mut encoder, store, &mut body);
    }
    encoder.finish();
    drive(&mut encoder, store, &mut body);
    body
}

/// Blocks that come out, where only what is said to lie below the old root is looked up, or was there of
/// the new DAG.
fn receive(known: (&[Cid], Cid), body: &[u8], old: &Store, new: &Store) -> Vec<Block> {
    let wanted = known.0.iter().copied();
    let mut decoder = Decoder::new(wanted, [known.1], &Limits::default(), 0);
    decoder.handle_data(Bytes::copy_from_slice(body));
    let mut came = Vec::new();
    while let Some(output) = decoder.poll().expect("it was just made") {
        match output {
            Output::Load { cid, below_held } => {
                let data = if below_held { old.get(&cid) } else { new.get(&cid) };
                decoder.handle_load(&cid, data);
            }
            Output::Block(claim) => came.push(Block::new_unchecked(claim.cid, claim.data)),
            Output::Hashed(block) => came.push(block),
            Output::Lost { cid, base } => unreachable!("{cid:?} is lost for {base:?}"),
        }
    }
    came
}

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
        assert_eq!(receive((known, old_root), &body, &old, &came_before), rest);
        assert!(body.len() < 12 * rest.len(), "{} B for {} leaves", body.len(), rest.len());
    }
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
    assert_eq!(receive(known, &body, &old, &Store::new()), missing);
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
