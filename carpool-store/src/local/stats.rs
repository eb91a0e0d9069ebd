use std::fs;

use super::LocalStore;
use crate::Result;

/// How much a [`LocalStore`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Blocks.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// CAR files.
    pub segments: u64,
    /// Bytes of all CAR files and of the index.
    pub disk_bytes: u64,
}

impl LocalStore {
    /// How much the store holds. Costs about as much as listing its CAR files.
    ///
    /// # Errors
    /// When the index cannot be read or written, or the folder cannot be read.
    pub fn stats(&self) -> Result<Stats> {
        self.writer().commit()?;
        let (blocks, bytes) = self.readers.get()?.totals()?;
        let segments = self.layout.segments()?;
        let cars: u64 = segments.iter().map(|(_, len)| len).sum();
        let index = self.layout.index();
        let index = [index.clone(), index.with_extension("sqlite-wal")];
        let len = |path| fs::metadata(path).map_or(0, |meta| meta.len());
        let disk_bytes = cars + index.iter().map(len).sum::<u64>();
        Ok(Stats { blocks, bytes, segments: segments.len() as u64, disk_bytes })
    }
}
