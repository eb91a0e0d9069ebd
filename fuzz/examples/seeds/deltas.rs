use carpool_delta::{Index, Scanner, compress_with, write_operations};
use std::{fs, io, path::Path};

use crate::write;

/// Inputs of what reads deltas.
pub(crate) fn write_all() -> io::Result<()> {
    write("delta_bases", trees())?;
    write("delta_copies", copies())?;
    write("delta_prefix", prefixes())?;
    write("delta_frame", bodies()?)
}

fn old() -> Vec<u8> {
    (0..20_u8).flat_map(|n| b"a few words of text ".map(|byte| byte ^ n)).take(250).collect()
}

fn new() -> Vec<u8> {
    let old = old();
    [&old[7..100], b"inserted", &old[100..220], &old[..60]].concat()
}

/// A length, two bases and the operations that make a block of them; and the block itself.
fn copies() -> Vec<Vec<u8>> {
    let (old, new) = (old(), new());
    let bases = [&old[..120], &old[120..]];
    let index = Index::new(bases.map(|base| base.to_vec().into()).into());
    let (mut operations, mut literals, mut written) = (Vec::new(), Vec::new(), Vec::new());
    Scanner::default().scan(&index, &new[..280], &mut operations, &mut literals);
    write_operations(&operations, &mut written);
    let head = [&[70, 2, 120][..], bases[0], &[130], bases[1]].concat();
    let inputs = [&written[..], &new, &[3, 0, 3, 0, 4], &[7, 1, 2], &[0xff; 9]];
    inputs.map(|input| [&head[..], input].concat()).into()
}

/// Two trees, how much of the second was there, and damage.
fn trees() -> Vec<Vec<u8>> {
    let old = [2, 2, 8, 0, 16, 0, 24, 0, 1, 33, 0, 73, 0, 0, 42, 0];
    let moved = [2, 1, 8, 0, 24, 0, 2, 33, 0, 73, 7, 16, 9, 1, 42, 0, 107, 3];
    let tails = [&[0, 0][..], &[3, 1], &[6, 0, 40, 9], &[0, 1, 7, 255, 80, 3]];
    tails.map(|tail| [&old[..], &moved, tail].concat()).into()
}

fn prefixes() -> Vec<Vec<u8>> {
    let (old, new) = (old(), new());
    let size = u8::try_from(old.len()).expect("few bytes");
    let len = [u8::try_from(new.len() >> 4).expect("few bytes"), 9, size];
    let frame = compress_with(&old, &new).expect("zstd takes this");
    let inputs = [&frame[..], &new, &frame[..frame.len() / 2], &[]];
    inputs.map(|input| [&len[..], &old, input].concat()).into()
}

/// Those of the vectors, as they are and as parts; and files.
fn bodies() -> io::Result<Vec<Vec<u8>>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../carpool-delta/tests/vectors");
    let mut all = Vec::new();
    for name in ["copies", "places", "plain", "prefix"] {
        let text = fs::read_to_string(folder.join(name).with_extension("txt"))?;
        let body = text.lines().find_map(|line| line.strip_prefix("body ")).unwrap_or_default();
        let digit = |at| u8::from_str_radix(&body[at..at + 2], 16).expect("hexadecimal");
        let body: Vec<u8> = (0..body.len()).step_by(2).map(digit).collect();
        all.push([&[0, 0, 11, 5][..], &body].concat());
        all.push([&[0, 0, 11, 255][..], &body[..body.len() / 2]].concat());
    }
    // A root with a take, copies of its old version, and a place.
    let control = [
        1,
        1,
        2,
        2,
        1,
        2,
        0,
        1,
        0x14,
        0x55,
        20,
        5 + 4 * 19,
        0x14,
        0x55,
        3,
        12,
        2,
        1,
        1,
        0x24,
        2,
        0,
        40,
        5 + 4 * 4,
        3,
        3,
        12,
    ];
    let segment = [
        &[u8::try_from(control.len()).expect("few bytes")][..],
        &control,
        &[6, 1, 2, 3, 4, 5, 6],
        &[0],
    ]
    .concat();
    all.push([&[2, 0, 11, 5, 0][..], &segment].concat());
    all.push([&[3, 1, 11, 5, 0][..], &segment].concat());
    let pieces = [
        5, 30, 7, 220, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 0,
        199, 90, 100,
    ];
    all.push([&[1, 20, 3, 200][..], &old()[..200], &pieces].concat());
    all.push([&[1, 2, 0, 50][..], &old()[..50], &pieces].concat());
    Ok(all)
}
