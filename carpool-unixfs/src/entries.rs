use alloc::vec::Vec;

use carpool_core::Cid;

use crate::{Error, murmur::murmur3_x64_64};

/// Bytes of one page of entries.
const PAGE: usize = 64 << 10;
/// Bytes before each entry's name and CID: their lengths and the `Tsize`.
const HEAD: usize = 4 + 1 + 8;

/// The entries of a directory being built: 16 bytes of index each, and in a page its `HEAD`, name
/// and binary CID. With a name of 20 bytes and a CID of 36 that is 85 bytes, and up to 101 with the
/// index's spare room.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    pages: Vec<Vec<u8>>,
    index: Vec<Record>,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    hash: u64,
    page: u32,
    offset: u32,
}

/// One entry, borrowed.
#[derive(Clone, Copy)]
pub(crate) struct EntryRef<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) cid: &'a [u8],
    pub(crate) tsize: u64,
}

impl Entries {
    pub(crate) const fn len(&self) -> usize {
        self.index.len()
    }

    pub(crate) fn push(&mut self, name: &[u8], cid: &Cid, tsize: u64) {
        let cid = cid.to_bytes();
        let needed = HEAD + name.len() + cid.len();
        let fits = self.pages.last().is_some_and(|page| page.len() + needed <= PAGE);
        if !fits {
            // The first page grows as it fills: most directories are small.
            let first = self.pages.is_empty();
            self.pages.push(Vec::with_capacity(if first { needed } else { needed.max(PAGE) }));
        }
        let number = self.pages.len() - 1;
        let page = &mut self.pages[number];
        let place = "pages and offsets stay below 2^32";
        self.index.push(Record {
            hash: 0,
            page: u32::try_from(number).expect(place),
            offset: u32::try_from(page.len()).expect(place),
        });
        page.extend(u32::try_from(name.len()).expect("a name is below 4 GiB").to_le_bytes());
        page.push(u8::try_from(cid.len()).expect("a CID has 104 bytes at most"));
        page.extend(tsize.to_le_bytes());
        page.extend(name);
        page.extend(cid);
    }

    /// The entry at a place of the present order.
    pub(crate) fn get(&self, at: usize) -> EntryRef<'_> {
        entry(&self.pages, self.index[at])
    }

    /// The hash at a place of the present order, after [`Self::sort_by_hash`].
    pub(crate) fn hash(&self, at: usize) -> u64 {
        self.index[at].hash
    }

    pub(crate) fn sort_by_name(&mut self) -> Result<(), Error> {
        let pages = &self.pages;
        self.index.sort_unstable_by_key(|record| entry(pages, *record).name);
        self.refuse_twins(|_, _| false)
    }

    /// Sorts by hash. `undivided` says of two hashes whether no level of shards tells them apart.
    pub(crate) fn sort_by_hash(
        &mut self,
        undivided: impl Fn(u64, u64) -> bool,
    ) -> Result<(), Error> {
        let pages = &self.pages;
        for record in &mut self.index {
            record.hash = murmur3_x64_64(entry(pages, *record).name);
        }
        self.index.sort_unstable_by_key(|record| (record.hash, entry(pages, *record).name));
        self.refuse_twins(undivided)
    }

    fn refuse_twins(&self, undivided: impl Fn(u64, u64) -> bool) -> Result<(), Error> {
        for pair in self.index.windows(2) {
            let [a, b] = [pair[0], pair[1]].map(|record| entry(&self.pages, record).name);
            if a == b {
                return Err(Error::DuplicateName { cid: None, name: a.into() });
            }
            if undivided(pair[0].hash, pair[1].hash) {
                return Err(Error::HashCollision { first: a.into(), second: b.into() });
            }
        }
        Ok(())
    }
}

fn entry(pages: &[Vec<u8>], record: Record) -> EntryRef<'_> {
    let bytes = &pages[record.page as usize][record.offset as usize..];
    let (head, rest) = bytes.split_first_chunk::<HEAD>().expect("written by push");
    let (name_len, rest_head) = head.split_first_chunk::<4>().expect("HEAD is longer");
    let (cid_len, tsize) = rest_head.split_first_chunk::<1>().expect("HEAD is longer");
    let (name, rest) = rest.split_at(u32::from_le_bytes(*name_len) as usize);
    let tsize = tsize.first_chunk().expect("HEAD ends with eight bytes");
    EntryRef { name, cid: &rest[..usize::from(cid_len[0])], tsize: u64::from_le_bytes(*tsize) }
}
