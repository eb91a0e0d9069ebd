use carpool_car::{Decoder, Item, Padding, check::CheckOptions};
use carpool_core::Bytes;

use crate::{car_checking::check_in_order, choices::Choices};

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
    let (findings, report) = check_in_order(file, usize::MAX, &options, |_| 0);
    let mut order = order.iter().cycle();
    let pick = |_| usize::from(order.next().copied().unwrap_or(0));
    let in_pieces = check_in_order(file, 1 + usize::from(choice >> 3), &options, pick);
    assert_eq!(in_pieces, (findings.clone(), report.clone()));
    assert!(findings.iter().all(|finding| !finding.to_string().is_empty()));
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
