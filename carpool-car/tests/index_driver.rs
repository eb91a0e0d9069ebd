//! What an indexer makes of drivers that do not keep to what was agreed.

mod index_reference;
mod index_samples;

use carpool_car::{
    Error,
    index::{Codec, Entry, IndexFault, IndexLimits, Indexer, MAX_RUNS, MIN_BUDGET, Output, encode},
};
use carpool_core::{Block, Bytes, Cid, Fault, Multihash, codec};

fn fault(error: &Error) -> &IndexFault {
    assert_eq!(error.fault(), Fault::Caller);
    let Error::Index { offset: 0, fault } = error else { unreachable!("{error}") };
    fault
}

fn indexer() -> Indexer {
    Indexer::new(Codec::MultihashSorted, 0, &IndexLimits::default()).expect("of entries")
}

/// An indexer that has spilled twice and wants to read.
fn reading() -> (Indexer, usize) {
    let mut indexer = indexer();
    for n in 0..120u8 {
        if indexer.handle_entry(0x12, &[n; 32], 0).expect("taken") {
            while indexer.poll().expect("no fault").is_some() {}
        }
    }
    indexer.handle_end();
    loop {
        match indexer.poll().expect("no fault").expect("more to do") {
            Output::SpillRead { len, .. } => return (indexer, len),
            Output::Write(_) => {}
            Output::SpillWrite { .. } => unreachable!("all was spilled"),
        }
    }
}

#[test]
fn other_bytes_than_were_asked_for() {
    for change in [-1isize, 1] {
        let (mut indexer, len) = reading();
        let asked = indexer.poll().expect("no fault");
        assert!(matches!(asked, Some(Output::SpillRead { .. })), "again, until it is answered");
        let bytes = vec![0; len.checked_add_signed(change).expect("more than one")];
        let (expected, actual) = (len as u64, bytes.len() as u64);
        let error = indexer.handle_spill(bytes.into()).expect_err("other bytes");
        assert_eq!(fault(&error), &IndexFault::Spill { expected, actual });
        assert_eq!(indexer.poll(), Err(error.clone()), "the same again");
        assert_eq!(indexer.handle_spill(Bytes::new()), Err(error.clone()));
        assert_eq!(indexer.handle_entry(0x12, &[0; 32], 0), Err(error));
    }
}

#[test]
fn bytes_that_nobody_asked_for() {
    let mut early = indexer();
    let error = early.handle_spill(Bytes::from_static(b"abc")).expect_err("nothing was asked for");
    assert_eq!(fault(&error), &IndexFault::Spill { expected: 0, actual: 3 });
    let (mut twice, len) = reading();
    twice.handle_spill(vec![0; len].into()).expect("asked for");
    let error = twice.handle_spill(vec![0; len].into()).expect_err("not again");
    assert_eq!(fault(&error), &IndexFault::Spill { expected: 0, actual: len as u64 });
}

/// The index is wrong then, but it ends.
#[test]
fn bytes_of_something_else() {
    let (mut indexer, len) = reading();
    indexer.handle_spill(vec![0xff; len].into()).expect("as many as were asked for");
    let mut written = 0;
    while let Some(output) = indexer.poll().expect("no fault") {
        match output {
            Output::SpillRead { len, .. } => {
                indexer.handle_spill(vec![0; len].into()).expect("as many as were asked for");
            }
            Output::Write(bytes) => written += bytes.len(),
            Output::SpillWrite { .. } => unreachable!("all was spilled"),
        }
    }
    assert_eq!(written, 120 * 40);
}

#[test]
fn entries_that_do_not_belong() {
    let long = indexer().handle_entry(0x12, &[0; 65], 0).expect_err("too long");
    assert_eq!(fault(&long), &IndexFault::DigestTooLong { bytes: 65, max: 64 });
    let mut ended = indexer();
    assert_eq!(ended.handle_entry(0x12, &[0; 32], 0), Ok(false));
    ended.handle_end();
    ended.handle_end();
    for digest in [&[0; 32][..], &[0; 20]] {
        let late = ended.handle_entry(0x12, digest, 0).expect_err("after the end");
        assert_eq!(fault(&late), &IndexFault::UnexpectedEntry);
    }
    let multi = Indexer::new(Codec::Multi, 0, &IndexLimits::default()).expect_err("of CARs");
    assert_eq!(fault(&multi), &IndexFault::NotOfEntries);
    let no_code = [Entry::new(None, &[0; 32], 0).expect("short")];
    let error = encode(Codec::MultihashSorted, no_code, &IndexLimits::default());
    assert_eq!(fault(&error.expect_err("no code")), &IndexFault::UnexpectedEntry);
}

#[test]
fn identity_cids_are_left_out_unless_asked_for() {
    let identity = Cid::new_v1(codec::RAW, Multihash::wrap(0, b"hi").expect("short"));
    let hashed = *Block::new(codec::RAW, "hello".into()).cid();
    let entries = [Entry::of(&identity, 5), Entry::of(&hashed, 9)];
    for (asked, expected) in [(false, &entries[1..]), (true, &entries[..])] {
        let mut indexer = if asked { indexer().with_identity() } else { indexer() };
        assert_eq!(indexer.handle_section(&identity, 5), Ok(false));
        assert_eq!(indexer.handle_section(&hashed, 9), Ok(false));
        indexer.handle_end();
        let (mut runs, mut out) = (Vec::new(), Vec::new());
        index_samples::drive(&mut indexer, &mut runs, &mut out);
        assert_eq!(out, index_reference::write(Codec::MultihashSorted, expected));
    }
}

/// Half the budget is filled before a run is spilled, for arrays grow by doubling.
#[test]
fn the_budget_is_used_up_at_half_of_it() {
    for (budget, entries) in [(0, 52u64), (MIN_BUDGET, 52), (80_000, 1000)] {
        let mut indexer =
            Indexer::new(Codec::Sorted, budget, &IndexLimits::default()).expect("made");
        for n in 1..entries {
            assert_eq!(indexer.handle_entry(0x12, &[1; 32], n), Ok(false), "{n} of {entries}");
        }
        assert_eq!(indexer.handle_entry(0x12, &[1; 32], 0), Ok(true));
    }
}

#[test]
fn runs_are_counted() {
    let mut indexer = indexer();
    let mut offsets = 0u64..;
    let mut run = |indexer: &mut Indexer| {
        let full = |offset| indexer.handle_entry(0x12, &[1; 32], offset);
        offsets.by_ref().map(full).find(|taken| taken != &Ok(false)).expect("endless")
    };
    for n in 0..MAX_RUNS {
        assert_eq!(run(&mut indexer), Ok(true), "run {n}");
        assert!(matches!(indexer.poll(), Ok(Some(Output::SpillWrite { run, .. })) if run == n));
    }
    let error = run(&mut indexer).expect_err("one run more");
    assert_eq!(fault(&error), &IndexFault::TooManyRuns { max: MAX_RUNS });
    assert_eq!(indexer.poll(), Err(error));
}
