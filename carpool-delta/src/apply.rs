use alloc::vec::Vec;
use carpool_core::Bytes;

use crate::Operation;

/// Makes a block of operations.
///
/// `base` says what a base of the sequence holds, `literals` is what is inserted, and `digest` says what
/// is taken. `None` where a copy goes beyond its base, a base or a digest is not there, or the
/// literals are too few. `len` is how many bytes the operations make in all; no more is allocated.
#[must_use]
pub fn apply<'a>(
    operations: &[Operation],
    len: usize,
    base: impl Fn(usize) -> Option<&'a Bytes>,
    mut literals: &[u8],
    digest: impl Fn(u64) -> Option<[u8; 32]>,
) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(len);
    for operation in operations {
        match *operation {
            Operation::Insert(n) => {
                let (inserted, rest) = literals.split_at_checked(n)?;
                out.extend_from_slice(inserted);
                literals = rest;
            }
            Operation::Copy { from, len } => {
                let end = from.at.checked_add(len)?;
                out.extend_from_slice(base(from.base)?.get(from.at..end)?);
            }
            Operation::Take(number) => out.extend_from_slice(&digest(number)?),
        }
        if out.len() > len {
            return None;
        }
    }
    (out.len() == len).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Spot;

    fn copy(base: usize, at: usize, len: usize) -> Operation {
        Operation::Copy { from: Spot { base, at }, len }
    }

    #[test]
    fn operations_make_a_block_or_nothing() {
        let bases = [Bytes::from("hello"), Bytes::from("world")];
        let digest = |n: u64| u8::try_from(n).ok().filter(|n| *n < 2).map(|n| [n; 32]);
        let made =
            |operations: &[Operation], len| apply(operations, len, |n| bases.get(n), b", ", digest);
        let insert = Operation::Insert;
        let good = [copy(0, 0, 5), insert(2), copy(1, 0, 5)];
        assert_eq!(made(&good, 12).as_deref(), Some(&b"hello, world"[..]));
        assert_eq!(made(&[Operation::Take(1)], 32), Some([1; 32].to_vec()));
        for (bad, len) in [
            (copy(0, 1, 5), 5),
            (copy(0, 6, 1), 1),
            (copy(2, 0, 1), 1),
            (copy(1, 4, usize::MAX), 1),
            (insert(3), 3),
            (insert(2), 1),
            (insert(1), 2),
            (Operation::Take(2), 32),
        ] {
            assert_eq!(made(&[bad], len), None, "{bad:?}");
        }
    }
}
