//! DAG-PB nodes as go-car describes them in `list -v`.

use carpool_core::{cid_exact, varint};
use std::fmt::Write;

use crate::output::printable;

/// Links that are written out.
const SHOWN: usize = 3;

/// The types of UnixFS nodes, by their number.
const TYPES: [&str; 6] = ["Raw", "Directory", "File", "Metadata", "Symlink", "HAMTShard"];

/// What follows the CID of a DAG-PB block, on lines of its own.
pub(crate) fn describe(block: &[u8]) -> String {
    let mut out = String::new();
    let Some((links, data)) = node(block) else {
        return "\n\tnot interpretable as dag-pb".to_owned();
    };
    let mut put = |line: std::fmt::Arguments<'_>| {
        out.write_fmt(line).expect("strings take all");
    };
    put(format_args!("\n\t{} links. {} bytes", links.len(), data.map_or(0, <[u8]>::len)));
    for link in links.iter().take(SHOWN) {
        let name = link.name.map_or_else(|| "<no name>".into(), String::from_utf8_lossy);
        let cid =
            cid_exact(link.hash).map_or_else(|_| "<unknown>".to_owned(), |cid| cid.to_string());
        put(format_args!("\n\t\t{}[{}] {cid}", printable(&name), human(link.tsize)));
    }
    if links.len() > SHOWN {
        put(format_args!("\n\t\t({} total)", links.len()));
    }
    match data.and_then(node_type) {
        Some(name) => put(format_args!("\n\tUnixfs {name}")),
        None => put(format_args!("\n\tnot interpretable as unixfs")),
    }
    out
}

struct Link<'a> {
    hash: &'a [u8],
    name: Option<&'a [u8]>,
    tsize: u64,
}

/// A field of a message.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The next field; `Some(None)` at the end.
fn field<'a>(input: &mut &'a [u8]) -> Option<Option<(u64, Field<'a>)>> {
    if input.is_empty() {
        return Some(None);
    }
    let mut number = || {
        let (value, n) = varint::decode(input).ok()??;
        *input = &input[n..];
        Some(value)
    };
    let key = number()?;
    let value = number()?;
    match key & 7 {
        0 => Some(Some((key >> 3, Field::Number(value)))),
        2 => {
            let (bytes, rest) = input.split_at_checked(usize::try_from(value).ok()?)?;
            *input = rest;
            Some(Some((key >> 3, Field::Bytes(bytes))))
        }
        _ => None,
    }
}

fn node(mut block: &[u8]) -> Option<(Vec<Link<'_>>, Option<&[u8]>)> {
    let (mut links, mut data) = (Vec::new(), None);
    while let Some((number, value)) = field(&mut block)? {
        match (number, value) {
            (1, Field::Bytes(bytes)) => data = Some(bytes),
            (2, Field::Bytes(bytes)) => links.push(link(bytes)?),
            _ => return None,
        }
    }
    Some((links, data))
}

fn link(mut bytes: &[u8]) -> Option<Link<'_>> {
    let mut link = Link { hash: &[], name: None, tsize: 0 };
    while let Some((number, value)) = field(&mut bytes)? {
        match (number, value) {
            (1, Field::Bytes(hash)) => link.hash = hash,
            (2, Field::Bytes(name)) => link.name = Some(name),
            (3, Field::Number(tsize)) => link.tsize = tsize,
            _ => return None,
        }
    }
    Some(link)
}

fn node_type(mut data: &[u8]) -> Option<&'static str> {
    match field(&mut data)?? {
        (1, Field::Number(number)) => TYPES.get(usize::try_from(number).ok()?).copied(),
        _ => None,
    }
}

/// A number of bytes as go-car writes it: in powers of 1000, of which one decimal below ten.
fn human(bytes: u64) -> String {
    if bytes < 10 {
        return format!("{bytes} B");
    }
    let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let unit = bytes.ilog(1000);
    let value = bytes as f64 / 1000_f64.powi(i32::try_from(unit).unwrap_or(0));
    let value = (value * 10.0 + 0.5).floor() / 10.0;
    let name = units.get(unit as usize).unwrap_or(&"EB");
    if value < 10.0 { format!("{value:.1} {name}") } else { format!("{value:.0} {name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_go_car() {
        for (bytes, text) in
            [(0, "0 B"), (12, "12 B"), (999, "999 B"), (1500, "1.5 kB"), (82_854_982, "83 MB")]
        {
            assert_eq!(human(bytes), text);
        }
    }
}
