//! Lengths that a CAR claims are held to their limits before anything is waited for: at the limit
//! is accepted, one past it is refused.

mod samples;

use carpool_car::Error;
use carpool_core::{Block, Limits, codec};

fn with(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits);
    limits
}

fn ended(input: &[u8], limits: &Limits) -> Result<(), Error> {
    samples::decode(input, limits).1
}

#[test]
fn bytes_of_a_block() {
    let block = Block::new(codec::RAW, vec![0; 1000].into());
    let input = samples::car(&[], &[block]);
    let offset = carpool_car::header(&[]).len() as u64;
    let at = |max| ended(&input, &with(|limits| limits.max_block_bytes = max));
    assert_eq!(at(1000), Ok(()));
    assert_eq!(at(999), Err(Error::BlockTooLong { offset, bytes: 1000, max: 999 }));
}

#[test]
fn bytes_of_a_section() {
    let input = samples::car(&[], &[Block::new(codec::RAW, vec![0; 1000].into())]);
    let offset = carpool_car::header(&[]).len() as u64;
    let at = |max| ended(&input, &with(|limits| limits.max_section_bytes = max));
    assert_eq!(at(1036), Ok(()));
    let refused = Err(Error::SectionTooLong { offset, bytes: 1036, max: 1035 });
    assert_eq!(at(1035), refused);
    // Two bytes of length are enough to know.
    let limits = with(|limits| limits.max_section_bytes = 1035);
    let start = usize::try_from(offset).expect("short") + 2;
    assert_eq!(ended(&input[..start], &limits), refused);
}

#[test]
fn bytes_of_a_header() {
    let input = samples::sample();
    let bytes = u64::from(input[0]);
    let at = |max| ended(&input, &with(|limits| limits.max_header_bytes = max));
    assert_eq!(at(usize::from(input[0])), Ok(()));
    let max = bytes - 1;
    assert_eq!(at(usize::from(input[0]) - 1), Err(Error::HeaderTooLong { bytes, max }));
}

#[test]
fn roots() {
    let roots: Vec<_> = samples::blocks().iter().map(|block| *block.cid()).collect();
    let input = samples::car(&roots, &[]);
    let at = |max| ended(&input, &with(|limits| limits.max_header_roots = max));
    assert_eq!(at(5), Ok(()));
    assert_eq!(at(4), Err(Error::TooManyRoots { roots: 5, max: 4 }));
}

#[test]
fn claims_that_no_memory_can_meet() {
    let huge_header = samples::hex("ffffffffffffffff7f");
    assert!(matches!(samples::fault(&huge_header), Error::HeaderTooLong { .. }));
    let mut huge_section = samples::car(&[], &[]);
    huge_section.extend_from_slice(&huge_header);
    assert!(matches!(samples::fault(&huge_section), Error::SectionTooLong { .. }));
    // {roots: [2^64 - 1 of them
    let huge_roots = samples::hex("10 a2 65726f6f7473 9bffffffffffffffff");
    assert!(matches!(samples::fault(&huge_roots), Error::TooManyRoots { .. }));
}
