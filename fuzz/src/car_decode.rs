use carpool_car::{Decoder, Error, Item, Options, Padding, Sections, Status, decode};
use carpool_core::{Bytes, Limits};

use crate::{car_reference, choices::Choices};

/// In any chunks the decoder makes of a CAR what the reference makes of the whole, and so do the
/// readers of sections, from a slice and without state.
pub fn car_decode(data: &[u8]) {
    let mut choices = Choices::new(data);
    let choice = choices.byte();
    let limits = limits(choice);
    let cuts = choices.bytes(4);
    let car = choices.bytes(usize::MAX);
    let mut options = Options::strict(&limits);
    // The upper bits say what beyond a strict CARv1 is read.
    options.v2 = choice & 4 != 0;
    options.padding = if choice & 8 != 0 { Padding::EndOfData } else { Padding::Refuse };
    options.unfinalised = choice & 16 != 0;
    let (items, ended) = stream(car, cuts, &options);
    let (expected, end) = car_reference::decode(car, &options);
    assert_eq!(items, expected);
    assert_eq!(same(ended.clone()), same(end));
    borrowed(car, &items, &options);
    if choice & 12 == 0 {
        stateless(car, &items, &ended, &limits);
    }
}

/// Where a slice has sections, they are those of the decoder.
fn borrowed(car: &[u8], items: &[Item], options: &Options) {
    let Ok((_, sections)) = Sections::open(car, options) else { return };
    let found = sections.map_while(Result::ok).map(|section| (section.offset, section.to_cid()));
    let expected = items.iter().filter_map(|item| match item {
        Item::Section(section) => Some((section.offset, Some(section.cid))),
        Item::Header(_) | Item::Behind(_) => None,
    });
    assert!(found.eq(expected), "other sections");
}

fn limits(choice: u8) -> Limits {
    let mut limits = Limits::default();
    if choice & 1 != 0 {
        (limits.max_section_bytes, limits.max_block_bytes) = (100, 50);
    }
    if choice & 2 != 0 {
        (limits.max_header_bytes, limits.max_header_roots) = (120, 2);
    }
    limits
}

/// The reference does not say what it expected.
fn same(ended: Result<(), Error>) -> Result<(), Error> {
    let vague = |error: &Error| matches!(error, Error::Header { .. });
    ended.map_err(|error| if vague(&error) { Error::Header { expected: "" } } else { error })
}

fn stream(car: &[u8], cuts: &[u8], options: &Options) -> (Vec<Item>, Result<(), Error>) {
    let mut decoder = Decoder::with_options(options.clone());
    let (mut items, mut rest, mut n) = (Vec::new(), car, 0);
    while !rest.is_empty() {
        let len = cuts.get(n % cuts.len().max(1)).map_or(usize::MAX, |cut| 1 + usize::from(*cut));
        let (chunk, after) = rest.split_at(len.min(rest.len()));
        (rest, n) = (after, n + 1);
        decoder.handle_data(Bytes::copy_from_slice(chunk));
        if let Err(error) = drain(&mut decoder, &mut items) {
            assert_eq!(decoder.poll(), Err(error.clone()));
            return (items, Err(error));
        }
        assert!(decoder.offset() <= (car.len() - rest.len()) as u64);
    }
    decoder.handle_eof();
    let ended = drain(&mut decoder, &mut items);
    (items, ended)
}

fn drain(decoder: &mut Decoder, items: &mut Vec<Item>) -> Result<(), Error> {
    while let Some(item) = decoder.poll()? {
        push(items, item);
    }
    Ok(())
}

/// Pieces of a region are put together.
fn push(items: &mut Vec<Item>, item: Item) {
    match (items.last_mut(), item) {
        (Some(Item::Behind(last)), Item::Behind(next)) if last.region == next.region => {
            assert_eq!(last.offset + last.bytes.len() as u64, next.offset);
            last.bytes = [&last.bytes[..], &next.bytes].concat().into();
        }
        (_, item) => items.push(item),
    }
}

/// Every section that was read stands where it says, and after the last there is none.
fn stateless(car: &[u8], items: &[Item], ended: &Result<(), Error>, limits: &Limits) {
    let mut after = None;
    for item in items {
        let Item::Section(section) = item else { continue };
        let at = usize::try_from(section.offset).expect("in memory");
        let Ok(Status::Complete { cid, data_at, end }) = decode(&car[at..], section.offset, limits)
        else {
            unreachable!("the stream read it")
        };
        assert_eq!((cid, &car[at + data_at..at + end]), (section.cid, &section.data[..]));
        after = Some(at + end);
    }
    if let Some(at) = after.filter(|at| *at < car.len()) {
        match decode(&car[at..], at as u64, limits) {
            Err(error) => assert_eq!(ended, &Err(error)),
            Ok(Status::Partial { .. }) => {
                assert_eq!(ended, &Err(Error::Truncated { offset: at as u64 }))
            }
            Ok(Status::Complete { .. }) => unreachable!("the stream did not read it"),
        }
    }
}
