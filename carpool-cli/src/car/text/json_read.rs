use multibase::Base;

use super::{
    Error, parse_cid,
    value::{Int, MAX_DEPTH, MAX_VALUES, Value},
};

/// Reads DAG-JSON, in whatever layout.
pub(super) fn read(text: &[u8]) -> Result<Value, Error> {
    let mut reader = Reader { text, at: 0, left: MAX_VALUES * 4 };
    let value = reader.value(MAX_DEPTH * 2)?;
    reader.space();
    if reader.at == text.len() { Ok(value) } else { Err(reader.expected("the end of the body")) }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    left: usize,
}

type Read<T> = Result<T, Error>;

impl Reader<'_> {
    const fn expected(&self, expected: &'static str) -> Error {
        Error::Body { at: self.at, expected }
    }

    fn space(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r')).count();
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Steps over `byte`, if it comes next.
    fn take(&mut self, byte: u8) -> bool {
        self.space();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self, depth: usize) -> Read<Value> {
        self.space();
        self.left = self.left.checked_sub(1).ok_or_else(|| self.expected("fewer values"))?;
        match self.peek() {
            Some(b'{') => self.map(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.text().map(Value::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            _ => Err(self.expected("a value")),
        }
    }

    fn word(&mut self, word: &'static str, value: Value) -> Read<Value> {
        if !self.text[self.at..].starts_with(word.as_bytes()) {
            return Err(self.expected("true, false or null"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn deeper(&self, depth: usize) -> Read<usize> {
        depth.checked_sub(1).ok_or_else(|| self.expected("values that are nested less deep"))
    }

    fn list(&mut self, depth: usize) -> Read<Value> {
        let depth = self.deeper(depth)?;
        self.at += 1;
        let mut items = Vec::new();
        if self.take(b']') {
            return Ok(Value::List(items));
        }
        loop {
            items.push(self.value(depth)?);
            if self.take(b']') {
                return Ok(Value::List(items));
            }
            if !self.take(b',') {
                return Err(self.expected("a comma or the end of the list"));
            }
        }
    }

    fn map(&mut self, depth: usize) -> Read<Value> {
        let (start, depth) = (self.at, self.deeper(depth)?);
        self.at += 1;
        let mut entries = Vec::new();
        if self.take(b'}') {
            return Ok(Value::Map(entries));
        }
        loop {
            entries.push(self.entry(depth)?);
            if self.take(b'}') {
                return finish(entries, start);
            }
            if !self.take(b',') {
                return Err(self.expected("a comma or the end of the map"));
            }
        }
    }

    fn entry(&mut self, depth: usize) -> Read<(String, Value)> {
        self.space();
        let key = self.text()?;
        if !self.take(b':') {
            return Err(self.expected("a colon"));
        }
        Ok((key, self.value(depth)?))
    }

    fn text(&mut self) -> Read<String> {
        if !self.take(b'"') {
            return Err(self.expected("a text"));
        }
        let mut text = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.iter().take_while(|b| !matches!(b, b'"' | b'\\' | 0..0x20)).count();
            let plain = core::str::from_utf8(&rest[..plain]);
            let plain = plain.map_err(|_| self.expected("UTF-8"))?;
            text.push_str(plain);
            self.at += plain.len();
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                _ => return Err(self.expected("the end of the text")),
            }
        }
    }

    fn escape(&mut self) -> Read<char> {
        self.at += 1;
        let escaped = self.peek();
        self.at += 1;
        Ok(match escaped {
            Some(plain @ (b'"' | b'\\' | b'/')) => char::from(plain),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.code_point(),
            _ => {
                self.at -= 1;
                return Err(self.expected("an escape"));
            }
        })
    }

    fn code_point(&mut self) -> Read<char> {
        let first = self.hex()?;
        let code = if (0xd800..0xdc00).contains(&first) {
            if !self.text[self.at..].starts_with(b"\\u") {
                return Err(self.expected("the other half of a surrogate pair"));
            }
            self.at += 2;
            let second = self.hex()?;
            let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400);
            let low = low.ok_or_else(|| self.expected("the other half of a surrogate pair"))?;
            0x1_0000 + ((first - 0xd800) << 10 | low)
        } else {
            first
        };
        char::from_u32(code).ok_or_else(|| self.expected("a code point"))
    }

    fn hex(&mut self) -> Read<u32> {
        let digits = self.text.get(self.at..self.at + 4);
        let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|digits| core::str::from_utf8(digits).ok());
        let digits = digits.ok_or_else(|| self.expected("four hexadecimal digits"))?;
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|_| self.expected("four hexadecimal digits"))
    }

    fn number(&mut self) -> Read<Value> {
        let rest = &self.text[self.at..];
        let digit = |b: &u8| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let len = rest.iter().take_while(|b| digit(b)).count();
        let text = core::str::from_utf8(&rest[..len]).map_err(|_| self.expected("a number"))?;
        let value = if !well_formed(text) {
            None
        } else if text.contains(['.', 'e', 'E']) {
            text.parse().ok().filter(|float: &f64| float.is_finite()).map(Value::Float)
        } else {
            integer(text).map(Value::Int)
        };
        let value =
            value.ok_or_else(|| self.expected("a number from -2^64 to 2^64 - 1, or a float"))?;
        self.at += len;
        Ok(value)
    }
}

/// `-? digits (. digits)? ([eE] [+-]? digits)?`, no zero before other digits.
fn well_formed(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let exponent = exponent.map(|text| text.strip_prefix(['+', '-']).unwrap_or(text));
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(digits)
}

fn integer(text: &str) -> Option<Int> {
    let value: i128 = text.parse().ok()?;
    let negative = value < 0;
    let n = if negative { -1 - value } else { value };
    Some(Int { negative, n: n.try_into().ok()? })
}

/// A map, or the link or the bytes that DAG-JSON writes as one. Keys stand once.
fn finish(mut entries: Vec<(String, Value)>, start: usize) -> Read<Value> {
    let expected = |expected| Error::Body { at: start, expected };
    if let [(key, value)] = &mut entries[..]
        && key == "/"
    {
        match value {
            Value::Text(text) => {
                let cid = parse_cid(text).ok_or_else(|| expected("a CID in the link"))?;
                return Ok(Value::Link(Box::new(cid)));
            }
            Value::Map(inner) => {
                if let [(key, Value::Text(text))] = &inner[..]
                    && key == "bytes"
                {
                    return base64(text)
                        .map(Value::Bytes)
                        .ok_or_else(|| expected("base64 in the bytes"));
                }
            }
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Bytes(_)
            | Value::List(_)
            | Value::Link(_) => {}
        }
    }
    let mut keys: Vec<&str> = entries.iter().map(|(key, _)| key.as_str()).collect();
    keys.sort_unstable();
    if keys.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(expected("every key once"));
    }
    Ok(Value::Map(entries))
}

fn base64(text: &str) -> Option<Vec<u8>> {
    Base::Base64.decode(text.trim_end_matches('=')).ok()
}
