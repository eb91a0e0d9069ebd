//! A CAR that ends early is an error that says where what was cut begins; only between two sections
//! can nobody tell.

mod samples;

use carpool_car::{Error, Item};
use carpool_core::Limits;

#[test]
fn at_every_byte() {
    let input = samples::sample();
    let (items, _) = samples::decode(&input, &Limits::default());
    let mut starts = vec![0];
    starts.extend(items.iter().filter_map(|item| match item {
        Item::Header(_) | Item::Behind(_) => None,
        Item::Section(section) => Some(section.offset),
    }));
    for cut in 0..input.len() {
        let (before, ended) = samples::decode(&input[..cut], &Limits::default());
        let clean = cut > 0 && starts.contains(&(cut as u64));
        let begun = starts.iter().filter(|start| **start <= cut as u64).count();
        let offset = starts[begun - 1];
        let expected = if clean { Ok(()) } else { Err(Error::Truncated { offset }) };
        assert_eq!(ended, expected, "cut at {cut}");
        assert_eq!(before[..], items[..before.len()]);
        assert_eq!(before.len(), begun - 1, "cut at {cut}");
    }
}

#[test]
fn an_error_stays() {
    let mut decoder = carpool_car::Decoder::new(&Limits::default());
    decoder.handle_eof();
    assert_eq!(decoder.poll(), Err(Error::Truncated { offset: 0 }));
    decoder.handle_data(samples::sample().into());
    assert_eq!(decoder.poll(), Err(Error::Truncated { offset: 0 }));
}
