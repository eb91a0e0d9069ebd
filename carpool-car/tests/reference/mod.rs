//! CARv1 decoded from one slice, slow and obvious. The streaming decoder is held to it.

use carpool_car::{Error, Header, Item, Section};
use carpool_core::{Bytes, Cid, Limits, cid_exact, cid_prefix};

/// All items up to the end or the first fault.
pub(crate) fn decode(input: &[u8], limits: &Limits) -> (Vec<Item>, Result<(), Error>) {
    let mut items = Vec::new();
    let mut at = 0;
    let ended = loop {
        let item =
            if items.is_empty() { header(input, limits) } else { section(input, at, limits) };
        match item {
            Ok(Some((item, end))) => {
                items.push(item);
                at = end;
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    (items, ended)
}

type Next = Result<Option<(Item, usize)>, Error>;

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

fn header(input: &[u8], limits: &Limits) -> Next {
    let expected = "the length of a header";
    let (len, start) = varint(input)
        .map_err(|()| Error::Header { expected })?
        .ok_or(Error::Truncated { offset: 0 })?;
    let max = limits.max_header_bytes as u64;
    if len > max {
        return Err(Error::HeaderTooLong { bytes: len, max });
    }
    let end = start + usize::try_from(len).expect("within the limit");
    let bytes = input.get(start..end).ok_or(Error::Truncated { offset: 0 })?;
    Ok(Some((Item::Header(header_map(bytes, limits)?), end)))
}

fn section(input: &[u8], offset: usize, limits: &Limits) -> Next {
    let (rest, offset) = (&input[offset..], offset as u64);
    if rest.is_empty() {
        return Ok(None);
    }
    let (len, start) = varint(rest)
        .map_err(|()| Error::SectionLength { offset })?
        .ok_or(Error::Truncated { offset })?;
    if len == 0 {
        return Err(Error::SectionLength { offset });
    }
    let max = limits.max_section_bytes as u64;
    if len > max {
        return Err(Error::SectionTooLong { offset, bytes: len, max });
    }
    let end = start + usize::try_from(len).expect("within the limit");
    let body = rest.get(start..end).ok_or(Error::Truncated { offset })?;
    let (cid, n) = cid_prefix(body).map_err(|_| Error::SectionCid { offset })?;
    let (bytes, max) = ((body.len() - n) as u64, limits.max_block_bytes as u64);
    if bytes > max {
        return Err(Error::BlockTooLong { offset, bytes, max });
    }
    let data = Bytes::copy_from_slice(&body[n..]);
    let item = Section { cid, data, offset, data_offset: offset + (start + n) as u64 };
    Ok(Some((Item::Section(item), usize::try_from(offset).expect("in memory") + end)))
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
            Ok(Header { roots })
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
