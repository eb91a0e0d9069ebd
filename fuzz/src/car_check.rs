use carpool_car::{
    Decoder, Item, Padding, ReadAt,
    check::{Check, CheckOptions, Checking, Differences, Finding, Part, Report, Verdicts},
};
use carpool_core::{Bytes, Limits};

use crate::choices::Choices;

/// What is found does not depend on chunks, nor on the order in which verdicts come back, and every
/// section is counted.
pub fn car_check(data: &[u8]) {
    let mut choices = Choices::new(data);
    let choice = choices.byte();
    let order = choices.bytes(6);
    let file = choices.bytes(usize::MAX);
    let mut options = CheckOptions::default();
    options.duplicates = true;
    options.batch_blocks = 1 + usize::from(choice >> 5);
    options.read.unfinalised = choice & 1 != 0;
    options.read.padding = if choice & 2 != 0 { Padding::EndOfData } else { Padding::Refuse };
    if choice & 4 != 0 {
        options.max_entries = 3;
    }
    if choice & 8 != 0 {
        (options.memory, options.max_findings) = (100, 2);
    }
    let (findings, report) = check(file, usize::MAX, &options, &[]);
    assert_eq!(
        check(file, 1 + usize::from(choice >> 3), &options, order),
        (findings, report.clone())
    );
    let mut decoder = Decoder::with_options(options.read);
    decoder.handle_data(Bytes::copy_from_slice(file));
    decoder.handle_eof();
    let mut blocks = 0;
    while let Ok(Some(item)) = decoder.poll() {
        blocks += u64::from(matches!(item, Item::Section(_)));
    }
    assert_eq!(report.total.blocks, blocks);
    assert!(report.verified <= blocks && report.duplicates <= blocks);
}

fn check(
    file: &[u8],
    chunk: usize,
    options: &CheckOptions,
    order: &[u8],
) -> (Vec<Finding>, Report) {
    let mut check = Check::new(options.clone());
    let mut chunks = file.chunks(chunk);
    let (mut out, mut findings): (Vec<Verdicts>, Vec<Finding>) = (Vec::new(), Vec::new());
    let mut order = order.iter().cycle();
    let (mut ended, mut scratch) = (false, Vec::new());
    loop {
        match check.poll() {
            Checking::Batch(batch) => out.push(batch.verify(&Limits::default())),
            Checking::Finding(finding) => {
                assert!(!finding.to_string().is_empty());
                findings.push(finding);
            }
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
                let n = usize::from(order.next().copied().unwrap_or(0)) % out.len();
                check.handle_verdicts(out.remove(n));
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
