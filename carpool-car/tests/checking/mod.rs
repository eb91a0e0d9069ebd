//! Runs a check, and makes the indexes of the tests; the fuzzer runs checks with it too.
#![allow(dead_code, reason = "no test needs all of it")]

use carpool_car::ReadAt;
use carpool_car::check::{
    Check, CheckOptions, Checking, Differences, Finding, Part, Report, Verdicts,
};
use carpool_core::{Bytes, Limits};

/// What a check says of a file that comes in chunks, whose verdicts come back in the order that
/// `pick` chooses among those that are out.
pub(crate) fn check_in_order(
    file: &[u8],
    chunk: usize,
    options: &CheckOptions,
    mut pick: impl FnMut(usize) -> usize,
) -> (Vec<Finding>, Report) {
    let mut check = Check::new(options.clone());
    let mut chunks = file.chunks(chunk);
    let mut out: Vec<Verdicts> = Vec::new();
    let (mut findings, mut scratch, mut ended) = (Vec::new(), Vec::new(), false);
    loop {
        match check.poll() {
            Checking::Batch(batch) => out.push(batch.verify(&Limits::default())),
            Checking::Finding(finding) => findings.push(finding),
            Checking::Spill(spill) => {
                assert_eq!(spill.offset, scratch.len() as u64);
                scratch.extend(spill.bytes);
            }
            Checking::Part(part) => check.handle_compared(compared(part, &scratch)),
            Checking::Read(read) => check.handle_read(answer(file, read)),
            Checking::Wait if !ended => match chunks.next() {
                Some(chunk) => check.handle_data(Bytes::copy_from_slice(chunk)),
                None => {
                    check.handle_eof();
                    ended = true;
                }
            },
            Checking::Wait => {
                let n = pick(out.len()) % out.len();
                check.handle_verdicts(out.swap_remove(n));
            }
            Checking::Done => return (findings, check.report().clone()),
        }
    }
}

fn compared(mut part: Part, scratch: &[u8]) -> Differences {
    while let Some(read) = part.poll_read() {
        part.handle_spilled(answer(scratch, read)).expect("as asked");
    }
    part.compare()
}

/// What there is of the bytes that are asked for.
fn answer(bytes: &[u8], ReadAt { offset, len }: ReadAt) -> &[u8] {
    let rest = usize::try_from(offset).ok().and_then(|at| bytes.get(at..)).unwrap_or(&[]);
    &rest[..len.min(rest.len())]
}

pub(crate) fn check(file: &[u8], options: &CheckOptions) -> (Vec<Finding>, Report) {
    check_in_order(file, 1 << 16, options, |_| 0)
}

/// An index 0x0401 of SHA2-256 digests, in the order in which they are given.
pub(crate) fn index(entries: &[([u8; 32], u64)]) -> Vec<u8> {
    let mut out = vec![0x81, 8, 1, 0, 0, 0, 0x12, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 40, 0, 0, 0];
    out.extend_from_slice(&(40 * entries.len() as u64).to_le_bytes());
    for (digest, offset) in entries {
        out.extend_from_slice(digest);
        out.extend_from_slice(&offset.to_le_bytes());
    }
    out
}
