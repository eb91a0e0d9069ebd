use super::{Step, Unexpected};

/// Steps through the items of a DAG-CBOR block without recursion: a container adds its items to
/// the number still to come, so depth costs nothing.
pub(super) fn scan<'a>(
    data: &'a [u8],
    each: &mut impl FnMut(&'a [u8]) -> Step,
) -> Result<(), Unexpected> {
    let mut cursor = Cursor { data, at: 0 };
    let mut items: usize = 1;
    while items > 0 {
        items -= 1;
        let (major, value) = cursor.head()?;
        match major {
            0 | 1 => {}
            2 | 3 => cursor.skip(value)?,
            4 => items = cursor.more(items, value)?,
            5 => items = cursor.more(items, value.saturating_mul(2))?,
            6 if value == 42 => {
                let start = cursor.at;
                match each(cursor.link()?) {
                    Step::Next => {}
                    Step::Stop => return Ok(()),
                    Step::NoCid => return Err(Unexpected { offset: start, expected: LINK }),
                }
            }
            6 => return Err(cursor.expected("tag 42")),
            _ => cursor.simple(value)?,
        }
    }
    if cursor.at == data.len() { Ok(()) } else { Err(cursor.expected("the end of the block")) }
}

pub(super) const LINK: &str = "a CID with prefix 0x00 in bytes";

struct Cursor<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    const fn expected(&self, expected: &'static str) -> Unexpected {
        Unexpected { offset: self.at, expected }
    }

    /// Major type and argument; floats come back as their argument's width, see [`Self::simple`].
    ///
    /// A copy of what [`crate::cbor`] does: a scan through that took a fifth longer.
    #[inline]
    fn head(&mut self) -> Result<(u8, u64), Unexpected> {
        let first = *self.data.get(self.at).ok_or_else(|| self.expected("an item"))?;
        let (major, info) = (first >> 5, first & 0x1f);
        let width = match info {
            0..=23 => {
                self.at += 1;
                return Ok((major, u64::from(info)));
            }
            24..=27 => 1usize << (info - 24),
            _ => return Err(self.expected("a definite length")),
        };
        let bytes = self.data.get(self.at + 1..self.at + 1 + width);
        let bytes = bytes.ok_or_else(|| self.expected("the rest of an item's head"))?;
        let value = bytes.iter().fold(0, |value, &byte| value << 8 | u64::from(byte));
        self.at += 1 + width;
        Ok((major, if major == 7 { 256 + u64::from(info) } else { value }))
    }

    fn skip(&mut self, len: u64) -> Result<(), Unexpected> {
        let left = self.data.len() - self.at;
        match usize::try_from(len) {
            Ok(len) if len <= left => {
                self.at += len;
                Ok(())
            }
            _ => Err(self.expected("as many bytes as the string claims")),
        }
    }

    /// Every item takes a byte at least, so a count beyond the bytes left is a lie.
    fn more(&self, items: usize, claimed: u64) -> Result<usize, Unexpected> {
        let total = usize::try_from(claimed).ok().and_then(|n| items.checked_add(n));
        total
            .filter(|&n| n <= self.data.len() - self.at)
            .ok_or_else(|| self.expected("as many items as the container claims"))
    }

    fn link(&mut self) -> Result<&'a [u8], Unexpected> {
        let wrong = Unexpected { offset: self.at, expected: LINK };
        let (2, len) = self.head()? else { return Err(wrong) };
        let from = self.at;
        self.skip(len)?;
        match &self.data[from..self.at] {
            [0, cid @ ..] => Ok(cid),
            _ => Err(wrong),
        }
    }

    /// `false`, `true`, `null` and 64-bit floats are what DAG-CBOR has.
    const fn simple(&self, value: u64) -> Result<(), Unexpected> {
        match value {
            20..=22 | 283 => Ok(()),
            _ => Err(self.expected("false, true, null or a 64-bit float")),
        }
    }
}
