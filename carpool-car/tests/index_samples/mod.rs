//! How the machines of indexes are driven in tests.
#![allow(dead_code, reason = "no test needs all of it")]

use carpool_car::{
    Error,
    index::{
        Codec, Entry, Found, IndexLimits, Indexer, Item, Key, Lookup, LookupOutput, Output, Reader,
    },
};
use carpool_core::Bytes;

/// What a reader makes of chunks: all items up to the end or the first fault.
pub(crate) fn read_chunks<'a>(
    chunks: impl IntoIterator<Item = &'a [u8]>,
    limits: &IndexLimits,
) -> (Vec<Item>, Result<(), Error>) {
    let (mut reader, mut items) = (Reader::new(limits), Vec::new());
    for chunk in chunks {
        reader.handle_data(Bytes::copy_from_slice(chunk));
        if let Err(error) = drain(&mut reader, &mut items) {
            assert_eq!(reader.poll(), Err(error.clone()), "the same error again");
            return (items, Err(error));
        }
    }
    reader.handle_eof();
    let ended = drain(&mut reader, &mut items);
    (items, ended)
}

fn drain(reader: &mut Reader, items: &mut Vec<Item>) -> Result<(), Error> {
    while let Some(item) = reader.poll()? {
        items.push(item);
    }
    Ok(())
}

/// The entries among what a reader yields.
pub(crate) fn entries(items: &[Item]) -> Vec<Entry> {
    let entry = |item: &Item| match item {
        Item::Entry(entry) => Some(*entry),
        Item::Codec(_) | Item::Car(_) | Item::Bucket(_) => None,
    };
    items.iter().filter_map(entry).collect()
}

/// An index made within a budget, and how many runs were spilled for it.
pub(crate) fn make(codec: Codec, budget: usize, entries: &[Entry]) -> (Vec<u8>, usize) {
    let indexer = Indexer::new(codec, budget, &IndexLimits::default()).expect("of entries");
    let mut indexer = indexer.with_identity();
    let (mut runs, mut out) = (Vec::new(), Vec::new());
    for entry in entries {
        let code = entry.code().unwrap_or(0);
        if indexer.handle_entry(code, entry.digest(), entry.offset()).expect("taken") {
            drive(&mut indexer, &mut runs, &mut out);
        }
    }
    indexer.handle_end();
    drive(&mut indexer, &mut runs, &mut out);
    (out, runs.len())
}

pub(crate) fn drive(indexer: &mut Indexer, runs: &mut Vec<Vec<u8>>, out: &mut Vec<u8>) {
    while let Some(output) = indexer.poll().expect("no fault") {
        match output {
            Output::SpillWrite { run, bytes } => {
                let run = run as usize;
                assert!(run == runs.len() || run + 1 == runs.len(), "one after the other");
                runs.resize(run + 1, Vec::new());
                runs[run].extend_from_slice(&bytes);
            }
            Output::SpillRead { run, offset, len } => {
                let at = usize::try_from(offset).expect("in memory");
                let bytes = runs[run as usize][at..at + len].to_vec();
                indexer.handle_spill(bytes.into()).expect("as asked");
            }
            Output::Write(bytes) => out.extend_from_slice(&bytes),
        }
    }
}

/// What a look-up finds in an index at byte `start` of `input`, and its reads: how many, and how
/// many bytes.
pub(crate) fn look_up(
    mut lookup: Lookup,
    input: &[u8],
) -> (Vec<Found>, Result<(usize, usize), Error>) {
    let (mut found, mut reads, mut bytes) = (Vec::new(), 0, 0);
    loop {
        match lookup.poll() {
            Ok(LookupOutput::ReadAt(read)) => {
                assert_eq!(lookup.poll(), Ok(LookupOutput::ReadAt(read)), "until it is answered");
                let at = usize::try_from(read.offset).map_or(input.len(), |at| at.min(input.len()));
                let end = at.saturating_add(read.len).min(input.len());
                (reads, bytes) = (reads + 1, bytes + end - at);
                lookup.handle_read(Bytes::copy_from_slice(&input[at..end]));
            }
            Ok(LookupOutput::Found(one)) => found.push(one),
            Ok(LookupOutput::Done) => return (found, Ok((reads, bytes))),
            Err(error) => return (found, Err(error)),
        }
    }
}

/// What a look-up finds, where the index is good.
pub(crate) fn find(key: Key, input: &[u8]) -> Vec<Found> {
    let (found, ended) = look_up(Lookup::new(key, 0, &IndexLimits::default()), input);
    ended.expect("a good index");
    found
}
