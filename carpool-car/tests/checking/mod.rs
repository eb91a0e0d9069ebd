//! Runs a check, and reads the indexes of the tests.
#![allow(dead_code, reason = "no test needs all of it")]

use carpool_car::check::{Check, CheckOptions, Checking, Finding, Report, Verdicts};
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
    let (mut findings, mut index, mut index_read) = (Vec::new(), Vec::new(), false);
    loop {
        match check.poll() {
            Checking::Batch(batch) => out.push(batch.verify(&Limits::default())),
            Checking::Finding(finding) => findings.push(finding),
            Checking::Index(piece) => index.extend_from_slice(&piece.bytes),
            Checking::Wait => match chunks.next() {
                Some(chunk) => check.handle_data(Bytes::copy_from_slice(chunk)),
                None => {
                    check.handle_eof();
                    if index_read && !out.is_empty() {
                        let n = pick(out.len()) % out.len();
                        check.handle_verdicts(out.swap_remove(n));
                    } else if !index_read && !index.is_empty() {
                        feed(&mut check, &index);
                        index_read = true;
                    } else {
                        index_read = true;
                    }
                }
            },
            Checking::Done => return (findings, check.report().clone()),
        }
    }
}

pub(crate) fn check(file: &[u8], options: &CheckOptions) -> (Vec<Finding>, Report) {
    check_in_order(file, 1 << 16, options, |_| 0)
}

/// Slow and obvious: the entries of an index of one of the two codecs.
fn feed(check: &mut Check, index: &[u8]) {
    if entries(check, index).is_none() {
        check.handle_index_fault(0);
    }
}

fn entries(check: &mut Check, index: &[u8]) -> Option<()> {
    match index.split_at_checked(2)? {
        (b"\x81\x08", mut rest) => {
            for _ in 0..number(&mut rest, 4)? {
                let code = number(&mut rest, 8)?;
                widths(check, Some(code), &mut rest)?;
            }
            Some(())
        }
        (b"\x80\x08", mut rest) => widths(check, None, &mut rest),
        _ => None,
    }
}

fn widths(check: &mut Check, code: Option<u64>, rest: &mut &[u8]) -> Option<()> {
    for _ in 0..number(rest, 4)? {
        let width = usize::try_from(number(rest, 4)?).ok()?.checked_sub(8)?;
        let bytes = usize::try_from(number(rest, 8)?).ok()?;
        let (mut bucket, after) = rest.split_at_checked(bytes)?;
        *rest = after;
        while !bucket.is_empty() {
            let (digest, mut behind) = bucket.split_at_checked(width)?;
            check.handle_entry(code, digest, number(&mut behind, 8)?);
            bucket = behind;
        }
    }
    Some(())
}

fn number(rest: &mut &[u8], width: usize) -> Option<u64> {
    let (bytes, after) = rest.split_at_checked(width)?;
    *rest = after;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
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
