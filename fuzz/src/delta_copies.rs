use bytes::Bytes;
use carpool_delta::{Index, Operation, Scanner, apply, read_operations, write_operations};

use crate::choices::Choices;

/// Operations of any bytes over bases of any: refused, or what they make byte by byte, and written again they
/// are read the same. What was scanned for in the bases comes back.
pub fn delta_copies(data: &[u8]) {
    let mut choices = Choices::new(data);
    let len = usize::from(choices.byte()) << 2;
    let bases: Vec<Bytes> = (0..choices.below(5))
        .map(|_| {
            let n = usize::from(choices.byte());
            Bytes::copy_from_slice(choices.bytes(n))
        })
        .collect();
    let rest = choices.bytes(usize::MAX);
    read(rest, len, &bases);
    scan(rest, &bases, 1 + len % 300);
}

fn read(bytes: &[u8], len: usize, bases: &[Bytes]) {
    let Some(operations) = read_operations(bytes, len) else { return };
    assert_eq!(operations.iter().map(Operation::len).sum::<usize>(), len);
    let mut written = Vec::new();
    write_operations(&operations, &mut written);
    assert_eq!(read_operations(&written, len).as_ref(), Some(&operations));
    let literals = bytes;
    let digest = |number| (number < 3).then_some([7; 32]);
    let made = apply(&operations, len, |n| bases.get(n), literals, digest);
    assert_eq!(made, twin(&operations, bases, literals));
}

/// One byte at a time.
fn twin(operations: &[Operation], bases: &[Bytes], literals: &[u8]) -> Option<Vec<u8>> {
    let (mut out, mut literals) = (Vec::new(), literals.iter());
    for operation in operations {
        match *operation {
            Operation::Insert(n) => {
                for _ in 0..n {
                    out.push(*literals.next()?);
                }
            }
            Operation::Copy { from, len } => {
                for n in 0..len {
                    out.push(*bases.get(from.base)?.get(from.at.checked_add(n)?)?);
                }
            }
            Operation::Take(0..3) => out.extend([7; 32]),
            Operation::Take(_) => return None,
        }
    }
    Some(out)
}

fn scan(new: &[u8], bases: &[Bytes], chunk: usize) {
    let index = Index::sampled(bases.to_vec(), 1 + chunk);
    let mut scanner = Scanner::default();
    for block in new.chunks(chunk) {
        let (mut operations, mut literals) = (Vec::new(), Vec::new());
        scanner.scan(&index, block, &mut operations, &mut literals);
        let made = apply(&operations, block.len(), |n| bases.get(n), &literals, |_| None);
        assert_eq!(made.as_deref(), Some(block));
    }
}
