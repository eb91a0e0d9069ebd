use carpool_core::{cid_exact, varint};

use core::ops::Range;

use super::value::{Int, MAX_VALUES, Value};

/// Values that a link takes up: its map and three entries.
const PER_LINK: usize = 4;

/// Reads a DAG-PB node as the map `{Data, Links}`
/// ([DAG-PB, Logical Format](https://ipld.io/specs/codecs/dag-pb/spec/#logical-format)); `None` for
/// what is none. Forms that are not canonical may pass: whoever calls writes the value again and
/// compares.
pub(super) fn decode(mut data: &[u8]) -> Option<Value> {
    let (mut links, mut bytes) = (Vec::new(), None);
    while !data.is_empty() {
        match take_key(&mut data)? {
            (2, 2) => links.push(link(take_bytes(&mut data)?)?),
            (1, 2) if bytes.is_none() => bytes = Some(take_bytes(&mut data)?.to_vec()),
            _ => return None,
        }
        if links.len() * PER_LINK > MAX_VALUES {
            return None;
        }
    }
    let mut map = Vec::new();
    map.extend(bytes.map(|bytes| ("Data".to_owned(), Value::Bytes(bytes))));
    map.push(("Links".to_owned(), Value::List(links)));
    Some(Value::Map(map))
}

fn link(mut data: &[u8]) -> Option<Value> {
    let mut map = Vec::new();
    while !data.is_empty() {
        let (key, value) = match take_key(&mut data)? {
            (1, 2) => ("Hash", Value::Link(Box::new(cid_exact(take_bytes(&mut data)?).ok()?))),
            (2, 2) => {
                let name = String::from_utf8(take_bytes(&mut data)?.to_vec()).ok()?;
                ("Name", Value::Text(name))
            }
            (3, 0) => ("Tsize", Value::Int(Int { negative: false, n: take_varint(&mut data)? })),
            _ => return None,
        };
        if map.iter().any(|(known, _)| known == key) {
            return None;
        }
        map.push((key.to_owned(), value));
    }
    Some(Value::Map(map))
}

fn take_key(data: &mut &[u8]) -> Option<(u64, u64)> {
    take_varint(data).map(|key| (key >> 3, key & 7))
}

fn take_varint(data: &mut &[u8]) -> Option<u64> {
    let (value, len) = varint::take(data).ok()?;
    *data = &data[len..];
    Some(value)
}

fn take_bytes<'a>(data: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(take_varint(data)?).ok()?;
    let (bytes, rest) = data.split_at_checked(len)?;
    *data = rest;
    Some(bytes)
}

/// Writes a DAG-PB node: links in the order of the text, then the data.
pub(super) fn encode(value: &Value, out: &mut Vec<u8>) -> Result<(), &'static str> {
    let Value::Map(map) = value else { return Err("a map with `Links`") };
    let (mut links, mut data) = (None, None);
    for (key, value) in map {
        match (key.as_str(), value) {
            ("Links", Value::List(list)) if links.is_none() => links = Some(list),
            ("Data", Value::Bytes(bytes)) if data.is_none() => data = Some(bytes),
            _ => return Err("a list `Links` and bytes `Data`, and nothing else"),
        }
    }
    for link in links.ok_or("a list `Links`")? {
        let mut inner = Vec::new();
        encode_link(link, &mut inner)?;
        field(0x12, &inner, out);
    }
    if let Some(data) = data {
        field(0x0a, data, out);
    }
    Ok(())
}

fn encode_link(link: &Value, out: &mut Vec<u8>) -> Result<(), &'static str> {
    let Value::Map(map) = link else { return Err("a map as link") };
    let (mut hash, mut name, mut size) = (None, None, None);
    for (key, value) in map {
        match (key.as_str(), value) {
            ("Hash", Value::Link(cid)) => hash = Some(cid),
            ("Name", Value::Text(text)) => name = Some(text),
            ("Tsize", Value::Int(Int { negative: false, n })) => size = Some(*n),
            _ => return Err("a link `Hash`, a text `Name` and a number `Tsize`"),
        }
    }
    field(0x0a, &hash.ok_or("a link `Hash`")?.to_bytes(), out);
    if let Some(name) = name {
        field(0x12, name.as_bytes(), out);
    }
    if let Some(size) = size {
        out.push(0x18);
        number(size, out);
    }
    Ok(())
}

fn field(key: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(key);
    number(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn number(n: u64, out: &mut Vec<u8>) {
    let mut bytes = [0; 10];
    let len = varint::encode(n, &mut bytes);
    out.extend_from_slice(&bytes[..len]);
}

/// Calls `each` with the place of every `Hash`, as far as the node parses.
pub(super) fn link_places(data: &[u8], each: &mut impl FnMut(Range<usize>)) {
    let _ = walk_links(data, each);
}

fn walk_links(data: &[u8], each: &mut impl FnMut(Range<usize>)) -> Option<()> {
    let mut rest = data;
    while !rest.is_empty() {
        let (field, _) = take_key(&mut rest)?;
        let mut inner = take_bytes(&mut rest)?;
        let end = data.len() - rest.len();
        while field == 2 && !inner.is_empty() {
            let (key, kind) = take_key(&mut inner)?;
            if kind == 0 {
                take_varint(&mut inner)?;
                continue;
            }
            let len = take_bytes(&mut inner)?.len();
            let at = end - inner.len() - len;
            if key == 1 {
                each(at..at + len);
            }
        }
    }
    Some(())
}
