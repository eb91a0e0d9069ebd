use super::{Step, Unexpected};
use crate::varint;

const LEN: u64 = 2;

/// Steps through a DAG-PB node: `Links` (2) and `Data` (1), of each link `Hash` (1), `Name` (2) and
/// `Tsize` (3), and nothing else.
pub(super) fn scan<'a>(
    data: &'a [u8],
    each: &mut impl FnMut(&'a [u8]) -> Step,
) -> Result<(), Unexpected> {
    let mut cursor = Cursor { data, at: 0, end: data.len() };
    while cursor.at < cursor.end {
        let key = cursor.varint()?;
        let end = match (key >> 3, key & 7) {
            (1 | 2, LEN) => cursor.field_end()?,
            _ => return Err(cursor.expected("Data or Links")),
        };
        if key >> 3 == 2 {
            let mut inner = Cursor { data, at: cursor.at, end };
            match link(&mut inner, each)? {
                Step::Next => {}
                Step::Stop | Step::NoCid => return Ok(()),
            }
        }
        cursor.at = end;
    }
    Ok(())
}

/// Reads a link to its end before its CID is given out.
fn link<'a>(
    cursor: &mut Cursor<'a>,
    each: &mut impl FnMut(&'a [u8]) -> Step,
) -> Result<Step, Unexpected> {
    let mut hash = None;
    while cursor.at < cursor.end {
        let key = cursor.varint()?;
        match (key >> 3, key & 7) {
            (1, LEN) if hash.is_none() => {
                let end = cursor.field_end()?;
                hash = Some((cursor.at, &cursor.data[cursor.at..end]));
                cursor.at = end;
            }
            (2, LEN) => cursor.at = cursor.field_end()?,
            (3, 0) => drop(cursor.varint()?),
            _ => return Err(cursor.expected("Hash, Name or Tsize")),
        }
    }
    let (offset, cid) = hash.ok_or_else(|| cursor.expected("Hash"))?;
    match each(cid) {
        Step::NoCid => Err(Unexpected { offset, expected: "a CID in Hash" }),
        step @ (Step::Next | Step::Stop) => Ok(step),
    }
}

struct Cursor<'a> {
    data: &'a [u8],
    at: usize,
    end: usize,
}

impl Cursor<'_> {
    const fn expected(&self, expected: &'static str) -> Unexpected {
        Unexpected { offset: self.at, expected }
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Unexpected> {
        match self.data[self.at..self.end].first() {
            Some(&byte) if byte < 0x80 => {
                self.at += 1;
                Ok(byte.into())
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Unexpected> {
        let input = &self.data[self.at..self.end];
        // Protobuf writes 64 bits in up to ten bytes, one more than multiformats allow.
        if input.len() >= 10 && input[..9].iter().all(|b| *b >= 0x80) && input[9] <= 1 {
            self.at += 10;
            return Ok(u64::MAX);
        }
        let (value, n) = varint::take(input).map_err(|_| self.expected("a varint"))?;
        self.at += n;
        Ok(value)
    }

    /// Reads the length of a field and returns where it ends.
    fn field_end(&mut self) -> Result<usize, Unexpected> {
        let len = self.varint()?;
        match usize::try_from(len) {
            Ok(len) if len <= self.end - self.at => Ok(self.at + len),
            _ => Err(self.expected("as many bytes as the field claims")),
        }
    }
}
