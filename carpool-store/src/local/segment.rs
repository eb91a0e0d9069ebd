use carpool_core::{Bytes, Cid, Multihash, codec};
use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, IoSlice, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::LazyLock,
};

use super::layout::{Layout, lock_file, sync_folder};
use crate::{Error, Result};

/// The header of every segment. Its one root is the empty identity CID `bafkqaaa`: a segment is no
/// DAG of its own, and the format wants a root.
pub(crate) static HEADER: LazyLock<Bytes> = LazyLock::new(|| {
    let empty = Multihash::wrap(carpool_core::IDENTITY, &[]).expect("nothing fits into 64 bytes");
    carpool_car::header(&[Cid::new_v1(codec::RAW, empty)])
});

/// A CAR file that this process, and no other, appends to.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) id: u32,
    pub(crate) path: PathBuf,
    pub(crate) file: File,
    /// Bytes that are whole. The file is as long, unless it is `torn`.
    pub(crate) len: u64,
    /// Whether a failed write left bytes behind that could not be cut off yet.
    torn: bool,
    _lock: Option<File>,
}

impl Segment {
    /// Locks the segment `id` for appending; `None` when another writer has it.
    pub(crate) fn lock(layout: &Layout, id: u32) -> Result<Option<Self>> {
        let path = layout.segment(id);
        let mut open = OpenOptions::new();
        let file = open.read(true).write(true).open(&path).map_err(|e| Error::io(&path, e))?;
        let Some(lock) = lock_for(&path, &file)? else { return Ok(None) };
        let len = file.metadata().map_err(|e| Error::io(&path, e))?.len();
        Ok(Some(Self { id, path, file, len, torn: false, _lock: lock }))
    }

    /// Makes the file of a segment `id`, empty; `false` when there is one.
    pub(crate) fn make(layout: &Layout, id: u32) -> Result<bool> {
        let path = layout.segment(id);
        match File::create_new(&path) {
            Ok(_) => sync_folder(&layout.blocks()).map(|()| true),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(e) => Err(Error::io(&path, e)),
        }
    }

    /// Writes the header into an empty segment.
    pub(crate) fn begin(&mut self) -> Result<()> {
        if self.len == 0 { self.append(&mut [IoSlice::new(&HEADER)]) } else { Ok(()) }
    }

    /// Appends all of `parts` or nothing.
    pub(crate) fn append(&mut self, parts: &mut [IoSlice<'_>]) -> Result<()> {
        if self.torn {
            self.truncate(self.len)?;
        }
        let bytes: u64 = parts.iter().map(|part| part.len() as u64).sum();
        match self.write_at_end(parts) {
            Ok(()) => {
                self.len += bytes;
                Ok(())
            }
            Err(source) => {
                self.torn = self.file.set_len(self.len).is_err();
                Err(Error::io(&self.path, source))
            }
        }
    }

    /// Cuts off all that follows the first `len` bytes.
    pub(crate) fn truncate(&mut self, len: u64) -> Result<()> {
        self.file.set_len(len).map_err(|e| Error::io(&self.path, e))?;
        self.len = len;
        self.torn = false;
        Ok(())
    }

    /// Makes what was appended survive a power loss.
    pub(crate) fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(|e| Error::io(&self.path, e))
    }

    fn write_at_end(&mut self, mut parts: &mut [IoSlice<'_>]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.len))?;
        IoSlice::advance_slices(&mut parts, 0);
        while !parts.is_empty() {
            match write_some(&mut self.file, parts) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => IoSlice::advance_slices(&mut parts, n),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

/// Locks of Windows forbid others to read, so there a file beside the segment is locked.
fn lock_for(path: &Path, file: &File) -> Result<Option<Option<File>>> {
    let beside = if cfg!(windows) { Some(lock_file(&path.with_extension("lock"))?) } else { None };
    match beside.as_ref().unwrap_or(file).try_lock() {
        Ok(()) => Ok(Some(beside)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(e)) => Err(Error::io(path, e)),
    }
}

#[cfg(not(test))]
fn write_some(file: &mut File, parts: &[IoSlice<'_>]) -> io::Result<usize> {
    io::Write::write_vectored(file, parts)
}

#[cfg(test)]
use super::full_disk::write_some;
