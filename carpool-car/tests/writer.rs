//! What is written reads back, and a file whose writing stopped anywhere is written on to the same
//! bytes.

mod samples;

use carpool_car::{
    Dedup, Error, Head, Indexed, Item, Options, Placed, ReadAt, Resume, Resumed, Resuming, Version,
    WriteOptions, Writer, v2,
};
use carpool_core::{Block, Bytes, Cid, Limits, Multihash, codec};

fn options(version: Version) -> WriteOptions {
    let mut options = WriteOptions::default();
    options.version = version;
    options
}

fn write(writer: &mut Writer, file: &mut Vec<u8>, blocks: &[Block]) {
    for block in blocks {
        writer.write(file, block.cid(), block.data()).expect("it fits");
    }
}

fn finish(writer: &Writer, file: &mut Vec<u8>, index: &[u8], indexed: Indexed) {
    let finish = writer.finish(indexed).expect("it fits");
    file.extend_from_slice(&finish.append);
    if let Some(offset) = finish.index_offset {
        assert_eq!(offset, file.len() as u64);
        file.extend_from_slice(index);
    }
    if let Some(patch) = finish.patch {
        let at = usize::try_from(patch.offset).expect("small");
        file[at..at + patch.bytes.len()].copy_from_slice(&patch.bytes);
    }
}

fn whole(options: WriteOptions, blocks: &[Block]) -> Vec<u8> {
    let mut writer = Writer::new(&[*blocks[0].cid()], options);
    let mut file = writer.start().to_vec();
    write(&mut writer, &mut file, blocks);
    finish(&writer, &mut file, &[], Indexed::No);
    file
}

#[test]
fn a_v1_is_what_the_functions_write() {
    let blocks = samples::blocks();
    let expected = samples::car(&[*blocks[0].cid()], &blocks);
    assert_eq!(whole(options(Version::V1), &blocks), expected);
}

#[test]
fn a_v2_is_a_v1_with_something_around_it() {
    let blocks = samples::blocks();
    let v1 = whole(options(Version::V1), &blocks);
    assert_eq!(whole(options(Version::V2), &blocks), samples::wrapped(&v1, [0, 0], &[]));
    let mut padded = options(Version::V2);
    (padded.data_padding, padded.index_padding) = (13, 7);
    let mut writer = Writer::new(&[*blocks[0].cid()], padded);
    let mut file = writer.start().to_vec();
    write(&mut writer, &mut file, &blocks);
    finish(&writer, &mut file, b"index", Indexed::Partly);
    assert_eq!(file, samples::wrapped(&v1, [13, 7], b"index"));
}

#[test]
fn a_full_index_is_marked() {
    let mut writer = Writer::new(&[], options(Version::V2));
    let mut file = writer.start().to_vec();
    finish(&writer, &mut file, b"i", Indexed::Fully);
    let header = v2::Header::decode(file[11..51].try_into().expect("40 bytes"));
    assert!(header.expect("good").is_fully_indexed());
    assert!(writer.write(&mut file, samples::blocks()[0].cid(), b"hello").is_ok());
}

/// Which of these are written: a block, the same again, its bytes under another codec, an identity
/// CID.
fn taken(options: WriteOptions) -> Vec<usize> {
    let raw = Block::new(codec::RAW, "same".into());
    let cbor = Block::new_unchecked(Cid::new_v1(codec::DAG_CBOR, *raw.cid().hash()), "same".into());
    let identity = Cid::new_v1(codec::RAW, Multihash::wrap(0, b"x").expect("short"));
    let identity = Block::new_unchecked(identity, "x".into());
    let mut writer = Writer::new(&[], options);
    let blocks = [raw.clone(), raw, cbor, identity];
    let placed = blocks.iter().map(|b| writer.place(b.cid(), b.data().len()).expect("it fits"));
    let placed: Vec<_> = placed.collect();
    (0..4).filter(|n| matches!(placed[*n], Placed::New(_))).collect()
}

#[test]
fn duplicates_and_identity_cids() {
    let mut options = options(Version::V1);
    assert_eq!(taken(options), [0, 2, 3]);
    options.dedup = Dedup::Multihash;
    assert_eq!(taken(options), [0, 3]);
    options.identity = false;
    assert_eq!(taken(options), [0]);
    options.dedup = Dedup::No;
    assert_eq!(taken(options), [0, 1, 2]);
}

#[test]
fn blocks_to_tell_apart_at_the_limit_and_one_past_it() {
    let blocks = samples::blocks();
    let mut options = options(Version::V1);
    options.max_seen = 2;
    let mut writer = Writer::new(&[], options);
    write(&mut writer, &mut Vec::new(), &blocks[..2]);
    assert!(matches!(writer.place(blocks[0].cid(), 5), Ok(Placed::Duplicate)));
    let refused = writer.place(blocks[2].cid(), 1).map(drop);
    assert_eq!(refused, Err(Error::TooManySeen { max: 2 }));
}

#[test]
fn roots_are_replaced_by_as_many_bytes() {
    let blocks = samples::blocks();
    let (first, other) = (*blocks[0].cid(), *blocks[2].cid());
    let mut options = options(Version::V2);
    options.data_padding = 3;
    let mut writer = Writer::new(&[first], options);
    let mut file = writer.start().to_vec();
    write(&mut writer, &mut file, &blocks);
    let patch = writer.replace_roots(&[other]).expect("as long");
    let at = usize::try_from(patch.offset).expect("small");
    file[at..at + patch.bytes.len()].copy_from_slice(&patch.bytes);
    finish(&writer, &mut file, &[], Indexed::No);
    let (items, _) = samples::read(&file, &Options::default());
    assert!(matches!(&items[0], Item::Header(header) if header.roots == [other]));
    assert!(matches!(writer.replace_roots(&[]), Err(Error::RootsLength { bytes: 18, .. })));
}

fn resume(file: &[u8], write: WriteOptions) -> Result<(Vec<Head>, Resumed), Error> {
    let mut resume = Resume::new(Options::default(), write);
    resume.reader_mut().set_window(512);
    let mut heads = Vec::new();
    loop {
        match resume.poll()? {
            Resuming::Read(ReadAt { offset, len }) => {
                let start = usize::try_from(offset).expect("small").min(file.len());
                let end = file.len().min(start + len);
                resume.handle_read(Bytes::copy_from_slice(&file[start..end]));
            }
            Resuming::Section(head) => heads.push(head),
            Resuming::Done(resumed) => return Ok((heads, *resumed)),
        }
    }
}

/// Goes on with a file that was left, and writes all blocks again.
fn written_on(mut file: Vec<u8>, write_options: WriteOptions, blocks: &[Block]) -> Vec<u8> {
    let (heads, Resumed { patch, file_len, mut writer, .. }) =
        resume(&file, write_options).expect("it can");
    if let Some(patch) = patch {
        let at = usize::try_from(patch.offset).expect("small");
        file[at..at + patch.bytes.len()].copy_from_slice(&patch.bytes);
    }
    file.truncate(usize::try_from(file_len).expect("small"));
    assert_eq!(writer.file_offset(), file_len);
    assert!(heads.last().is_none_or(|last| last.data_offset + last.data_len == writer.data_size()));
    write(&mut writer, &mut file, blocks);
    finish(&writer, &mut file, &[], Indexed::No);
    file
}

fn large_blocks() -> Vec<Block> {
    let mut blocks = samples::blocks();
    blocks.extend((0..3u8).map(|n| Block::new(codec::RAW, vec![n; 700].into())));
    blocks
}

#[test]
fn a_v1_cut_anywhere() {
    let blocks = large_blocks();
    let expected = whole(options(Version::V1), &blocks);
    let header = carpool_car::header(&[*blocks[0].cid()]).len();
    for cut in 0..=expected.len() {
        let file = expected[..cut].to_vec();
        if cut < header {
            let torn = resume(&file, options(Version::V1)).map(drop);
            assert_eq!(torn, Err(Error::Truncated { offset: 0 }), "cut at {cut}");
        } else {
            let file = written_on(file, options(Version::V1), &blocks);
            assert!(file == expected, "cut at {cut}");
        }
    }
}

#[test]
fn a_v2_left_anywhere() {
    let blocks = large_blocks();
    let expected = whole(options(Version::V2), &blocks);
    let mut unfinished = expected.clone();
    unfinished[11..51].fill(0);
    let header = 51 + carpool_car::header(&[*blocks[0].cid()]).len();
    for cut in header..=expected.len() {
        for zeros in [0, 700] {
            let mut file = unfinished[..cut].to_vec();
            // What a file system may leave: a length, and nothing that was written.
            if cut == expected.len() {
                file.resize(cut + zeros, 0);
            }
            assert!(written_on(file, options(Version::V2), &blocks) == expected, "cut at {cut}");
        }
    }
}

/// What its writer put before the data, only its writer knows: to take the file for one that was torn
/// at its header would be to cut all data off.
#[test]
fn an_unfinished_v2_with_padding_is_refused_and_not_cut() {
    let v1 = whole(options(Version::V1), &large_blocks());
    for padding in [1, 9, 1413] {
        let mut file = samples::wrapped(&v1, [padding, 0], &[]);
        file[11..51].fill(0);
        let refused = resume(&file, options(Version::V2)).map(drop);
        assert!(matches!(refused, Err(Error::Header { .. })), "{refused:?}");
        let mut options = Options::default();
        options.unfinalised = true;
        let (items, ended) = samples::read(&file, &options);
        assert!(items.is_empty() && matches!(ended, Err(Error::Header { .. })), "{ended:?}");
    }
}

#[test]
fn a_whole_v2_is_written_on_where_its_index_was() {
    let blocks = large_blocks();
    let expected = whole(options(Version::V2), &blocks);
    let v1 = whole(options(Version::V1), &blocks[..4]);
    let file = samples::wrapped(&v1, [0, 9], &[7; 100]);
    assert!(written_on(file, options(Version::V1), &blocks) == expected);
    let padded = samples::wrapped(&v1, [5, 0], &[]);
    let file = written_on(padded, options(Version::V1), &blocks);
    let (items, ended) = samples::read(&file, &Options::default());
    assert_eq!((items.len(), ended), (blocks.len() + 1, Ok(())));
}

#[test]
fn damage_is_no_torn_end() {
    let mut file = whole(options(Version::V1), &large_blocks());
    let (items, _) = samples::decode(&file, &Limits::default());
    let Item::Section(section) = &items[3] else { unreachable!("a section") };
    let at = usize::try_from(section.offset).expect("small");
    file[at + 1] = 9;
    let refused = resume(&file, options(Version::V1)).map(drop);
    assert_eq!(refused, Err(Error::SectionCid { offset: section.offset }));
}
