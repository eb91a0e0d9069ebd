use alloc::{format, string::String};
use carpool_bloom::sketch::Key;

/// A key and the number by which messages name it. Who decodes draws both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamedKey {
    /// The number; nothing follows from it for who was told of the key.
    pub number: u64,
    /// The key.
    pub key: Key,
}

impl NamedKey {
    /// The text form: the number, a full stop, and the key's bytes in lower-case hexadecimal.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = format!("{}.", self.number);
        self.key.to_bytes().iter().for_each(|byte| text += &format!("{byte:02x}"));
        text
    }

    /// Reads the text form; `None` for what is none.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let (number, key) = text.split_once('.')?;
        let mut bytes = [0; 16];
        let plain = key.len() == 2 * bytes.len() && key.bytes().all(|c| c.is_ascii_hexdigit());
        for (byte, digits) in bytes.iter_mut().zip(key.as_bytes().chunks(2)).filter(|_| plain) {
            *byte = u8::from_str_radix(core::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        let number = number.bytes().all(|c| c.is_ascii_digit()).then(|| number.parse().ok())??;
        plain.then_some(Self { number, key: Key::new(bytes) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_comes_back() {
        for number in [0, 7, u64::MAX] {
            let named = NamedKey {
                number,
                key: Key::new([0, 1, 2, 3, 255, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]),
            };
            assert_eq!(NamedKey::decode(&named.encode()), Some(named));
        }
        let named = NamedKey { number: 7, key: Key::new([0xab; 16]) };
        assert_eq!(named.encode(), "7.abababababababababababababababab");
    }

    #[test]
    fn what_is_no_key_is_none() {
        let digits = "0123456789abcdef0123456789abcdef";
        let table = [
            (format!("1.{digits}"), true),
            (format!("1.{}", digits.to_uppercase()), true),
            (digits.into(), false),
            (format!(".{digits}"), false),
            (format!("+1.{digits}"), false),
            (format!("18446744073709551616.{digits}"), false),
            (format!("1.{}", &digits[1..]), false),
            (format!("1.{digits}0"), false),
            (format!("1.+{}", &digits[1..]), false),
            (format!("1.é{}", &digits[2..]), false),
        ];
        for (text, read) in table {
            assert_eq!(NamedKey::decode(&text).is_some(), read, "{text}");
        }
    }
}
