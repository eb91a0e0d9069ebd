use carpool_core::{Bytes, Cid, Unverified, verify};

use super::{
    Error, codec,
    head::line,
    json::{self, Layout},
    json_read, parse_cid,
    value::Value,
};

/// Bytes of a text that a block may take up as DAG-JSON. Blocks that would need more go into hex,
/// which takes little more than twice their bytes.
pub(crate) const MAX_TEXT: usize = 64 << 20;

/// Bytes of a block on a line of hex.
const HEX_LINE: usize = 32;

/// How a body stands for a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As DAG-JSON.
    DagJson,
    /// As it is: a block, or the bytes that are all of it.
    Raw,
    /// The block's bytes in hexadecimal: our addition.
    Hex,
}

impl Mode {
    const ALL: [Self; 3] = [Self::DagJson, Self::Raw, Self::Hex];

    const fn name(self) -> &'static str {
        match self {
            Self::DagJson => "dag-json",
            Self::Raw => "raw",
            Self::Hex => "hex",
        }
    }
}

/// The entry of a block, as text: in a form out of which [`Entry::read`] makes the same bytes.
pub(crate) fn print(cid: &Cid, data: &[u8]) -> Vec<u8> {
    let (mode, body) = body(cid.codec(), data);
    let no_end = if body.last() == Some(&b'\n') { "" } else { " (no-end-cr)" };
    let lines = body.iter().filter(|b| **b == b'\n').count();
    let mode = mode.name();
    let head = format!("--- {cid}\n+++ {mode}{no_end} {cid}\n@@ -0,{lines} +0,{lines} @@\n");
    let mut out = head.into_bytes();
    out.extend_from_slice(&body);
    out.push(b'\n');
    out
}

fn body(codec: u64, data: &[u8]) -> (Mode, Vec<u8>) {
    match codec::decode(codec, data) {
        Some(Value::Bytes(bytes)) if printable(&bytes) && same(codec, &bytes, data) => {
            (Mode::Raw, bytes)
        }
        Some(value) => match json_body(codec, &value, data) {
            Some(text) => (Mode::DagJson, text),
            None => (Mode::Hex, hex(data)),
        },
        None => (Mode::Hex, hex(data)),
    }
}

fn same(codec: u64, bytes: &[u8], data: &[u8]) -> bool {
    codec::encode(codec, &Value::Bytes(bytes.to_vec())).is_ok_and(|again| again == data)
}

/// The text, if it is read back as the same block.
fn json_body(codec: u64, value: &Value, data: &[u8]) -> Option<Vec<u8>> {
    let text = json::write(value, Layout::Lines, MAX_TEXT)?;
    let again = json_read::read(text.as_bytes()).ok()?;
    let again = codec::encode(codec, &again).ok()?;
    (again == data).then(|| text.into_bytes())
}

/// What go-car prints as it is, save what it would not read back: text with a carriage return at
/// its end, or with what looks like the next entry at its front.
fn printable(bytes: &[u8]) -> bool {
    let control = |b: &u8| matches!(b, 0..=0x08 | 0x10..=0x14 | 0x16..=0x19 | 0x1c..=0x1f);
    let entry = b"\n--- ";
    core::str::from_utf8(bytes).is_ok()
        && !bytes.iter().any(control)
        && !bytes.ends_with(b"\r")
        && !bytes.starts_with(&entry[1..])
        && !bytes.windows(entry.len()).any(|window| window == entry)
}

fn hex(data: &[u8]) -> Vec<u8> {
    let digit = |n: u8| if n < 10 { b'0' + n } else { b'a' + n - 10 };
    let mut out = Vec::with_capacity(data.len() * 2 + data.len() / HEX_LINE + 1);
    for line in data.chunks(HEX_LINE) {
        line.iter().for_each(|byte| out.extend([digit(byte >> 4), digit(byte & 15)]));
        out.push(b'\n');
    }
    out
}

/// One block of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    /// The CID under which it stands.
    pub(crate) cid: Cid,
    mode: Mode,
    no_end: bool,
    text: &'a [u8],
}

/// What a body comes to, before links are rewritten.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(super) codec: u64,
    pub(super) form: Form,
}

#[derive(Clone, Debug)]
pub(super) enum Form {
    Value(Value),
    Block(Vec<u8>),
}

/// Where the entry at the front of `text` ends: where the next one begins. `None` while more of
/// the text is needed, which never is when `whole`. `seen` bytes were looked at before in vain.
pub(crate) fn cut(text: &[u8], seen: usize, whole: bool) -> Option<usize> {
    let next = b"\n--- ";
    let from = seen.saturating_sub(next.len());
    let found = text[from..].windows(next.len()).position(|window| window == next);
    match found {
        Some(at) => Some(from + at + 1),
        None => whole.then_some(text.len()),
    }
}

impl<'a> Entry<'a> {
    /// Reads an entry that is all of `text`.
    pub(crate) fn read(text: &'a [u8]) -> Result<Self, Error> {
        let missing = |expected| move || Error::Line { expected };
        let (first, at) = line(text, 0, true).ok_or_else(missing("a block"))?;
        let name = first.strip_prefix(b"--- ").and_then(utf8);
        let name = name.ok_or_else(missing("`--- CID`"))?.trim();
        let cid = parse_cid(name).ok_or_else(missing("`--- CID`"))?;
        let (second, at) = line(text, at, true).ok_or_else(missing("`+++ MODE CID`"))?;
        let (mode, no_end) = mode(second, name).ok_or_else(missing(
            "`+++ dag-json CID`, `+++ raw CID` or `+++ hex CID` with the same CID, \
             `(no-end-cr)` before it or not",
        ))?;
        let (third, at) = line(text, at, true).ok_or_else(missing("`@@ -0,n +0,n @@`"))?;
        if !third.starts_with(b"@@") {
            return Err(Error::Line { expected: "`@@ -0,n +0,n @@`" });
        }
        Ok(Self { cid, mode, no_end, text: &text[at..] })
    }

    /// The block before any link in it is rewritten.
    pub(crate) fn body(&self) -> Result<Body, Error> {
        let codec = self.cid.codec();
        let form = match self.mode {
            Mode::DagJson => Form::Value(json_read::read(self.text)?),
            Mode::Raw => Form::Value(Value::Bytes(self.raw(codec).to_vec())),
            Mode::Hex => Form::Block(unhex(self.text)?),
        };
        Ok(Body { codec, form })
    }

    /// The text ends with a line's end that is not the body's. go-car takes `\r\n` for one too, and
    /// after `(no-end-cr)` a second one; where the hash says that they are the body's, they are.
    fn raw(&self, codec: u64) -> &'a [u8] {
        let strip = |text: &'a [u8]| {
            let text = text.strip_suffix(b"\n").unwrap_or(text);
            text.strip_suffix(b"\r").unwrap_or(text)
        };
        let plain = self.text.strip_suffix(b"\n").unwrap_or(self.text);
        let mut guessed = strip(self.text);
        if self.no_end && guessed.ends_with(b"\n") {
            guessed = strip(guessed);
        }
        if plain == guessed || self.is(codec, plain) { plain } else { guessed }
    }

    fn is(&self, codec: u64, bytes: &[u8]) -> bool {
        let Ok(block) = codec::encode(codec, &Value::Bytes(bytes.to_vec())) else { return false };
        let claim = Unverified { cid: self.cid, data: Bytes::from(block) };
        verify(vec![claim]).first().is_some_and(Result::is_ok)
    }
}

impl Body {
    /// The block.
    pub(crate) fn encode(self) -> Result<Vec<u8>, Error> {
        match self.form {
            Form::Value(value) => codec::encode(self.codec, &value),
            Form::Block(block) => Ok(block),
        }
    }
}

fn utf8(text: &[u8]) -> Option<&str> {
    core::str::from_utf8(text).ok()
}

fn mode(line: &[u8], cid: &str) -> Option<(Mode, bool)> {
    let rest = utf8(line)?.strip_prefix("+++ ")?.trim_end().strip_suffix(cid)?.trim_end();
    let (name, flag) = rest.split_once(' ').unwrap_or((rest, ""));
    let mode = Mode::ALL.into_iter().find(|mode| mode.name() == name)?;
    match flag {
        "" => Some((mode, false)),
        "(no-end-cr)" => Some((mode, true)),
        _ => None,
    }
}

fn unhex(text: &[u8]) -> Result<Vec<u8>, Error> {
    let mut out = Vec::with_capacity(text.len() / 2);
    let mut half = None;
    for (at, byte) in text.iter().enumerate().filter(|(_, byte)| !byte.is_ascii_whitespace()) {
        let digit = char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let digit = digit.ok_or(Error::Body { at, expected: "a hexadecimal digit" })?;
        match half.take() {
            Some(high) => out.push(high << 4 | digit),
            None => half = Some(digit),
        }
    }
    match half {
        None => Ok(out),
        Some(_) => Err(Error::Body { at: text.len(), expected: "another hexadecimal digit" }),
    }
}
