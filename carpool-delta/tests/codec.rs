//! Copies and inserts, held to slow and obvious twins.

mod common;

use carpool_core::Bytes;
use carpool_delta::{
    Index, Operation, Scanner, apply, compress_with, decompress_with, read_operations,
    write_operations,
};
use common::{noise, text};
use proptest::prelude::*;

/// Operations one byte at a time.
fn twin(
    operations: &[Operation],
    bases: &[Bytes],
    literals: &[u8],
    digest: [u8; 32],
) -> Option<Vec<u8>> {
    let (mut out, mut literals) = (Vec::new(), literals.iter());
    for operation in operations {
        match *operation {
            Operation::Insert(n) => {
                for _ in 0..n {
                    out.push(*literals.next()?);
                }
            }
            Operation::Copy { from, len } => {
                for n in 0..len {
                    out.push(*bases.get(from.base)?.get(from.at.checked_add(n)?)?);
                }
            }
            Operation::Take(0) => out.extend(digest),
            Operation::Take(_) => return None,
        }
    }
    Some(out)
}

/// Pieces of the old bytes and others, in any order.
#[derive(Clone, Debug)]
enum Piece {
    Old(usize, usize),
    New(Vec<u8>),
}

fn piece() -> impl Strategy<Value = Piece> {
    prop_oneof![
        3 => (0usize..20_000, 1usize..3_000).prop_map(|(at, len)| Piece::Old(at, len)),
        1 => prop::collection::vec(any::<u8>(), 0..100).prop_map(Piece::New),
    ]
}

fn put_together(old: &[u8], pieces: &[Piece]) -> Vec<u8> {
    let mut new = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Old(at, len) => {
                let at = at % old.len();
                new.extend_from_slice(&old[at..old.len().min(at + len)]);
            }
            Piece::New(bytes) => new.extend_from_slice(bytes),
        }
    }
    new
}

fn cut(data: &[u8], chunk: usize) -> Vec<Bytes> {
    data.chunks(chunk).map(Bytes::copy_from_slice).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_was_scanned_comes_back(
        compressible in any::<bool>(),
        pieces in prop::collection::vec(piece(), 0..8),
        (old_chunk, new_chunk) in (1usize..9_000, 1usize..9_000),
        max_grains in prop_oneof![Just(1usize << 19), 1usize..300],
    ) {
        let old = if compressible { text(20_000, 1) } else { noise(20_000, 1) };
        let new = put_together(&old, &pieces);
        let bases = cut(&old, old_chunk);
        let index = Index::sampled(bases.clone(), max_grains);
        let mut scanner = Scanner::default();
        for block in new.chunks(new_chunk) {
            let (mut operations, mut literals) = (Vec::new(), Vec::new());
            scanner.scan(&index, block, &mut operations, &mut literals);
            prop_assert!(operations.iter().all(|operation| !operation.is_empty()));
            let made = apply(&operations, block.len(), |n| bases.get(n), &literals, |_| None);
            prop_assert_eq!(made.as_deref(), Some(block));
            let same = twin(&operations, &bases, &literals, [0; 32]);
            prop_assert_eq!(same.as_deref(), Some(block));
            let mut written = Vec::new();
            write_operations(&operations, &mut written);
            prop_assert_eq!(read_operations(&written, block.len()), Some(operations));
        }
    }

    #[test]
    fn an_edit_costs_little_more_than_itself(
        edits in prop::collection::vec((0usize..60_000, 0usize..40, 0usize..40), 0..12),
        chunk in 4_000usize..70_000,
    ) {
        let old = noise(60_000, 2);
        let mut new = old.clone();
        let mut inserted = 0;
        for (at, remove, insert) in &edits {
            let at = at % new.len();
            let end = new.len().min(at + remove);
            new.splice(at..end, noise(*insert, at as u64 + 7));
            inserted += insert;
        }
        let index = Index::new(cut(&old, chunk));
        let (mut operations, mut literals) = (Vec::new(), Vec::new());
        Scanner::default().scan(&index, &new, &mut operations, &mut literals);
        // A match is found once 31 bytes of it are seen, unless its grains are out of luck in the
        // table, and is followed to both sides.
        prop_assert!(literals.len() <= inserted + 250 * edits.len(), "{}", literals.len());
    }

    #[test]
    fn any_operations_make_what_the_twin_makes(
        bytes in prop::collection::vec(any::<u8>(), 0..60),
        len in 0usize..600,
        literals in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let bases = [Bytes::from(noise(100, 3)), Bytes::new(), Bytes::from(noise(40, 4))];
        let Some(operations) = read_operations(&bytes, len) else { return Ok(()) };
        let mut written = Vec::new();
        write_operations(&operations, &mut written);
        prop_assert_eq!(read_operations(&written, len), Some(operations.clone()));
        let digest = |n| (n == 0).then_some([9; 32]);
        let made = apply(&operations, len, |n| bases.get(n), &literals, digest);
        prop_assert_eq!(made, twin(&operations, &bases, &literals, [9; 32]));
    }

    #[test]
    fn a_frame_with_a_prefix_comes_back_at_its_length_alone(
        pieces in prop::collection::vec(piece(), 0..6),
        wrong in 0usize..3,
    ) {
        let prefix = text(20_000, 5);
        let new = put_together(&prefix, &pieces);
        let frame = compress_with(&prefix, &new).expect("zstd takes this");
        prop_assert_eq!(decompress_with(&prefix, &frame, new.len()), Some(new.clone()));
        let len = [new.len() + 1, new.len().saturating_sub(1), 0][wrong];
        prop_assert_eq!(decompress_with(&prefix, &frame, len).is_some(), len == new.len());
        let made = decompress_with(&prefix[1..], &frame, new.len());
        prop_assert!(made.is_none_or(|made| made.len() == new.len()));
    }
}

#[test]
fn a_match_goes_on_from_block_to_block_and_from_base_to_base() {
    let old = noise(10_000, 6);
    let bases = cut(&old, 1_000);
    let index = Index::new(bases);
    let (mut scanner, mut operations, mut literals) = (Scanner::default(), Vec::new(), Vec::new());
    for block in old[500..9_500].chunks(900) {
        scanner.scan(&index, block, &mut operations, &mut literals);
    }
    assert_eq!(literals, []);
    assert_eq!(
        operations.len(),
        18,
        "ten blocks, nine borders between bases, one of them at a block's"
    );
    let mut written = Vec::new();
    write_operations(&operations, &mut written);
    assert!(written.len() < 45, "{}", written.len());
}
