//! Spreads the hashing of leaves over all cores, and the reading of large files: batches are handed
//! out as they are read, and come back in that order.

use carpool_core::Block;
use carpool_unixfs::{Chunk, EncodedLeaf, Leaf, LeafLink, Options, hash_leaves};
use std::{
    num::NonZero,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    },
    thread::{Scope, available_parallelism},
};

use super::scan::Event;

/// Batches that wait beside those that are being hashed.
const QUEUE: usize = 2;
/// More cores than this wait for the reader anyway.
const MAX_WORKERS: usize = 16;

/// Events, and a leaf for each chunk among them, in their order.
#[derive(Debug)]
pub(super) struct Hashed {
    pub(super) events: Vec<Event>,
    pub(super) leaves: Vec<Hash>,
}

/// A leaf that was hashed, with its block where blocks are kept.
pub(super) type Hash = (LeafLink, Option<Block>);

struct Job {
    events: Vec<Event>,
    done: Sender<Hashed>,
}

/// Where batches go in.
#[derive(Debug)]
pub(super) struct Spread {
    jobs: Sender<Job>,
    /// Bounded: it is what a slow consumer is felt by.
    order: SyncSender<Receiver<Hashed>>,
}

/// Where batches come out.
#[derive(Debug)]
pub(super) struct InOrder(Receiver<Receiver<Hashed>>);

/// Starts a worker for each core; blocks that are not `kept` go at once. They end when what is handed in, and what comes out, is dropped.
pub(super) fn spread<'scope>(
    scope: &'scope Scope<'scope, '_>,
    options: &'scope Options,
    kept: bool,
) -> (Spread, InOrder) {
    let workers = available_parallelism().map_or(1, NonZero::get).min(MAX_WORKERS);
    let (jobs, waiting) = channel();
    let waiting = Arc::new(Mutex::new(waiting));
    for _ in 0..workers {
        let waiting = Arc::clone(&waiting);
        scope.spawn(move || work(&waiting, options, kept));
    }
    let (order, in_order) = sync_channel(workers + QUEUE);
    (Spread { jobs, order }, InOrder(in_order))
}

impl Spread {
    /// Hands a batch in; waits while too many are on their way. Whether anybody takes it still.
    pub(super) fn send(&self, events: Vec<Event>) -> bool {
        let (done, hashed) = channel();
        self.order.send(hashed).is_ok() && self.jobs.send(Job { events, done }).is_ok()
    }
}

impl Iterator for InOrder {
    type Item = Hashed;

    fn next(&mut self) -> Option<Hashed> {
        self.0.recv().ok()?.recv().ok()
    }
}

fn work(waiting: &Mutex<Receiver<Job>>, options: &Options, kept: bool) {
    loop {
        let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { events, done }) = job else { return };
        // Nobody waits for it after an error.
        let _ = done.send(hashed(events, options, kept));
    }
}

/// Reads what is to be read, and hashes each span while a cache has it; all other chunks together.
fn hashed(events: Vec<Event>, options: &Options, kept: bool) -> Hashed {
    let mut hashed = Hashed { events: Vec::with_capacity(events.len()), leaves: Vec::new() };
    let mut from = 0;
    for event in events {
        let Event::Span(span) = event else {
            hashed.events.push(event);
            continue;
        };
        hashed.hash(from, options, kept);
        from = hashed.events.len();
        span.read(&mut hashed.events);
        hashed.hash(from, options, kept);
        from = hashed.events.len();
    }
    hashed.hash(from, options, kept);
    hashed
}

impl Hashed {
    /// Hashes the chunks among the events from `from` on.
    fn hash(&mut self, from: usize, options: &Options, kept: bool) {
        let leaves = hash_leaves(encoded(&mut self.events[from..], options));
        let hash = |leaf: Leaf| (leaf.link(), kept.then(|| leaf.into_block()));
        self.leaves.extend(leaves.into_iter().map(hash));
    }
}

/// The leaves of all chunks, whichever files they are of.
fn encoded(events: &mut [Event], options: &Options) -> Vec<EncodedLeaf> {
    let leaf = |event: &mut Event| {
        let Event::Chunk(chunk, metadata) = event else { return None };
        let chunk = Chunk { data: std::mem::take(&mut chunk.data), only: chunk.only };
        Some(EncodedLeaf::new(chunk, metadata, options))
    };
    events.iter_mut().filter_map(leaf).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use carpool_unixfs::Metadata;
    use std::thread;

    fn chunk(bytes: usize) -> Event {
        let data = vec![7; bytes].into();
        Event::Chunk(Chunk { data, only: false }, Metadata::NONE)
    }

    #[test]
    fn batches_come_back_in_the_order_in_which_they_were_read() {
        let options = Options::default();
        thread::scope(|scope| {
            let (spread, in_order) = spread(scope, &options, false);
            scope.spawn(move || {
                // Long ones first, so that short ones are done before them.
                for n in (1..=40).rev() {
                    assert!(spread.send(vec![chunk(n * 1000), Event::HiddenSkipped, chunk(n)]));
                }
            });
            let sizes: Vec<Vec<u64>> =
                in_order.map(|b| b.leaves.iter().map(|(leaf, _)| leaf.size()).collect()).collect();
            assert!(sizes.into_iter().eq((1..=40).rev().map(|n| vec![n * 1000, n])));
        });
    }

    #[test]
    fn who_hands_in_is_told_when_nobody_takes_it() {
        let options = Options::default();
        thread::scope(|scope| {
            let (spread, in_order) = spread(scope, &options, false);
            assert!(spread.send(vec![chunk(10)]));
            drop(in_order);
            assert!(!spread.send(vec![chunk(10)]));
        });
    }
}
