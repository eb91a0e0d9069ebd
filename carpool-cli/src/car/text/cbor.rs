use carpool_core::cbor::{ARRAY, BYTES, MAP, Reader, TAG, TEXT, UNSIGNED, write_head, write_link};

use super::value::{Int, MAX_DEPTH, MAX_VALUES, Value};

const NEGATIVE: u8 = 1;
const FLOAT_64: u8 = 0xfb;

/// Reads DAG-CBOR; `None` for what is none. Forms that are not canonical may pass: whoever calls
/// writes the value again and compares.
pub(super) fn decode(data: &[u8]) -> Option<Value> {
    let mut reader = Cbor { reader: Reader::new(data), left: MAX_VALUES };
    let value = reader.value(MAX_DEPTH)?;
    reader.reader.rest().is_empty().then_some(value)
}

struct Cbor<'a> {
    reader: Reader<'a>,
    left: usize,
}

impl Cbor<'_> {
    fn value(&mut self, depth: usize) -> Option<Value> {
        self.left = self.left.checked_sub(1)?;
        let first = *self.reader.rest().first()?;
        match first >> 5 {
            UNSIGNED => self.int(UNSIGNED),
            NEGATIVE => self.int(NEGATIVE),
            BYTES => Some(Value::Bytes(self.reader.string(BYTES)?.to_vec())),
            TEXT => self.text().map(Value::Text),
            ARRAY => self.list(depth.checked_sub(1)?),
            MAP => self.map(depth.checked_sub(1)?),
            TAG => Some(Value::Link(Box::new(self.reader.link()?))),
            _ => self.simple(first),
        }
    }

    fn int(&mut self, major: u8) -> Option<Value> {
        let n = self.reader.head(major)?;
        Some(Value::Int(Int { negative: major == NEGATIVE, n }))
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.reader.string(TEXT)?.to_vec()).ok()
    }

    fn list(&mut self, depth: usize) -> Option<Value> {
        let items = self.reader.head(ARRAY)?;
        let mut list = Vec::new();
        for _ in 0..items {
            list.push(self.value(depth)?);
        }
        Some(Value::List(list))
    }

    fn map(&mut self, depth: usize) -> Option<Value> {
        let entries = self.reader.head(MAP)?;
        let mut map = Vec::new();
        for _ in 0..entries {
            map.push((self.text()?, self.value(depth)?));
        }
        Some(Value::Map(map))
    }

    fn simple(&mut self, first: u8) -> Option<Value> {
        let head = self.reader.head(7)?;
        match first {
            0xf4 => Some(Value::Bool(false)),
            0xf5 => Some(Value::Bool(true)),
            0xf6 => Some(Value::Null),
            FLOAT_64 => Some(Value::Float(f64::from_bits(head))),
            _ => None,
        }
    }
}

/// Writes canonical DAG-CBOR: keys by length, then by bytes.
pub(super) fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0xf6),
        Value::Bool(bool) => out.push(0xf4 + u8::from(*bool)),
        Value::Int(int) => write_head(out, u8::from(int.negative), int.n),
        Value::Float(float) => {
            out.push(FLOAT_64);
            out.extend_from_slice(&float.to_bits().to_be_bytes());
        }
        Value::Text(text) => string(TEXT, text.as_bytes(), out),
        Value::Bytes(bytes) => string(BYTES, bytes, out),
        Value::Link(cid) => write_link(out, cid),
        Value::List(items) => {
            write_head(out, ARRAY, items.len() as u64);
            items.iter().for_each(|item| encode(item, out));
        }
        Value::Map(entries) => map(entries, out),
    }
}

fn map(entries: &[(String, Value)], out: &mut Vec<u8>) {
    let mut entries: Vec<&(String, Value)> = entries.iter().collect();
    entries.sort_by_key(|(key, _)| (key.len(), key.as_bytes()));
    write_head(out, MAP, entries.len() as u64);
    for (key, value) in entries {
        string(TEXT, key.as_bytes(), out);
        encode(value, out);
    }
}

fn string(major: u8, bytes: &[u8], out: &mut Vec<u8>) {
    write_head(out, major, bytes.len() as u64);
    out.extend_from_slice(bytes);
}
