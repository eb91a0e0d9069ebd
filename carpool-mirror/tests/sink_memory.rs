//! What came from a source that remembers it is left out of the next filter, for as long as it is
//! sure to be remembered.

mod common;

use carpool_core::{Block, Limits};
use carpool_mirror::{Sink, SinkOutput, Status, extension::Memory};
use common::{Blocks, leaf, map, node, settle};

/// A root above three histories of two nodes, root first; the lower nodes stay missing.
fn dag() -> Vec<Block> {
    let below = ["a", "b", "c"].map(|text| node(&[&leaf(text)]));
    let above = [node(&[&below[0]]), node(&[&below[1]]), node(&[&below[2]])];
    let root = node(&[&above[0], &above[1], &above[2]]);
    [&[root], &above[..], &below].concat()
}

fn status(sink: &mut Sink, held: &mut Blocks) -> Status {
    match settle(sink, held) {
        Some(SinkOutput::Transmit(status)) => status,
        other => unreachable!("{other:?}"),
    }
}

/// Which of `blocks` a filter has, after rounds that bring them one by one; each with what its source
/// remembers, `None` for one that is cut behind its block.
fn known_after(rounds: &[Option<Memory>]) -> Vec<bool> {
    let (dag, mut held) = (dag(), map([]));
    let mut sink = Sink::new([*dag[0].cid()], [], &Limits::default(), 0);
    let mut said = status(&mut sink, &mut held);
    for (block, memory) in dag.iter().zip(rounds) {
        sink.handle_memory(memory.unwrap_or(Memory::Kept));
        sink.handle_block(block.clone()).expect("wanted");
        assert!(settle(&mut sink, &mut held).is_none());
        if memory.is_some() {
            sink.handle_end_round()
        } else {
            sink.handle_cut()
        }
        said = status(&mut sink, &mut held);
    }
    let hit = |block: &Block| {
        said.have.as_ref().is_some_and(|have| have.contains(&block.cid().to_bytes()))
    };
    dag[..rounds.len()].iter().map(hit).collect()
}

#[test]
fn what_is_remembered_is_not_in_the_filter() {
    use Memory::{Begun, Kept, None as Nothing};
    let table: [(&[Option<Memory>], &[bool]); 6] = [
        (&[Some(Nothing), Some(Nothing)], &[true, true]),
        (&[Some(Begun), Some(Kept)], &[false, false]),
        (&[Some(Kept), Some(Begun)], &[true, false]),
        (&[Some(Kept), Some(Nothing)], &[true, true]),
        (&[Some(Kept), None], &[true, true]),
        (&[Some(Nothing), Some(Kept), Some(Kept)], &[true, false, false]),
    ];
    for (rounds, known) in table {
        assert_eq!(known_after(rounds), known, "{rounds:?}");
    }
}
