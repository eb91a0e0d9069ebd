//! What is wrong with a CAR is named, and where.

mod checking;
mod samples;

use carpool_car::check::{Check, CheckOptions, Checking, Class, Finding, Kind, NotChecked};
use carpool_car::index::IndexFault;
use carpool_car::{Error, Padding, Version, WriteOptions, Writer, section_len};
use carpool_core::{
    Block, Cid, Limits, Multihash,
    cbor::{ARRAY, write_head, write_link},
    codec,
};
use checking::{check, check_in_order, index};
use proptest::prelude::*;

fn findings(file: &[u8]) -> Vec<Finding> {
    check(file, &CheckOptions::default()).0
}

fn node(links: &[Cid]) -> Block {
    let mut data = Vec::new();
    write_head(&mut data, ARRAY, links.len() as u64);
    links.iter().for_each(|link| write_link(&mut data, link));
    Block::new(codec::DAG_CBOR, data.into())
}

fn leaf(n: u8) -> Block {
    Block::new(codec::RAW, vec![n; 50].into())
}

/// A root, the node and three leaves below it, parents first.
fn tree() -> Vec<Block> {
    let leaves = [leaf(1), leaf(2), leaf(3)];
    let inner = node(&[*leaves[0].cid(), *leaves[1].cid()]);
    let root = node(&[*inner.cid(), *leaves[2].cid()]);
    [root, inner].into_iter().chain(leaves).collect()
}

fn car(blocks: &[Block]) -> Vec<u8> {
    samples::car(&[*tree()[0].cid()], blocks)
}

/// Where the sections of a CAR of these blocks begin.
fn offsets(blocks: &[Block]) -> Vec<u64> {
    let start = car(&[]).len();
    let lens = blocks.iter().map(|b| section_len(b.cid(), b.data().len()));
    lens.scan(start, |at, len| Some(std::mem::replace(at, *at + len) as u64)).collect()
}

fn digest(block: &Block) -> [u8; 32] {
    block.cid().hash().digest().try_into().expect("SHA2-256")
}

/// The entries of a good index.
fn entries(blocks: &[Block]) -> Vec<([u8; 32], u64)> {
    let mut entries: Vec<_> = blocks.iter().map(digest).zip(offsets(blocks)).collect();
    entries.sort_unstable();
    entries
}

fn indexed(entries: &[([u8; 32], u64)]) -> Vec<Finding> {
    findings(&samples::wrapped(&car(&tree()), [0, 0], &index(entries)))
}

#[test]
fn a_whole_dag_is_clean() {
    let blocks = tree();
    let (found, report) = check(&car(&blocks), &CheckOptions::default());
    assert_eq!(found, []);
    assert_eq!((report.total.blocks, report.verified, report.duplicates), (5, 5, 0));
    assert_eq!((report.codecs[&codec::RAW].blocks, report.codecs[&codec::RAW].bytes), (3, 150));
    assert_eq!((report.codecs[&codec::DAG_CBOR].blocks, report.hashes[&0x12].blocks), (2, 5));
    assert_eq!((report.links_missing, report.roots_absent), (Some(0), 0));
    let last = report.last_good.expect("there is one");
    assert_eq!((last.cid, last.offset), (*blocks[4].cid(), offsets(&blocks)[4]));
    assert_eq!(last.end, car(&blocks).len() as u64);
}

#[test]
fn a_wrong_byte() {
    let blocks = tree();
    let offsets = offsets(&blocks);
    let mut file = car(&blocks);
    let at = usize::try_from(offsets[3]).expect("small") - 1;
    file[at] ^= 1;
    let (found, report) = check(&file, &CheckOptions::default());
    let mut data = blocks[2].data().to_vec();
    data[49] ^= 1;
    let actual = carpool_core::sha2_256(&data).to_vec();
    let (offset, cid) = (offsets[2], *blocks[2].cid());
    let missing = Finding::MissingLink { cid: Some(cid), from: offsets[1] };
    assert_eq!(found, [Finding::Hash { offset, cid, actual }, missing]);
    assert_eq!(report.last_good.map(|good| good.offset), Some(offsets[1]));
    assert_eq!((report.total.blocks, report.verified), (5, 4));
}

#[test]
fn absent_blocks_and_roots() {
    let blocks = tree();
    let found = findings(&car(&blocks[1..4]));
    assert_eq!(found, [Finding::RootAbsent { cid: *blocks[0].cid() }]);
    let found = findings(&car(&blocks[..2]));
    let from = offsets(&blocks);
    let missing = |n: usize, from: u64| Finding::MissingLink { cid: Some(*blocks[n].cid()), from };
    assert_eq!(found, [missing(4, from[0]), missing(2, from[1]), missing(3, from[1])]);
    assert_eq!(findings(&samples::car(&[], &blocks)), [Finding::RootsEmpty]);
}

#[test]
fn identity_cids_are_there_wherever_they_are_named() {
    let identity = Cid::new_v1(codec::RAW, Multihash::wrap(0, b"x").expect("short"));
    let root = node(&[identity]);
    assert_eq!(findings(&samples::car(&[*root.cid(), identity], &[root])), []);
    // Their links are those of the block that names them.
    let lost = Cid::new_v1(codec::RAW, Multihash::wrap(0x11, &[7; 20]).expect("short"));
    let mut data = Vec::new();
    write_link(&mut data, &lost);
    let carried = Cid::new_v1(codec::DAG_CBOR, Multihash::wrap(0, &data).expect("short"));
    let root = node(&[carried]);
    let from = samples::car(&[*root.cid()], &[]).len() as u64;
    let found = findings(&samples::car(&[*root.cid()], &[root]));
    assert_eq!(found, [Finding::MissingLink { cid: Some(lost), from }]);
}

#[test]
fn duplicates() {
    let mut blocks = tree();
    blocks.push(blocks[2].clone());
    let (found, report) = check(&car(&blocks), &CheckOptions::default());
    assert_eq!((found.len(), report.duplicates), (0, 1));
    let mut options = CheckOptions::default();
    options.duplicates = true;
    let again = Finding::Duplicate { offset: offsets(&blocks)[5] };
    assert_eq!(check(&car(&blocks), &options).0, [again]);
}

#[test]
fn what_cannot_be_looked_into() {
    let mut blocks = tree();
    blocks.push(Block::new(codec::DAG_CBOR, "\x5f".into()));
    let unknown = Cid::new_v1(codec::RAW, Multihash::wrap(0xd5, &[1; 16]).expect("short"));
    blocks.push(Block::new_unchecked(unknown, "?".into()));
    let short = Multihash::wrap(0x12, &blocks[2].cid().hash().digest()[..20]).expect("short");
    blocks.push(Block::new_unchecked(Cid::new_v1(codec::RAW, short), blocks[2].data().clone()));
    let found = findings(&car(&blocks));
    let names: Vec<_> = found.iter().map(Finding::name).collect();
    assert_eq!(names, ["undecodable", "hash-unknown", "hash"]);
}

#[test]
fn where_the_file_ends() {
    let file = car(&tree());
    let offset = *offsets(&tree()).last().expect("five");
    let found = findings(&file[..file.len() - 1]);
    assert_eq!(found[0], Finding::Malformed(Error::Truncated { offset }));
    assert_eq!((found[0].name(), found.len()), ("truncated", 1));
    let v2 = samples::wrapped(&file, [0, 0], &[]);
    let (data_end, file_end) = (v2.len() as u64, v2.len() as u64 - 1);
    let cut = Finding::DataSize { offset: offset + 51, data_end, file_end };
    assert_eq!(findings(&v2[..v2.len() - 1])[0], cut);
    // At the end of a section nobody could tell in a CARv1.
    let boundary = usize::try_from(offset + 51).expect("small");
    assert_eq!(findings(&v2[..boundary])[0].name(), "data-size");
}

#[test]
fn what_lies_behind() {
    let file = car(&tree());
    let end = file.len() as u64;
    let padded = [&file[..], &[0; 100]].concat();
    assert_eq!(findings(&padded), [Finding::Malformed(Error::SectionLength { offset: end })]);
    let mut options = CheckOptions::default();
    options.read.padding = Padding::EndOfData;
    let padding = Finding::NullPadding { offset: end, bytes: 100 };
    assert_eq!(check_in_order(&padded, 7, &options, |_| 0).0, [padding]);
    let trailing = [&samples::wrapped(&file, [0, 0], &[])[..], &[1; 100]].concat();
    let found = check_in_order(&trailing, 7, &CheckOptions::default(), |_| 0).0;
    assert_eq!(found, [Finding::Trailing { offset: end + 51, bytes: 100 }]);
}

#[test]
fn a_v2_that_was_never_finalised() {
    let blocks = tree();
    let mut write = WriteOptions::default();
    write.version = Version::V2;
    let mut writer = Writer::new(&[*blocks[0].cid()], write);
    let mut file = writer.start().to_vec();
    for block in &blocks {
        writer.write(&mut file, block.cid(), block.data()).expect("it fits");
    }
    assert_eq!(findings(&file), [Finding::Header(Error::Unfinalised)]);
    let mut options = CheckOptions::default();
    options.read.unfinalised = true;
    assert_eq!(check(&file, &options).0, [Finding::Unfinalised]);
}

#[test]
fn a_good_index() {
    assert_eq!(indexed(&entries(&tree())), []);
}

#[test]
fn an_index_that_lies() {
    let good = entries(&tree());
    let mut wrong = good.clone();
    wrong[1].1 += 7;
    let expected = good[1].1;
    let offset = Finding::IndexOffset { entry: 1, expected, actual: expected + 7 };
    assert_eq!(indexed(&wrong), [offset]);
    let missing = Finding::IndexMissing { offset: good[2].1 };
    assert_eq!(indexed(&[&good[..2], &good[3..]].concat()), [missing]);
    let extra = [&good[..], &[([0xff; 32], 9)]].concat();
    assert_eq!(indexed(&extra), [Finding::IndexExtra { entry: 5, offset: 9 }]);
    let mut unsorted = good.clone();
    unsorted.swap(0, 1);
    let at = 51 + car(&tree()).len() as u64 + 30 + 40;
    assert_eq!(indexed(&unsorted), [Finding::IndexUnsorted { entry: 1, offset: at }]);
    let doubled = [&good[..1], &good].concat();
    assert_eq!(indexed(&doubled), []);
    assert_eq!(indexed(&[]).len(), 5);
    let file = samples::wrapped(&car(&tree()), [0, 0], &[1, 2, 3]);
    assert_eq!(findings(&file)[0].name(), "index-malformed");
    let mut options = CheckOptions::default();
    options.index = false;
    assert_eq!(check(&file, &options).0, []);
}

#[test]
fn an_index_that_is_not_reached_is_not_compared() {
    let file = samples::wrapped(&car(&tree()), [0, 0], &index(&entries(&tree())));
    let data_end = 51 + car(&tree()).len();
    for end in [data_end - 1, data_end] {
        let found = findings(&file[..end]);
        let kinds: Vec<_> = found.iter().map(Finding::name).collect();
        assert!(kinds.iter().all(|kind| *kind != "index-missing"), "{kinds:?} at {end}");
        assert!(found.iter().any(|found| found.class() == Class::Damaged), "{kinds:?} at {end}");
    }
}

#[test]
fn an_index_is_read_from_where_it_lies() {
    let mut bytes = index(&entries(&tree()));
    bytes.truncate(bytes.len() - 1);
    let file = samples::wrapped(&car(&tree()), [0, 3], &bytes);
    let (offset, fault) = ((file.len() - 39) as u64, IndexFault::Truncated);
    for chunk in [1, 7, usize::MAX] {
        let found = check_in_order(&file, chunk, &CheckOptions::default(), |_| 0).0;
        assert_eq!(
            found,
            [Finding::IndexUnreadable { offset, fault: fault.clone() }],
            "in chunks of {chunk}"
        );
    }
}

#[test]
fn a_block_that_is_there_twice_needs_one_entry() {
    let mut blocks = tree();
    blocks.push(blocks[2].clone());
    let all = entries(&blocks);
    let file = |entries: &[_]| samples::wrapped(&car(&blocks), [0, 0], &index(entries));
    assert_eq!(findings(&file(&all)), []);
    let n = all.windows(2).position(|pair| pair[0].0 == pair[1].0).expect("one is");
    let one = [&all[..n], &all[n + 1..]].concat();
    assert_eq!(findings(&file(&one)), []);
    // Unless the header says that all sections are in it.
    let mut full = file(&one);
    full[11] = 0x80;
    assert_eq!(findings(&full), [Finding::IndexMissing { offset: all[n].1 }]);
}

#[test]
fn entries_to_keep_at_the_limit_and_one_past_it() {
    let blocks = tree();
    let at = |max: usize, file: &[u8]| {
        let mut options = CheckOptions::default();
        options.max_entries = max;
        check(file, &options).0
    };
    let over = |what, max| Finding::NotChecked { what, max };
    // Five blocks, four links.
    assert_eq!(at(9, &car(&blocks)), []);
    assert_eq!(at(8, &car(&blocks)), [over(NotChecked::Completeness, 8)]);
    let file = samples::wrapped(&car(&blocks), [0, 0], &index(&entries(&blocks)));
    assert_eq!(at(14, &file), []);
    let both = [NotChecked::Completeness, NotChecked::Index];
    assert_eq!(at(13, &file), both.map(|what| over(what, 13)));
    assert_eq!(at(8, &file), both.map(|what| over(what, 8)));
}

#[test]
fn memory_to_keep_entries_in_changes_nothing() {
    let blocks = tree();
    let mut wrong = entries(&blocks);
    wrong[1].1 += 7;
    let parted = [&blocks[..2], &blocks[3..]].concat();
    for file in [samples::wrapped(&car(&blocks), [0, 0], &index(&wrong)), car(&parted)] {
        let expected = check(&file, &CheckOptions::default());
        for memory in [0, 100, 500] {
            let mut options = CheckOptions::default();
            (options.memory, options.batch_blocks) = (memory, 2);
            assert_eq!(check(&file, &options), expected, "{memory}");
        }
    }
}

#[test]
fn all_findings_are_counted_and_the_first_are_told() {
    let blocks = tree();
    let mut options = CheckOptions::default();
    for max in [0, 1, 3, 4] {
        options.max_findings = max;
        let (found, report) = check(&car(&blocks[..2]), &options);
        assert_eq!((found.len(), report.links_missing), (max.min(3), Some(3)), "{max}");
        assert_eq!(report.findings[&Kind::LinkAbsent], 3);
    }
}

#[test]
fn a_file_that_cannot_be_read_again_has_places_and_no_names() {
    let blocks = tree();
    let mut machine = Check::new(CheckOptions::default());
    machine.handle_data(car(&blocks[..4]).into());
    machine.handle_eof();
    let found = run(&mut machine, &Limits::default());
    assert_eq!(found, [Finding::MissingLink { cid: None, from: offsets(&blocks)[0] }]);
}

/// Runs a machine that has all of a file, which it cannot read again.
fn run(machine: &mut Check, limits: &Limits) -> Vec<Finding> {
    let mut found = Vec::new();
    loop {
        match machine.poll() {
            Checking::Batch(batch) => machine.handle_verdicts(batch.verify(limits)),
            Checking::Part(part) => machine.handle_compared(part.compare()),
            Checking::Finding(finding) => found.push(finding),
            Checking::Read(_) => machine.handle_read(&[]),
            Checking::Spill(_) | Checking::Wait => {}
            Checking::Done => return found,
        }
    }
}

proptest! {
    /// Whatever the chunks, the batches and the order in which they come back.
    #[test]
    fn the_order_of_verdicts_means_nothing(
        blocks in prop::collection::vec((0usize..7, any::<bool>()), 0..30),
        picks in prop::collection::vec(any::<usize>(), 30),
        (chunk, batch) in (1usize..300, 1usize..7),
        end in prop::option::of(any::<usize>()),
        v2 in any::<bool>(),
    ) {
        let all = tree();
        let mut options = CheckOptions::default();
        (options.batch_blocks, options.duplicates) = (batch, true);
        let blocks: Vec<Block> = blocks.into_iter().map(|(n, good)| {
            let block = all[n % all.len()].clone();
            if good { block } else { Block::new_unchecked(*block.cid(), "bad".into()) }
        }).collect();
        let mut file = car(&blocks);
        if v2 {
            file = samples::wrapped(&file, [3, 0], &index(&entries(&blocks)));
        }
        file.truncate(end.map_or(file.len(), |end| end % (file.len() + 1)));
        let expected = check(&file, &options);
        let mut picks = picks.into_iter().cycle();
        let found = check_in_order(&file, chunk, &options, |_| picks.next().expect("endless"));
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn links_at_the_limit_are_followed() {
    // One block, whatever the driver's limits say about it.
    let mut limits = Limits::default();
    limits.max_links = 1;
    let mut machine = Check::new(CheckOptions::default());
    machine.handle_data(car(&tree()).into());
    machine.handle_eof();
    let found = run(&mut machine, &limits);
    let names: Vec<_> = found.iter().map(Finding::name).take(2).collect();
    assert_eq!(names, ["undecodable", "undecodable"]);
}
