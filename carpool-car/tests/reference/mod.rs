//! A CAR decoded from one slice, slow and obvious. The streaming decoder is held to it.

use carpool_car::{Behind, Error, Header, Item, Options, Padding, Region, Section, v2};
use carpool_core::{Bytes, Cid, Limits, cid_exact, cid_prefix};

/// All items up to the end or the first fault. What lies behind the sections comes in one piece a
/// region.
pub(crate) fn decode(input: &[u8], options: &Options) -> (Vec<Item>, Result<(), Error>) {
    let mut items = Vec::new();
    let ended = decode_into(&mut items, input, options);
    (items, ended)
}

/// Where the CARv1 lies.
struct Data<'a> {
    /// The file up to the end of the data.
    input: &'a [u8],
    start: u64,
    end: u64,
}

impl Data<'_> {
    /// What a header or section is called that needs the file up to `to`.
    fn incomplete(&self, offset: u64, to: u64) -> Error {
        let data_end = self.end;
        if to > data_end {
            Error::PastData { offset, data_end }
        } else {
            Error::Truncated { offset }
        }
    }
}

fn decode_into(items: &mut Vec<Item>, input: &[u8], options: &Options) -> Result<(), Error> {
    let v2 = if options.v2 { v2_header(input, options)? } else { None };
    let (start, end) = match v2 {
        None => (0, u64::MAX),
        Some(header) if header.is_unfinalised() => (51, u64::MAX),
        Some(header) => (header.data_offset, header.data_offset + header.data_size),
    };
    if start > input.len() as u64 {
        return Err(Error::Truncated { offset: input.len() as u64 });
    }
    let at_hand = usize::try_from(end).map_or(input.len(), |end| end.min(input.len()));
    let data = Data { input: &input[..at_hand], start, end };
    let (header, mut at) = header(&data, &options.limits)?;
    items.push(Item::Header(Header { v2, ..header }));
    let mut padded = false;
    while at < at_hand && !padded {
        if input[at] == 0 && options.padding == Padding::EndOfData {
            padded = true;
        } else {
            let (section, after) = section(&data, at, &options.limits)?;
            items.push(Item::Section(section));
            at = after;
        }
    }
    if padded {
        let zeros = data.input[at..].iter().take_while(|byte| **byte == 0).count();
        behind(items, Region::NullPadding, at, &input[at..at + zeros]);
        at += zeros;
        if at < at_hand {
            return Err(Error::Padding { offset: at as u64 });
        }
    }
    match v2 {
        Some(header) if end != u64::MAX => after_data(items, input, at, &header),
        _ => Ok(()),
    }
}

fn after_data(
    items: &mut Vec<Item>,
    input: &[u8],
    at: usize,
    header: &v2::Header,
) -> Result<(), Error> {
    let cut = Err(Error::Truncated { offset: input.len() as u64 });
    if (at as u64) < header.data_end() {
        return cut;
    }
    if header.index_offset == 0 {
        behind(items, Region::Trailing, at, &input[at..]);
        return Ok(());
    }
    let len = input.len();
    let index = usize::try_from(header.index_offset).map_or(len, |index| index.min(len));
    behind(items, Region::Gap, at, &input[at..index]);
    behind(items, Region::Index, index, &input[index..]);
    if index < len { Ok(()) } else { cut }
}

fn behind(items: &mut Vec<Item>, region: Region, at: usize, bytes: &[u8]) {
    if !bytes.is_empty() {
        let bytes = Bytes::copy_from_slice(bytes);
        items.push(Item::Behind(Behind { region, offset: at as u64, bytes }));
    }
}

/// The header of a CARv2, where there is a pragma.
fn v2_header(input: &[u8], options: &Options) -> Result<Option<v2::Header>, Error> {
    let Some(rest) = input.strip_prefix(b"\x0a\xa1gversion\x02") else { return Ok(None) };
    let bytes = rest.get(..40).ok_or(Error::Truncated { offset: 11 })?;
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
    let bits = u128::from_be_bytes(bytes[..16].try_into().expect("16 bytes"));
    let (offset, size, index) = (number(16), number(24), number(32));
    let header = v2::Header {
        characteristics: bits,
        data_offset: offset,
        data_size: size,
        index_offset: index,
    };
    if bytes.iter().all(|byte| *byte == 0) {
        return if options.unfinalised { Ok(Some(header)) } else { Err(Error::Unfinalised) };
    }
    if offset < 51 {
        return Err(Error::DataOffset { offset });
    }
    let end = u128::from(offset) + u128::from(size);
    let Some(data_end) = u64::try_from(end).ok().filter(|_| size > 0) else {
        return Err(Error::DataSize { offset, size });
    };
    if index != 0 && index < data_end {
        return Err(Error::IndexOffset { offset: index, data_end });
    }
    Ok(Some(header))
}

/// A varint's value and length; `None` where the input ends inside.
fn varint(input: &[u8]) -> Result<Option<(u64, usize)>, ()> {
    let len = input.iter().position(|byte| byte & 0x80 == 0).map(|last| last + 1);
    match len {
        None if input.len() < 9 => Ok(None),
        Some(len) if len <= 9 && (len == 1 || input[len - 1] != 0) => {
            let value = |sum, byte: &u8| sum * 128 + u64::from(byte & 0x7f);
            Ok(Some((input[..len].iter().rev().fold(0, value), len)))
        }
        _ => Err(()),
    }
}

fn header(data: &Data<'_>, limits: &Limits) -> Result<(Header, usize), Error> {
    let expected = "the length of a header";
    let (offset, available) = (data.start, data.input.len() as u64);
    let at = usize::try_from(offset).expect("in memory");
    let (len, n) = varint(&data.input[at..])
        .map_err(|()| Error::Header { expected })?
        .ok_or_else(|| data.incomplete(offset, available + 1))?;
    let max = limits.max_header_bytes as u64;
    if len > max {
        return Err(Error::HeaderTooLong { bytes: len, max });
    }
    let start = at + n;
    let end = start + usize::try_from(len).expect("within the limit");
    let missing = || data.incomplete(offset, end as u64);
    let bytes = data.input.get(start..end).ok_or_else(missing)?;
    Ok((header_map(bytes, limits)?, end))
}

fn section(data: &Data<'_>, at: usize, limits: &Limits) -> Result<(Section, usize), Error> {
    let (rest, offset) = (&data.input[at..], at as u64);
    let (len, n) = varint(rest)
        .map_err(|()| Error::SectionLength { offset })?
        .ok_or_else(|| data.incomplete(offset, data.input.len() as u64 + 1))?;
    if len == 0 {
        return Err(Error::SectionLength { offset });
    }
    let max = limits.max_section_bytes as u64;
    if len > max {
        return Err(Error::SectionTooLong { offset, bytes: len, max });
    }
    let end = n + usize::try_from(len).expect("within the limit");
    let missing = || data.incomplete(offset, (at + end) as u64);
    let body = rest.get(n..end).ok_or_else(missing)?;
    let (cid, cid_len) = cid_prefix(body).map_err(|_| Error::SectionCid { offset })?;
    let (bytes, max) = ((body.len() - cid_len) as u64, limits.max_block_bytes as u64);
    if bytes > max {
        return Err(Error::BlockTooLong { offset, bytes, max });
    }
    let offset = offset - data.start;
    let data_offset = offset + (n + cid_len) as u64;
    let data = Bytes::copy_from_slice(&body[cid_len..]);
    Ok((Section { cid, data, offset, data_offset }, at + end))
}

/// As much of CBOR as a header may have.
#[derive(Debug)]
enum Value {
    Int(u64),
    Bytes(Vec<u8>),
    Text(Vec<u8>),
    Array(Vec<Self>),
    Map(Vec<(Self, Self)>),
    Link(Box<Self>),
}

/// Only that it is a fault is compared, not what was expected.
const FAULT: Error = Error::Header { expected: "" };

fn header_map(input: &[u8], limits: &Limits) -> Result<Header, Error> {
    let claimed = claimed_roots(input);
    let max = limits.max_header_roots as u64;
    if let Some(roots) = claimed.filter(|&roots| roots > max) {
        return Err(Error::TooManyRoots { roots, max });
    }
    let (value, rest) = value(input, 0).ok_or(FAULT)?;
    let Value::Map(entries) = value else { return Err(FAULT) };
    let (roots, versions) = (named(&entries, b"roots"), named(&entries, b"version"));
    match (&roots[..], &versions[..], entries.len()) {
        ([Value::Array(roots)], [Value::Int(1)], 2) if rest.is_empty() => {
            let roots = roots.iter().map(root).collect::<Option<_>>().ok_or(FAULT)?;
            Ok(Header { roots, v2: None })
        }
        ([] | [Value::Array(_)], &[&Value::Int(version)], n)
            if version != 1 && n == roots.len() + 1 && roots.iter().all(|r| all_links(r)) =>
        {
            Err(Error::Version { version })
        }
        _ => Err(FAULT),
    }
}

fn named<'a>(entries: &'a [(Value, Value)], name: &[u8]) -> Vec<&'a Value> {
    let found = entries.iter().filter(|(key, _)| matches!(key, Value::Text(key) if key == name));
    found.map(|(_, value)| value).collect()
}

fn all_links(roots: &Value) -> bool {
    matches!(roots, Value::Array(roots) if roots.iter().all(|r| root(r).is_some()))
}

fn root(value: &Value) -> Option<Cid> {
    let Value::Link(inner) = value else { return None };
    let Value::Bytes(bytes) = &**inner else { return None };
    bytes.strip_prefix(&[0]).and_then(|cid| cid_exact(cid).ok())
}

/// How many roots a header claims, where they come before anything that is a fault: first of all,
/// or after the version.
fn claimed_roots(input: &[u8]) -> Option<u64> {
    let (5, entries, rest) = head(input)? else { return None };
    let (Value::Text(first), after) = value(rest, 1)? else { return None };
    let after_version = || match value(after, 1)? {
        (Value::Int(_), rest) if first == b"version" && entries > 1 => value(rest, 1),
        _ => None,
    };
    let (key, claim) = if first == b"roots" && entries > 0 {
        (Value::Text(first.clone()), after)
    } else {
        after_version()?
    };
    match (key, head(claim)?) {
        (Value::Text(key), (4, roots, _)) if key == b"roots" => Some(roots),
        _ => None,
    }
}

fn head(input: &[u8]) -> Option<(u8, u64, &[u8])> {
    let (first, rest) = input.split_first()?;
    let width = match first & 0x1f {
        info @ 0..=23 => return Some((first >> 5, info.into(), rest)),
        info @ 24..=27 => 1 << (info - 24),
        _ => return None,
    };
    let (argument, rest) = rest.split_at_checked(width)?;
    let value = argument.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
    Some((first >> 5, value, rest))
}

fn value(input: &[u8], depth: u8) -> Option<(Value, &[u8])> {
    let (major, n, mut rest) = head(input)?;
    if depth > 8 {
        return None;
    }
    let mut next = || {
        let (value, after) = value(rest, depth + 1)?;
        rest = after;
        Some(value)
    };
    let value = match major {
        0 => Value::Int(n),
        4 => Value::Array((0..n).map(|_| next()).collect::<Option<_>>()?),
        5 => Value::Map((0..n).map(|_| Some((next()?, next()?))).collect::<Option<_>>()?),
        6 if n == 42 => Value::Link(Box::new(next()?)),
        2 | 3 => {
            let (bytes, after) = rest.split_at_checked(usize::try_from(n).ok()?)?;
            rest = after;
            if major == 2 { Value::Bytes(bytes.to_vec()) } else { Value::Text(bytes.to_vec()) }
        }
        _ => return None,
    };
    Some((value, rest))
}
