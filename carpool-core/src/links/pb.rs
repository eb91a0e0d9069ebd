use cid::Cid;

use super::Unexpected;
use crate::{cid_bytes::cid_exact, varint};

const LEN: u64 = 2;

/// Steps through a DAG-PB node: `Links` (2) and `Data` (1), of each link `Hash` (1), `Name` (2) and
/// `Tsize` (3), and nothing else.
pub(super) fn scan(data: &[u8], each: &mut impl FnMut(Cid) -> bool) -> Result<(), Unexpected> {
    let mut cursor = Cursor { data, at: 0, end: data.len() };
    while cursor.at < cursor.end {
        let key = cursor.varint()?;
        let end = match (key >> 3, key & 7) {
            (1 | 2, LEN) => cursor.field_end()?,
            _ => return Err(cursor.expected("Data or Links")),
        };
        if key >> 3 == 2 {
            let mut inner = Cursor { data, at: cursor.at, end };
            if !each(link(&mut inner)?) {
                return Ok(());
            }
        }
        cursor.at = end;
    }
    Ok(())
}

fn link(cursor: &mut Cursor<'_>) -> Result<Cid, Unexpected> {
    let mut hash = None;
    while cursor.at < cursor.end {
        let key = cursor.varint()?;
        match (key >> 3, key & 7) {
            (1, LEN) if hash.is_none() => {
                let end = cursor.field_end()?;
                let cid = cid_exact(&cursor.data[cursor.at..end]);
                hash = Some(cid.map_err(|_| cursor.expected("a CID in Hash"))?);
                cursor.at = end;
            }
            (2, LEN) => cursor.at = cursor.field_end()?,
            (3, 0) => drop(cursor.varint()?),
            _ => return Err(cursor.expected("Hash, Name or Tsize")),
        }
    }
    hash.ok_or_else(|| cursor.expected("Hash"))
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

    fn varint(&mut self) -> Result<u64, Unexpected> {
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
