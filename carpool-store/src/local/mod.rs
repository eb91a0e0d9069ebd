mod fetch;
mod files;
#[cfg(test)]
mod full_disk;
mod index;
mod layout;
mod names_log;
mod open;
mod options;
mod pending;
mod pool;
mod recover;
mod run;
mod scan;
mod scrub;
mod segment;
mod stats;
mod writer;

use carpool_core::{Block, Bytes, Cid, identity_data, is_identity};
use std::{
    fs::File,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    BlockStore, Expect, NameEntry, Names, Result, SetName, check_name, memory::check_sizes,
    names::now,
};
use fetch::Located;
use files::Files;
use index::Row;
use layout::Layout;
use pending::Pending;
use pool::Pool;
use writer::Writer;

pub use options::LocalOptions;
pub use recover::{Cut, Recovery};
pub use scrub::Scrub;
pub use stats::Stats;

/// Blocks and names in a folder, which any number of processes and threads use at once.
///
/// Blocks lie in CAR files that are only appended to; an SQLite index says where. Another process
/// sees a block when this one has [flushed](BlockStore::flush), and often before. Dropping the
/// store flushes it, and ignores errors.
#[derive(Debug)]
pub struct LocalStore {
    layout: Layout,
    options: LocalOptions,
    pending: Arc<Pending>,
    writer: Mutex<Writer>,
    readers: Pool,
    files: Files,
    _use: File,
}

impl LocalStore {
    /// What was found and repaired when the store was opened, and since.
    #[must_use]
    pub fn recovery(&self) -> Recovery {
        self.writer().repairs.clone()
    }

    // Every step of a writer leaves it whole, so a panic elsewhere in the step's thread does too.
    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where each block lies. Pending rows come first: what leaves them is in the index by then.
    fn locate(&self, cids: &[Cid]) -> Result<Vec<Option<Row>>> {
        let mut rows = self.pending.find(cids);
        let unknown: Vec<usize> =
            (0..cids.len()).filter(|&at| rows[at].is_none() && !is_identity(&cids[at])).collect();
        if !unknown.is_empty() {
            let reader = self.readers.get()?;
            reader.find(cids, unknown.into_iter(), |at, row| rows[at] = Some(row))?;
        }
        Ok(rows)
    }

    fn check_read(&self, located: &[Located], out: &[Option<Bytes>]) -> Result<()> {
        if !self.options.verify_reads {
            return Ok(());
        }
        let bad = fetch::mismatches(located, |at| out[at].clone().unwrap_or_default());
        bad.first().map_or(Ok(()), |&i| Err(fetch::damaged(&located[i])))
    }
}

impl BlockStore for LocalStore {
    fn get_many(&self, cids: &[Cid]) -> Result<Vec<Option<Bytes>>> {
        let rows = self.locate(cids)?;
        let mut out: Vec<_> =
            cids.iter().map(|cid| identity_data(cid).map(Bytes::copy_from_slice)).collect();
        let mut located = fetch::located(cids, &rows);
        fetch::fetch(&self.files, &mut located, |at, bytes| out[at] = Some(bytes))?;
        self.check_read(&located, &out)?;
        Ok(out)
    }

    fn has_many(&self, cids: &[Cid]) -> Result<Vec<bool>> {
        let rows = self.locate(cids)?;
        Ok(rows.iter().zip(cids).map(|(row, cid)| row.is_some() || is_identity(cid)).collect())
    }

    fn size_many(&self, cids: &[Cid]) -> Result<Vec<Option<u64>>> {
        let rows = self.locate(cids)?;
        let size = |(row, cid): (&Option<Row>, &Cid)| match identity_data(cid) {
            Some(data) => Some(data.len() as u64),
            None => row.as_ref().map(|row| row.len),
        };
        Ok(rows.iter().zip(cids).map(size).collect())
    }

    fn few_cids(&self, most: usize) -> Result<Option<Vec<Cid>>> {
        let cids = self.cids_after(None, most.saturating_add(1))?;
        Ok((cids.len() <= most).then_some(cids))
    }

    fn put_many(&self, blocks: &[Block]) -> Result<()> {
        check_sizes(blocks, self.options.max_block_bytes)?;
        self.writer().put(blocks)
    }

    fn flush(&self) -> Result<()> {
        self.writer().flush()
    }
}

impl Names for LocalStore {
    fn name(&self, name: &str) -> Result<Option<NameEntry>> {
        check_name(name)?;
        self.readers.get()?.name(name)
    }

    fn names(&self) -> Result<Vec<(String, NameEntry)>> {
        self.readers.get()?.names()
    }

    fn history(&self, name: &str) -> Result<Vec<NameEntry>> {
        check_name(name)?;
        self.readers.get()?.history(name)
    }

    /// Flushes first, so that no name outlives its blocks.
    fn set_name(&self, name: &str, expect: Expect, new: &Cid) -> Result<SetName> {
        check_name(name)?;
        let mut writer = self.writer();
        writer.flush()?;
        let journal = |entry: &NameEntry| names_log::append(&self.layout.names_log(), name, entry);
        writer.index.set_name(name, expect, (new, now()), journal)
    }

    /// Flushes first, so that a root that is remembered stays complete.
    fn note_root(&self, root: &Cid) -> Result<()> {
        let mut writer = self.writer();
        writer.flush()?;
        writer.index.note_root(root)
    }

    fn recent_roots(&self, n: usize) -> Result<Vec<Cid>> {
        self.readers.get()?.recent_roots(n)
    }
}

impl Drop for LocalStore {
    fn drop(&mut self) {
        // Nobody is left to tell; the next one to open the store repairs it.
        let _ = self.flush();
    }
}
