//! Writes the first inputs of every target: real messages, CARs and nodes, made here, those of the
//! vectors of other implementations, and what recorded sessions put on the wire.

mod checks;
mod deltas;
mod indexes;
mod pools;
mod sessions;
mod texts;
mod vectors;

use carpool_bloom::{Filter, Params, sketch::Key};
use carpool_car::v2;
use carpool_core::{Block, Bytes, Cid, Multihash, codec};
use carpool_mirror::{
    Status, bitmap,
    extension::{Answer, LinkBits, Offer, Request, Scope},
    planner::Step,
    sketch::{CellRange, Cells, NamedKey},
};
use sim::{
    dag::{self, Dag, Shape},
    message::{Dialect, Kind, encode},
};
use std::{fs, io, path::Path};

fn main() -> io::Result<()> {
    write("varint", varints())?;
    write("cid", cids().iter().map(Cid::to_bytes).collect())?;
    write("links", nodes())?;
    write("hash_lanes", batches())?;
    write("unixfs_node", unixfs_nodes())?;
    write("bitmap", bitmaps())?;
    write("bloom", filters())?;
    write("http_message", messages())?;
    write("car_check", framed(7))?;
    write("car_decode", cars())?;
    write_as("v2", "car_decode", &framed(5))?;
    write_as("padded", "car_decode", &padded())?;
    write("car_reader", framed(2))?;
    write("car_v2_header", v2_headers())?;
    write("car_header", headers())?;
    write("cbor_reader", nodes().iter().chain(&headers()).flat_map(|item| asked(item)).collect())?;
    write("extension", extended())?;
    for target in [
        "difference",
        "mirror_session",
        "reconciliation",
        "session_faults",
        "sink_events",
        "sketch",
        "source_events",
    ] {
        write(target, noise())?;
    }
    checks::write_all()?;
    deltas::write_all()?;
    indexes::write_all()?;
    pools::write_all()?;
    texts::write_all()?;
    vectors::write_all()?;
    sessions::write_all()
}

fn write(target: &str, inputs: Vec<Vec<u8>>) -> io::Result<()> {
    write_as("seed", target, &inputs)
}

fn write_as(kind: &str, target: &str, inputs: &[Vec<u8>]) -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder)?;
    for (n, input) in inputs.iter().enumerate() {
        fs::write(folder.join(format!("{kind}-{n:02}")), input)?;
    }
    Ok(())
}

fn varints() -> Vec<Vec<u8>> {
    let mut out = [0; 10];
    let of = |value| {
        let n = carpool_core::varint::encode(value, &mut out);
        out[..n].to_vec()
    };
    let mut all: Vec<_> = [0, 127, 128, 300, 1 << 35, (1 << 63) - 1, u64::MAX].map(of).into();
    all.extend([vec![0x80, 0], vec![0x80; 8], vec![0xff; 12]]);
    all
}

fn cids() -> Vec<Cid> {
    let hash = |code, digest: &[u8]| Multihash::wrap(code, digest).expect("at most 64 bytes");
    vec![
        *Block::new(codec::RAW, "a".into()).cid(),
        *Block::new(codec::DAG_CBOR, "a".into()).cid(),
        *Block::new_v0("a".into()).cid(),
        Cid::new_v1(codec::RAW, hash(0, b"hi")),
        Cid::new_v1(0x0129, hash(0x13, &[1; 64])),
        Cid::new_v1(codec::RAW, hash(0xb220, &[2; 32])),
    ]
}

/// Headers and bodies of the extension.
fn extended() -> Vec<Vec<u8>> {
    let cids = cids();
    let held = cids[..2].to_vec();
    let offer = Offer {
        root: Some(cids[1]),
        held: held.clone(),
        session: Some([5; 16]),
        ..Offer::default()
    };
    let filter = Filter::new(Params::for_items(20));
    let bare = Request { root: Some(cids[1]), held: held.clone(), ..Request::default() };
    let full = Request { want: held, have: Some(filter), ..bare.clone() };
    let bits = bitmap::encode([true, false, true, true]).expect("few bits");
    let level = Request {
        scope: Scope::Interior,
        links: Some(LinkBits { check: [8; 8], bits }),
        session: Some([3; 16]),
        ..Request::default()
    };
    let key = Some(NamedKey { number: 7, key: Key::new([7; 16]) });
    let cells = Some(CellRange::BEGIN);
    let asks = Offer { ask: Some(Step::Sketch), key, cells, ..Offer::default() };
    let answer = Answer { used_held: true, key, cells, ..Answer::default() };
    let headers = [offer.encode(), asks.encode(), answer.encode()].map(String::into_bytes);
    let some = Cells::from_bytes(7, 256, &[1; 50]).expect("five cells");
    let sketch = Request { cells: Some(some), ..bare.clone() };
    [bare, full, level, sketch].map(|request| request.encode()).into_iter().chain(headers).collect()
}

/// Messages for the lanes, each a kind and what makes its length: equal ones, around the ends of the
/// first blocks and of later ones, one long among short ones, growing, and as the noise says.
fn batches() -> Vec<Vec<u8>> {
    let early = |n: u8| [2, n / 20, n % 20, n];
    let later = |n: u8| [4, 5 + n / 20, n % 20, n];
    let long_among_short = [&[0, 90, 1, 0, 55, 2][..], &[5, 1, 9, 3], &[0, 64, 4].repeat(6)];
    let forty = |from: u8| from..from + 40;
    let all = [
        vec![],
        [0, 200, 7].repeat(9),
        forty(0).flat_map(early).collect(),
        forty(40).flat_map(early).collect(),
        (80..100).flat_map(early).collect(),
        (0..12).flat_map(|n| later(17 * n)).collect(),
        long_among_short.concat(),
        (0..40).flat_map(|n| [1, 6 * n, n]).collect(),
        [&[6, 100][..], &[9; 100], &[7, 64], &[8; 64], &[7, 200, 1]].concat(),
    ];
    all.into_iter().chain(noise()).collect()
}

/// DAG-PB with these links, and data.
fn pb(links: &[(&str, u64)], data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for (cid, (name, size)) in cids().iter().cycle().zip(links) {
        let mut link = field(1, &cid.to_bytes());
        link.extend(field(2, name.as_bytes()));
        link.extend([0x18, u8::try_from(*size).expect("small")]);
        out.extend(field(2, &link));
    }
    out.extend(field(1, data));
    out
}

fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(bytes.len()).expect("short")], bytes].concat()
}

fn nodes() -> Vec<Vec<u8>> {
    let cids = cids();
    let link = dag::node([&cids[0]]).data()[1..].to_vec();
    vec![
        dag::node(&cids).data().to_vec(),
        [&b"\xa2\x61a"[..], &link, b"\x62bc\x84\xf4\xf6\x20\xfb\x3f\xf8\0\0\0\0\0\0"].concat(),
        [&b"\x83\x43abc\x63abc\xa1\x60"[..], &link].concat(),
        vec![0x80],
        pb(&[], b"\x08\x01"),
        pb(&[("a", 1), ("b", 2), ("", 3)], b"\x08\x01"),
    ]
}

fn unixfs_nodes() -> Vec<Vec<u8>> {
    let bitfield = [&b"\x08\x05\x12\x20"[..], &[0; 31], &[3], b"\x28\x22\x30\x80\x02"].concat();
    vec![
        pb(&[], b"\x08\x01"),
        pb(&[("a", 1), ("b", 2)], b"\x08\x01"),
        pb(&[("b", 1), ("a", 2), ("c", 3)], b"\x08\x01"),
        pb(&[("b", 1), ("a", 2), ("b", 3)], b"\x08\x01"),
        pb(&[], b"\x08\x02\x12\x05hello\x18\x05"),
        pb(&[("", 5), ("", 6)], b"\x08\x02\x18\x07\x20\x03\x20\x04"),
        pb(&[], b"\x08\x04\x12\x03a/b"),
        pb(&[], b"\x08\x02\x12\x01a\x18\x01\x38\xed\x03\x42\x07\x08\x80\x94\xeb\xdc\x03\x15"),
        pb(&[("00", 1), ("01name", 2)], &bitfield),
    ]
}

fn filters() -> Vec<Vec<u8>> {
    let mut filter = Filter::new(Params::for_items(20));
    cids().iter().for_each(|cid| filter.insert(&cid.to_bytes()));
    let input = |k: &[u8; 3], bits: &[u8]| [&k[..], &cids()[0].to_bytes(), bits].concat();
    vec![
        input(&[0, 0, u8::try_from(filter.k()).expect("small")], filter.as_bytes()),
        input(&[0, 0, 3], &[0xff; 13]),
        input(&[0, 0, 41], &[1; 8]),
        input(&[0x80, 1, 1], &[1; 8]),
        input(&[0, 0, 0], &[1; 8]),
        input(&[0, 0, 40], &[0; 5]),
    ]
}

/// The length, in two bytes, and the code of bits that are scattered, all equal, or in runs.
fn bitmaps() -> Vec<Vec<u8>> {
    let input = |len: usize, bit: fn(usize) -> bool| {
        let code = bitmap::encode((0..len).map(bit)).expect("few bits");
        let head = [len >> 4, len & 15].map(|half| u8::try_from(half).expect("below 4096"));
        [&head[..], &code].concat()
    };
    vec![
        input(0, |_| true),
        input(174, |_| false),
        input(174, |i| i == 80),
        input(1024, |_| true),
        input(4000, |i| i % 61 == 0),
        input(4000, |i| (1000..1300).contains(&i)),
        input(4095, |i| i * i % 7 < 3),
    ]
}

fn messages() -> Vec<Vec<u8>> {
    let mut filter = Filter::new(Params::for_items(20));
    cids().iter().for_each(|cid| filter.insert(&cid.to_bytes()));
    let statuses = [
        Status::default(),
        Status { want: cids(), have: None },
        Status { want: cids(), have: Some(filter.clone()) },
        Status { want: vec![], have: Some(filter) },
    ];
    let mut all = Vec::new();
    for dialect in [Dialect::Spec, Dialect::CarMirror] {
        for kind in [Kind::PullRequest, Kind::PushResponse] {
            all.extend(statuses.iter().map(|s| encode(dialect, kind, s).to_vec()));
        }
    }
    all
}

fn car(dag: &Dag) -> Vec<u8> {
    let mut out = carpool_car::header(&[dag.root]).to_vec();
    for block in &dag.blocks {
        out.extend_from_slice(
            carpool_car::section_prefix(block.cid(), block.data().len()).as_ref(),
        );
        out.extend_from_slice(block.data());
    }
    out
}

fn cars() -> Vec<Vec<u8>> {
    let tiny = dag::original(&Shape { seed: 7, leaves: 3, leaf_size: 8, fanout: 2 });
    let v0 = Block::new_v0(Bytes::from(pb(&[], b"\x08\x01")));
    let long = Block::new_unchecked(cids()[4], "long".into());
    let whole = car(&tiny);
    let odd = car(&Dag { root: *v0.cid(), blocks: vec![v0, long] });
    let other_order = b"\x11\xa2\x67version\x01\x65roots\x80".to_vec();
    let with = |choices: [u8; 5], car: &[u8]| [&choices[..], car].concat();
    vec![
        with([0, 255, 255, 255, 255], &whole),
        with([0, 0, 6, 0, 30], &whole),
        with([1, 40, 1, 90, 3], &odd),
        with([2, 9, 9, 9, 9], &other_order),
        with([3, 20, 20, 20, 20], &whole[..whole.len() - 5]),
        with([0, 3, 1, 4, 1], b"\x0a\xa1\x67version\x02"),
        with([0, 3, 1, 4, 1], &[&odd[..], &[0]].concat()),
    ]
}

/// CARs in either version, whole, cut and never finalised, behind so many bytes of choices.
fn framed(choices: usize) -> Vec<Vec<u8>> {
    let tiny = dag::original(&Shape { seed: 7, leaves: 3, leaf_size: 8, fanout: 2 });
    let large = dag::original(&Shape { seed: 8, leaves: 2, leaf_size: 700, fanout: 2 });
    let wrapped = |car: &[u8], padding: usize, index: &[u8]| {
        let mut header = v2::Header::new(car.len() as u64, false).expect("some data");
        header.data_offset += padding as u64;
        if !index.is_empty() {
            header.index_offset = header.data_end();
        }
        [&v2::PRAGMA[..], &header.encode(), &vec![0; padding], car, index].concat()
    };
    let (tiny, large) = (car(&tiny), car(&large));
    let v2 = wrapped(&tiny, 0, &[]);
    let mut unfinalised = v2.clone();
    unfinalised[11..51].fill(0);
    let files = [
        tiny.clone(),
        large.clone(),
        [&tiny[..], &[0; 9]].concat(),
        wrapped(&large, 3, &[0x12, 2, 59, 1, 2, 0x12, 1, 8, 0]),
        [&v2[..], b"behind"].concat(),
        unfinalised,
        v2[..v2.len() - 5].to_vec(),
        v2,
    ];
    let with = |(n, file): (usize, &Vec<u8>)| {
        let choice = [0x1f, 0, 4, 12, 28, 0x3e, 21, 0x16][n];
        let choices: Vec<u8> = [choice, 0, 40, 80, 120, 160, 200][..choices].to_vec();
        [choices, file.clone()].concat()
    };
    files.iter().enumerate().map(with).collect()
}

/// The same, with padding let through, and with sections that reach beyond the data.
fn padded() -> Vec<Vec<u8>> {
    let mut all = framed(5);
    all.iter_mut().for_each(|input| input[0] = 28);
    let mut short = all[7].clone();
    short[5 + 35] -= 1;
    let mut zeros = all[2].clone();
    zeros.push(1);
    let mut gap = all[3].clone();
    gap[5 + 35] -= 1;
    all.extend([short, zeros, gap]);
    all
}

fn v2_headers() -> Vec<Vec<u8>> {
    let good = v2::Header::new(448, true).expect("some data");
    let others = [
        v2::Header { data_offset: 50, ..good },
        v2::Header { data_size: u64::MAX, ..good },
        v2::Header { index_offset: 498, ..good },
        v2::Header { characteristics: 1 << 127, index_offset: 0, ..good },
        v2::Header::default(),
    ];
    [good].iter().chain(&others).map(|header| header.encode().to_vec()).collect()
}

fn headers() -> Vec<Vec<u8>> {
    let of = |roots: &[Cid]| {
        let header = carpool_car::header(roots);
        let (_, start) = carpool_core::varint::take(&header).expect("its own length");
        header[start..].to_vec()
    };
    let cids = cids();
    let other_order = b"\xa2\x67version\x01\x65roots\x80".to_vec();
    let versions =
        [b"\xa1\x67version\x02".to_vec(), b"\xa2\x65roots\x80\x67version\x18\x01".to_vec()];
    [of(&[]), of(&cids[..1]), of(&cids[1..4]), of(&cids), other_order]
        .into_iter()
        .chain(versions)
        .collect()
}

/// An item, and before it what is asked of the reader: to step over it, or to read heads, strings
/// and links as a header or a message has them.
fn asked(item: &[u8]) -> [Vec<u8>; 2] {
    let of = |kind: u8, major: u8| major << 2 | kind;
    let header = [of(0, 5), of(1, 3), of(0, 4), of(2, 6), of(1, 3), of(0, 0), of(3, 0), of(3, 0)];
    [[&[of(3, 0); 8], item].concat(), [&header, item].concat()]
}

/// The first bytes make a DAG, the others say what happens to its transfer.
fn noise() -> Vec<Vec<u8>> {
    let of = |seed: u64, accidents: u64| {
        let noise = |n| dag::mix(dag::mix(seed) ^ n).to_le_bytes();
        let setting = (0..3).flat_map(noise);
        let accidents = (3..3 + accidents).flat_map(noise);
        setting.chain(accidents).collect()
    };
    (0..20).map(|seed| of(seed, seed)).collect()
}
