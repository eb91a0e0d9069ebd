//! The bytes in which a folder is remembered.
//!
//! A record is a folder's entries, each with what the file system said and what it became; a folder
//! among them names the place of its own record, which lies before. Numbers are little-endian. A reader
//! takes what it understands: of a record that makes no sense the rest is not known, and what is not
//! known is read again.

use carpool_core::{Cid, cid_exact};
use carpool_unixfs::Root;

use super::stamp::{Stamp, Time};

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Symlink,
    Folder,
}

/// An entry of a folder, as it was when it was seen last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Saved<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) kind: Kind,
    pub(crate) stamp: Stamp,
    pub(crate) root: Root,
    /// It may have changed since without a trace in the stamp.
    pub(crate) unsure: bool,
    /// Its root is that of a sync from elsewhere: it has the file's bytes, and is not what an import
    /// here would make for sure.
    pub(crate) foreign: bool,
    /// Of a folder: something of its root was left out of it.
    pub(crate) partial: bool,
    /// Of a folder the place of its record.
    pub(crate) below: u64,
}

const UNSURE: u8 = 1;
const FOREIGN: u8 = 2;
const PARTIAL: u8 = 4;

/// Appends a record of `entries`, which are sorted by name; returns its place.
pub(crate) fn write<'a>(out: &mut Vec<u8>, entries: impl Iterator<Item = Saved<'a>>) -> u64 {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    let mut count: u32 = 0;
    for entry in entries {
        write_entry(out, &entry);
        count += 1;
    }
    out[at..at + 4].copy_from_slice(&count.to_le_bytes());
    at as u64
}

/// Appends one entry.
pub(crate) fn write_entry(out: &mut Vec<u8>, entry: &Saved<'_>) {
    let Saved { name, kind, stamp, root, unsure, foreign, partial, below } = *entry;
    out.push(match kind {
        Kind::File => 0,
        Kind::Symlink => 1,
        Kind::Folder => 2,
    });
    let flags = [(unsure, UNSURE), (foreign, FOREIGN), (partial, PARTIAL)];
    out.push(flags.iter().map(|(set, flag)| u8::from(*set) * flag).sum());
    // No system has names of 64 KiB, and one that is cut is a name that is not known.
    let len = u16::try_from(name.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&name[..len.into()]);
    write_stamp(out, &stamp);
    for number in [root.size, root.tsize, below] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    let cid = root.cid.to_bytes();
    out.push(u8::try_from(cid.len()).unwrap_or_default());
    out.extend_from_slice(&cid);
}

fn write_stamp(out: &mut Vec<u8>, stamp: &Stamp) {
    out.extend_from_slice(&stamp.size.to_le_bytes());
    for (seconds, nanos) in [stamp.mtime, stamp.ctime] {
        out.extend_from_slice(&seconds.to_le_bytes());
        out.extend_from_slice(&nanos.to_le_bytes());
    }
    out.extend_from_slice(&stamp.inode.to_le_bytes());
    out.extend_from_slice(&stamp.mode.to_le_bytes());
}

/// The entries of the record at `place`: those up to the first that makes no sense. Records of folders
/// below lie before it, so that none leads back to itself.
pub(crate) fn read(all: &[u8], place: u64) -> impl Iterator<Item = Saved<'_>> {
    let from = usize::try_from(place).unwrap_or(usize::MAX);
    let mut reader = Reader(all.get(from..).unwrap_or_default());
    let mut left = reader.u32().unwrap_or(0);
    let mut before: Option<&[u8]> = None;
    std::iter::from_fn(move || {
        left = left.checked_sub(1)?;
        let entry = reader.entry();
        let sound = entry.filter(|entry| {
            let in_order = before.is_none_or(|before| before < entry.name);
            in_order && (entry.kind != Kind::Folder || entry.below < place)
        });
        before = sound.map(|entry| entry.name);
        left = if sound.is_some() { left } else { 0 };
        sound
    })
}

/// One entry that stands by itself.
pub(crate) fn read_entry(bytes: &[u8]) -> Option<Saved<'_>> {
    Reader(bytes).entry()
}

pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn time(&mut self) -> Option<Time> {
        Some((self.array().map(i64::from_le_bytes)?, self.u32()?))
    }

    fn stamp(&mut self) -> Option<Stamp> {
        Some(Stamp {
            size: self.u64()?,
            mtime: self.time()?,
            ctime: self.time()?,
            inode: self.u64()?,
            mode: self.u32()?,
        })
    }

    fn entry(&mut self) -> Option<Saved<'a>> {
        let kind = match self.u8()? {
            0 => Kind::File,
            1 => Kind::Symlink,
            2 => Kind::Folder,
            _ => return None,
        };
        let flags = self.u8()?;
        let len = self.u16()?;
        let name = self.bytes(len.into())?;
        let stamp = self.stamp()?;
        let (size, tsize, below) = (self.u64()?, self.u64()?, self.u64()?);
        let [unsure, foreign, partial] = [UNSURE, FOREIGN, PARTIAL].map(|flag| flags & flag != 0);
        let root = Root { cid: self.cid()?, size, tsize };
        Some(Saved { name, kind, stamp, root, unsure, foreign, partial, below })
    }

    fn cid(&mut self) -> Option<Cid> {
        let len = self.u8()?;
        cid_exact(self.bytes(len.into())?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carpool_core::{Block, codec};
    use proptest::prelude::*;

    fn root(n: u8) -> Root {
        let block = Block::new(codec::RAW, vec![n].into());
        Root { cid: *block.cid(), size: 1, tsize: u64::from(n) }
    }

    fn saved(name: &[u8], kind: Kind, below: u64) -> Saved<'_> {
        let stamp =
            Stamp { size: 7, mtime: (-3, 4), ctime: (5, 6), inode: u64::MAX, mode: 0o100_644 };
        let (unsure, foreign) = (name == b"b", kind == Kind::Symlink);
        let partial = kind == Kind::Folder;
        Saved { name, kind, stamp, root: root(3), unsure, foreign, partial, below }
    }

    #[test]
    fn records_come_back() {
        let mut out = b"head".to_vec();
        let below = [saved(b"x", Kind::File, 0)];
        let at = write(&mut out, below.into_iter());
        let entries = [
            saved(b"a", Kind::Folder, at),
            saved(b"b", Kind::File, 0),
            saved(b"c", Kind::Symlink, 0),
        ];
        let top = write(&mut out, entries.into_iter());
        assert_eq!(read(&out, at).collect::<Vec<_>>(), below);
        assert_eq!(read(&out, top).collect::<Vec<_>>(), entries);
        let mut one = Vec::new();
        write_entry(&mut one, &entries[1]);
        assert_eq!(read_entry(&one), Some(entries[1]));
    }

    #[test]
    fn a_folder_that_leads_back_to_itself_is_not_known() {
        let mut out = b"head".to_vec();
        let at = write(&mut out, [saved(b"a", Kind::Folder, 4)].into_iter());
        assert_eq!((at, read(&out, at).count()), (4, 0));
    }

    #[test]
    fn names_out_of_order_or_twice_end_a_record() {
        for (second, read_of) in [(&b"b"[..], 1), (b"a", 1), (b"c", 2)] {
            let mut out = Vec::new();
            let entries = [saved(b"b", Kind::File, 0), saved(second, Kind::File, 0)];
            let at = write(&mut out, entries.into_iter());
            assert_eq!(read(&out, at).count(), read_of, "{second:?}");
        }
    }

    proptest! {
        #[test]
        fn garbage_is_read_to_its_end(bytes: Vec<u8>, place in 0..200_u64) {
            let entries = read(&bytes, place).count();
            prop_assert!(entries <= bytes.len());
        }

        /// Bytes that are nearly right reach what garbage does not.
        #[test]
        fn records_with_some_bytes_changed_are_read_to_their_ends(
            changes in prop::collection::vec((0..2000_usize, any::<u8>()), 1..20),
            cut in 0..2000_usize,
        ) {
            let mut out = Vec::new();
            let below = write(&mut out, [saved(b"x", Kind::File, 0)].into_iter());
            let names: Vec<Vec<u8>> = (0..9).map(|n| vec![b'a' + n; 3]).collect();
            let kinds = [Kind::File, Kind::Symlink, Kind::Folder];
            let entries = names.iter().zip(kinds.iter().cycle());
            let top = write(&mut out, entries.map(|(name, kind)| saved(name, *kind, below)));
            for (at, byte) in changes {
                let at = at % out.len();
                out[at] = byte;
            }
            out.truncate(cut.max(1));
            let (mut places, mut seen) = (vec![top], 0);
            while let Some(place) = places.pop() {
                for entry in read(&out, place) {
                    seen += 1;
                    prop_assert!(entry.kind != Kind::Folder || entry.below < place);
                    places.extend((entry.kind == Kind::Folder && seen < 1000).then_some(entry.below));
                }
            }
        }
    }
}
