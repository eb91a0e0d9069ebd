use alloc::vec::Vec;

use crate::cursor::{Cursor, put, put_signed};

/// A place in a sequence of bases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spot {
    /// Which base, from 0.
    pub base: usize,
    /// Bytes from its start.
    pub at: usize,
}

/// One step on the way to a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The next so many bytes of the literals.
    Insert(usize),
    /// Bytes of one base.
    Copy {
        /// Where they begin.
        from: Spot,
        /// How many, at least one.
        len: usize,
    },
    /// The digest of the waiting block of this number, 32 bytes.
    Take(u64),
}

/// Bytes of the digest that [`Operation::Take`] puts.
pub(crate) const DIGEST: usize = 32;

impl Operation {
    /// How many bytes it makes.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self {
            Self::Insert(n) | Self::Copy { len: n, .. } => *n,
            Self::Take(_) => DIGEST,
        }
    }

    /// Whether it makes none, which no operation of a body does.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

const INSERT: usize = 0;
const ON: usize = 1;
const NEXT: usize = 2;
const ELSEWHERE: usize = 3;

/// What both sides expect of the next copy.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Expected(pub(crate) Spot);

impl Expected {
    /// Writes one operation. `taken` is the number behind the waiting block that was taken last.
    pub(crate) fn write(&mut self, out: &mut Vec<u8>, operation: Operation, taken: &mut u64) {
        match operation {
            Operation::Insert(n) => put(out, INSERT + 4 * n),
            Operation::Copy { from, len } => self.write_copy(out, from, len),
            Operation::Take(number) => {
                put(out, ELSEWHERE);
                put_signed(out, number.wrapping_sub(*taken).cast_signed());
                *taken = number + 1;
            }
        }
    }

    fn write_copy(&mut self, out: &mut Vec<u8>, from: Spot, len: usize) {
        let Self(expected) = *self;
        self.0 = Spot { at: from.at + len, ..from };
        if from == expected {
            return put(out, ON + 4 * len);
        }
        if from == (Spot { base: expected.base + 1, at: 0 }) {
            return put(out, NEXT + 4 * len);
        }
        put(out, ELSEWHERE + 4 * len);
        put_signed(out, apart(from.base, expected.base));
        let near = if from.base == expected.base { expected.at } else { 0 };
        put_signed(out, apart(from.at, near));
    }

    /// Reads one operation.
    pub(crate) fn read(&mut self, cursor: &mut Cursor<'_>, taken: &mut u64) -> Option<Operation> {
        let head = cursor.at_most(usize::MAX)?;
        let (kind, len) = (head % 4, head / 4);
        if kind == ELSEWHERE && len == 0 {
            let number = taken.checked_add_signed(cursor.signed()?)?;
            *taken = number.checked_add(1)?;
            return Some(Operation::Take(number));
        }
        if len == 0 {
            return None;
        }
        if kind == INSERT {
            return Some(Operation::Insert(len));
        }
        let from = self.read_spot(kind, cursor)?;
        self.0 = Spot { at: from.at.checked_add(len)?, ..from };
        Some(Operation::Copy { from, len })
    }

    /// Reads operations that make exactly `len` bytes.
    pub(crate) fn read_all(
        &mut self,
        cursor: &mut Cursor<'_>,
        len: usize,
        mut taken: u64,
    ) -> Option<Vec<Operation>> {
        let (mut operations, mut left) = (Vec::new(), len);
        while left > 0 {
            let operation = self.read(cursor, &mut taken)?;
            left = left.checked_sub(operation.len())?;
            operations.push(operation);
        }
        Some(operations)
    }

    fn read_spot(&self, kind: usize, cursor: &mut Cursor<'_>) -> Option<Spot> {
        let Self(expected) = *self;
        if kind == ON {
            return Some(expected);
        }
        if kind == NEXT {
            return Some(Spot { base: expected.base + 1, at: 0 });
        }
        let base = moved(expected.base, cursor.signed()?)?;
        let near = if base == expected.base { expected.at } else { 0 };
        Some(Spot { base, at: moved(near, cursor.signed()?)? })
    }
}

/// Writes operations as they stand in a record behind a sequence of bases.
pub fn write_operations(operations: &[Operation], out: &mut Vec<u8>) {
    let (mut expected, mut taken) = (Expected::default(), 0);
    operations.iter().for_each(|operation| expected.write(out, *operation, &mut taken));
}

/// Reads operations that make `len` bytes, as [`write_operations`] writes them, from all of `bytes`.
/// `None` where they make others.
#[must_use]
pub fn read_operations(bytes: &[u8], len: usize) -> Option<Vec<Operation>> {
    let (mut cursor, mut expected) = (Cursor::new(bytes), Expected::default());
    let operations = expected.read_all(&mut cursor, len, 0)?;
    (cursor.len() == 0).then_some(operations)
}

/// How far `to` lies behind `from`. Both are lengths of what lies in memory.
pub(crate) const fn apart(to: usize, from: usize) -> i64 {
    to.wrapping_sub(from).cast_signed() as i64
}

pub(crate) fn moved(from: usize, by: i64) -> Option<usize> {
    from.checked_add_signed(isize::try_from(by).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(base: usize, at: usize, len: usize) -> Operation {
        Operation::Copy { from: Spot { base, at }, len }
    }

    #[test]
    fn operations_come_back_and_the_expected_ones_are_short() {
        let table: [(Operation, usize); 8] = [
            (copy(0, 0, 20), 1),
            (Operation::Insert(3), 1),
            (copy(0, 20, 5), 1),
            (copy(1, 0, 15), 1),
            (copy(1, 25, 15), 3),
            (copy(0, 300, 1), 4),
            (Operation::Take(4), 2),
            (Operation::Take(5), 2),
        ];
        let (mut writer, mut reader) = (Expected::default(), Expected::default());
        let (mut taken, mut also_taken) = (7, 7);
        for (operation, bytes) in table {
            let mut out = Vec::new();
            writer.write(&mut out, operation, &mut taken);
            assert_eq!(out.len(), bytes, "{operation:?}");
            let read = reader.read(&mut Cursor::new(&out), &mut also_taken);
            assert_eq!(read, Some(operation));
        }
    }

    #[test]
    fn nothing_is_made_of_nothing_and_nothing_lies_before_the_first() {
        let mut before = Vec::new();
        put(&mut before, ELSEWHERE + 4);
        put_signed(&mut before, -1);
        put_signed(&mut before, 0);
        for bytes in [&[0][..], &[1], &[2], &before, &[3], &[3, 9], &[0x80]] {
            let read = Expected::default().read(&mut Cursor::new(bytes), &mut 0);
            assert_eq!(read, None, "{bytes:?}");
        }
    }
}
