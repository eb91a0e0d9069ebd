use std::{path::Path, sync::Arc};

use super::{
    Files, LocalOptions, LocalStore, Recovery,
    index::Index,
    layout::Layout,
    pending::Pending,
    pool::Pool,
    recover::{rebuild, recover_all},
    writer::Writer,
};
use crate::{Error, Result};
use std::sync::Mutex;

impl LocalStore {
    /// Opens the store in the folder `path`, which is made if it is missing.
    ///
    /// Where the last process did not end in order, the ends of its segments are read, hashed and
    /// put into the index, and a write that did not finish is cut off. A missing or damaged index
    /// is made anew. [`recovery`](Self::recovery) says what was done.
    ///
    /// # Errors
    /// [`SegmentBytes`](Error::SegmentBytes) for options out of range;
    /// [`IndexVersion`](Error::IndexVersion); [`InUse`](Error::InUse) when the index is missing or
    /// damaged while other processes use the store; failures to read or write.
    pub fn open(path: impl AsRef<Path>, options: LocalOptions) -> Result<Self> {
        options.check()?;
        let layout = Layout::create(path.as_ref())?;
        let _opening = layout.lock_opening()?;
        let (index, mut report) = open_index(&layout)?;
        let in_use = layout.lock_use()?;
        recover_all(&layout, &index, &mut report)?;
        let pending = Arc::new(Pending::new());
        let writer = Writer::new(layout.clone(), &options, index, Arc::clone(&pending), report);
        Ok(Self {
            readers: Pool::new(layout.index()),
            files: Files::new(layout.clone()),
            writer: Mutex::new(writer),
            layout,
            options,
            pending,
            _use: in_use,
        })
    }

    /// Throws the index of the store in the folder `path` away and makes it anew from the CAR
    /// files and `names.log`. Reads and hashes every block.
    ///
    /// # Errors
    /// [`InUse`](Error::InUse) while any process has the store open; failures to read or write.
    pub fn rebuild_index(path: impl AsRef<Path>) -> Result<Recovery> {
        let layout = Layout::create(path.as_ref())?;
        let _opening = layout.lock_opening()?;
        let _alone = layout.lock_alone()?;
        rebuild(&layout).map(|(_, report)| report)
    }
}

/// The index, and what had to be done to have one. The caller holds the lock for opening.
fn open_index(layout: &Layout) -> Result<(Index, Recovery)> {
    let path = layout.index();
    if path.exists() {
        match Index::open(&path) {
            Ok(index) => return Ok((index, Recovery::default())),
            Err(Error::IndexCorrupt { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let _alone = layout.lock_alone()?;
    let is_new = layout.segments()?.is_empty() && !layout.names_log().exists();
    let (index, mut report) = rebuild(layout)?;
    report.rebuilt = !is_new;
    Ok((index, report))
}
