//! However a CAR is cut into chunks, the decoder makes of it what the reference makes of the whole:
//! the same items, then the same end or the same error.

mod reference;
mod samples;

use carpool_car::{Error, Item, Options, Padding, Sections};
use carpool_core::{Block, Bytes, Cid, Limits, Multihash, codec};
use proptest::prelude::*;

fn same_error(ended: Result<(), Error>) -> Result<(), Error> {
    let vague = |error: &Error| matches!(error, Error::Header { .. });
    ended.map_err(|error| if vague(&error) { Error::Header { expected: "" } } else { error })
}

fn check(input: &[u8], cuts: &[usize], options: &Options) -> Result<(), TestCaseError> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (input.len() + 1)).collect();
    cuts.extend([0, input.len()]);
    cuts.sort_unstable();
    let chunks = cuts.windows(2).map(|pair| &input[pair[0]..pair[1]]);
    let (items, ended) = samples::read_chunks(chunks, options);
    let (expected, end) = reference::decode(input, options);
    prop_assert_eq!(&items, &expected);
    prop_assert_eq!(same_error(ended), same_error(end));
    borrowed(input, options, &items)
}

/// The iterator over bytes at hand yields the same header and sections, and stops where they do.
fn borrowed(input: &[u8], options: &Options, items: &[Item]) -> Result<(), TestCaseError> {
    let Ok((header, mut sections)) = Sections::open(input, options) else {
        prop_assert!(items.is_empty());
        return Ok(());
    };
    let mut rest = items.iter();
    prop_assert_eq!(rest.next(), Some(&Item::Header(header)));
    let mut found = sections.by_ref().take_while(Result::is_ok).flatten();
    for item in rest {
        let Item::Section(section) = item else { break };
        let next = found.next().expect("as many");
        prop_assert_eq!(next.to_cid(), Some(section.cid));
        prop_assert_eq!(next.data, &section.data[..]);
        prop_assert_eq!((next.offset, next.data_offset), (section.offset, section.data_offset));
    }
    prop_assert_eq!(found.next(), None);
    Ok(())
}

/// With the end or the error of the reference too, where nothing lies behind the data.
fn borrowed_end(input: &[u8], options: &Options) -> Result<(), TestCaseError> {
    let ended = Sections::open(input, options)
        .and_then(|(_, mut sections)| sections.find_map(Result::err).map_or(Ok(()), Err));
    prop_assert_eq!(same_error(ended), same_error(reference::decode(input, options).1));
    Ok(())
}

fn block() -> impl Strategy<Value = Block> {
    let data = prop::collection::vec(any::<u8>(), 0..300).prop_map(Bytes::from);
    (data, 0u8..5, prop::collection::vec(any::<u8>(), 0..=64)).prop_map(|(data, kind, digest)| {
        match kind {
            0 => Block::new_v0(data),
            1 => Block::new(codec::DAG_CBOR, data),
            2 => {
                let hash = Multihash::wrap(0, &digest).expect("at most 64 bytes");
                Block::new_unchecked(Cid::new_v1(0x0129, hash), data)
            }
            _ => Block::new(codec::RAW, data),
        }
    })
}

fn limits() -> impl Strategy<Value = Limits> {
    (10usize..400, 10usize..400, 0usize..5, any::<bool>()).prop_map(
        |(section, block, roots, default)| {
            let mut limits = Limits::default();
            if !default {
                (limits.max_section_bytes, limits.max_block_bytes) = (section, block);
                limits.max_header_roots = roots;
            }
            limits
        },
    )
}

fn options() -> impl Strategy<Value = Options> {
    (limits(), any::<[bool; 3]>()).prop_map(|(limits, [v2, padding, unfinalised])| {
        let mut options = Options::strict(&limits);
        options.padding = if padding { Padding::EndOfData } else { Padding::Refuse };
        (options.v2, options.unfinalised) = (v2, unfinalised);
        options
    })
}

/// A CARv2 that may be damaged where it says what lies where.
fn framed() -> impl Strategy<Value = Vec<u8>> {
    let blocks = prop::collection::vec(block(), 0..4);
    let damage = prop::option::of((11usize..60, 0u8..120));
    let kind = (any::<bool>(), 0usize..3, prop::collection::vec(0u8..2, 0..6));
    (blocks, damage, 0usize..5, 0usize..5, kind).prop_map(
        |(blocks, damage, before, behind, (unfinalised, zeros, index))| {
            let mut car = samples::car(&[], &blocks);
            car.extend_from_slice(&vec![0; zeros]);
            let mut input = samples::wrapped(&car, [before, behind], &index);
            if unfinalised && before == 0 {
                input[11..51].fill(0);
            }
            if let Some((at, byte)) = damage {
                input[at] = byte;
            }
            input
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn blocks_come_back_whatever_the_chunks(
        blocks in prop::collection::vec(block(), 0..12),
        roots in 0usize..4,
        cuts in prop::collection::vec(any::<usize>(), 0..30),
    ) {
        let roots: Vec<Cid> = blocks.iter().take(roots).map(|block| *block.cid()).collect();
        let input = samples::car(&roots, &blocks);
        check(&input, &cuts, &Options::default())?;
        let (items, ended) = samples::decode(&input, &Limits::default());
        prop_assert_eq!(ended, Ok(()));
        let mut again = Vec::new();
        for item in items {
            match item {
                Item::Header(header) => again.extend_from_slice(&carpool_car::header(&header.roots)),
                Item::Behind(_) => unreachable!("a CARv1"),
                Item::Section(section) => {
                    prop_assert_eq!(section.offset, again.len() as u64);
                    let prefix = carpool_car::section_prefix(&section.cid, section.data.len());
                    again.extend_from_slice(prefix.as_ref());
                    prop_assert_eq!(section.data_offset, again.len() as u64);
                    again.extend_from_slice(&section.data);
                    let len = carpool_car::section_len(&section.cid, section.data.len());
                    prop_assert_eq!(section.offset + len as u64, again.len() as u64);
                }
            }
        }
        prop_assert_eq!(again, input);
    }

    #[test]
    fn so_do_faults(
        blocks in prop::collection::vec(block(), 0..6),
        roots in 0usize..4,
        damage in prop::collection::vec((any::<usize>(), any::<u8>()), 0..4),
        end in prop::option::of(any::<usize>()),
        options in options(),
        cuts in prop::collection::vec(any::<usize>(), 0..30),
    ) {
        let roots: Vec<Cid> = blocks.iter().take(roots).map(|block| *block.cid()).collect();
        let mut input = samples::car(&roots, &blocks);
        for (at, byte) in damage {
            let at = at % input.len();
            input[at] = byte;
        }
        input.truncate(end.map_or(input.len(), |end| end % (input.len() + 1)));
        let mut strict = Options::strict(&options.limits);
        borrowed_end(&input, &strict)?;
        strict.v2 = true;
        borrowed_end(&samples::wrapped(&input, [0, 0], &[]), &strict)?;
        check(&input, &cuts, &options)?;
    }

    #[test]
    fn so_does_what_stands_around_the_data(
        input in framed(),
        end in prop::option::of(any::<usize>()),
        options in options(),
        cuts in prop::collection::vec(any::<usize>(), 0..30),
    ) {
        let end = end.map_or(input.len(), |end| end % (input.len() + 1));
        check(&input[..end], &cuts, &options)?;
        check(&input[..end], &cuts, &Options::default())?;
    }

    #[test]
    fn so_does_noise(
        input in prop::collection::vec(any::<u8>(), 0..200),
        cuts in prop::collection::vec(any::<usize>(), 0..30),
    ) {
        check(&input, &cuts, &Options::default())?;
    }
}

#[test]
fn byte_by_byte() {
    let input = samples::sample();
    let (items, ended) = samples::decode_chunks(input.chunks(1), &Limits::default());
    assert_eq!((items, ended), reference::decode(&input, &Options::strict(&Limits::default())));
}
