//! The blocks of a CAR as a store that is only read, and hashes whatever it gives.

use carpool_core::{Block, Bytes, Cid, Unverified, identity_data, verify};
use carpool_store::{BlockStore, Error, Result};
use std::{
    ffi::OsStr,
    hash::{BuildHasher, RandomState},
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use super::{args::ReadFlags, heads::Heads, input::Input, seen::multihash};
use crate::{
    failure::{Exit, Failure, Outcome},
    output::Output,
};

/// Sections of a file whose places are kept at most, 24 bytes each.
const MAX_PLACES: usize = 1 << 26;

/// Sections of one multihash that are looked at for one whose bytes are right.
const MAX_TRIES: usize = 8;

/// Where the bytes of a block are.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// A hash of the multihash that strangers cannot foresee.
    key: u64,
    /// Of the block's bytes, from the start of the file.
    offset: u64,
    len: usize,
}

/// The blocks of a CAR, found by their multihash.
#[derive(Debug)]
pub(crate) struct CarBlocks {
    input: Mutex<Input>,
    shown: PathBuf,
    roots: Vec<Cid>,
    /// Sorted by key, and within a key by offset.
    places: Vec<Place>,
    keys: RandomState,
}

impl CarBlocks {
    /// Opens what the user named and finds out where its blocks are; what is no file is copied to
    /// a temporary one first.
    pub(crate) fn open(name: &OsStr, read: &ReadFlags, output: &Output) -> Outcome<Self> {
        let input = Input::open(name, &read.server)?.seekable(|what| output.note(what))?;
        Self::of(input, read)
    }

    /// As [`open`](Self::open), of an input that can be read at any place.
    pub(crate) fn of(input: Input, read: &ReadFlags) -> Outcome<Self> {
        let (keys, mut places) = (RandomState::new(), Vec::new());
        let mut heads = Heads::open(&input, read)?;
        let roots = heads.opening().header.roots.clone();
        while let Some(head) = heads.next()? {
            let len = usize::try_from(head.len).unwrap_or(usize::MAX);
            places.push(Place {
                key: keys.hash_one(multihash(head.cid)),
                offset: head.data_offset,
                len,
            });
            check_count(places.len())?;
        }
        places.sort_unstable_by_key(|place: &Place| (place.key, place.offset));
        let shown = PathBuf::from(input.shown());
        Ok(Self { input: Mutex::new(input), shown, roots, places, keys })
    }

    /// The roots that the header names.
    pub(crate) fn roots(&self) -> &[Cid] {
        &self.roots
    }

    /// The file that it is read from.
    pub(crate) fn with_input<T>(&self, f: impl FnOnce(&Input) -> T) -> T {
        f(&self.input.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn places(&self, cid: &Cid) -> &[Place] {
        let key = self.keys.hash_one(&cid.hash().to_bytes()[..]);
        let from = self.places.partition_point(|place| place.key < key);
        let rest = &self.places[from..];
        let until = rest.iter().take(MAX_TRIES).take_while(|place| place.key == key).count();
        &rest[..until]
    }

    fn read(&self, cid: &Cid, place: Place) -> Result<Unverified> {
        let read = self.with_input(|input| input.read_at(place.offset, place.len));
        let data = read.map_err(|failure| {
            let source = std::io::Error::other(failure.to_string());
            Error::Io { path: self.shown.clone(), source }
        })?;
        Ok(Unverified { cid: *cid, data: data.into() })
    }

    /// The bytes of a section after the first, where that was wrong.
    fn other(&self, cid: &Cid) -> Result<Bytes> {
        let places = self.places(cid);
        for &place in places.iter().skip(1) {
            if let [Ok(block)] = &verify(vec![self.read(cid, place)?])[..] {
                return Ok(block.data().clone());
            }
        }
        let offset = places.first().map_or(0, |place| place.offset);
        Err(Error::Mismatch { path: self.shown.clone(), cid: *cid, offset })
    }
}

fn check_count(places: usize) -> Outcome {
    if places <= MAX_PLACES {
        return Ok(());
    }
    let what = format_args!("more than {MAX_PLACES} sections; split the CAR first");
    Err(Failure::new(Exit::Refused, what))
}

impl BlockStore for CarBlocks {
    fn get_many(&self, cids: &[Cid]) -> Result<Vec<Option<Bytes>>> {
        let mut found = vec![None; cids.len()];
        let (mut at, mut batch) = (Vec::new(), Vec::new());
        for (n, cid) in cids.iter().enumerate() {
            if let Some(data) = identity_data(cid) {
                found[n] = Some(Bytes::copy_from_slice(data));
            } else if let Some(&place) = self.places(cid).first() {
                at.push(n);
                batch.push(self.read(cid, place)?);
            }
        }
        for (n, verdict) in at.into_iter().zip(verify(batch)) {
            found[n] =
                Some(verdict.map_or_else(|_| self.other(&cids[n]), |b| Ok(b.into_parts().1))?);
        }
        Ok(found)
    }

    fn has_many(&self, cids: &[Cid]) -> Result<Vec<bool>> {
        let has = |cid| identity_data(cid).is_some() || !self.places(cid).is_empty();
        Ok(cids.iter().map(has).collect())
    }

    fn size_many(&self, cids: &[Cid]) -> Result<Vec<Option<u64>>> {
        let size = |cid| match identity_data(cid) {
            Some(data) => Some(data.len() as u64),
            None => self.places(cid).first().map(|place| place.len as u64),
        };
        Ok(cids.iter().map(size).collect())
    }

    fn put_many(&self, _: &[Block]) -> Result<()> {
        let source = std::io::ErrorKind::ReadOnlyFilesystem.into();
        Err(Error::Io { path: self.shown.clone(), source })
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }
}
