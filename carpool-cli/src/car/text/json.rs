use multibase::Base;

use super::value::{Int, Value};

/// How values are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// A line an item, tabs before it, as go-car prints blocks.
    Lines,
    /// No white space, as DAG-JSON blocks are stored.
    Compact,
}

/// Writes values as DAG-JSON ([DAG-JSON](https://ipld.io/specs/codecs/dag-json/spec/)), keys in the
/// order of their bytes, until `max` bytes.
pub(super) struct Writer {
    out: String,
    layout: Layout,
    depth: usize,
    max: usize,
}

/// `value` as text; `None` where that takes more than `max` bytes.
pub(super) fn write(value: &Value, layout: Layout, max: usize) -> Option<String> {
    let mut writer = Writer { out: String::new(), layout, depth: 0, max };
    writer.value(value)?;
    let container = !matches!(
        value,
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Text(_)
    );
    if container && layout == Layout::Lines {
        writer.out.push('\n');
    }
    Some(writer.out)
}

impl Writer {
    fn value(&mut self, value: &Value) -> Option<()> {
        match value {
            Value::Null => self.out.push_str("null"),
            Value::Bool(bool) => self.out.push_str(if *bool { "true" } else { "false" }),
            Value::Int(int) => self.out.push_str(&integer(*int)),
            Value::Float(value) => self.out.push_str(&float(*value)),
            Value::Text(text) => self.text(text),
            Value::Bytes(bytes) => self.bytes(bytes)?,
            Value::Link(cid) => self.entry("/", |writer| {
                writer.text(&cid.to_string());
                Some(())
            })?,
            Value::List(items) => self.list(items)?,
            Value::Map(entries) => self.map(entries)?,
        }
        (self.out.len() <= self.max).then_some(())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Option<()> {
        self.entry("/", |writer| {
            writer.entry("bytes", |writer| {
                writer.text(&Base::Base64.encode(bytes));
                Some(())
            })
        })
    }

    /// A map of one entry.
    fn entry(&mut self, key: &str, value: impl FnOnce(&mut Self) -> Option<()>) -> Option<()> {
        self.open('{');
        self.key(key);
        value(self)?;
        self.close('}');
        Some(())
    }

    fn list(&mut self, items: &[Value]) -> Option<()> {
        if items.is_empty() {
            self.out.push_str("[]");
            return Some(());
        }
        self.open('[');
        for (at, item) in items.iter().enumerate() {
            self.separate(at);
            self.value(item)?;
        }
        self.close(']');
        Some(())
    }

    fn map(&mut self, entries: &[(String, Value)]) -> Option<()> {
        if entries.is_empty() {
            self.out.push_str("{}");
            return Some(());
        }
        let mut entries: Vec<&(String, Value)> = entries.iter().collect();
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        self.open('{');
        for (at, (key, value)) in entries.into_iter().enumerate() {
            self.separate(at);
            self.key(key);
            self.value(value)?;
        }
        self.close('}');
        Some(())
    }

    fn key(&mut self, key: &str) {
        self.text(key);
        self.out.push_str(if self.layout == Layout::Lines { ": " } else { ":" });
    }

    fn open(&mut self, bracket: char) {
        self.out.push(bracket);
        self.depth += 1;
        self.line();
    }

    fn close(&mut self, bracket: char) {
        self.depth -= 1;
        self.line();
        self.out.push(bracket);
    }

    fn separate(&mut self, at: usize) {
        if at > 0 {
            self.out.push(',');
            self.line();
        }
    }

    fn line(&mut self) {
        if self.layout == Layout::Lines {
            self.out.push('\n');
            self.out.extend(core::iter::repeat_n('\t', self.depth));
        }
    }

    /// Escapes what go-car escapes, so that texts are the same byte for byte.
    fn text(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\0'..' ' | '\u{2028}' | '\u{2029}' => {
                    self.out.push_str(&format!("\\u{:04x}", u32::from(c)));
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }
}

fn integer(Int { negative, n }: Int) -> String {
    if negative { format!("-{}", u128::from(n) + 1) } else { n.to_string() }
}

/// The shortest digits that read back the same, always with a point or an exponent: go-car leaves
/// them out and reads an integer back.
fn float(value: f64) -> String {
    let abs = value.abs();
    if abs != 0.0 && !(1e-6..1e21).contains(&abs) {
        let text = format!("{value:e}");
        return if text.contains("e-") { text } else { text.replace('e', "e+") };
    }
    let text = value.to_string();
    if text.contains(['.', 'N', 'i']) { text } else { text + ".0" }
}
