use carpool_core::cbor::{Reader, write_head, write_link};

use crate::choices::Choices;

/// Whatever is asked of it, the reader stays inside its input, and what it read is what is written
/// there. It steps over an item as a reference does that knows nothing of it.
pub fn cbor_reader(data: &[u8]) {
    let mut choices = Choices::new(data);
    let asked = choices.bytes(8);
    let input = choices.bytes(usize::MAX);
    let mut reader = Reader::new(input);
    for ask in asked {
        let before = reader.at();
        let major = ask >> 2 & 7;
        match ask & 3 {
            0 => head(&mut reader, input, major),
            1 => string(&mut reader, input, major),
            2 => link(&mut reader, input),
            _ => skip(&mut reader, input),
        }
        assert!(before <= reader.at() && reader.at() <= input.len());
        assert_eq!(reader.rest(), &input[reader.at()..]);
    }
}

fn head(reader: &mut Reader<'_>, input: &[u8], major: u8) {
    let start = reader.at();
    let Some(argument) = reader.head(major) else {
        assert_eq!(reader.at(), start);
        return;
    };
    let mut shortest = Vec::new();
    write_head(&mut shortest, major, argument);
    let read = &input[start..reader.at()];
    assert!(shortest.len() <= read.len() && read[0] >> 5 == major);
    assert!(shortest.len() < read.len() || shortest == read);
}

fn string(reader: &mut Reader<'_>, input: &[u8], major: u8) {
    if let Some(contents) = reader.string(major) {
        assert!(input[..reader.at()].ends_with(contents));
    }
}

fn link(reader: &mut Reader<'_>, input: &[u8]) {
    let start = reader.at();
    let Some(cid) = reader.link() else { return };
    let mut written = Vec::new();
    write_link(&mut written, &cid);
    assert!(written.len() <= reader.at() - start);
    assert_eq!(Reader::new(&written).link(), Some(cid));
    assert!(input[..reader.at()].ends_with(&cid.to_bytes()));
}

fn skip(reader: &mut Reader<'_>, input: &[u8]) {
    let start = reader.at();
    let skipped = reader.skip(u64::MAX).map(|()| reader.at() - start);
    assert_eq!(skipped, reference(&input[start..]));
}

/// How many bytes the item at the front has, by a stack of what is still to come.
fn reference(input: &[u8]) -> Option<usize> {
    let (mut at, mut open) = (0, vec![1u128]);
    while let Some(left) = open.pop() {
        if left == 0 {
            continue;
        }
        open.push(left - 1);
        let (major, argument, len) = item(&input[at..])?;
        at += len;
        match major {
            2 | 3 => {
                at = at.checked_add(usize::try_from(argument).ok()?)?;
                input.get(..at)?;
            }
            4 => open.push(argument.into()),
            5 => open.push(u128::from(argument) * 2),
            6 => open.push(1),
            _ => {}
        }
    }
    Some(at)
}

fn item(input: &[u8]) -> Option<(u8, u64, usize)> {
    let first = *input.first()?;
    let width = match first & 31 {
        info @ 0..=23 => return Some((first >> 5, info.into(), 1)),
        24 => 1,
        25 => 2,
        26 => 4,
        27 => 8,
        _ => return None,
    };
    let argument = input.get(1..=width)?;
    let value = argument.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
    Some((first >> 5, value, 1 + width))
}
