//! Every block of a CAR in the order of the file, hashed on all cores.

use carpool_car::{Decoder, Error, Header, Item, Section};
use carpool_core::{Block, Bytes, Limits, Unverified, verify};
use std::{
    collections::VecDeque,
    io::Read,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{self, Scope},
};

use super::{args::ReadFlags, input::Input};
use crate::failure::Outcome;

/// Bytes that are read at once, and hashed as one batch.
const CHUNK: usize = 2 << 20;

/// What a scan comes upon, in the order of the file.
#[derive(Debug)]
pub(crate) enum Event {
    /// The header: always first.
    Header(Header),
    /// A block.
    Block(Found),
    /// The file cannot be read on; what came before is good. Always last.
    Fault(Error),
}

/// A section and what its hash said.
#[derive(Debug)]
pub(crate) struct Found {
    /// The section, with its places.
    pub(crate) section: Section,
    /// What is wrong with the block; nothing where it was not hashed.
    pub(crate) wrong: Option<carpool_core::Error>,
}

/// How a CAR is scanned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scan<'a> {
    pub(crate) read: &'a ReadFlags,
    /// Whether blocks are hashed.
    pub(crate) verify: bool,
}

impl ReadFlags {
    /// What a file may ask for.
    pub(crate) fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        limits.max_header_bytes = self.max_header;
        limits.max_section_bytes = self.max_section;
        limits.max_block_bytes = self.max_section;
        limits.max_header_roots = self.max_header;
        limits
    }

    fn workers(&self) -> usize {
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        self.threads.unwrap_or_else(cores).max(1)
    }
}

impl Scan<'_> {
    /// Reads the header of `input` and nothing after it.
    pub(crate) fn header(self, input: &Input) -> Outcome<Header> {
        let mut stream = input.stream()?;
        let mut decoder = Decoder::new(&self.read.limits());
        loop {
            let mut chunk = Vec::new();
            let read = (&mut stream).take(4096).read_to_end(&mut chunk);
            read.map_err(|error| input.failed(&error))?;
            if chunk.is_empty() {
                decoder.handle_eof();
            }
            decoder.handle_data(Bytes::from(chunk));
            if let Some(Item::Header(header)) = decoder.poll()? {
                return Ok(header);
            }
        }
    }

    /// Reads all of `input`; stops where `each` fails.
    pub(crate) fn run(self, input: &Input, mut each: impl FnMut(Event) -> Outcome) -> Outcome {
        let mut stream = input.stream()?;
        let mut decoder = Decoder::new(&self.read.limits());
        thread::scope(|scope| {
            let mut hashers = Hashers::new(scope, self.read.workers(), self.verify);
            loop {
                let mut chunk = Vec::with_capacity(CHUNK);
                let read = (&mut stream).take(CHUNK as u64).read_to_end(&mut chunk);
                read.map_err(|error| input.failed(&error))?;
                let ended = chunk.len() < CHUNK;
                decoder.handle_data(Bytes::from(chunk));
                if ended {
                    decoder.handle_eof();
                }
                let fault = decode(&mut decoder, &mut hashers, &mut each)?;
                let last = ended || fault.is_some();
                while let Some(batch) = hashers.next(last) {
                    batch.into_iter().try_for_each(|found| each(Event::Block(found)))?;
                }
                if let Some(fault) = fault {
                    return each(Event::Fault(fault));
                }
                if ended {
                    return Ok(());
                }
            }
        })
    }
}

fn decode(
    decoder: &mut Decoder,
    hashers: &mut Hashers,
    each: &mut impl FnMut(Event) -> Outcome,
) -> Outcome<Option<Error>> {
    let mut batch = Vec::new();
    let fault = loop {
        match decoder.poll() {
            Ok(Some(Item::Header(header))) => each(Event::Header(header))?,
            Ok(Some(Item::Section(section))) => batch.push(section),
            Ok(None) => break None,
            Err(fault) => break Some(fault),
        }
    };
    hashers.give(batch);
    Ok(fault)
}

/// Threads that take batches by turns, so that their answers, taken by turns, are in order.
struct Hashers {
    threads: Vec<(SyncSender<Vec<Section>>, Receiver<Vec<Found>>)>,
    turn: usize,
    waiting: VecDeque<Waiting>,
    verify: bool,
}

enum Waiting {
    Done(Vec<Found>),
    At(usize),
}

/// Batches that wait for one thread.
const QUEUE: usize = 2;

impl Hashers {
    fn new<'scope>(scope: &'scope Scope<'scope, '_>, threads: usize, verify: bool) -> Self {
        let threads = if verify && threads > 1 { threads } else { 0 };
        let spawn = |_| {
            let (give, take) = sync_channel::<Vec<Section>>(QUEUE);
            let (done, results) = sync_channel(QUEUE);
            scope.spawn(move || {
                // Whoever asked may have gone: then nobody wants the rest.
                take.into_iter().try_for_each(|batch| done.send(hash(batch)))
            });
            (give, results)
        };
        let threads = (0..threads).map(spawn).collect();
        Self { threads, turn: 0, waiting: VecDeque::new(), verify }
    }
}

impl Hashers {
    fn give(&mut self, batch: Vec<Section>) {
        if batch.is_empty() {
            return;
        }
        let Some((thread, _)) = self.threads.get(self.turn) else {
            let found = if self.verify { hash(batch) } else { trust(batch) };
            self.waiting.push_back(Waiting::Done(found));
            return;
        };
        thread.send(batch).expect("a thread ends after its queue");
        self.waiting.push_back(Waiting::At(self.turn));
        self.turn = (self.turn + 1) % self.threads.len();
    }

    /// The next batch in order; while more are to come only once every thread has its share.
    fn next(&mut self, last: bool) -> Option<Vec<Found>> {
        let full = self.waiting.len() >= (self.threads.len() * QUEUE).max(1);
        let oldest = if full || last { self.waiting.pop_front()? } else { return None };
        Some(match oldest {
            Waiting::Done(batch) => batch,
            Waiting::At(turn) => self.threads[turn].1.recv().expect("a thread answers each batch"),
        })
    }
}

fn hash(sections: Vec<Section>) -> Vec<Found> {
    let claims = sections.iter().map(|s| Unverified { cid: s.cid, data: s.data.clone() });
    let verdicts = verify(claims.collect());
    let found =
        |(section, verdict): (Section, Result<Block, _>)| Found { section, wrong: verdict.err() };
    sections.into_iter().zip(verdicts).map(found).collect()
}

fn trust(sections: Vec<Section>) -> Vec<Found> {
    sections.into_iter().map(|section| Found { section, wrong: None }).collect()
}
