use carpool_car::{
    Decoder, Error, Head, Item, Options, Padding, ReadAt, Reader, Reading, Resume, Resuming,
    WriteOptions,
};
use carpool_core::Bytes;

use crate::choices::Choices;

/// Over honest ranges the reader finds what the decoder finds, and a file is resumed where its
/// whole sections end; over ranges that lie both come to an end.
pub fn car_reader(data: &[u8]) {
    let mut choices = Choices::new(data);
    let choice = choices.byte();
    let window = 512 + 8 * usize::from(choices.byte());
    let lies = if choice & 1 != 0 { choices.bytes(24) } else { &[] };
    let file = choices.bytes(usize::MAX);
    let mut options = Options::default();
    options.unfinalised = choice & 2 != 0;
    options.padding = if choice & 4 != 0 { Padding::EndOfData } else { Padding::Refuse };
    let mut ranges = Ranges { file, lies, honest: true, asked: 0 };
    let (heads, ended) = scan(&mut ranges, &options, window);
    if ranges.honest {
        agrees(file, &options, &heads, &ended);
    }
    resumes(&mut Ranges { file, lies, honest: true, asked: 0 }, window);
}

/// A file that answers as files do, but for the requests that a lie is at hand for.
struct Ranges<'a> {
    file: &'a [u8],
    lies: &'a [u8],
    /// Whether every answer so far was true.
    honest: bool,
    asked: usize,
}

impl Ranges<'_> {
    fn answer(&mut self, ReadAt { offset, len }: ReadAt) -> Bytes {
        assert!(len > 0 && len <= 9 << 20, "{len} bytes were asked for");
        self.asked += 1;
        // A section takes one byte at least, and a request brings the reader on by one.
        assert!(self.asked < 2 * self.file.len() + 1000, "there is no end");
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.file.len());
        let honest = &self.file[start..self.file.len().min(start.saturating_add(len))];
        let Some((lie, rest)) = self.lies.split_first() else {
            return Bytes::copy_from_slice(honest);
        };
        (self.lies, self.honest) = (rest, self.honest && lie % 8 > 4);
        match lie % 8 {
            0 => Bytes::new(),
            1 => Bytes::copy_from_slice(&honest[..honest.len() / 2]),
            2 => vec![*lie; len + 1].into(),
            3 => vec![*lie; len.min(1 << 16)].into(),
            4 => Bytes::copy_from_slice(&self.file[..self.file.len().min(len)]),
            _ => Bytes::copy_from_slice(honest),
        }
    }
}

fn next(reader: &mut Reader, ranges: &mut Ranges<'_>) -> Result<Reading, Error> {
    loop {
        let reading = reader.poll()?;
        let Reading::Read(read) = reading else { return Ok(reading) };
        assert_eq!(reader.poll(), Ok(reading), "the same again until it is answered");
        reader.handle_read(ranges.answer(read));
    }
}

fn scan(
    ranges: &mut Ranges<'_>,
    options: &Options,
    window: usize,
) -> (Vec<Head>, Result<(), Error>) {
    let mut reader = Reader::new(options.clone());
    reader.set_window(window);
    let mut heads = Vec::new();
    if let Err(error) = next(&mut reader, ranges) {
        return (heads, Err(error));
    }
    reader.scan(reader.first_section());
    let ended = loop {
        match next(&mut reader, ranges) {
            Ok(Reading::Head(head)) => heads.push(head),
            Ok(_) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    let mut fetching = reader.clone();
    for head in heads.iter().take(20) {
        fetching.fetch(head.offset);
        let fetched = next(&mut fetching, ranges);
        let Ok(Reading::Section(section)) = fetched else { continue };
        let same = (section.cid, section.data.len() as u64) == (head.cid, head.data_len);
        assert!(same || !ranges.honest);
    }
    (heads, ended)
}

fn agrees(file: &[u8], options: &Options, heads: &[Head], ended: &Result<(), Error>) {
    let mut decoder = Decoder::with_options(options.clone());
    decoder.handle_data(Bytes::copy_from_slice(file));
    decoder.handle_eof();
    let mut sections = 0;
    let expected = loop {
        match decoder.poll() {
            Ok(Some(Item::Section(section))) => {
                let head = &heads[sections];
                assert_eq!((section.cid, section.offset), (head.cid, head.offset));
                assert_eq!(section.data_offset, head.data_offset);
                assert_eq!(section.data.len() as u64, head.data_len);
                sections += 1;
            }
            Ok(Some(_)) => {}
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    // A section whose data is cut shows only behind its head.
    assert!(heads.len() <= sections + 1);
    if expected.is_ok() {
        assert_eq!((heads.len(), ended), (sections, &Ok(())));
    }
}

fn resumes(ranges: &mut Ranges<'_>, window: usize) {
    let mut resume = Resume::new(Options::default(), WriteOptions::default());
    resume.reader_mut().set_window(window);
    let mut kept = Vec::new();
    loop {
        match resume.poll() {
            Ok(Resuming::Read(read)) => resume.handle_read(ranges.answer(read)),
            Ok(Resuming::Section(head)) => kept.push(head),
            Ok(Resuming::Done(resumed)) if ranges.honest => {
                let mut file = ranges.file.to_vec();
                file.truncate(usize::try_from(resumed.file_len).expect("no longer than it was"));
                assert_eq!(file.len() as u64, resumed.writer.file_offset());
                if let Some(patch) = resumed.patch {
                    let at = usize::try_from(patch.offset).expect("small");
                    file[at..at + patch.bytes.len()].copy_from_slice(&patch.bytes);
                }
                whole(&file, resumed.header.v2.is_some_and(|v2| v2.data_offset > 51), &kept);
                return;
            }
            Ok(Resuming::Done(_)) | Err(_) => return,
        }
    }
}

/// What a resumed file holds is whole, and as much as was said.
fn whole(file: &[u8], padded: bool, kept: &[Head]) {
    if padded {
        return;
    }
    let mut options = Options::default();
    options.unfinalised = true;
    let (found, ended) =
        scan(&mut Ranges { file, lies: &[], honest: true, asked: 0 }, &options, 512);
    assert_eq!((&found[..], ended), (kept, Ok(())));
}
