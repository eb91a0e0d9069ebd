use carpool_core::{Bytes, Cid};

use super::{
    LocalStore,
    fetch::{self, Located},
    index::Row,
};
use crate::{Error, Result, key};

/// What [`LocalStore::scrub`] found.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Scrub {
    /// Blocks that were read and hashed.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// An [`Error::Damaged`] for each block that cannot be read or is not what it was.
    pub damaged: Vec<Error>,
}

/// Rows of one look into the index.
const PAGE: usize = 4096;
/// Bytes of blocks in memory at once, or one block.
const BATCH_BYTES: u64 = 32 << 20;

impl LocalStore {
    /// Reads and hashes every block that is held. Others may read and write meanwhile.
    ///
    /// # Errors
    /// When the index, or the disk as such, cannot be read; a damaged block is no error.
    pub fn scrub(&self) -> Result<Scrub> {
        let mut report = Scrub::default();
        self.each_page(|page| self.scrub_all(page, &mut report))?;
        Ok(report)
    }

    /// Reads and hashes blocks, and forgets those that are damaged, so that they can be put again;
    /// returns how many these were. The roots that were noted are forgotten with them, for nobody
    /// knows which of them are still complete.
    ///
    /// # Errors
    /// When the index cannot be read or written, or the disk as such cannot be read.
    pub fn forget_damaged(&self, cids: &[Cid]) -> Result<u64> {
        let mut writer = self.writer();
        writer.commit()?;
        let mut report = Scrub::default();
        self.scrub_all(&mut fetch::located(cids, &self.locate(cids)?), &mut report)?;
        let damaged = report.damaged.iter().filter_map(place).collect::<Vec<_>>();
        writer.index.forget_blocks(&damaged)
    }

    /// Up to `n` CIDs of blocks that are held, as they were put first, sorted by binary multihash,
    /// from the one after `after` on. An answer shorter than `n` is the last.
    ///
    /// # Errors
    /// When the index cannot be read or written.
    pub fn cids_after(&self, after: Option<&Cid>, n: usize) -> Result<Vec<Cid>> {
        self.writer().commit()?;
        let after = after.map_or_else(Vec::new, |cid| cid.hash().to_bytes());
        let page = self.readers.get()?.page(&after, n)?;
        page.iter().map(|(key, row)| self.cid_of(key, row)).collect()
    }

    fn each_page(&self, mut each: impl FnMut(&mut [Located]) -> Result<()>) -> Result<()> {
        self.writer().commit()?;
        let mut after = Vec::new();
        loop {
            let page = self.readers.get()?.page(&after, PAGE)?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after.clone_from(last);
            let locate = |(at, (key, row)): (usize, &(Vec<u8>, Row))| {
                Ok(Located { at, cid: self.cid_of(key, row)?, row: *row })
            };
            each(&mut page.iter().enumerate().map(locate).collect::<Result<Vec<_>>>()?)?;
        }
    }

    fn scrub_all(&self, mut located: &mut [Located], report: &mut Scrub) -> Result<()> {
        while !located.is_empty() {
            let (batch, after) = located.split_at_mut(batch_len(located));
            self.scrub_batch(batch, report)?;
            located = after;
        }
        Ok(())
    }

    fn scrub_batch(&self, batch: &mut [Located], report: &mut Scrub) -> Result<()> {
        batch.iter_mut().enumerate().for_each(|(at, located)| located.at = at);
        let mut read = vec![Bytes::new(); batch.len()];
        match fetch::fetch(&self.files, batch, |at, bytes| read[at] = bytes) {
            Ok(()) => {
                let bad = fetch::mismatches(batch, |at| read[at].clone());
                report.damaged.extend(bad.into_iter().map(|i| fetch::damaged(&batch[i])));
                report.blocks += read.len() as u64;
                report.bytes += read.iter().map(|bytes| bytes.len() as u64).sum::<u64>();
            }
            Err(_) if batch.len() > 1 => {
                return batch.chunks_mut(1).try_for_each(|one| self.scrub_batch(one, report));
            }
            Err(error @ Error::Damaged { .. }) => report.damaged.push(error),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn cid_of(&self, key: &[u8], row: &Row) -> Result<Cid> {
        let corrupt = || Error::IndexCorrupt { path: self.layout.index() };
        key::restore(key, row.codec).ok_or_else(corrupt)
    }
}

/// The key and the segment of a damaged block.
fn place(error: &Error) -> Option<(Vec<u8>, u32)> {
    if let Error::Damaged { cid, segment, .. } = error {
        Some((cid.hash().to_bytes(), *segment))
    } else {
        None
    }
}

fn batch_len(located: &[Located]) -> usize {
    let mut bytes = 0_u64;
    let fits = |l: &&Located| {
        bytes = bytes.saturating_add(l.row.len);
        bytes <= BATCH_BYTES
    };
    located.iter().take_while(fits).count().max(1)
}
