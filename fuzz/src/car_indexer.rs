use carpool_car::index::{Codec, Entry};

use crate::{car_index_reference, car_index_samples, choices::Choices};

/// Sections of an input. The smallest budget spills 52 of them at a time, or 29 where digests are of
/// uncommon lengths.
const MAX_ENTRIES: usize = 128;

/// A budget within which that many are not spilled, whatever their digests.
const NO_SPILL: usize = 32 << 10;

/// Whatever the sections and the budget, an indexer makes the index that the reference makes.
pub fn car_indexer(data: &[u8]) {
    let mut choices = Choices::new(data);
    let codec =
        if choices.byte().is_multiple_of(2) { Codec::MultihashSorted } else { Codec::Sorted };
    let budget = usize::from(choices.byte()) * 64;
    let mut entries = Vec::with_capacity(MAX_ENTRIES + 32);
    while !choices.is_empty() && entries.len() < MAX_ENTRIES {
        some(&mut choices, &mut entries);
    }
    let expected = car_index_reference::write(codec, &entries);
    let (made, runs) = car_index_samples::make(codec, budget, &entries);
    assert!(made == expected, "with {runs} runs");
    let (whole, none) = car_index_samples::make(codec, NO_SPILL, &entries);
    assert!(whole == expected && none == 0);
}

/// A few entries of one kind, that repeat or not.
fn some(choices: &mut Choices<'_>, entries: &mut Vec<Entry>) {
    const KINDS: [(u64, usize); 8] = [
        (0x12, 32),
        (0x12, 32),
        (0xb220, 32),
        (0x13, 64),
        (0x11, 20),
        (0, 0),
        (0, 3),
        (u64::MAX, 33),
    ];
    let kind = choices.byte();
    let (code, len) = KINDS[usize::from(kind % 8)];
    let (seed, offset, step) = (choices.byte(), choices.byte(), choices.byte());
    for n in 0..=kind / 8 {
        let mut digest = [seed; 64];
        digest[usize::from(step) % 32] = n.wrapping_mul(step);
        let offset = (u64::from(offset) << (step % 57)).wrapping_add(n.into());
        entries.push(Entry::new(Some(code), &digest[..len], offset).expect("short"));
    }
}
