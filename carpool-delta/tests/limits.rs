//! Each number of a body, at its limit and one past it.

mod common;

use carpool_core::{Bytes, Cid, Limits};
use carpool_delta::{
    Error,
    limits::{
        MAX_BASES, MAX_CONTROL_BYTES, MAX_NODES, MAX_RANGES, MAX_RECORD_BYTES, MAX_REFERRED_BYTES,
        MAX_WAITING, MAX_WAITING_BYTES, SEGMENT_SLACK,
    },
};
use common::{Body, Came, Store, decode, noise, number, numbers};

const BLOCK: usize = 1 << 16;

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_block_bytes = BLOCK;
    limits
}

fn read(known: &[Cid], body: Bytes, old: &Store) -> (Came, Result<(), Error>) {
    decode(known, [body], old, &limits())
}

fn is_record(result: &Result<(), Error>, wanted: &str) -> bool {
    matches!(result, Err(Error::Record { expected, .. }) if *expected == wanted)
}

/// A plain leaf, named by its CID.
fn plain(data: &[u8]) -> (Cid, Vec<u8>) {
    let cid = Store::new().leaf(data.to_vec());
    (cid, [&[0, 0][..], &cid.to_bytes(), &number(data.len() as u64)].concat())
}

#[test]
fn the_length_of_a_block() {
    let data = noise(BLOCK + 1, 1);
    let (_, record) = plain(&data[..BLOCK]);
    let body = Body::new().segment(&record, &[], &data[..BLOCK]).end();
    assert_eq!(read(&[], body, &Store::new()).1, Ok(()));
    let (_, record) = plain(&data);
    let body = Body::new().segment(&record, &[], &data).end();
    let error = Error::BlockTooLong { record: 0, bytes: BLOCK as u64 + 1, max: BLOCK as u64 };
    assert_eq!(read(&[], body, &Store::new()).1, Err(error));
}

#[test]
fn the_length_of_a_part() {
    let longest = BLOCK + SEGMENT_SLACK;
    for (part, max) in [("control", MAX_CONTROL_BYTES), ("literals", longest), ("plain", longest)] {
        for past in [0, 1] {
            let sizes =
                ["control", "literals", "plain"].map(|it| if it == part { max + past } else { 1 });
            let head = numbers(&sizes.map(|n| n as u64));
            let (_, result) = read(&[], [vec![1], head].concat().into(), &Store::new());
            let bytes = (max + past) as u64;
            let error = Error::PartTooLong { part, bytes, max: max as u64 };
            assert_eq!(result, Err(if past == 1 { error } else { Error::Truncated { record: 0 } }));
        }
    }
}

#[test]
fn what_the_control_part_decodes_to() {
    // Empty sequences of bases, two bytes each.
    for past in [0, 2] {
        let control = [2, 0].repeat((MAX_CONTROL_BYTES + past) / 2);
        let body = Body::new().segment(&control, &[], &[]).end();
        assert!(body.len() < 1_000);
        let (_, result) = read(&[], body, &Store::new());
        let too_long = matches!(result, Err(Error::PartTooLong { part: "raw control", .. }));
        assert_eq!((too_long, result.is_ok()), (past > 0, past == 0));
    }
}

#[test]
fn the_bytes_of_a_record() {
    // Inserts of no more than a block, each said in ten bytes would not do: CIDs as ranges are long.
    let cid = Store::new().leaf("a").to_bytes();
    let record = |ranges: usize| {
        [number(2), number(ranges as u64), [&[0][..], &cid].concat().repeat(ranges)].concat()
    };
    for (ranges, good) in [(MAX_RANGES, true), (MAX_RANGES + 1, false)] {
        let body = Body::new().segment(&record(ranges), &[], &[]).end();
        let (_, result) = read(&[], body, &Store::new());
        assert_eq!(result.is_ok(), good);
        assert_eq!(is_record(&result, "at most 64 ranges"), !good);
    }
    // Inserts of one byte each, twice as many bytes as a record may have.
    let mut limits = limits();
    limits.max_block_bytes = 1 << 20;
    for (len, good) in [(MAX_RECORD_BYTES - 42, true), (MAX_RECORD_BYTES - 41, false)] {
        let head = [&[4, 0][..], &cid, &number(len as u64)].concat();
        assert_eq!(head.len(), 41);
        let control = [head, vec![4; len]].concat();
        let body = Body::new().segment(&control, &vec![0; len], &[]).end();
        let (_, result) = decode(&[], [body], &Store::new(), &limits);
        assert_eq!(result.is_ok(), good || control.len() <= MAX_RECORD_BYTES, "{len}");
        assert_eq!(
            is_record(&result, "operations of the block's length"),
            control.len() > MAX_RECORD_BYTES
        );
    }
}

#[test]
fn the_bases_of_a_sequence() {
    let mut old = Store::new();
    let links: Vec<Cid> = (0..MAX_BASES as u64 + 1).map(|n| old.leaf(number(n))).collect();
    let node = old.node(&links);
    let open = numbers(&[1, 1, 0]);
    for (bases, good) in [(MAX_BASES, true), (MAX_BASES + 1, false)] {
        let (first, rest) = (bases / 2, bases - bases / 2);
        let ranges = numbers(&[2, 2, 2, 0, first as u64 - 1, 2, 0, rest as u64 - 1]);
        let control = [open.clone(), ranges].concat();
        let mut limits = limits();
        limits.max_block_bytes = 1 << 20;
        let body = Body::new().segment(&control, &[], &[]).end();
        let (came, result) = decode(&[node], [body], &old, &limits);
        assert_eq!(result.is_ok(), good, "{result:?}");
        assert_eq!(is_record(&result, "at most 4096 bases"), !good);
        assert_eq!(came.loads.len(), usize::from(good));
    }
}

#[test]
fn the_nodes_that_places_name() {
    // The first node goes when the 257th comes; its only link is what the others are opened by.
    let mut old = Store::new();
    let node = old.node(&[]);
    for (opened, good) in [(MAX_NODES - 1, true), (MAX_NODES, false)] {
        let by_cid = [&[1, 0][..], &node.to_bytes()].concat().repeat(opened);
        let last = numbers(&[1, opened.min(MAX_NODES - 1) as u64 + 1, 0]);
        let body = Body::new().segment(&[by_cid, last].concat(), &[], &[]).end();
        let (_, result) = read(&[node], body, &old);
        assert_eq!(result.is_ok(), good);
        assert_eq!(is_record(&result, "a link of a node"), !good);
    }
    let past = numbers(&[1, MAX_NODES as u64 + 1, 0]);
    let body = Body::new().segment(&past, &[], &[]).end();
    assert!(is_record(&read(&[node], body, &old).1, "a place"));
}

#[test]
fn blocks_that_wait() {
    // Computed names, plain, raw codec, empty.
    let empty = numbers(&[16, 0x55, 0]);
    for (count, expected) in
        [(MAX_WAITING, None), (MAX_WAITING + 1, Some("room for blocks that wait"))]
    {
        let body = Body::new().segment(&empty.repeat(count), &[], &[]).end();
        let (_, result) = read(&[], body, &Store::new());
        match expected {
            Some(expected) => assert!(is_record(&result, expected)),
            None => assert_eq!(result, Err(Error::End { expected: "no block that waits" })),
        }
    }
    // As many bytes as may wait, and one more.
    let whole = numbers(&[16 + 4, 0x55, BLOCK as u64, 4 * BLOCK as u64]);
    let one = numbers(&[16 + 4, 0x55, 1, 4]);
    let mut body = Body::new();
    for _ in 0..MAX_WAITING_BYTES / BLOCK {
        body = body.segment(&whole, &vec![7; BLOCK], &[]);
    }
    let body = body.segment(&one, &[1], &[]).end();
    assert!(is_record(&read(&[], body, &Store::new()).1, "room for blocks that wait"));
}

#[test]
fn the_bytes_of_bases_that_a_block_refers_to() {
    let mut old = Store::new();
    let mut limits = limits();
    limits.max_block_bytes = 2 << 20;
    let size = 2 << 20;
    let count = MAX_REFERRED_BYTES / size;
    let mut links: Vec<Cid> =
        (0..count as u64).map(|n| old.leaf(vec![u8::try_from(n).unwrap(); size])).collect();
    links.push(old.leaf("x"));
    let node = old.node(&links);
    for (bases, good) in [(count, true), (count + 1, false)] {
        let sequence = numbers(&[1, 1, 0, 2, 1, 2, 0, count as u64]);
        let block = Store::new().leaf(
            (0..bases)
                .map(|n| if n == count { b'x' } else { u8::try_from(n).unwrap() })
                .collect::<Vec<_>>(),
        );
        // One byte of each: from the first, then from the start of the next, and so on.
        let operations = [&[5][..], &vec![6; bases - 1]].concat();
        let record = [&[4, 0][..], &block.to_bytes(), &number(bases as u64), &operations].concat();
        let body = Body::new().segment(&[sequence, record].concat(), &[], &[]).end();
        let (came, result) = decode(&[node], [body], &old, &limits);
        assert_eq!((result.is_ok(), came.blocks.len()), (good, usize::from(good)));
        assert_eq!(is_record(&result, "bases of at most 32 MiB"), !good);
    }
}

#[test]
fn old_blocks_that_are_loaded_for_nothing() {
    // Each block is one byte of another base of 2 MiB: after 64 MiB no more are loaded, and blocks are lost.
    let mut old = Store::new();
    let links: Vec<Cid> = (0..40_u8).map(|n| old.leaf(vec![n; 2 << 20])).collect();
    let node = old.node(&links);
    let mut control = numbers(&[1, 1, 0, 2, 1, 2, 0, 39]);
    for n in 0..40_u8 {
        let block = Store::new().leaf(vec![n]).to_bytes();
        let operation: &[u8] = if n == 0 { &[5] } else { &[6] };
        control.extend([&[4, 0][..], &block, &[1], operation].concat());
    }
    let body = Body::new().segment(&control, &[], &[]).end();
    let mut limits = limits();
    limits.max_block_bytes = 2 << 20;
    let (came, result) = decode(&[node], [body], &old, &limits);
    assert_eq!(result, Ok(()));
    assert_eq!((came.blocks.len(), came.lost.len()), (32, 8));
}
