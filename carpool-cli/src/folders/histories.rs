//! Histories of folders that nobody thought of: what is remembered never makes another root than an
//! import of everything, and a folder that is brought to a root becomes it.

use carpool_core::Cid;
use carpool_store::{BlockStore, MemoryStore};
use carpool_unixfs::{Metadata, Options, Profile};
use ignore::gitignore::Gitignore;
use proptest::prelude::*;
use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{
    Folder, MAX_ENTRIES, Memory, Place, Stamp, Wish, arrive, import_folder, plan, remembered, walk,
};
use crate::files::{Extracted, Importer, Selection, Tally, import};

/// Something that happens to a folder. Places are taken from a few, so that they meet.
#[derive(Clone, Debug)]
enum Event {
    Write(usize, u8, usize),
    Remove(usize),
    Rename(usize, usize),
    Folder(usize),
    Link(usize, usize),
}

const PLACES: [&str; 8] = ["a", "b", "in/a", "in/b", "in/deep/a", "in/deep", "other", "other/a"];

/// A few, so that sizes say little.
const LENGTHS: [usize; 4] = [0, 10, 1500, 2500];

impl Event {
    fn any() -> impl Strategy<Value = Self> {
        let place = || 0..PLACES.len();
        prop_oneof![
            4 => (place(), 0..3_u8, 0..4_usize).prop_map(|(p, b, n)| Self::Write(p, b, LENGTHS[n])),
            2 => place().prop_map(Self::Remove),
            1 => (place(), place()).prop_map(|(from, to)| Self::Rename(from, to)),
            1 => place().prop_map(Self::Folder),
            1 => (place(), place()).prop_map(|(at, to)| Self::Link(at, to)),
        ]
    }

    /// What cannot happen does not.
    fn happens_in(&self, dir: &Path) {
        let path = |place: usize| dir.join(PLACES[place]);
        let make_room = |path: &Path| {
            let _ = fs::create_dir_all(path.parent().expect("it is below"));
        };
        match *self {
            Self::Write(place, byte, len) => {
                make_room(&path(place));
                let _ = fs::write(path(place), vec![byte; len]);
            }
            Self::Remove(place) => {
                let _ = fs::remove_file(path(place)).or_else(|_| fs::remove_dir_all(path(place)));
            }
            Self::Rename(from, to) => {
                make_room(&path(to));
                let _ = fs::rename(path(from), path(to));
            }
            Self::Folder(place) => drop(fs::create_dir_all(path(place))),
            Self::Link(at, to) => {
                make_room(&path(at));
                #[cfg(unix)]
                let _ = std::os::unix::fs::symlink(PLACES[to], path(at));
            }
        }
    }
}

fn selection(metadata: bool) -> Selection {
    Selection {
        hidden: true,
        ignore: Gitignore::empty(),
        dereference: false,
        mode: metadata,
        mtime: metadata,
        excluded: Vec::new(),
    }
}

fn options(metadata: bool) -> Options {
    let profile = if metadata { Profile::CarpoolV1Meta } else { Profile::default() };
    let asked = carpool_unixfs::Overrides {
        chunking: "size-1000".parse().ok(),
        max_directory_links: Some(3),
        metadata,
        ..carpool_unixfs::Overrides::default()
    };
    Options::new(profile, &asked).expect("they fit together")
}

/// A folder, what is remembered of it, and where its blocks go.
struct Synced {
    room: tempfile::TempDir,
    place: Place,
    store: MemoryStore,
    options: Options,
    selection: Selection,
}

impl Synced {
    fn new(metadata: bool) -> Self {
        let room = tempfile::tempdir().unwrap();
        fs::create_dir(room.path().join("dir")).unwrap();
        let place = Place::of(&room.path().join("state"), &room.path().join("dir")).unwrap();
        let (options, selection) = (options(metadata), selection(metadata));
        Self { room, place, store: MemoryStore::default(), options, selection }
    }

    fn dir(&self) -> PathBuf {
        self.room.path().join("dir")
    }

    fn importer<'a>(&'a self, tally: &'a Tally) -> Importer<'a> {
        let (selection, options) = (&self.selection, &self.options);
        Importer { selection, options, empty_folders: true, wrap: false, tally }
    }

    /// An import of what changed.
    fn root(&self) -> Cid {
        let tally = Tally::default();
        let folder = Folder { dir: &self.dir(), place: &self.place, anew: false };
        let store: &dyn BlockStore = &self.store;
        let found = import_folder(&self.importer(&tally), folder, Some(store)).unwrap();
        if let Some(memory) = &found.memory {
            self.place.remember(memory).unwrap();
        }
        found.root.unwrap().cid
    }

    /// An import of everything.
    fn all(&self) -> Cid {
        let tally = Tally::default();
        import(&self.importer(&tally), &[self.dir()], None).unwrap().roots[0].1.cid
    }

    /// Brings the folder to a root in `store`.
    fn bring(&self, store: &MemoryStore, root: Cid) {
        let (dir, ignore, memory) = (self.dir(), Gitignore::empty(), self.place.memory());
        let (delete, force, max_entries, ignore) = (true, false, MAX_ENTRIES, &ignore);
        let wish = Wish { root, delete, force, ignore, max_entries, under_way: &[] };
        let looked = SystemTime::now();
        let stamp = || Stamp::of(&fs::metadata(&dir).unwrap());
        let known = memory.as_ref().and_then(Memory::top).map(|top| top.root);
        let tree = walk(&dir, memory.as_ref(), ignore);
        let mut plan = plan(store, &dir, &tree, stamp(), known, wish).unwrap();
        assert!(plan.edits.is_empty(), "{:?}", plan.edits);
        if plan.is_done() {
            return;
        }
        arrive(store, &dir, &mut plan, &Extracted::default()).unwrap();
        let root = carpool_unixfs::Root { cid: root, size: 0, tsize: 0 };
        let memory = remembered(&plan, &self.place, memory.as_ref(), looked, (stamp(), root));
        self.place.remember(&memory).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_is_remembered_makes_no_other_root(
        history in prop::collection::vec(prop::collection::vec(Event::any(), 0..4), 1..8),
        metadata: bool,
    ) {
        let synced = Synced::new(metadata);
        for events in history {
            events.iter().for_each(|event| event.happens_in(&synced.dir()));
            let root = synced.root();
            prop_assert_eq!(root, synced.all(), "after {:?}", events);
            prop_assert!(carpool_http::complete(&synced.store, root, &carpool_core::Limits::default()).unwrap());
        }
    }

    #[test]
    fn a_folder_that_is_brought_to_roots_becomes_them(
        history in prop::collection::vec(prop::collection::vec(Event::any(), 0..6), 1..6),
        metadata: bool,
    ) {
        let (there, here) = (Synced::new(metadata), Synced::new(metadata));
        for events in history {
            events.iter().for_each(|event| event.happens_in(&there.dir()));
            let root = there.root();
            here.bring(&there.store, root);
            prop_assert_eq!(here.all(), root, "after {:?}", events);
            // And what it is remembered as makes the same root again.
            prop_assert_eq!(here.root(), root);
        }
    }
}

#[test]
fn metadata_that_nobody_keeps_changes_nothing() {
    assert_eq!(Stamp::default().metadata(&selection(false)), Metadata::NONE);
}
