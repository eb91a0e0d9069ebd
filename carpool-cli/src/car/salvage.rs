//! The sections that verify in a file in any state.

use carpool_core::{Bytes, Cid, Error, Unverified, cid_prefix, varint, verify};
use std::collections::VecDeque;

use super::{args::ReadFlags, input::Input, scan::Opening};
use crate::failure::Outcome;

/// What is wrong with a section, and how long it is where that much is known.
type Wrong = (&'static str, Option<Extent>);

/// Sections one after another, not hashed yet.
type Batch = Vec<(Extent, Bytes)>;

/// Bytes of a section's length and CID at most.
const HEAD: usize = 128;
/// Bytes that are read at once.
const CHUNK: usize = 4 << 20;
/// Bytes of blocks that are hashed in one batch while all is well.
const BATCH: u64 = 2 << 20;
/// The same after damage.
const BATCH_AFTER_DAMAGE: u64 = 4 << 10;
/// Sections whose hash is wrong that are stepped over by their lengths before the search goes byte
/// by byte.
const MAX_HOPS: usize = 16;
/// Bytes that are hashed in vain or read again, for each byte of the file, and some more.
const VAIN_PER_BYTE: u64 = 8;
const VAIN_AT_LEAST: u64 = 256 << 20;
/// Where the data of a CARv2 begins whose header tells nothing.
const EARLIEST: u64 = 51;

/// What comes next in the file.
#[derive(Debug)]
pub(super) enum Step {
    /// A block that verifies.
    Block(Cid, Bytes),
    /// Bytes in which none does.
    Lost(Loss),
}

/// Bytes that are lost.
#[derive(Clone, Debug)]
pub(super) struct Loss {
    pub(super) offset: u64,
    pub(super) end: u64,
    pub(super) why: String,
    /// The CID that stands there, where one does.
    pub(super) cid: Option<Cid>,
}

/// A section as its front has it.
#[derive(Clone, Copy, Debug)]
struct Extent {
    at: u64,
    cid: Cid,
    /// Where the block's bytes begin.
    data_at: u64,
    /// Where the next section begins.
    end: u64,
}

impl Extent {
    const fn len(&self) -> u64 {
        self.end - self.at
    }
}

/// Goes through a file once; reads some of it twice around damage.
pub(super) struct Salvage<'a> {
    input: &'a Input,
    max_section: usize,
    padding: bool,
    at: u64,
    end: u64,
    window: Bytes,
    window_at: u64,
    /// Where the sections of a CARv2 begin whose header tells nothing.
    inner: Option<u64>,
    /// How far the file was read.
    high: u64,
    ready: VecDeque<Step>,
    /// Bytes of blocks that are hashed at once: few after damage, more while all is well.
    batch: u64,
    /// Bytes that were hashed in vain, or read again.
    vain: u64,
    skipped: u64,
}

impl<'a> Salvage<'a> {
    /// Begins behind the header; where that is lost, wherever the first section is.
    pub(super) fn new(
        input: &'a Input,
        read: &ReadFlags,
        opening: Option<&Opening>,
        header: Option<String>,
        inner: Option<u64>,
    ) -> Outcome<Self> {
        let len = input.len()?.unwrap_or_default();
        let end = opening.and_then(Opening::data_end).unwrap_or(len);
        let mut salvage = Self {
            input,
            max_section: read.max_section,
            padding: read.null_padding,
            at: opening.map_or(0, |opening| opening.sections_offset),
            end: end.min(len),
            window: Bytes::new(),
            window_at: 0,
            inner,
            high: 0,
            ready: VecDeque::new(),
            batch: BATCH,
            vain: 0,
            skipped: 0,
        };
        if end > len {
            let why = format!("the header has the data end at byte {end}, behind the file");
            salvage.lose(len, end, why, None);
        }
        if let Some(why) = header {
            salvage.behind_header(why)?;
        }
        Ok(salvage)
    }

    /// How many places looked like sections and were not hashed, to bound the work.
    pub(super) const fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The next step; `None` at the end.
    pub(super) fn next(&mut self) -> Outcome<Option<Step>> {
        loop {
            // What the end of the file lacks is told last.
            match self.ready.pop_front() {
                Some(step) => return Ok(Some(step)),
                None if self.at >= self.end => return Ok(None),
                None => self.advance()?,
            }
        }
    }

    /// Finds the first section where the header is lost.
    fn behind_header(&mut self, why: String) -> Outcome {
        let pragma = self.bytes(0, 11)? == carpool_car::v2::PRAGMA[..];
        let found = match self.inner {
            Some(at) => at,
            None => self.search(if pragma { EARLIEST } else { 0 })?,
        };
        self.lose(0, found, why, None);
        self.at = found;
        Ok(())
    }

    /// Takes a batch of sections, and steps over the first damage that it does not get over.
    fn advance(&mut self) -> Outcome {
        let (batch, wrong) = self.gather()?;
        let verdicts = self.check(&batch)?;
        let good = |n: &usize| verdicts[*n].is_ok();
        let mut n = 0;
        while n < batch.len() {
            let (extent, data) = &batch[n];
            let Err(error) = &verdicts[n] else {
                self.at = extent.end;
                self.ready.push_back(Step::Block(extent.cid, data.clone()));
                n += 1;
                continue;
            };
            self.batch = BATCH_AFTER_DAMAGE;
            let Some(next) = (n + 1..batch.len()).find(good) else {
                return self.damaged(error.to_string(), Some(*extent));
            };
            let to = batch[next].0.at;
            self.lose(extent.at, to, error.to_string(), Some(extent.cid));
            n = next;
        }
        match wrong {
            None => self.batch = (self.batch * 2).min(BATCH),
            Some((why, extent)) => {
                self.batch = BATCH_AFTER_DAMAGE;
                self.damaged(why.to_owned(), extent)?;
            }
        }
        Ok(())
    }

    /// The next sections, and what is wrong with what follows them.
    fn gather(&mut self) -> Outcome<(Batch, Option<Wrong>)> {
        let (mut batch, mut bytes, mut at) = (Vec::new(), 0, self.at);
        while at < self.end {
            let extent = match self.extent(at)? {
                Ok(extent) => extent,
                Err(wrong) => return Ok((batch, Some(wrong))),
            };
            bytes += extent.len();
            if !batch.is_empty() && bytes > self.batch {
                break;
            }
            if !self.affordable(extent.len()) {
                return Ok((batch, Some(("not hashed, to bound the work", Some(extent)))));
            }
            at = extent.end;
            let data = self.data(&extent)?;
            batch.push((extent, data));
        }
        Ok((batch, None))
    }

    /// Goes on behind the damage at `self.at`.
    fn damaged(&mut self, why: String, extent: Option<Extent>) -> Outcome {
        let from = self.at;
        if extent.is_none() && self.zeros_to_end()? {
            if !self.padding {
                self.lose(from, self.end, "zeros to the end".to_owned(), None);
            }
            self.at = self.end;
            return Ok(());
        }
        let found = match extent {
            Some(extent) => self.hop(extent.end)?,
            None => None,
        };
        let found = match found {
            Some(found) => found,
            None => self.search(from + 1)?,
        };
        self.lose(from, found, why, extent.map(|extent| extent.cid));
        self.at = found;
        Ok(())
    }

    /// Follows lengths from behind a section that is damaged: bytes that were written over leave
    /// them as they are.
    fn hop(&mut self, mut at: u64) -> Outcome<Option<u64>> {
        for _ in 0..MAX_HOPS {
            if at == self.end {
                return Ok(Some(at));
            }
            let Ok(next) = self.extent(at)? else { return Ok(None) };
            if self.verifies(&next)? {
                return Ok(Some(at));
            }
            at = next.end;
        }
        Ok(None)
    }

    /// Looks at every byte from `at` on for a section that verifies; returns where it begins, or
    /// the end.
    fn search(&mut self, mut at: u64) -> Outcome<u64> {
        while at < self.end {
            let Some(found) = self.likely(at)? else { return Ok(self.end) };
            if let Ok(extent) = self.extent(found)?
                && self.verifies(&extent)?
            {
                return Ok(found);
            }
            at = found + 1;
        }
        Ok(self.end)
    }

    /// The next place where a length and the front of a CID that can be checked stand.
    fn likely(&mut self, mut at: u64) -> Outcome<Option<u64>> {
        while at < self.end {
            let max = self.max_section as u64;
            let bytes = self.rest(at)?;
            // The last bytes are looked at again with what follows them.
            let whole = at + bytes.len() as u64 >= self.end;
            let until = if whole { bytes.len() } else { bytes.len().saturating_sub(HEAD).max(1) };
            if let Some(n) = (0..until).find(|n| looks_right(&bytes[*n..], max)) {
                return Ok(Some(at + n as u64));
            }
            at += until as u64;
        }
        Ok(None)
    }

    /// Whether so many bytes may be read and hashed, perhaps in vain.
    fn affordable(&mut self, len: u64) -> bool {
        let budget = VAIN_AT_LEAST.saturating_add(self.end.saturating_mul(VAIN_PER_BYTE));
        let affordable = self.vain.saturating_add(len) <= budget;
        self.skipped += u64::from(!affordable);
        affordable
    }

    /// Hashes a section, unless too much was hashed in vain already.
    fn verifies(&mut self, extent: &Extent) -> Outcome<bool> {
        if !self.affordable(extent.len()) {
            return Ok(false);
        }
        let data = self.data(extent)?;
        Ok(self.check(&[(*extent, data)])?.iter().all(Result::is_ok))
    }

    fn check(&mut self, batch: &[(Extent, Bytes)]) -> Outcome<Vec<Result<(), Error>>> {
        let claim =
            |(extent, data): &(Extent, Bytes)| Unverified { cid: extent.cid, data: data.clone() };
        let verdicts = verify(batch.iter().map(claim).collect());
        let verdicts: Vec<_> = verdicts.into_iter().map(|verdict| verdict.map(drop)).collect();
        for ((extent, _), verdict) in batch.iter().zip(&verdicts) {
            self.vain += if verdict.is_err() { extent.len() } else { 0 };
        }
        Ok(verdicts)
    }

    /// The section at `at`, or what is wrong with its length and its CID.
    fn extent(&mut self, at: u64) -> Outcome<Result<Extent, Wrong>> {
        let head = self.bytes(at, HEAD)?;
        let Ok(Some((len, start))) = varint::decode(&head) else {
            return Ok(Err(("no length of a section", None)));
        };
        let data_at = at + start as u64;
        let end = data_at.saturating_add(len);
        if len == 0 {
            return Ok(Err(("a section of length zero", None)));
        }
        if end > self.end {
            return Ok(Err(("the section goes on behind the end", None)));
        }
        let Ok((cid, cid_len)) = cid_prefix(&head[start..]) else {
            return Ok(Err(("no CID", None)));
        };
        if cid_len as u64 > len {
            return Ok(Err(("a section shorter than its CID", None)));
        }
        let extent = Extent { at, cid, data_at: data_at + cid_len as u64, end };
        if len > self.max_section as u64 {
            return Ok(Err(("a section beyond --max-section", Some(extent))));
        }
        Ok(Ok(extent))
    }

    /// The bytes of a block; its section is within the limit.
    fn data(&mut self, extent: &Extent) -> Outcome<Bytes> {
        let section = usize::try_from(extent.len()).unwrap_or(usize::MAX);
        let data_at = usize::try_from(extent.data_at - extent.at).unwrap_or(usize::MAX);
        let section = self.bytes(extent.at, section)?;
        Ok(section.slice(data_at.min(section.len())..))
    }

    fn zeros_to_end(&mut self) -> Outcome<bool> {
        let mut at = self.at;
        while at < self.end {
            let bytes = self.rest(at)?;
            if bytes.is_empty() || bytes.iter().any(|byte| *byte != 0) {
                return Ok(bytes.is_empty());
            }
            at += bytes.len() as u64;
        }
        Ok(true)
    }

    /// Up to `len` bytes at `at`, fewer only at the end of the data.
    fn bytes(&mut self, at: u64, len: usize) -> Outcome<Bytes> {
        let left = usize::try_from(self.end.saturating_sub(at)).unwrap_or(usize::MAX);
        let len = len.min(left);
        let have = |window: &Bytes, window_at: u64| {
            let from = usize::try_from(at.checked_sub(window_at)?).ok()?;
            (from + len <= window.len()).then(|| window.slice(from..from + len))
        };
        if let Some(bytes) = have(&self.window, self.window_at) {
            return Ok(bytes);
        }
        self.load(at, len.max(CHUNK).min(left))?;
        let here = len.min(self.window.len());
        Ok(self.window.slice(..here))
    }

    /// What of the window lies at `at` and behind it: more than a section's front, or all.
    fn rest(&mut self, at: u64) -> Outcome<Bytes> {
        let known = self.bytes(at, HEAD)?;
        let from = usize::try_from(at - self.window_at).unwrap_or(usize::MAX);
        let end = usize::try_from(self.end - self.window_at).unwrap_or(usize::MAX);
        let whole = self.window.slice(from.min(self.window.len())..end.min(self.window.len()));
        Ok(if whole.len() < known.len() { known } else { whole })
    }

    fn load(&mut self, at: u64, len: usize) -> Outcome {
        self.window = self.input.read_at(at, len)?.into();
        self.window_at = at;
        let end = at + self.window.len() as u64;
        self.vain += self.high.min(end).saturating_sub(at);
        self.high = self.high.max(end);
        Ok(())
    }

    fn lose(&mut self, offset: u64, end: u64, why: String, cid: Option<Cid>) {
        // Damage that goes on is one range.
        if let Some(Step::Lost(last)) = self.ready.back_mut()
            && last.end == offset
        {
            last.end = end;
        } else if offset < end {
            self.ready.push_back(Step::Lost(Loss { offset, end, why, cid }));
        }
    }
}

/// Whether a length and a CID of a known hash and its length stand at the front. This looks at a
/// byte or two of nearly all that is none.
fn looks_right(bytes: &[u8], max: u64) -> bool {
    let Ok(Some((len, start))) = varint::decode(bytes) else { return false };
    let rest = &bytes[start..];
    if len > max || !matches!(rest, [1, ..] | [0x12, 0x20, ..]) {
        return false;
    }
    match cid_prefix(&rest[..rest.len().min(HEAD)]) {
        Ok((cid, cid_len)) => cid_len as u64 <= len && known(&cid),
        Err(_) => false,
    }
}

/// Hash functions that can be checked, and the lengths of their digests. Identity CIDs hash nothing.
fn known(cid: &Cid) -> bool {
    let hash = cid.hash();
    matches!((hash.code(), hash.size()), (0x12 | 0x1e | 0xb220, 32) | (0x13, 64))
}

/// The header of the CARv1 in a CARv2 whose own header is damaged, and where its sections begin, if
/// it is where writers put it.
pub(super) fn inner_header(
    input: &Input,
    read: &ReadFlags,
) -> Outcome<Option<(carpool_car::Header, u64)>> {
    if input.read_at(0, 11)? != carpool_car::v2::PRAGMA {
        return Ok(None);
    }
    let bytes = input.read_at(EARLIEST, read.max_header + 16)?;
    let Ok(Some((len, start))) = varint::decode(&bytes) else { return Ok(None) };
    let header = usize::try_from(len).ok().and_then(|len| bytes[start..].get(..len));
    let header = header.and_then(|header| carpool_car::Header::decode(header, &read.limits()).ok());
    Ok(header.map(|header| (header, EARLIEST + start as u64 + len)))
}
