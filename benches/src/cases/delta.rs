//! Deltas between two versions of a tree: what a body has, and how fast it is written and read.
//!
//! The versions are those of `tests/bench/versions.py`, whose packages lie in `$CARPOOL_VERSIONS`
//! [default: target/versions], and one that is made here.

use carpool_car::Sections;
use carpool_core::{
    Block, Bytes, Cid, CidMap, CidSet, Limits, cid_exact, for_each_link, sha2_256_each,
};
use carpool_delta::{Counts, Decoder, Encoder, Options, Output, Sending};
use sim::dag::mix;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::rate;
use crate::{
    clock::{median, timed_thread},
    folder, program,
    report::{Goal, Row},
};

const RUNS: usize = 5;
/// The first two have goals of their own: MB/s of encoding, and bytes of leaves.
const PACKAGES: [(&str, &str, &str, Option<f64>); 4] = [
    ("typescript", "5.9.2", "5.9.3", Some(1_000.0)),
    ("typescript", "5.8.3", "5.9.2", Some(500.0)),
    ("date-fns", "4.0.0", "4.1.0", None),
    ("next", "15.5.4", "15.5.5", None),
];
const CHUNKERS: [&str; 2] = ["size-262144", "size-1048576"];
/// Bytes of the file that is made here.
const MADE: usize = 32 << 20;

pub(super) fn measure(each: &mut dyn FnMut(Row)) {
    let made = made();
    rows("32 MiB of text with 400 insertions", &made, None, each);
    let folder = std::env::var_os("CARPOOL_VERSIONS");
    let folder = folder.map_or_else(|| PathBuf::from("target/versions"), PathBuf::from);
    for (name, old, new, goal) in PACKAGES {
        let archive = |version| folder.join(format!("{name}-{version}.tgz"));
        let archives = [archive(old), archive(new)];
        if !archives.iter().all(|archive| archive.is_file()) {
            continue;
        }
        for chunker in CHUNKERS {
            let pair = Pair::of_packages(&archives, chunker);
            let what = format!("{name} {old} → {new}, {chunker}");
            rows(&what, &pair, goal, each);
        }
    }
}

fn rows(what: &str, pair: &Pair, goal: Option<f64>, each: &mut dyn FnMut(Row)) {
    let (mut encoding, mut decoding, mut hashing) = (Vec::new(), Vec::new(), Vec::new());
    let (mut body, mut counts, mut memory) = (Vec::new(), Counts::default(), 0);
    for _ in 0..RUNS {
        let (seconds, made) = timed_thread(|| pair.encode());
        encoding.push(seconds);
        (body, counts, memory) = made;
        let (seconds, blocks) = timed_thread(|| pair.decode(&body));
        decoding.push(seconds);
        let (seconds, ()) = timed_thread(|| hash(&blocks.hashed));
        hashing.push(seconds);
        pair.check(blocks);
    }
    let raw: u64 = pair.sent.iter().map(|block| block.data().len() as u64).sum();
    let bytes = body.iter().map(Bytes::len).sum::<usize>() as f64;
    let row = Row::new("delta", format!("{what}: body, {}", said(&counts)), bytes, "B");
    each(row.beside("raw blocks", raw as f64));
    let row = Row::new("delta", format!("{what}: encode"), rate(raw, median(encoding)), "MB/s");
    each(match goal {
        Some(goal) => row.goal(Goal::AtLeast(goal)),
        None => row,
    });
    let apart = (median(decoding.clone()) - median(hashing)).max(1e-9);
    let row = Row::new("delta", format!("{what}: decode, less hashing"), rate(raw, apart), "MB/s");
    each(
        row.beside("with hashes that were computed", rate(raw, median(decoding)))
            .goal(Goal::AtLeast(1_000.0)),
    );
    let row = Row::new(
        "delta",
        format!("{what}: memory of the encoder"),
        memory as f64 / 1_048_576.0,
        "MiB",
    );
    each(row.goal(Goal::AtMost(16.0)));
}

fn said(counts: &Counts) -> String {
    let Counts { plain, compressed, copies, prefix, computed, .. } = counts;
    let [plain, compressed, copies, prefix] =
        [plain, compressed, copies, prefix].map(|it| it.blocks);
    format!(
        "{plain} plain, {compressed} compressed, {copies} copies, {prefix} prefix, {computed} computed names"
    )
}

/// Two versions: what the sink holds, and what it lacks.
struct Pair {
    old_root: Cid,
    root: Cid,
    old: CidMap<Bytes>,
    sent: Vec<Block>,
}

#[derive(Default)]
struct Blocks {
    claimed: Vec<(Cid, Bytes)>,
    hashed: Vec<Bytes>,
    order: Vec<Cid>,
}

impl Pair {
    fn new((old_root, old): (Cid, Vec<Block>), (root, new): (Cid, Vec<Block>)) -> Self {
        let map = |blocks: &[Block]| {
            let mut map = CidMap::with_seed(1);
            for block in blocks {
                map.insert(block.cid(), block.data().clone());
            }
            map
        };
        let (old, new) = (map(&old), map(&new));
        let sent = missing(&root, &new, &old);
        Self { old_root, root, old, sent }
    }

    fn of_packages(archives: &[PathBuf; 2], chunker: &str) -> Self {
        let [old, new] = archives.each_ref().map(|archive| import(archive, chunker));
        Self::new(old, new)
    }

    fn encode(&self) -> (Vec<Bytes>, Counts, usize) {
        let (wanted, held) = ([self.root], [self.old_root]);
        let mut encoder = Encoder::new(wanted, held, &Limits::default(), Options::default(), 1);
        let (mut body, mut memory) = (Vec::new(), 0);
        for block in &self.sent {
            let old = Some(self.old_root).filter(|_| *block.cid() == self.root);
            encoder.handle_block(block.clone(), old.as_slice());
            self.drive(&mut encoder, &mut body);
            memory = memory.max(encoder.memory());
        }
        encoder.finish();
        self.drive(&mut encoder, &mut body);
        (body, encoder.counts(), memory)
    }

    fn drive(&self, encoder: &mut Encoder, body: &mut Vec<Bytes>) {
        while let Some(output) = encoder.poll() {
            match output {
                Sending::Load(cid) => encoder.handle_load(&cid, self.old.get(&cid).cloned()),
                Sending::Data(data) => body.push(data),
            }
        }
    }

    fn decode(&self, body: &[Bytes]) -> Blocks {
        let (wanted, held) = ([self.root], [self.old_root]);
        let mut decoder = Decoder::new(wanted, held, &Limits::default(), 1);
        let mut came = Blocks::default();
        for data in body {
            decoder.handle_data(data.clone());
            while let Some(output) = decoder.poll().expect("it was just encoded") {
                match output {
                    Output::Load { cid, .. } => {
                        decoder.handle_load(&cid, self.old.get(&cid).cloned())
                    }
                    Output::Block(claim) => {
                        came.order.push(claim.cid);
                        came.claimed.push((claim.cid, claim.data));
                    }
                    Output::Hashed(block) => {
                        came.order.push(*block.cid());
                        came.hashed.push(block.data().clone());
                    }
                    Output::Lost { cid, .. } => unreachable!("{cid:?} is lost"),
                }
            }
        }
        came
    }

    /// Holds what came to what was sent.
    fn check(&self, came: Blocks) {
        assert!(
            came.order.iter().eq(self.sent.iter().map(Block::cid)),
            "all blocks in their order"
        );
        let data: CidMap<Bytes> = self.sent.iter().fold(CidMap::with_seed(1), |mut map, block| {
            map.insert(block.cid(), block.data().clone());
            map
        });
        assert!(
            came.claimed.iter().all(|(cid, bytes)| data.get(cid) == Some(bytes)),
            "their bytes"
        );
    }
}

fn hash(blocks: &[Bytes]) {
    std::hint::black_box(sha2_256_each(blocks));
}

/// What lies below `root` and is not held, depth first.
fn missing(root: &Cid, blocks: &CidMap<Bytes>, held: &CidMap<Bytes>) -> Vec<Block> {
    let (mut stack, mut seen, mut missing) = (vec![*root], CidSet::with_seed(1), Vec::new());
    while let Some(cid) = stack.pop() {
        if held.contains(&cid) || !seen.insert(&cid) {
            continue;
        }
        let data = blocks.get(&cid).expect("the DAG is whole").clone();
        let above = stack.len();
        for_each_link(&cid, &data, &Limits::default(), |link| stack.push(link)).expect("a node");
        stack[above..].reverse();
        missing.push(Block::new_unchecked(cid, data));
    }
    missing
}

/// Root and blocks of a package.
fn import(archive: &Path, chunker: &str) -> (Cid, Vec<Block>) {
    let (room, store) = (folder::temporary(), folder::temporary());
    let done = Command::new("tar").arg("xzf").arg(archive).arg("-C").arg(room.path()).status();
    assert!(done.expect("there is a tar").success(), "it unpacks");
    import_folder(room.path(), store.path(), chunker)
}

fn import_folder(room: &Path, store: &Path, chunker: &str) -> (Cid, Vec<Block>) {
    let room = room.to_str().expect("a temporary folder has a plain name");
    let said = program::run(store, &["add", "--hidden", "--chunker", chunker, room]);
    let root = said["root"].as_str().expect("add prints a root");
    let car = store.join("all.car");
    program::run(store, &["export", root, "-o", car.to_str().expect("as above")]);
    let car = Bytes::from(fs::read(car).expect("it was just written"));
    let options = carpool_car::Options::strict(&Limits::default());
    let (header, sections) = Sections::open(&car, &options).expect("a CAR");
    let block = |section: carpool_car::SectionRef<'_>| {
        Block::new_unchecked(cid_exact(section.cid).expect("a CID"), car.slice_ref(section.data))
    };
    let blocks = sections.map(|section| block(section.expect("a section"))).collect();
    (header.roots[0], blocks)
}

/// A text file and one with insertions, cut at 256 KiB.
fn made() -> Pair {
    let words = |n: u64| format!("{:x} ", mix(mix(n) % 5_000) % 0xff_ffff);
    let mut text: Vec<u8> = (0..).flat_map(|n| words(n).into_bytes()).take(MADE).collect();
    let old = text.clone();
    for n in 0..400 {
        let at = usize::try_from(mix(n) % MADE as u64).expect("a place in memory");
        text.splice(at..at, *b"a few words more");
    }
    Pair::new(file(&old), file(&text))
}

/// A DAG-CBOR list of the leaves of a file.
fn file(data: &[u8]) -> (Cid, Vec<Block>) {
    let leaf = |chunk: &[u8]| Block::new(carpool_core::codec::RAW, Bytes::copy_from_slice(chunk));
    let mut blocks: Vec<Block> = data.chunks(256 << 10).map(leaf).collect();
    let count = u8::try_from(blocks.len()).expect("few leaves");
    let mut node = vec![0x98, count];
    for block in &blocks {
        node.extend([0xd8, 0x2a, 0x58, 0x25, 0]);
        node.extend(block.cid().to_bytes());
    }
    let node = Block::new(carpool_core::codec::DAG_CBOR, node.into());
    let root = *node.cid();
    blocks.push(node);
    (root, blocks)
}
