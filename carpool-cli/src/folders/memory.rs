//! What is remembered of folders from sync to sync, in the folder of the store.

use carpool_core::Cid;
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};
use xxhash_rust::xxh3::xxh3_128;

use super::record::{Reader, Saved, read_entry, write_entry};
use crate::failure::{Failure, Outcome};

/// The folder of all that is remembered, in that of the store.
const FOLDER: &str = "folders";
/// What a memory begins with; another version begins with something else.
const MAGIC: &[u8; 16] = b"carpool folder 1";
/// The end: the place of the folder's own entry, and a checksum of all before.
const TRAILER_BYTES: usize = 8 + 16;
/// Runs in a row that were cut short and are remembered; what one before them left counts as an edit.
const MAX_WAYS: usize = 16;
/// A memory that is larger is not read: it has at least 100 bytes a file.
const MAX_BYTES: u64 = 8 << 30;

/// Where one folder is remembered.
#[derive(Debug)]
pub(crate) struct Place {
    /// The folder's path without links in it.
    pub(crate) folder: PathBuf,
    all: PathBuf,
    key: String,
}

impl Place {
    /// Where the folder at `dir`, which exists, is remembered by the store at `store`.
    pub(crate) fn of(store: &Path, dir: &Path) -> Outcome<Self> {
        let folder = dir.canonicalize().map_err(|error| Failure::io(dir.display(), &error))?;
        let key = format!("{:032x}", xxh3_128(folder.as_os_str().as_encoded_bytes()));
        Ok(Self { folder, all: store.join(FOLDER), key })
    }

    fn file(&self, ending: &str) -> PathBuf {
        self.all.join(format!("{}.{ending}", self.key))
    }

    /// What is remembered. What is damaged, of another version or of another folder is nothing.
    pub(crate) fn memory(&self) -> Option<Memory> {
        let file = File::open(self.file("seen")).ok()?;
        if file.metadata().ok()?.len() > MAX_BYTES {
            return None;
        }
        let memory = Memory::parse(read(file).ok()?, self.folder.as_os_str().as_encoded_bytes())?;
        let doubted = memory.epoch != epoch(&self.all);
        Some(Memory { doubted, ..memory })
    }

    /// Remembers something else from now on: all of it or, where that fails, what it was.
    pub(crate) fn remember(&self, memory: &Memory) -> Outcome {
        self.replace("seen", &memory.bytes)
    }

    /// Begins a memory of this folder.
    pub(crate) fn begin(&self, settings: u128) -> Builder {
        let path = self.folder.as_os_str().as_encoded_bytes();
        Builder::new(path, settings, epoch(&self.all))
    }

    /// The roots to which the folder was being brought by runs that were cut short, since the last that
    /// was not.
    pub(crate) fn under_way(&self) -> Vec<Cid> {
        let text = fs::read_to_string(self.file("under-way")).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).take(MAX_WAYS).collect()
    }

    /// Notes that the folder is being brought to a root, with `before` of those before.
    pub(crate) fn begin_way(&self, root: &Cid, before: &[Cid]) -> Outcome {
        let others = before.iter().filter(|other| *other != root);
        let lines = std::iter::once(root).chain(others).take(MAX_WAYS);
        let text: String = lines.map(|root| format!("{root}\n")).collect();
        self.replace("under-way", text.as_bytes())
    }

    pub(crate) fn end_way(&self) {
        // Where it stays, one root more is looked at.
        let _ = fs::remove_file(self.file("under-way"));
    }

    /// Keeps other runs from changing the folder, until what is given back is dropped; `None` where
    /// one does.
    pub(crate) fn lock(&self) -> Outcome<Option<File>> {
        let path = self.file("lock");
        let failed = |error: io::Error| Failure::io(path.display(), &error);
        fs::create_dir_all(&self.all).map_err(failed)?;
        let file = File::create(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    fn replace(&self, ending: &str, bytes: &[u8]) -> Outcome {
        let path = self.file(ending);
        replace(&self.all, &path, bytes).map_err(|error| Failure::io(path.display(), &error))
    }
}

/// A store that has lost blocks may have lost those of files that did not change: all files are read
/// again by the next sync of each folder.
pub(crate) fn doubt(store: &Path) -> Outcome {
    let all = store.join(FOLDER);
    if !all.is_dir() {
        return Ok(());
    }
    let path = all.join("epoch");
    let next = epoch(&all).wrapping_add(1).to_string();
    replace(&all, &path, next.as_bytes()).map_err(|error| Failure::io(path.display(), &error))
}

/// How often the store has lost blocks.
fn epoch(all: &Path) -> u64 {
    let text = fs::read_to_string(all.join("epoch")).unwrap_or_default();
    text.parse().unwrap_or_default()
}

fn replace(all: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(all)?;
    let mut file = tempfile::Builder::new().prefix("new-").tempfile_in(all)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

fn read(mut file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut file, &mut bytes)?;
    Ok(bytes)
}

/// A folder as it was seen last.
#[derive(Debug)]
pub(crate) struct Memory {
    bytes: Vec<u8>,
    /// What decides what becomes of files, in short.
    pub(crate) settings: u128,
    epoch: u64,
    top: usize,
    /// Whether the store has lost blocks since.
    pub(crate) doubted: bool,
}

impl Memory {
    fn parse(bytes: Vec<u8>, folder: &[u8]) -> Option<Self> {
        let (body, checksum) = bytes.split_last_chunk::<16>()?;
        if xxh3_128(body).to_le_bytes() != *checksum {
            return None;
        }
        Self::parse_body(body, folder).map(|(settings, epoch, top)| Self {
            settings,
            epoch,
            top,
            doubted: false,
            bytes,
        })
    }

    fn parse_body(body: &[u8], folder: &[u8]) -> Option<(u128, u64, usize)> {
        let mut reader = Reader(body);
        if reader.bytes(MAGIC.len())? != MAGIC {
            return None;
        }
        let settings = u128::from_le_bytes(reader.bytes(16)?.try_into().ok()?);
        let epoch = reader.u64()?;
        let len = reader.u32()?;
        if reader.bytes(len.try_into().ok()?)? != folder {
            return None;
        }
        let (_, top) = body.split_last_chunk::<8>()?;
        let top = u64::from_le_bytes(*top).try_into().ok()?;
        (top <= body.len()).then_some((settings, epoch, top))
    }

    /// All of the records.
    pub(crate) fn records(&self) -> &[u8] {
        self.bytes.get(..self.bytes.len().saturating_sub(TRAILER_BYTES)).unwrap_or_default()
    }

    /// The folder itself.
    pub(crate) fn top(&self) -> Option<Saved<'_>> {
        read_entry(self.records().get(self.top..)?)
    }
}

/// A memory that is being made.
pub(crate) struct Builder {
    bytes: Vec<u8>,
    settings: u128,
    epoch: u64,
}

impl Builder {
    fn new(folder: &[u8], settings: u128, epoch: u64) -> Self {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&settings.to_le_bytes());
        bytes.extend_from_slice(&epoch.to_le_bytes());
        // Paths are shorter, and one that is not is remembered as another.
        bytes.extend_from_slice(&u32::try_from(folder.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(folder);
        Self { bytes, settings, epoch }
    }

    /// Appends a folder's record and returns its place.
    pub(crate) fn record<'a>(&mut self, entries: impl Iterator<Item = Saved<'a>>) -> u64 {
        super::record::write(&mut self.bytes, entries)
    }

    /// Ends with the folder itself.
    pub(crate) fn end(mut self, top: &Saved<'_>) -> Memory {
        let at = self.bytes.len();
        write_entry(&mut self.bytes, top);
        self.bytes.extend_from_slice(&(at as u64).to_le_bytes());
        let checksum = xxh3_128(&self.bytes);
        self.bytes.extend_from_slice(&checksum.to_le_bytes());
        let Self { bytes, settings, epoch } = self;
        Memory { bytes, settings, epoch, top: at, doubted: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folders::{
        record::{Kind, read},
        stamp::Stamp,
    };
    use carpool_core::{Block, codec};
    use carpool_unixfs::Root;
    use proptest::prelude::*;

    fn saved(name: &[u8], kind: Kind, below: u64) -> Saved<'_> {
        let cid = *Block::new(codec::RAW, name.to_vec().into()).cid();
        let root = Root { cid, size: 1, tsize: 2 };
        let stamp = Stamp::default();
        Saved { name, kind, stamp, root, unsure: false, foreign: false, partial: false, below }
    }

    fn made(builder: Builder) -> Memory {
        let mut builder = builder;
        let below = builder.record([saved(b"a", Kind::File, 0)].into_iter());
        builder.end(&saved(b"", Kind::Folder, below))
    }

    #[test]
    fn a_memory_comes_back() {
        let room = tempfile::tempdir().unwrap();
        let (store, dir) = (room.path().join("store"), room.path().join("dir"));
        fs::create_dir(&dir).unwrap();
        let place = Place::of(&store, &dir).unwrap();
        assert!(place.memory().is_none());
        place.remember(&made(place.begin(77))).unwrap();
        let memory = place.memory().unwrap();
        assert_eq!((memory.settings, memory.doubted), (77, false));
        let top = memory.top().unwrap();
        let names: Vec<_> = read(memory.records(), top.below).map(|entry| entry.name).collect();
        assert_eq!(names, [b"a"]);
        doubt(&store).unwrap();
        assert!(place.memory().unwrap().doubted);
        place.remember(&made(place.begin(77))).unwrap();
        assert!(!place.memory().unwrap().doubted);
    }

    #[test]
    fn another_folders_is_none() {
        let memory = made(Builder::new(b"/a", 1, 0));
        assert!(Memory::parse(memory.bytes.clone(), b"/b").is_none());
        assert!(Memory::parse(memory.bytes, b"/a").is_some());
    }

    #[test]
    fn another_version_is_none() {
        let mut bytes = made(Builder::new(b"/a", 1, 0)).bytes;
        bytes[15] = b'2';
        let body = bytes.len() - 16;
        let checksum = xxh3_128(&bytes[..body]).to_le_bytes();
        bytes[body..].copy_from_slice(&checksum);
        assert!(Memory::parse(bytes, b"/a").is_none());
    }

    #[test]
    fn so_many_runs_that_were_cut_short_are_remembered() {
        let room = tempfile::tempdir().unwrap();
        let place = Place::of(room.path(), room.path()).unwrap();
        let root = |n: usize| *Block::new(codec::RAW, n.to_string().into()).cid();
        for n in 0..MAX_WAYS + 1 {
            place.begin_way(&root(n), &place.under_way()).unwrap();
            place.begin_way(&root(n), &place.under_way()).unwrap();
        }
        let newest: Vec<Cid> = (1..=MAX_WAYS).rev().map(root).collect();
        assert_eq!(place.under_way(), newest);
        place.end_way();
        assert!(place.under_way().is_empty());
    }

    #[test]
    fn one_folder_is_changed_by_one_run() {
        let room = tempfile::tempdir().unwrap();
        let place = Place::of(room.path(), room.path()).unwrap();
        let held = place.lock().unwrap();
        assert!(held.is_some() && place.lock().unwrap().is_none());
        drop(held);
        assert!(place.lock().unwrap().is_some());
    }

    proptest! {
        #[test]
        fn garbage_is_none(bytes: Vec<u8>) {
            prop_assert!(Memory::parse(bytes, b"/a").is_none());
        }

        #[test]
        fn one_byte_changed_or_missing_is_none(at: prop::sample::Index, with: u8, cut: bool) {
            let sound = made(Builder::new(b"/a", 1, 0)).bytes;
            let at = at.index(sound.len());
            let mut bytes = sound.clone();
            if cut { bytes.truncate(at) } else { bytes[at] = with }
            prop_assume!(bytes != sound);
            prop_assert!(Memory::parse(bytes, b"/a").is_none());
        }

        /// Whoever makes the checksum right too gets no further than the bounds.
        #[test]
        fn with_its_checksum_made_right_it_is_read_within_bounds(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        ) {
            let mut bytes = made(Builder::new(b"/a", 1, 0)).bytes;
            let body = bytes.len() - 16;
            for (at, byte) in changes {
                bytes[at.index(body)] = byte;
            }
            let checksum = xxh3_128(&bytes[..body]).to_le_bytes();
            bytes[body..].copy_from_slice(&checksum);
            if let Some(memory) = Memory::parse(bytes, b"/a")
                && let Some(top) = memory.top()
            {
                prop_assert!(read(memory.records(), top.below).count() < 200);
            }
        }
    }
}
