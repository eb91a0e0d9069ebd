use std::{
    fs::{self, File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
};

use crate::{Error, Result};

/// Where everything lies in the folder of a store.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout of the folder `root`, which is made if it is missing.
    pub(crate) fn create(root: &Path) -> Result<Self> {
        let layout = Self { root: root.to_owned() };
        let blocks = layout.blocks();
        if !blocks.is_dir() {
            fs::create_dir_all(&blocks).map_err(|e| Error::io(&blocks, e))?;
            sync_folder(root)?;
        }
        Ok(layout)
    }

    pub(crate) fn blocks(&self) -> PathBuf {
        self.root.join("blocks")
    }

    pub(crate) fn segment(&self, id: u32) -> PathBuf {
        self.blocks().join(format!("{id:08}.car"))
    }

    /// Where the bytes are kept that recovery cut off a segment from `offset` on.
    pub(crate) fn cut(&self, id: u32, offset: u64) -> PathBuf {
        self.blocks().join(format!("{id:08}.{offset}.cut"))
    }

    pub(crate) fn index(&self) -> PathBuf {
        self.root.join("index.sqlite")
    }

    pub(crate) fn names_log(&self) -> PathBuf {
        self.root.join("names.log")
    }

    /// Every segment's number and length in bytes, in order.
    pub(crate) fn segments(&self) -> Result<Vec<(u32, u64)>> {
        let blocks = self.blocks();
        let fail = |e| Error::io(&blocks, e);
        let mut found = Vec::new();
        for entry in fs::read_dir(&blocks).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            if let Some(id) = segment_id(&entry.path()) {
                found.push((id, entry.metadata().map_err(fail)?.len()));
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Makes a segment that another process appends to survive a power loss, as it is now.
    pub(crate) fn sync_segment(&self, id: u32) -> Result<()> {
        let path = self.segment(id);
        let open = OpenOptions::new().write(true).open(&path);
        open.and_then(|file| file.sync_data()).map_err(|e| Error::io(&path, e))
    }

    /// Held while a process opens the store, so that only one repairs it.
    pub(crate) fn lock_opening(&self) -> Result<File> {
        let path = self.root.join("open.lock");
        let file = lock_file(&path)?;
        file.lock().map_err(|e| Error::io(&path, e))?;
        Ok(file)
    }

    /// Held while a process has the store open, together with all others.
    pub(crate) fn lock_use(&self) -> Result<File> {
        let path = self.root.join("use.lock");
        let file = lock_file(&path)?;
        file.lock_shared().map_err(|e| Error::io(&path, e))?;
        Ok(file)
    }

    /// Held while the index is replaced; nobody may have the store open.
    pub(crate) fn lock_alone(&self) -> Result<File> {
        let path = self.root.join("use.lock");
        let file = lock_file(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(Error::InUse { path: self.root.clone() }),
            Err(TryLockError::Error(e)) => Err(Error::io(&path, e)),
        }
    }
}

fn segment_id(path: &Path) -> Option<u32> {
    let name = path.file_name()?.to_str()?.strip_suffix(".car")?;
    let whole = name.len() == 8 && name.bytes().all(|b| b.is_ascii_digit());
    whole.then(|| name.parse().ok()).flatten()
}

pub(crate) fn lock_file(path: &Path) -> Result<File> {
    let mut open = OpenOptions::new();
    open.write(true).create(true).truncate(false).open(path).map_err(|e| Error::io(path, e))
}

/// Makes the names in a folder survive a power loss.
pub(crate) fn sync_folder(path: &Path) -> Result<()> {
    // Only Unix opens folders as files; elsewhere the file system journals names by itself.
    if cfg!(unix) {
        File::open(path).and_then(|folder| folder.sync_all()).map_err(|e| Error::io(path, e))?;
    }
    Ok(())
}
