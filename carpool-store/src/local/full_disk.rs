//! A disk that fills up, for tests.
use std::{
    cell::Cell,
    fs::File,
    io::{self, IoSlice, Write},
};

use crate::{BlockStore, Error, LocalOptions, LocalStore, Recovery};
use carpool_core::{Block, codec};

thread_local! {
    /// How many bytes this thread may still write into segments.
    static ROOM: Cell<usize> = const { Cell::new(usize::MAX) };
}

pub(super) fn write_some(file: &mut File, parts: &[IoSlice<'_>]) -> io::Result<usize> {
    let room = ROOM.get();
    if room == usize::MAX {
        return file.write_vectored(parts);
    }
    let first = parts.iter().find(|part| !part.is_empty()).map_or(&[][..], |part| part);
    let n = file.write(&first[..first.len().min(room)])?;
    ROOM.set(room - n);
    if n == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(n) }
}

/// Runs `work` on a disk that has room for `room` more bytes of segments.
fn with_room<T>(room: usize, work: impl FnOnce() -> T) -> T {
    ROOM.set(room);
    let out = work();
    ROOM.set(usize::MAX);
    out
}

#[test]
fn a_write_that_fails_anywhere_leaves_only_whole_blocks() {
    let block = |n: u8| Block::new(codec::RAW, vec![n; 40 + usize::from(n % 2) * 9000].into());
    let (old, new) = ([1, 2, 3].map(block), [4, 5, 6].map(block));
    let all_cids = [&old[..], &new[..]].concat().iter().map(|b| *b.cid()).collect::<Vec<_>>();
    for room in (0..9000).step_by(277) {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::open(folder.path(), LocalOptions::default()).unwrap();
        store.put_many(&old).unwrap();
        let error = with_room(room, || store.put_many(&new)).unwrap_err();
        assert!(matches!(error, Error::DiskFull { path } if path.ends_with("00000001.car")));
        assert_eq!(store.has_many(&all_cids).unwrap(), [true, true, true, false, false, false]);
        store.put_many(&new).unwrap();
        assert!(store.get_many(&all_cids).unwrap().iter().all(Option::is_some));
        drop(store);
        let store = LocalStore::open(folder.path(), LocalOptions::default()).unwrap();
        assert_eq!(store.recovery(), Recovery::default());
        assert_eq!(store.scrub().unwrap().blocks, 6);
    }
}

#[test]
fn no_room_for_the_header() {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::open(folder.path(), LocalOptions::default()).unwrap();
    let block = Block::new(codec::RAW, "data".into());
    let error = with_room(30, || store.put(&block)).unwrap_err();
    assert!(matches!(error, Error::DiskFull { .. }));
    store.put(&block).unwrap();
    assert_eq!(store.get(block.cid()).unwrap().as_ref(), Some(block.data()));
}
