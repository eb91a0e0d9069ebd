use carpool_core::Cid;

use super::{Error, parse_cid};

/// What stands before the blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// Whether the text is of a CARv2.
    pub(crate) v2: bool,
    /// The name of the file that was printed.
    pub(crate) name: String,
    /// The roots, in their order.
    pub(crate) roots: Vec<Cid>,
}

const FIRST: &str = "car compile ";
const V2: &str = "--v2 ";

impl Head {
    /// The head as text. What would break its lines is not in the name any more.
    pub(crate) fn print(&self) -> String {
        let name = plain(&self.name);
        let mut out = format!("{FIRST}{}{name}\n", if self.v2 { V2 } else { "" });
        self.roots.iter().for_each(|root| out.push_str(&format!("root {root}\n")));
        out
    }
}

/// Reads the head at the front of `text`; returns it and its length. `None` while more of the
/// text is needed, which never is when `whole`.
pub(crate) fn read_head(text: &[u8], whole: bool) -> Result<Option<(Head, usize)>, Error> {
    let Some((first, mut at)) = line(text, 0, whole) else { return Ok(None) };
    let rest = first.strip_prefix(FIRST.as_bytes());
    let rest = rest.ok_or(Error::Line { expected: "`car compile NAME`" })?;
    let rest = plain(&String::from_utf8_lossy(rest));
    let (v2, name) = flag(rest.trim());
    let name = name.trim_start().to_owned();
    let mut head = Head { v2, name, roots: Vec::new() };
    loop {
        if text[at..].starts_with(b"--- ") || (whole && at == text.len()) {
            return Ok(Some((head, at)));
        }
        let Some((next, end)) = line(text, at, whole) else { return Ok(None) };
        if !next.is_empty() {
            head.roots.push(root(next).ok_or(Error::Line { expected: "`root CID` or a block" })?);
        }
        at = end;
    }
}

/// A name without what would break its line.
fn plain(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).collect()
}

/// Whether what follows `car compile` begins with the flag, and the rest.
fn flag(rest: &str) -> (bool, &str) {
    match rest.strip_prefix(V2.trim_end()) {
        Some(name) if name.is_empty() || name.starts_with(char::is_whitespace) => (true, name),
        _ => (false, rest),
    }
}

fn root(line: &[u8]) -> Option<Cid> {
    let cid = line.strip_prefix(b"root ")?;
    parse_cid(core::str::from_utf8(cid).ok()?.trim())
}

/// The line at `at`, without its end, and where the next one begins.
pub(super) fn line(text: &[u8], at: usize, whole: bool) -> Option<(&[u8], usize)> {
    let rest = &text[at..];
    let (line, end) = match rest.iter().position(|b| *b == b'\n') {
        Some(len) => (&rest[..len], at + len + 1),
        None if whole => (rest, text.len()),
        None => return None,
    };
    Some((line.strip_suffix(b"\r").unwrap_or(line), end))
}
