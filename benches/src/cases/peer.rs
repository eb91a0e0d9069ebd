//! Beside the existing peers: car-mirror 0.1.0 measured in the same run, and what was recorded of
//! it and of go-car-mirror.

use carpool_core::{Block, Cid, CidSet, Limits};
use carpool_http::message::{self, Dialect, Kind};
use carpool_mirror::{Narrowing, Sink, SinkOutput, Source, SourceOutput, Status, Summary};
use carpool_selector::Order;
use carpool_store::{BlockStore, MemoryStore, Names};
use serde_json::Value;
use sim::dag::{Dag, Shape, generate, original, scattered};
use std::{collections::BTreeSet, hint::black_box, path::PathBuf, process::Command, sync::Arc};
use tokio::runtime::Runtime;

use super::rate;
use crate::{
    clock::{by_turns, repeated, timed, timed_thread},
    loopback, memory, program,
    report::{Goal, Row},
};

const RUNS: usize = 5;

pub(super) fn measure(each: &mut dyn FnMut(Row)) {
    match PeerBench::find() {
        Some(peer) => {
            large_leaves(&peer, each);
            small_leaves(&peer, each);
        }
        None => eprintln!("peer: skipped what is measured: CARPOOL_PEER_DIR has no built peer"),
    }
    in_memory(each);
    over_loopback(each);
    beside_go(each);
}

// ---- cold, measured -----------------------------------------------------------------------------

/// The peer's own measurements, as its program of our own makes them.
struct PeerBench(PathBuf);

impl PeerBench {
    fn find() -> Option<Self> {
        let folder = std::env::var_os("CARPOOL_PEER_DIR").unwrap_or_else(|| "target/peer".into());
        let path = PathBuf::from(folder).join("target/release/peer-bench");
        path.is_file().then_some(Self(path))
    }

    /// Seconds of one cold transfer.
    fn seconds(&self, way: Way, push: bool, shape: &str) -> f64 {
        let mode = match way {
            Way::Memory => "stream",
            Way::Http { http2: false } => "http",
            Way::Http { http2: true } => "http2",
        };
        let mut command = Command::new(&self.0);
        command.args(["case", "model=cold", "reps=1", "count=0"]);
        command.args([format!("mode={mode}"), format!("dir={}", direction(push))]);
        command.args(shape.split(' '));
        let said: Value = program::last_object(command);
        said["seconds"].as_f64().expect("the peer ended well")
    }
}

#[derive(Clone, Copy)]
enum Way {
    Memory,
    Http { http2: bool },
}

impl Way {
    const fn name(self) -> &'static str {
        match self {
            Self::Memory => "in memory",
            Self::Http { http2 } => loopback::version(http2),
        }
    }
}

const fn direction(push: bool) -> &'static str {
    if push { "push" } else { "pull" }
}

/// One cold transfer of ours; seconds.
fn cold(runtime: &Runtime, dag: &Dag, from: &Arc<MemoryStore>, way: Way, push: bool) -> f64 {
    let to = Arc::new(MemoryStore::new());
    let seconds = match (way, push) {
        (Way::Memory, false) => timed(|| memory::pull(dag.root, &[], &**from, &*to)).0,
        (Way::Memory, true) => timed(|| memory::push(dag.root, &**from, &*to)).0,
        (Way::Http { http2 }, push) => {
            let served = if push { &to } else { from };
            let near = if push { from } else { &to };
            loopback::served(runtime, Arc::clone(served) as _, |url| {
                over_http(runtime, dag.root, url, http2, near, push)
            })
        }
    };
    assert_eq!(to.len(), dag.blocks.len(), "all came");
    seconds
}

/// The client is made off the clock: ours reads the system's roots of trust, and the peer was built
/// without TLS.
fn over_http(
    runtime: &Runtime,
    root: Cid,
    url: &str,
    http2: bool,
    near: &Arc<MemoryStore>,
    push: bool,
) -> f64 {
    let (client, near) = (loopback::client(url, http2), Arc::clone(near));
    let transfer = async {
        if push {
            client.push(root, Vec::new(), None, near).await.map(|_| ())
        } else {
            client.pull(root, Vec::new(), near).await.map(|_| ())
        }
    };
    let (seconds, done) = timed(|| runtime.block_on(transfer));
    done.expect("a transfer");
    seconds
}

fn large_leaves(peer: &PeerBench, each: &mut dyn FnMut(Row)) {
    let dag = original(&Shape::BIG);
    let (from, runtime) = (Arc::new(memory::holding(&dag.blocks)), loopback::runtime(2));
    for (way, goal) in
        [(Way::Http { http2: false }, 1.7), (Way::Http { http2: true }, 1.7), (Way::Memory, 1.35)]
    {
        for push in [false, true] {
            let ours = || cold(&runtime, &dag, &from, way, push);
            let (ours, theirs) = by_turns(RUNS, ours, || peer.seconds(way, push, "shape=big"));
            let what =
                format!("cold {} of 64 MiB in 256 KiB leaves, {}", direction(push), way.name());
            let row = Row::new("peer", what, ours, "s").against("car-mirror 0.1.0", theirs);
            each(row.goal(Goal::RatioAtLeast(goal)));
        }
    }
}

/// The peer takes 64 times as long for eight times the leaves; what it took for all of them was
/// measured once: 1,393 s.
fn small_leaves(peer: &PeerBench, each: &mut dyn FnMut(Row)) {
    const EIGHTH: &str = "shape=custom leaves=8192 leaf_size=1024 fanout=64";
    let dag = original(&Shape::SMALL);
    let (from, runtime) = (Arc::new(memory::holding(&dag.blocks)), loopback::runtime(2));
    let hashed = hash_rate(&dag.blocks[dag.blocks.len() - (1 << 16)..]);
    for way in [Way::Memory, Way::Http { http2: false }] {
        for push in [false, true] {
            let ours = repeated(RUNS, || cold(&runtime, &dag, &from, way, push));
            let theirs = 64.0 * peer.seconds(way, push, EIGHTH);
            let name = format!("cold {} of 65,536 leaves of 1 KiB", direction(push));
            let row = Row::new("peer", format!("{name}, {}", way.name()), ours, "s");
            let row = row.against("car-mirror 0.1.0 at 8,192 leaves, × 64", theirs);
            each(row.goal(Goal::RatioAtLeast(1_000.0)));
            if let Way::Http { .. } = way {
                each(blocks_a_second(&name, dag.blocks.len() as f64 / ours, hashed));
            }
        }
    }
}

/// The goal holds where a core hashes 1.8 GB/s.
fn blocks_a_second(name: &str, ours: f64, hashed: f64) -> Row {
    let what = format!("{name}, HTTP/1.1; a core hashes {hashed:.2} of 1.80 GB/s");
    let row = Row::new("peer", what, ours, "blocks/s");
    let row = row.beside("go-car-mirror, recorded", 109_000.0);
    row.goal(Goal::AtLeast((220_000.0 * (hashed / 1.8).min(1.0)).floor()))
}

/// GB/s of one core over large blocks, whoever else uses it.
fn hash_rate(blocks: &[Block]) -> f64 {
    let large: Vec<u8> = blocks.iter().flat_map(|block| block.data().iter().copied()).collect();
    let large = [Block::new_unchecked(*blocks[0].cid(), large.into())];
    let seconds = repeated(RUNS, || timed_thread(|| black_box(memory::hash_all(&large))).0);
    rate(large[0].data().len() as u64, seconds) / 1e3
}

// ---- incremental, counted -----------------------------------------------------------------------

/// What a transfer took: rounds, and bytes from client to server and back.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Cost {
    rounds: u64,
    up: u64,
    down: u64,
}

impl Cost {
    const fn new(rounds: u64, up: u64, down: u64) -> Self {
        Self { rounds, up, down }
    }

    /// A row with the worst of three ratios, which may not be above 1.
    fn row(self, what: &str, peer: &str, theirs: Self) -> Row {
        let [ours, other] = [self, theirs].map(|c| [c.rounds, c.up, c.down].map(|n| n as f64));
        let worst = ours.iter().zip(other).map(|(ours, other)| ours / other).fold(0.0, f64::max);
        let Self { rounds, up, down } = self;
        let what = format!(
            "{what}: {rounds} of {} rounds, {up} of {} B up, {down} of {} B down; {peer}",
            theirs.rounds, theirs.up, theirs.down
        );
        Row::new("peer", what, worst, "of its").goal(Goal::AtMost(1.0))
    }
}

/// What the sink holds before.
#[derive(Clone, Copy)]
pub(super) enum Held {
    /// Another version: so many leaves differ.
    Scattered(u64),
    /// So many of the first blocks, breadth first.
    First(usize),
}

pub(super) struct Case {
    pub(super) root: Cid,
    /// The version before, where the sink holds it.
    pub(super) old: Option<Dag>,
    pub(super) new: Dag,
    pub(super) held: Vec<Block>,
}

impl Case {
    pub(super) fn new(shape: &Shape, held: Held) -> Self {
        let old = original(shape);
        match held {
            Held::Scattered(leaves) => {
                let new = generate(shape, &scattered(shape.seed, shape.leaves, leaves));
                Self { root: new.root, held: old.blocks.clone(), old: Some(old), new }
            }
            Held::First(blocks) => {
                Self { root: old.root, held: old.blocks[..blocks].to_vec(), old: None, new: old }
            }
        }
    }

    pub(super) fn missing(&self) -> usize {
        let held: BTreeSet<&Cid> = self.held.iter().map(Block::cid).collect();
        self.new.blocks.iter().filter(|block| !held.contains(block.cid())).count()
    }

    pub(super) fn seeds(&self) -> Vec<Cid> {
        self.old.iter().map(|old| old.root).collect()
    }
}

/// The streaming rows of `research/car-mirror-peers.md` §4.3, exact from its
/// `results/incr-mem.jsonl`: shape, what is held, missing blocks, pull, push. Those without streaming
/// are never fewer, in rounds or bytes.
#[rustfmt::skip]
pub(super) const RECORDED: [(&str, Shape, &str, Held, usize, Cost, Cost); 12] = [
    ("big", Shape::BIG, "scatter 0.9", Held::Scattered(26), 41, Cost::new(3, 3_580, 7_090_238), Cost::new(3, 7_090_238, 3_519)),
    ("big", Shape::BIG, "scatter 0.99", Held::Scattered(3), 7, Cost::new(3, 2_006, 1_052_384), Cost::new(3, 1_052_384, 1_945)),
    ("big", Shape::BIG, "scatter 0.999", Held::Scattered(1), 3, Cost::new(3, 2_274, 526_628), Cost::new(3, 526_628, 2_213)),
    ("small", Shape::SMALL, "scatter 0.9", Held::Scattered(6_554), 7_593, Cost::new(3, 816_363, 9_730_178), Cost::new(3, 9_730_178, 816_302)),
    ("small", Shape::SMALL, "scatter 0.99", Held::Scattered(655), 1_171, Cost::new(3, 463_661, 2_072_168), Cost::new(3, 2_072_168, 463_600)),
    ("small", Shape::SMALL, "scatter 0.999", Held::Scattered(66), 148, Cost::new(3, 532_329, 290_474), Cost::new(3, 290_474, 532_268)),
    ("big", Shape::BIG, "resume 0.9", Held::First(245), 28, Cost::new(1, 2_236, 7_341_183), Cost::new(2, 7_341_937, 2_249)),
    ("big", Shape::BIG, "resume 0.99", Held::First(270), 3, Cost::new(1, 1_222, 786_608), Cost::new(2, 787_362, 1_235)),
    ("big", Shape::BIG, "resume 0.999", Held::First(272), 1, Cost::new(1, 1_100, 262_242), Cost::new(2, 262_996, 1_113)),
    ("small", Shape::SMALL, "resume 0.9", Held::First(59_919), 6_658, Cost::new(2, 930_466, 7_070_914), Cost::new(2, 7_071_609, 668_315)),
    ("small", Shape::SMALL, "resume 0.99", Held::First(65_911), 666, Cost::new(1, 302_789, 707_351), Cost::new(2, 708_105, 302_802)),
    ("small", Shape::SMALL, "resume 0.999", Held::First(66_510), 67, Cost::new(1, 266_249, 71_213), Cost::new(2, 71_967, 266_262)),
];

/// Bodies alone, without heads, as the peer's were counted.
fn in_memory(each: &mut dyn FnMut(Row)) {
    const PEER: &str = "car-mirror 0.1.0, in memory";
    for (name, shape, held, kind, missing, pull, push) in RECORDED {
        let case = Case::new(&shape, kind);
        assert_eq!(case.missing(), missing, "the recorded case");
        let from = memory::holding(&case.new.blocks);
        let to = memory::holding(&case.held);
        let moved = memory::pull(case.root, &case.seeds(), &from, &to);
        let ours = Cost::new(moved.rounds, moved.message_bytes, moved.car_bytes);
        each(ours.row(&format!("pull, {name} {held}"), PEER, pull));
        if let Some(old) = &case.old {
            let ours = push_in_memory(&case, Some(known(&old.blocks)));
            each(ours.row(&format!("push, {name} {held}"), PEER, push));
        }
        let ours = push_in_memory(&case, None);
        let told = if case.old.is_some() { ", told of nothing" } else { "" };
        each(ours.row(&format!("push, {name} {held}{told}"), PEER, push));
    }
}

fn known(blocks: &[Block]) -> CidSet {
    let mut known = CidSet::with_seed(0);
    blocks.iter().for_each(|block| {
        known.insert(block.cid());
    });
    known
}

/// A push whose source takes `estimate` for held, or else begins with a cold call. The sink's store
/// remembers that it completed the version before, as ours do. Bytes are counted and not made.
fn push_in_memory(case: &Case, estimate: Option<CidSet>) -> Cost {
    let limits = Limits::default();
    let (from, to) = (memory::holding(&case.new.blocks), memory::holding(&case.held));
    let mut source = Source::new(Order::BreadthFirst, &limits, 0);
    match estimate {
        Some(known) => source.handle_estimate(case.root, Narrowing::Known(known)),
        None => source.handle_cold_call(case.root, 64 << 10),
    }
    let mut cost = Cost::default();
    let completed = completed(case);
    loop {
        cost.rounds += 1;
        let mut sink = Sink::new([case.root], [], &limits, 0).with_summary();
        sink.handle_begin_round();
        assert!(settle(&mut sink, &to, &completed).is_none(), "it waits for the source");
        cost.up += carpool_car::header(&[case.root]).len() as u64;
        cost.up += send(&mut source, &from, &mut sink, &to, &completed);
        sink.handle_end_round();
        let status = settle(&mut sink, &to, &completed).expect("an answer");
        cost.down += message::encode(Dialect::Spec, Kind::PushResponse, &status).len() as u64;
        if status.want.is_empty() {
            assert_eq!(to.len(), case.held.len() + case.missing(), "all came");
            return cost;
        }
        source.handle_status(status).expect("within the limits");
    }
}

/// What a server that completed the version before keeps of it.
fn completed(case: &Case) -> Summary {
    let mut summary = Summary::new(1 << 17, 256 << 10, 0);
    for block in case.old.iter().flat_map(|old| &old.blocks) {
        summary.insert(block.cid());
    }
    summary
}

/// One round; the bytes of its sections.
fn send(
    source: &mut Source,
    from: &MemoryStore,
    sink: &mut Sink,
    to: &MemoryStore,
    completed: &Summary,
) -> u64 {
    let (mut loads, mut bytes) = (Vec::new(), 0);
    loop {
        match source.poll().expect("our own blocks parse") {
            Some(SourceOutput::Load(cid)) => loads.push(cid),
            Some(SourceOutput::Transmit(block)) => {
                bytes += carpool_car::section_len(block.cid(), block.data().len()) as u64;
                sink.handle_block(block).expect("a good block");
                assert!(settle(sink, to, completed).is_none(), "the round goes on");
            }
            Some(SourceOutput::EndRound) => return bytes,
            Some(SourceOutput::Missing(cid)) => unreachable!("{cid} is held"),
            None => {
                let found = from.get_many(&loads).expect("memory");
                for (cid, data) in loads.drain(..).zip(found) {
                    source.handle_load(&cid, data);
                }
            }
        }
    }
}

/// Answers look-ups until the sink waits, or says what it lacks: nothing, once it has all.
fn settle(sink: &mut Sink, store: &MemoryStore, completed: &Summary) -> Option<Status> {
    loop {
        match sink.poll().expect("held blocks parse")? {
            SinkOutput::Load(cid) => sink.handle_load(&cid, store.get(&cid).expect("memory")),
            SinkOutput::Has(cid) => sink.handle_has(&cid, store.has(&cid).expect("memory")),
            SinkOutput::Store(block) => store.put(&block).expect("memory"),
            SinkOutput::Summary => sink.handle_summary(completed.known()),
            SinkOutput::Plan(_) | SinkOutput::Ask(_) => unreachable!("a sink without a plan"),
            SinkOutput::Transmit(status) => return Some(status),
            SinkOutput::Done(outcome) => {
                assert_eq!(outcome.missing, 0, "all came");
                return Some(Status::default());
            }
        }
    }
}

type OverHttp = (&'static str, Shape, &'static str, Held, bool, Cost, Option<Cost>);

/// The rows of `results/http.jsonl` that ended, TCP payload with heads and all: shape, what is held,
/// HTTP/2 or not, pull and push. Where a push is `None`, some or all of its runs failed before they
/// were counted.
#[rustfmt::skip]
const RECORDED_HTTP: [OverHttp; 13] = [
    ("big", Shape::BIG, "scatter 0.9", Held::Scattered(26), false, Cost::new(3, 4_148, 16_563_947), None),
    ("big", Shape::BIG, "scatter 0.9", Held::Scattered(26), true, Cost::new(3, 4_222, 11_018_053), Some(Cost::new(3, 7_345_733, 4_032))),
    ("big", Shape::BIG, "scatter 0.99", Held::Scattered(3), false, Cost::new(3, 2_573, 8_848_078), None),
    ("big", Shape::BIG, "scatter 0.99", Held::Scattered(3), true, Cost::new(3, 2_413, 3_947_036), Some(Cost::new(3, 2_885_949, 2_249))),
    ("big", Shape::BIG, "resume 0.9", Held::First(245), false, Cost::new(1, 2_426, 7_341_639), Some(Cost::new(2, 7_639_143, 2_717))),
    ("big", Shape::BIG, "resume 0.9", Held::First(245), true, Cost::new(1, 2_533, 7_345_627), Some(Cost::new(2, 8_395_067, 2_681))),
    ("big", Shape::BIG, "resume 0.99", Held::First(270), false, Cost::new(1, 1_412, 786_839), None),
    ("big", Shape::BIG, "resume 0.99", Held::First(270), true, Cost::new(1, 1_415, 787_227), Some(Cost::new(2, 1_836_667, 1_485))),
    ("small", Shape::SMALL, "scatter 0.99", Held::Scattered(655), false, Cost::new(3, 464_233, 12_217_103), None),
    ("small", Shape::SMALL, "scatter 0.999", Held::Scattered(66), true, Cost::new(3, 533_188, 4_511_343), Some(Cost::new(3, 2_178_753, 532_901))),
    ("small", Shape::SMALL, "resume 0.99", Held::First(65_911), false, Cost::new(1, 302_981, 712_217), None),
    ("small", Shape::SMALL, "resume 0.999", Held::First(66_510), false, Cost::new(1, 266_441, 71_886), Some(Cost::new(2, 4_070_524, 266_732))),
    ("small", Shape::SMALL, "resume 0.999", Held::First(66_510), true, Cost::new(1, 266_589, 71_976), Some(Cost::new(2, 1_124_224, 266_681))),
];

/// The source of a push is told of nothing, as the peer's was.
fn over_loopback(each: &mut dyn FnMut(Row)) {
    const PEER: &str = "car-mirror 0.1.0, the same";
    let runtime = loopback::runtime(2);
    for (name, shape, held, kind, http2, pull, push) in RECORDED_HTTP {
        let case = Case::new(&shape, kind);
        let version = loopback::version(http2);
        let ours = http_cost(&runtime, &case, http2, Side::Pull);
        each(ours.row(&format!("pull, {name} {held}, {version}"), PEER, pull));
        if let Some(push) = push {
            let ours = http_cost(&runtime, &case, http2, Side::Push { told: false });
            each(ours.row(&format!("push, {name} {held}, told of nothing, {version}"), PEER, push));
        }
    }
}

/// Who the client is, and whether a source knows the version before.
#[derive(Clone, Copy)]
enum Side {
    Pull,
    Push { told: bool },
}

type OfGo = (&'static str, Shape, u64, usize, Option<Cost>, Option<Cost>);

/// The incremental table of `research/go-car-mirror-run.md`: shape, leaves that changed, missing
/// blocks, pull, push; `None` where it did not end or failed.
#[rustfmt::skip]
const GO: [OfGo; 8] = [
    ("4,096 leaves of 64 B, fan-out 64, 1 changed", tiny(64), 1, 3, Some(Cost::new(2, 21_000, 182_000)), Some(Cost::new(8, 281_000, 35_000))),
    ("4,096 leaves of 64 B, fan-out 2, 1 changed", tiny(2), 1, 13, None, Some(Cost::new(4, 39_000, 76_000))),
    ("big 0.99", Shape::BIG, 3, 7, Some(Cost::new(2, 4_800, 22_300_000)), Some(Cost::new(3, 42_000_000, 7_000))),
    ("big 0.9", Shape::BIG, 26, 41, Some(Cost::new(2, 5_500, 27_000_000)), Some(Cost::new(4, 63_000_000, 10_000))),
    ("small 0.999", Shape::SMALL, 66, 148, None, None),
    ("small 0.99", Shape::SMALL, 655, 1_171, None, None),
    ("small 0.9", Shape::SMALL, 6_554, 7_593, Some(Cost::new(3, 559_000, 10_100_000)), None),
    ("16,384 leaves of 1 KiB 0.99", Shape { leaves: 16_384, ..Shape::SMALL }, 164, 293, Some(Cost::new(3, 94_000, 671_000)), Some(Cost::new(31, 9_900_000, 153_000))),
];

const fn tiny(fanout: usize) -> Shape {
    Shape { seed: 42, leaves: 4096, leaf_size: 64, fanout }
}

/// Over HTTP/1.1, heads and all, as that peer's were counted.
fn beside_go(each: &mut dyn FnMut(Row)) {
    let runtime = loopback::runtime(2);
    for (name, shape, changed, missing, pull, push) in GO {
        let case = Case::new(&shape, Held::Scattered(changed));
        assert_eq!(case.missing(), missing, "the recorded case");
        for (side, theirs) in [(Side::Pull, pull), (Side::Push { told: true }, push)] {
            let ours = http_cost(&runtime, &case, false, side);
            let what = format!("{}, {name}, HTTP/1.1", direction(!matches!(side, Side::Pull)));
            each(match theirs {
                Some(theirs) => ours.row(&what, "go-car-mirror", theirs),
                None => {
                    let Cost { rounds, up, down } = ours;
                    let what = format!(
                        "{what}: {rounds} rounds, {up} B up, {down} B down; \
                         go-car-mirror does not end, or fails"
                    );
                    Row::new("peer", what, rounds as f64, "rounds")
                }
            });
        }
    }
}

fn http_cost(runtime: &Runtime, case: &Case, http2: bool, side: Side) -> Cost {
    let (new, held) = (memory::holding(&case.new.blocks), memory::holding(&case.held));
    // As after the transfer that completed it.
    case.seeds().iter().for_each(|old| held.note_root(old).expect("memory"));
    let (far, near) = match side {
        Side::Pull => (new, held),
        Side::Push { .. } => (held, new),
    };
    let mut known = case.seeds();
    match side {
        Side::Push { told: true } => near.put_many(&case.held).expect("memory"),
        Side::Push { told: false } => known.clear(),
        Side::Pull => {}
    }
    let (far, near) = (Arc::new(far), Arc::new(near));
    let totals = loopback::served(runtime, far, |url| {
        let client = loopback::client(url, http2);
        runtime.block_on(async {
            match side {
                Side::Push { .. } => {
                    client.push(case.root, known, None, near).await.map(|p| p.totals)
                }
                Side::Pull => client.pull(case.root, known, near).await.map(|p| p.totals),
            }
        })
    });
    let totals = totals.expect("a transfer");
    Cost::new(totals.requests, totals.bytes_sent, totals.bytes_received)
}
