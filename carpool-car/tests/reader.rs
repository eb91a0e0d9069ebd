//! Reading at random finds what reading from front to back finds, whoever answers the requests.

mod samples;

use carpool_car::{Error, Head, Item, Options, ReadAt, Reader, Reading, Section};
use carpool_core::{Block, Bytes, Limits, codec};
use proptest::prelude::*;

/// A file that answers as files do.
fn honest(file: &[u8]) -> impl FnMut(ReadAt) -> Bytes {
    let file = Bytes::copy_from_slice(file);
    move |ReadAt { offset, len }| {
        let start = usize::try_from(offset).map_or(file.len(), |start| start.min(file.len()));
        file.slice(start..file.len().min(start + len))
    }
}

/// Runs a reader until it has something or nothing left.
fn next(reader: &mut Reader, answer: &mut dyn FnMut(ReadAt) -> Bytes) -> Result<Reading, Error> {
    loop {
        let reading = reader.poll()?;
        let Reading::Read(read) = reading else { return Ok(reading) };
        reader.handle_read(answer(read));
    }
}

fn scan(file: &[u8], options: &Options, window: usize) -> (Vec<Head>, Result<Reader, Error>) {
    let mut reader = Reader::new(options.clone());
    reader.set_window(window);
    let mut heads = Vec::new();
    let mut answer = honest(file);
    let ended = (|| {
        next(&mut reader, &mut answer)?;
        reader.scan(reader.first_section());
        while let Reading::Head(head) = next(&mut reader, &mut answer)? {
            heads.push(head);
        }
        Ok(())
    })();
    (heads, ended.map(|()| reader))
}

fn head(section: &Section) -> Head {
    let Section { cid, ref data, offset, data_offset } = *section;
    Head { cid, offset, data_offset, data_len: data.len() as u64 }
}

fn check(file: &[u8], options: &Options, window: usize) -> Result<(), TestCaseError> {
    let (heads, ended) = scan(file, options, window);
    let (items, expected) = samples::read(file, options);
    let sections = items.iter().filter_map(|item| match item {
        Item::Section(section) => Some(section),
        Item::Header(_) | Item::Behind(_) => None,
    });
    let sections: Vec<_> = sections.collect();
    // A section whose data is cut shows only behind its head.
    prop_assert!(heads.len() >= sections.len() && heads.len() <= sections.len() + 1);
    for (found, section) in heads.iter().zip(&sections) {
        prop_assert_eq!(found, &head(section));
    }
    match (&ended, &expected) {
        (Ok(_), Ok(())) => prop_assert_eq!(heads.len(), sections.len()),
        // A cut in the padding before the data is seen from behind it.
        (Err(Error::Truncated { .. }), Err(Error::Truncated { .. })) if items.is_empty() => {}
        // A CID that is none shows before the end of its section is looked for.
        (Err(Error::SectionCid { offset }), Err(Error::Truncated { offset: cut })) => {
            prop_assert_eq!(offset, cut);
        }
        (Err(error), Err(expected)) => prop_assert_eq!(vague(error), vague(expected)),
        // What lies behind the data is not looked at.
        _ => prop_assert!(
            ended.is_ok() && matches!(items.last(), Some(Item::Behind(_)))
                || matches!(expected, Err(Error::Truncated { .. } | Error::Padding { .. })),
            "{:?} {:?}",
            ended.err(),
            expected
        ),
    }
    let Ok(mut reader) = ended else { return Ok(()) };
    for section in sections.iter().rev() {
        reader.fetch(section.offset);
        let fetched = next(&mut reader, &mut honest(file));
        prop_assert_eq!(fetched, Ok(Reading::Section((*section).clone())));
    }
    Ok(())
}

fn vague(error: &Error) -> Error {
    if let Error::Header { .. } = error { Error::Header { expected: "" } } else { error.clone() }
}

fn blocks() -> impl Strategy<Value = Vec<Block>> {
    let data = prop_oneof![0usize..300, 300usize..3000];
    let block =
        (data, any::<u8>()).prop_map(|(len, byte)| Block::new(codec::RAW, vec![byte; len].into()));
    prop::collection::vec(block, 0..8)
}

proptest! {
    #[test]
    fn what_reading_from_front_to_back_finds(
        blocks in blocks(),
        v2 in any::<bool>(),
        padding in 0usize..2000,
        end in prop::option::of(any::<usize>()),
        damage in prop::option::of((any::<usize>(), any::<u8>())),
        window in 512usize..2000,
    ) {
        let mut file = samples::car(&[], &blocks);
        if v2 {
            file = samples::wrapped(&file, [padding, 0], &[]);
        }
        file.truncate(end.map_or(file.len(), |end| end % (file.len() + 1)));
        if let Some((at, byte)) = damage.filter(|_| !file.is_empty()) {
            let at = at % file.len();
            file[at] = byte;
        }
        check(&file, &Options::default(), window)?;
    }

    /// Answers of any length and content end it sooner or later, without a panic.
    #[test]
    fn lies(answers in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..700), 0..50)) {
        let file = samples::sample();
        let mut honest = honest(&file);
        let mut reader = Reader::new(Options::default());
        for lie in answers {
            match reader.poll() {
                Ok(Reading::Read(read)) if lie.len() < 10 => reader.handle_read(honest(read)),
                Ok(Reading::Read(read)) => {
                    let len = lie.len().min(read.len + 1);
                    reader.handle_read(lie[..len].to_vec().into());
                }
                Ok(Reading::Header(_)) | Err(_) => reader.scan(u64::from(lie.first().copied().unwrap_or(0))),
                Ok(_) => reader.fetch(lie.len() as u64),
            }
        }
    }
}

#[test]
fn more_than_was_asked_for_is_refused() {
    let mut reader = Reader::new(Options::default());
    let Ok(Reading::Read(read)) = reader.poll() else { unreachable!("it has nothing yet") };
    reader.handle_read(vec![0; read.len + 1].into());
    let (bytes, max) = (read.len as u64 + 1, read.len as u64);
    assert_eq!(reader.poll(), Err(Error::LongRead { offset: 0, bytes, max }));
}

#[test]
fn an_empty_file_is_no_car() {
    let (heads, ended) = scan(&[], &Options::default(), 512);
    assert_eq!((heads.len(), ended.err()), (0, Some(Error::Truncated { offset: 0 })));
}

/// Payloads beyond a window are jumped over, and small sections share one.
#[test]
fn requests_are_few_and_short() {
    let reads = |len: usize, count: u8| {
        let blocks: Vec<_> =
            (0..count).map(|n| Block::new(codec::RAW, vec![n; len].into())).collect();
        let file = samples::car(&[], &blocks);
        let (mut asked, mut honest) = (Vec::new(), honest(&file));
        let mut answer = |read: ReadAt| {
            asked.push(read.len);
            honest(read)
        };
        let mut reader = Reader::new(Options::strict(&Limits::default()));
        next(&mut reader, &mut answer).expect("a header");
        reader.scan(reader.first_section());
        while next(&mut reader, &mut answer).expect("honest") != Reading::Idle {}
        asked
    };
    assert_eq!(reads(1000, 250).len(), 4);
    let asked = reads(1 << 20, 8);
    assert!(asked.len() <= 10 && asked[2..].iter().all(|len| *len <= 513), "{asked:?}");
}
