//! Whole transfers in memory, on one thread: both machines, real messages, real CAR bytes, every
//! block verified.

use carpool_car::{Decoder, Item, header, section_prefix};
use carpool_core::{Block, Bytes, Cid, Limits, Unverified, verify};
use carpool_http::message::{self, Dialect, Kind};
use carpool_mirror::{Received, Sink, SinkOutput, Source, SourceOutput, Status};
use carpool_selector::Order;
use carpool_store::{BlockStore, MemoryStore};
use sha2::{Digest, Sha256};

/// Small sections are put together up to this many bytes, and a network hands over as many.
pub const CHUNK_BYTES: usize = 64 << 10;
/// Bytes that are decoded, and whose blocks are hashed, together.
const RECEIVE_BYTES: usize = 1 << 20;
/// Blocks below this size are copied together on their way out.
const OWN_CHUNK_BYTES: usize = 16 << 10;
/// Blocks are stored in batches of so many bytes.
const STORE_BYTES: usize = 4 << 20;
/// What a server of which nothing is known is sent first.
const COLD_CALL_BYTES: u64 = 64 << 10;
const SEED: u64 = 1;

/// What a transfer moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Rounds.
    pub rounds: u64,
    /// Blocks that were wanted and came.
    pub blocks: u64,
    /// Blocks that came although held.
    pub duplicates: u64,
    /// Bytes of messages.
    pub message_bytes: u64,
    /// Bytes of CARs.
    pub car_bytes: u64,
}

/// A store that holds `blocks`.
///
/// # Panics
/// Never: memory takes blocks.
#[must_use]
pub fn holding(blocks: &[Block]) -> MemoryStore {
    let store = MemoryStore::new();
    store.put_many(blocks).expect("memory takes blocks");
    store
}

/// Hashes all blocks one after another: the limit of every verified transfer on one core.
#[must_use]
pub fn hash_all(blocks: &[Block]) -> u8 {
    blocks.iter().fold(0, |all, block| all ^ Sha256::digest(block.data())[0])
}

/// Pulls the DAG below `root`; `seeds` are old roots that the sink holds. Chunks of CARs arrive as
/// they are sent.
///
/// # Panics
/// When a machine, a message or a CAR is not as it should be.
pub fn pull<A: BlockStore, B: BlockStore>(root: Cid, seeds: &[Cid], from: &A, to: &B) -> Moved {
    pull_cut(root, seeds, from, to, usize::MAX)
}

/// As [`pull`]; chunks arrive cut into pieces of at most `chunk` bytes, so that blocks have to be
/// put together.
///
/// # Panics
/// As [`pull`].
pub fn pull_cut<A: BlockStore, B: BlockStore>(
    root: Cid,
    seeds: &[Cid],
    from: &A,
    to: &B,
    chunk: usize,
) -> Moved {
    let limits = Limits::default();
    let sink = Sink::new([root], seeds.iter().copied(), &limits, SEED);
    let mut taker = Taker::new(sink, to, Moved::default());
    taker.chunk = chunk;
    let mut giver = Giver::new(Order::DepthFirst, from);
    while let Some(status) = taker.speak() {
        taker.moved.rounds += 1;
        giver.hear(Kind::PullRequest, &status, &mut taker.moved);
        giver.send(None, &mut taker);
        taker.end_round();
    }
    taker.moved
}

/// Pushes the DAG below `root` to a sink of which nothing is known.
///
/// # Panics
/// As [`pull`].
pub fn push<A: BlockStore, B: BlockStore>(root: Cid, from: &A, to: &B) -> Moved {
    let limits = Limits::default();
    let mut giver = Giver::new(Order::BreadthFirst, from);
    giver.source.handle_cold_call(root, COLD_CALL_BYTES);
    let mut moved = Moved::default();
    loop {
        moved.rounds += 1;
        let mut sink = Sink::new([root], [], &limits, SEED);
        sink.handle_begin_round();
        let mut taker = Taker::new(sink, to, moved);
        taker.settle();
        giver.send(Some(root), &mut taker);
        taker.end_round();
        let answer = taker.speak();
        moved = taker.moved;
        let Some(status) = answer else { return moved };
        giver.hear(Kind::PushResponse, &status, &mut moved);
    }
}

struct Giver<'a, S> {
    source: Source,
    store: &'a S,
    small: Vec<u8>,
}

impl<'a, S: BlockStore> Giver<'a, S> {
    fn new(order: Order, store: &'a S) -> Self {
        let source = Source::new(order, &Limits::default(), SEED);
        Self { source, store, small: Vec::new() }
    }

    fn hear(&mut self, kind: Kind, status: &Status, moved: &mut Moved) {
        let bytes = message::encode(Dialect::Spec, kind, status);
        moved.message_bytes += bytes.len() as u64;
        let status = message::decode(Dialect::Spec, kind, &bytes, &Limits::default())
            .expect("our own message");
        self.source.handle_status(status).expect("within the limits");
    }

    /// One round; `root` is what the header names, else the first block.
    fn send<T: BlockStore>(&mut self, root: Option<Cid>, to: &mut Taker<'_, T>) {
        let mut named = root.inspect(|root| self.small.extend_from_slice(&header(&[*root])));
        let mut loads = Vec::new();
        loop {
            match self.source.poll().expect("our own blocks parse") {
                Some(SourceOutput::Load(cid)) => loads.push(cid),
                Some(SourceOutput::Transmit(block)) => {
                    named.get_or_insert_with(|| {
                        self.small.extend_from_slice(&header(&[*block.cid()]));
                        *block.cid()
                    });
                    self.block(&block, to);
                }
                Some(SourceOutput::EndRound) => break,
                Some(SourceOutput::Missing(cid)) => unreachable!("{cid} is held"),
                None => self.answer(&mut loads),
            }
        }
        self.flush(to);
        to.end_car();
    }

    fn answer(&mut self, loads: &mut Vec<Cid>) {
        let found = self.store.get_many(loads).expect("the store reads");
        for (cid, data) in loads.drain(..).zip(found) {
            self.source.handle_load(&cid, data);
        }
    }

    fn block<T: BlockStore>(&mut self, block: &Block, to: &mut Taker<'_, T>) {
        let prefix = section_prefix(block.cid(), block.data().len());
        self.small.extend_from_slice(prefix.as_ref());
        if block.data().len() >= OWN_CHUNK_BYTES {
            self.flush(to);
            to.take(block.data().clone());
            return;
        }
        self.small.extend_from_slice(block.data());
        if self.small.len() >= CHUNK_BYTES {
            self.flush(to);
        }
    }

    fn flush<T: BlockStore>(&mut self, to: &mut Taker<'_, T>) {
        if !self.small.is_empty() {
            to.take(std::mem::take(&mut self.small).into());
            self.small.reserve(CHUNK_BYTES + OWN_CHUNK_BYTES);
        }
    }
}

struct Taker<'a, S> {
    sink: Sink,
    store: &'a S,
    decoder: Decoder,
    chunk: usize,
    undecoded: usize,
    pending: Vec<Block>,
    pending_bytes: usize,
    moved: Moved,
}

impl<'a, S: BlockStore> Taker<'a, S> {
    fn new(sink: Sink, store: &'a S, moved: Moved) -> Self {
        let decoder = Decoder::new(&Limits::default());
        let (chunk, pending) = (usize::MAX, Vec::new());
        Self { sink, store, decoder, chunk, undecoded: 0, pending, pending_bytes: 0, moved }
    }

    /// What the sink says once its look-ups are answered; `None` when it has all.
    fn speak(&mut self) -> Option<Status> {
        match self.settle() {
            Some(SinkOutput::Transmit(status)) => Some(status),
            Some(SinkOutput::Done(outcome)) => {
                assert_eq!(outcome.missing, 0, "all came");
                None
            }
            _ => unreachable!("a settled sink speaks"),
        }
    }

    fn settle(&mut self) -> Option<SinkOutput> {
        loop {
            let (mut loads, mut leaves) = (Vec::new(), Vec::new());
            while let Some(output) = self.sink.poll().expect("held blocks parse") {
                match output {
                    SinkOutput::Load(cid) => loads.push(cid),
                    SinkOutput::Has(cid) => leaves.push(cid),
                    SinkOutput::Store(block) => self.keep(block),
                    SinkOutput::Summary => self.sink.handle_summary(None),
                    SinkOutput::Plan(_) => self.sink.handle_plan(&[], false),
                    SinkOutput::Transmit(_) | SinkOutput::Ask(_) | SinkOutput::Done(_) => {
                        self.store_pending();
                        return Some(output);
                    }
                }
            }
            if loads.is_empty() && leaves.is_empty() {
                return None;
            }
            self.answer(&loads, &leaves);
        }
    }

    fn answer(&mut self, loads: &[Cid], leaves: &[Cid]) {
        for (cid, data) in loads.iter().zip(self.store.get_many(loads).expect("the store reads")) {
            self.sink.handle_load(cid, data);
        }
        for (cid, held) in leaves.iter().zip(self.store.has_many(leaves).expect("it reads")) {
            self.sink.handle_has(cid, held);
        }
    }

    fn keep(&mut self, block: Block) {
        self.moved.blocks += 1;
        self.pending_bytes += block.data().len();
        self.pending.push(block);
        if self.pending_bytes >= STORE_BYTES {
            self.store_pending();
        }
    }

    fn store_pending(&mut self) {
        self.store.put_many(&self.pending).expect("the store takes blocks");
        self.pending.clear();
        self.pending_bytes = 0;
    }

    /// Cuts what is sent into what arrives.
    fn take(&mut self, mut sent: Bytes) {
        self.moved.car_bytes += sent.len() as u64;
        while !sent.is_empty() {
            let chunk = sent.split_to(sent.len().min(self.chunk));
            self.undecoded += chunk.len();
            self.decoder.handle_data(chunk);
            if self.undecoded >= RECEIVE_BYTES {
                self.decode();
            }
        }
    }

    fn decode(&mut self) {
        self.undecoded = 0;
        let mut batch = Vec::new();
        while let Some(item) = self.decoder.poll().expect("a good CAR") {
            if let Item::Section(section) = item {
                batch.push(Unverified { cid: section.cid, data: section.data });
            }
        }
        for block in verify(batch) {
            let block = block.expect("its bytes hash to its CID");
            let received = self.sink.handle_block(block).expect("a good block");
            self.moved.duplicates += u64::from(received == Received::Duplicate);
            self.settle();
        }
    }

    fn end_car(&mut self) {
        self.decoder.handle_eof();
        self.decode();
        self.decoder = Decoder::new(&Limits::default());
    }

    fn end_round(&mut self) {
        self.store_pending();
        self.sink.handle_end_round();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim::dag::{Shape, original};

    #[test]
    fn both_directions_move_all_of_it_once() {
        let dag = original(&Shape { seed: 1, leaves: 300, leaf_size: 20_000, fanout: 16 });
        let from = holding(&dag.blocks);
        for moved in [
            pull(dag.root, &[], &from, &MemoryStore::new()),
            pull_cut(dag.root, &[], &from, &MemoryStore::new(), 1_000),
            push(dag.root, &from, &MemoryStore::new()),
        ] {
            assert_eq!((moved.blocks, moved.duplicates), (dag.blocks.len() as u64, 0));
        }
    }
}
