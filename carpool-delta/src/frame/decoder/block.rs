//! A block out of its record, its bases and the parts of its segment.

use alloc::vec::Vec;
use carpool_core::{Bytes, Cid, Unverified};

use super::{Current, Decoder, Failure, Made, Naming, Output, Pending, Step};
use crate::{
    Error, Operation, apply, decompress_with,
    frame::{
        links::Links,
        nodes::{Base, Known, Node},
        record::Content,
    },
    limits::MAX_REFERRED_BYTES,
};

impl Decoder {
    pub(super) fn go_on_with_block(
        &mut self,
        naming: Naming,
        pending: Pending,
    ) -> Result<Step, Error> {
        let referred = self.referred(&pending.content)?;
        if self.ask_for_bases(&referred) {
            self.current = Some(Current::Block(naming, pending));
            return Ok(Step::Wait);
        }
        let made = match self.make(&referred, &pending) {
            Ok(made) => Ok(made),
            Err(Failure::Lost(base)) => Err(base),
            Err(Failure::Error(error)) => return Err(named(error, naming)),
        };
        self.cache.trim();
        self.decoded += pending.len as u64;
        if made.is_ok() {
            self.counts.add(&pending.content, pending.len);
            self.counts.computed += u64::from(matches!(naming, Naming::Computed(_)));
        }
        let data = made.as_ref().ok().map(|made| made.data.clone());
        self.add_node(naming, &pending, data);
        self.give_out(naming, pending.len, made);
        Ok(self.done())
    }

    /// Whether bases have to be awaited.
    fn ask_for_bases(&mut self, referred: &[Base]) -> bool {
        let mut awaited = false;
        for base in referred.iter().filter(|_| self.may_load()).collect::<Vec<_>>() {
            if base.cid.is_some_and(|cid| self.cache.get(&cid).is_none()) {
                self.ask(*base);
                awaited = true;
            }
        }
        awaited
    }

    /// The bases that a block refers to.
    fn referred(&self, content: &Content) -> Result<Vec<Base>, Error> {
        let mut numbers: Vec<usize> = match content {
            Content::Plain => Vec::new(),
            Content::Prefix { first, count, .. } => (*first..first + count).collect(),
            Content::Copies(operations) => operations.iter().filter_map(base).collect(),
        };
        numbers.sort_unstable();
        numbers.dedup();
        let found = numbers.iter().map(|n| self.sequence.get(*n).copied());
        let found: Option<Vec<_>> = found.collect();
        found.ok_or_else(|| self.expected("a base of the sequence"))
    }

    /// Makes a block. What it takes from the parts is taken whether it can be made or not.
    fn make(&mut self, referred: &[Base], pending: &Pending) -> Result<Made, Failure> {
        let Pending { len, content, .. } = pending;
        let lost = referred.iter().find(|base| self.base(base).is_none()).map(|base| base.cid);
        match content {
            Content::Plain => Ok(Made { data: self.take_plain(*len)?, ..Made::default() }),
            Content::Prefix { first, count, frame } => {
                let frame = self.take_plain(*frame)?;
                lost.map_or(Ok(()), |base| Err(Failure::Lost(base)))?;
                self.check_referred(referred)?;
                let prefix = self.joined(*first, *count);
                let data = decompress_with(&prefix, &frame, *len);
                let data = data.ok_or_else(|| self.expected("a frame of the block's length"))?;
                Ok(Made { data: data.into(), ..Made::default() })
            }
            Content::Copies(operations) => {
                let literals = self.take_literals(operations)?;
                let numbers = operations.iter().filter_map(taken);
                let taken = self.waiting.take(numbers.clone());
                let taken = taken.ok_or_else(|| self.expected("a block that waits"))?;
                if !taken.is_empty() {
                    self.waiting.hash();
                }
                let hashed = numbers.clone().all(|number| self.waiting.digest(number).is_some());
                if lost.is_some() || !hashed {
                    let below = || numbers.clone().find_map(|number| self.waiting.lost_for(number));
                    let base = lost.flatten().or_else(below);
                    self.waiting.release(taken, |_| {});
                    return Err(Failure::Lost(base));
                }
                self.check_referred(referred)?;
                self.apply(operations, *len, literals, taken)
            }
        }
    }

    fn apply(
        &self,
        operations: &[Operation],
        len: usize,
        literals: Vec<u8>,
        taken: Vec<u64>,
    ) -> Result<Made, Failure> {
        if let [Operation::Insert(_)] = operations {
            return Ok(Made { data: literals.into(), taken });
        }
        let base = |n: usize| self.base(self.sequence.get(n)?);
        let digest = |number| self.waiting.digest(number);
        let data = apply(operations, len, base, &literals, digest);
        let data = data.ok_or_else(|| self.expected("copies within their bases"))?;
        Ok(Made { data: data.into(), taken })
    }

    fn base(&self, base: &Base) -> Option<&Bytes> {
        self.cache.get(base.cid.as_ref()?).flatten()
    }

    fn check_referred(&self, referred: &[Base]) -> Result<(), Error> {
        let bytes = referred.iter().filter_map(|base| self.base(base)).map(Bytes::len);
        let few = bytes.sum::<usize>() <= MAX_REFERRED_BYTES;
        if few { Ok(()) } else { Err(self.expected("bases of at most 32 MiB")) }
    }

    fn joined(&self, first: usize, count: usize) -> Vec<u8> {
        let bases = self.sequence.iter().skip(first).take(count);
        let pieces: Vec<&Bytes> = bases.filter_map(|base| self.base(base)).collect();
        pieces.iter().fold(Vec::new(), |mut joined, piece| {
            joined.extend_from_slice(piece);
            joined
        })
    }

    fn take_plain(&mut self, n: usize) -> Result<Bytes, Error> {
        if n > self.segment.plain.len() {
            return Err(self.broken("plain"));
        }
        Ok(self.segment.plain.split_to(n))
    }

    /// Decodes what operations insert, which is no more than the block has.
    fn take_literals(&mut self, operations: &[Operation]) -> Result<Vec<u8>, Error> {
        let inserted = |operation: &Operation| match operation {
            Operation::Insert(n) => *n,
            Operation::Copy { .. } | Operation::Take(_) => 0,
        };
        let (n, mut out) = (operations.iter().map(inserted).sum(), Vec::new());
        if n == 0 {
            return Ok(out);
        }
        let literals = &self.segment.literals;
        let mut rest = &literals[..];
        let read = self.literals.read(&mut rest, n, &mut out);
        let used = literals.len() - rest.len();
        self.segment.literals = literals.slice(used..);
        if read == Ok(n) { Ok(out) } else { Err(self.broken("literals")) }
    }

    /// A node is one whether it could be made or not.
    fn add_node(&mut self, naming: Naming, pending: &Pending, data: Option<Bytes>) {
        if !pending.node {
            return;
        }
        let (kind, cid) = match naming {
            Naming::Cid(cid) => (cid, cid),
            Naming::Computed(form) => (Some(form.cid(&[0; 32])), None),
        };
        let links = match (kind, data) {
            (Some(kind), Some(data)) => Known::All(Links::of(&kind, &data, &self.limits)),
            _ => Known::Never,
        };
        self.nodes.push(Node::new(cid, links));
    }

    /// Gives a block out with those that waited for it, or lets it wait.
    fn give_out(&mut self, naming: Naming, len: usize, made: Result<Made, Option<Cid>>) {
        let Self { out, waiting, .. } = self;
        match (naming, made) {
            (Naming::Computed(form), Ok(Made { data, taken })) => {
                waiting.push(form, data, taken);
            }
            (Naming::Computed(form), Err(base)) => waiting.push_lost(form, len, base),
            (Naming::Cid(Some(cid)), Ok(Made { data, taken })) => {
                out.push_back(Output::Block(Unverified { cid, data }));
                waiting.release(taken, |block| out.push_back(Output::Hashed(block)));
            }
            (Naming::Cid(None), Ok(Made { taken, .. })) => {
                waiting.release(taken, |_| {});
                out.push_back(Output::Lost { cid: None, base: None });
            }
            (Naming::Cid(cid), Err(base)) => out.push_back(Output::Lost { cid, base }),
        }
    }
}

/// The base that an operation copies from.
const fn base(operation: &Operation) -> Option<usize> {
    match operation {
        Operation::Copy { from, .. } => Some(from.base),
        Operation::Insert(_) | Operation::Take(_) => None,
    }
}

const fn taken(operation: &Operation) -> Option<u64> {
    match operation {
        Operation::Take(number) => Some(*number),
        Operation::Insert(_) | Operation::Copy { .. } => None,
    }
}

/// The same error, with the block that it is about.
fn named(error: Error, naming: Naming) -> Error {
    match (error, naming) {
        (Error::Record { record, expected, .. }, Naming::Cid(cid)) => {
            Error::Record { record, cid, expected }
        }
        (error, _) => error,
    }
}
