use std::{
    collections::HashMap,
    fs::File,
    io,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use super::layout::Layout;

/// Segments that stay open for reading; beyond it all are closed and opened again as needed, so
/// that a store of many segments does not use up the process's file descriptors.
const MAX_OPEN: usize = 128;

/// The segments as they are read.
#[derive(Debug)]
pub(crate) struct Files {
    layout: Layout,
    open: RwLock<HashMap<u32, Arc<ReadFile>>>,
}

impl Files {
    pub(crate) fn new(layout: Layout) -> Self {
        Self { layout, open: RwLock::default() }
    }

    pub(crate) fn path(&self, segment: u32) -> PathBuf {
        self.layout.segment(segment)
    }

    pub(crate) fn get(&self, segment: u32) -> io::Result<Arc<ReadFile>> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = open.get(&segment) {
            return Ok(Arc::clone(file));
        }
        drop(open);
        let file = Arc::new(ReadFile::new(File::open(self.path(segment))?));
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= MAX_OPEN {
            open.clear();
        }
        open.insert(segment, Arc::clone(&file));
        Ok(file)
    }
}

/// A file that many threads read at once, each where it likes.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct ReadFile(File);

#[cfg(unix)]
impl ReadFile {
    const fn new(file: File) -> Self {
        Self(file)
    }

    /// The length of the file in bytes.
    pub(crate) fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    /// Fills `out` from byte `offset` on.
    pub(crate) fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.0, out, offset)
    }
}

/// A file that many threads read, one at a time.
#[cfg(not(unix))]
#[derive(Debug)]
pub(crate) struct ReadFile(std::sync::Mutex<File>);

#[cfg(not(unix))]
impl ReadFile {
    const fn new(file: File) -> Self {
        Self(std::sync::Mutex::new(file))
    }

    /// The length of the file in bytes.
    pub(crate) fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).metadata()?.len())
    }

    /// Fills `out` from byte `offset` on.
    pub(crate) fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        use io::{Read, Seek, SeekFrom};
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(out)
    }
}
