mod group;
mod merge;
mod sort;
mod tournament;

use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::{IntoIter, Vec},
};
use carpool_core::{Bytes, Cid, IDENTITY};

pub(crate) use self::sort::prefix;
use self::{
    group::{Group, Key, Segment},
    merge::Merge,
};
use super::{Codec, Entry, IndexFault, IndexLimits, MAX_DIGEST_BYTES, rollup::write_varint};
use crate::Error;

/// The smallest budget, in bytes; smaller ones are taken for this.
pub const MIN_BUDGET: usize = 4096;

/// The most runs that are spilled and merged.
pub const MAX_RUNS: u32 = 1 << 16;

/// What an [`Indexer`] wants its driver to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Append `bytes` to run number `run`: a scratch file of its own, or a region of one.
    SpillWrite {
        /// The run: they are numbered from 0, and written one after the other.
        run: u32,
        /// What to append.
        bytes: Bytes,
    },
    /// Read back `len` bytes of run number `run`, for [`Indexer::handle_spill`].
    SpillRead {
        /// The run.
        run: u32,
        /// Where they begin, in bytes from the start of the run.
        offset: u64,
        /// How many: all of them were written.
        len: usize,
    },
    /// The next bytes of the index.
    Write(Bytes),
}

/// Makes an index in one pass over the sections of a CAR, within a memory budget.
///
/// [`handle_entry`](Self::handle_entry) or [`handle_section`](Self::handle_section) takes a
/// section in whatever order; when either answers `true`, [`poll`](Self::poll) until `None` before
/// the next. At the end [`handle_end`](Self::handle_end), then [`poll`](Self::poll) again: after
/// `None` the index is whole.
///
/// Within the budget nothing is spilled. Beyond it, what was taken is sorted and spilled as a run,
/// and at the end the runs are merged: scratch space is the size of the index and a little more
/// where digests are of uncommon lengths. The index is the same whatever the budget: sorted by hash
/// function, length, digest and offset. Entries are never left out, except those of identity CIDs,
/// which carry their data themselves.
#[derive(Debug)]
pub struct Indexer {
    codec: Codec,
    budget: usize,
    identity: bool,
    max_buckets: usize,
    keys: BTreeMap<Key, usize>,
    groups: Vec<Group>,
    /// The group of the last entry: most often that of the next.
    last: Option<(Key, usize)>,
    held: usize,
    runs: u32,
    outputs: VecDeque<Output>,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Entries,
    Merge { rest: IntoIter<Group>, merge: Option<Merge>, last_code: Option<u64> },
    Failed(Error),
}

impl Indexer {
    /// An indexer that makes a [`Codec::Sorted`] or a [`Codec::MultihashSorted`] and keeps to
    /// `budget` bytes of memory, [`MIN_BUDGET`] at least. Beside them it keeps 32 bytes for each
    /// group of hash function and length in each run, and up to 400 for each group, of which
    /// there are [`IndexLimits::max_buckets`] at most.
    ///
    /// # Errors
    /// [`IndexFault::NotOfEntries`].
    pub fn new(codec: Codec, budget: usize, limits: &IndexLimits) -> Result<Self, Error> {
        if codec == Codec::Multi {
            return Err(fault(IndexFault::NotOfEntries));
        }
        Ok(Self {
            codec,
            budget: budget.max(MIN_BUDGET),
            identity: false,
            max_buckets: limits.max_buckets as usize,
            keys: BTreeMap::new(),
            groups: Vec::new(),
            last: None,
            held: 0,
            runs: 0,
            outputs: VecDeque::new(),
            phase: Phase::Entries,
        })
    }

    /// Puts identity CIDs into the index as well, as go-car does on request.
    #[must_use]
    pub const fn with_identity(mut self) -> Self {
        self.identity = true;
        self
    }

    /// Takes the section that begins at `offset` with the CID `cid`. As
    /// [`handle_entry`](Self::handle_entry).
    ///
    /// # Errors
    /// As [`handle_entry`](Self::handle_entry).
    pub fn handle_section(&mut self, cid: &Cid, offset: u64) -> Result<bool, Error> {
        let hash = cid.hash();
        self.handle_entry(hash.code(), hash.digest(), offset)
    }

    /// Takes the section that begins at `offset` with a CID of this hash function and digest.
    /// Answers whether the budget is used up: then [`poll`](Self::poll) comes next.
    ///
    /// # Errors
    /// [`IndexFault::DigestTooLong`], [`IndexFault::TooManyBuckets`], [`IndexFault::TooManyRuns`],
    /// [`IndexFault::UnexpectedEntry`] after [`handle_end`](Self::handle_end).
    #[inline]
    pub fn handle_entry(&mut self, code: u64, digest: &[u8], offset: u64) -> Result<bool, Error> {
        if code == IDENTITY && !self.identity {
            return Ok(false);
        }
        let code = if matches!(self.codec, Codec::Sorted) { 0 } else { code };
        let key = Key { code, len: digest.len() };
        let at = match self.last {
            Some((last, at)) if last == key => at,
            _ => self.find(key)?,
        };
        self.held += self.groups[at].push(digest, offset);
        // Half, because arrays grow by doubling.
        if self.held < self.budget / 2 { Ok(false) } else { self.spill() }
    }

    /// Says that there are no more sections.
    pub fn handle_end(&mut self) {
        if !matches!(self.phase, Phase::Entries) {
            return;
        }
        self.last = None;
        let mut groups = core::mem::take(&mut self.groups);
        groups.sort_unstable_by_key(Group::key);
        self.outputs.push_back(Output::Write(self.preface(&groups)));
        self.phase = Phase::Merge { rest: groups.into_iter(), merge: None, last_code: None };
    }

    /// Takes the bytes of the last [`Output::SpillRead`].
    ///
    /// # Errors
    /// [`IndexFault::Spill`] where they are not as many as were asked for, or none were.
    pub fn handle_spill(&mut self, bytes: Bytes) -> Result<(), Error> {
        let taken = match &mut self.phase {
            Phase::Merge { merge: Some(merge), .. } => merge.handle_spill(bytes),
            Phase::Failed(error) => return Err(error.clone()),
            Phase::Entries | Phase::Merge { .. } => {
                Err(IndexFault::Spill { expected: 0, actual: bytes.len() as u64 })
            }
        };
        taken.map_err(|why| self.fail(why))
    }

    /// What to do next; `None` when sections are wanted, or, after
    /// [`handle_end`](Self::handle_end), when all is done. Call again at once after
    /// [`Output::SpillWrite`] and [`Output::Write`], and after [`Output::SpillRead`] when the bytes
    /// were [handed in](Self::handle_spill).
    ///
    /// # Errors
    /// The last error again.
    #[must_use = "outputs are lost if they are not looked at"]
    pub fn poll(&mut self) -> Result<Option<Output>, Error> {
        if let Phase::Failed(error) = &self.phase {
            return Err(error.clone());
        }
        while self.outputs.is_empty() {
            let (budget, codec) = (self.budget, self.codec);
            let Phase::Merge { rest, merge, last_code } = &mut self.phase else { break };
            let Some(now) = merge else {
                let Some(group) = rest.next() else { break };
                let head = group_head(codec, &group, rest.as_slice(), last_code);
                self.outputs.push_back(Output::Write(head.into()));
                *merge = Some(Merge::new(group, budget));
                break;
            };
            match now.poll() {
                Some(output) => return Ok(Some(output)),
                None => *merge = None,
            }
        }
        Ok(self.outputs.pop_front())
    }

    #[cold]
    fn find(&mut self, key: Key) -> Result<usize, Error> {
        match &self.phase {
            Phase::Entries => {}
            Phase::Merge { .. } => return Err(fault(IndexFault::UnexpectedEntry)),
            Phase::Failed(error) => return Err(error.clone()),
        }
        let at = match self.keys.get(&key) {
            Some(at) => *at,
            None => self.add_group(key)?,
        };
        self.last = Some((key, at));
        Ok(at)
    }

    fn add_group(&mut self, key: Key) -> Result<usize, Error> {
        let (bytes, max) = (key.len as u64, MAX_DIGEST_BYTES as u64);
        if bytes > max {
            return Err(fault(IndexFault::DigestTooLong { bytes, max }));
        }
        self.check_buckets(key)?;
        self.groups.push(Group::new(key));
        self.keys.insert(key, self.groups.len() - 1);
        Ok(self.groups.len() - 1)
    }

    /// Counts as a [`Reader`](super::Reader) does.
    fn check_buckets(&self, new: Key) -> Result<(), Error> {
        let of_code = |key: &Key| self.codec == Codec::MultihashSorted && key.code != new.code;
        let mut codes: Vec<u64> =
            self.keys.keys().filter(|key| of_code(key)).map(|key| key.code).collect();
        codes.dedup();
        let codes = if self.codec == Codec::MultihashSorted { codes.len() + 1 } else { 0 };
        let (buckets, max) = (self.keys.len() + 1 + codes, self.max_buckets);
        if buckets > max {
            let (buckets, max) = (buckets as u64, max as u64);
            return Err(fault(IndexFault::TooManyBuckets { buckets, max }));
        }
        Ok(())
    }

    #[cold]
    fn spill(&mut self) -> Result<bool, Error> {
        if self.runs == MAX_RUNS {
            return Err(self.fail(IndexFault::TooManyRuns { max: MAX_RUNS }));
        }
        let (run, mut start) = (self.runs, 0);
        for group in &mut self.groups {
            let bytes = group.take_sorted();
            if !bytes.is_empty() {
                group.segments.push(Segment { run, start, len: bytes.len() as u64 });
                start += bytes.len() as u64;
                self.outputs.push_back(Output::SpillWrite { run, bytes });
            }
        }
        self.runs += 1;
        self.held = 0;
        Ok(true)
    }

    /// What stands before the first group.
    fn preface(&self, groups: &[Group]) -> Bytes {
        let mut out = Vec::with_capacity(16);
        write_varint(&mut out, self.codec.code());
        let count = match self.codec {
            Codec::MultihashSorted => {
                let mut codes: Vec<u64> = groups.iter().map(|group| group.key().code).collect();
                codes.dedup();
                codes.len()
            }
            Codec::Sorted | Codec::Multi => groups.len(),
        };
        write_count(&mut out, count);
        out.into()
    }

    fn fail(&mut self, why: IndexFault) -> Error {
        let error = fault(why);
        self.last = None;
        self.phase = Phase::Failed(error.clone());
        error
    }
}

const fn fault(fault: IndexFault) -> Error {
    Error::Index { offset: 0, fault }
}

/// The head of a bucket, after that of its hash function where it is the first of it.
fn group_head(codec: Codec, group: &Group, rest: &[Group], last: &mut Option<u64>) -> Vec<u8> {
    let mut out = Vec::with_capacity(24);
    let code = group.key().code;
    if codec == Codec::MultihashSorted && *last != Some(code) {
        out.extend_from_slice(&code.to_le_bytes());
        let same = rest.iter().take_while(|next| next.key().code == code).count();
        write_count(&mut out, 1 + same);
        *last = Some(code);
    }
    let width = group.key().len + super::layout::OFFSET_BYTES;
    write_count(&mut out, width);
    out.extend_from_slice(&(group.entries() * width as u64).to_le_bytes());
    out
}

fn write_count(out: &mut Vec<u8>, count: usize) {
    let count = u32::try_from(count).expect("held to a limit of 32 bits");
    out.extend_from_slice(&count.to_le_bytes());
}

/// The index of these entries, identity CIDs among them where `entries` has them: the same bytes as
/// an [`Indexer`] makes. In a [`Codec::Sorted`] entries need no hash function.
///
/// # Errors
/// [`IndexFault::NotOfEntries`], [`IndexFault::TooManyBuckets`]; [`IndexFault::UnexpectedEntry`]
/// for an entry without hash function in a [`Codec::MultihashSorted`].
pub fn encode(
    codec: Codec,
    entries: impl IntoIterator<Item = Entry>,
    limits: &IndexLimits,
) -> Result<Vec<u8>, Error> {
    let mut indexer = Indexer::new(codec, usize::MAX, limits)?.with_identity();
    for entry in entries {
        let code = match (codec, entry.code()) {
            (_, Some(code)) => code,
            (Codec::Sorted, None) => 0,
            (Codec::MultihashSorted | Codec::Multi, None) => {
                return Err(fault(IndexFault::UnexpectedEntry));
            }
        };
        let _never_full = indexer.handle_entry(code, entry.digest(), entry.offset())?;
    }
    indexer.handle_end();
    let mut out = Vec::new();
    while let Some(output) = indexer.poll()? {
        match output {
            Output::Write(bytes) => out.extend_from_slice(&bytes),
            Output::SpillWrite { .. } | Output::SpillRead { .. } => {}
        }
    }
    Ok(out)
}
