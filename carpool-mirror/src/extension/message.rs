use alloc::vec::Vec;
use carpool_bloom::Filter;
use carpool_core::{
    Bytes, Cid, CidList, Limits,
    cbor::{ARRAY, BYTES, MAP, Reader, TEXT, UNSIGNED, write_head},
    cid_exact, may_link,
};
use core::ops::Range;

use super::{CHECK_BYTES, MAX_BITMAP_BYTES, MAX_HELD, SESSION_BYTES};
use crate::{Error, sketch::Cells};

/// What a source may send beside what is named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// All that lies below.
    #[default]
    All,
    /// Blocks that can have links; others are held back until they are named.
    Interior,
    /// Nothing.
    Named,
}

impl Scope {
    const fn number(self) -> u64 {
        match self {
            Self::All => 0,
            Self::Interior => 1,
            Self::Named => 2,
        }
    }

    /// Whether a block that is not named may be sent.
    pub(crate) const fn takes(self, cid: &Cid) -> bool {
        match self {
            Self::All => true,
            Self::Interior => may_link(cid),
            Self::Named => false,
        }
    }

    fn of(number: u64) -> Option<Self> {
        [Self::All, Self::Interior, Self::Named].into_iter().find(|scope| scope.number() == number)
    }
}

/// Which links of the source's last round are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkBits {
    /// What [`Trail::check`](crate::Trail::check) is of the round.
    pub check: [u8; CHECK_BYTES],
    /// A [`bitmap`](crate::bitmap) with a bit for each link of the trail's blocks, in their order.
    pub bits: Vec<u8>,
}

/// The sink's extended message, for a source that is known to read it: a pull request, or the answer
/// to a push.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The root of the DAG that is transferred; needless where something is named.
    pub root: Option<Cid>,
    /// What is wanted; nothing, and no bitmap, stands for the root.
    pub want: Vec<Cid>,
    /// Roots that the sink holds with all that lies below them, the best first.
    pub held: Vec<Cid>,
    /// Blocks that the sink holds and does not want again. Without one the filter stays in force of
    /// the round that `links` speaks of.
    pub have: Option<Filter>,
    /// What may be sent beside what is named.
    pub scope: Scope,
    /// What is wanted of the last round's links, or of those of `parents`.
    pub links: Option<LinkBits>,
    /// Blocks that the sink holds, in place of what the last round sent.
    pub parents: Vec<Cid>,
    /// The name of the session, if there is one.
    pub session: Option<[u8; SESSION_BYTES]>,
    /// Cells of a sketch of what the sink holds, under a key that the source drew.
    pub cells: Option<Cells>,
}

/// The extended message as a source reads it: in little more memory than its bytes take.
#[derive(Clone, Debug)]
pub struct Asked {
    /// As [`Request::root`].
    pub root: Option<Cid>,
    /// What is wanted: without a bitmap, at least one.
    pub want: CidList,
    /// As [`Request::held`].
    pub held: Vec<Cid>,
    /// As [`Request::have`].
    pub have: Option<Filter>,
    /// As [`Request::scope`].
    pub scope: Scope,
    /// As [`Request::links`].
    pub links: Option<LinkBits>,
    /// As [`Request::parents`]: to be read in a [`Survey`](crate::Survey) first.
    pub parents: CidList,
    /// As [`Request::session`].
    pub session: Option<[u8; SESSION_BYTES]>,
    /// As [`Request::cells`].
    pub cells: Option<Cells>,
}

impl Request {
    /// The body: a DAG-CBOR map with keys of one letter, those that say nothing left out.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        write_head(&mut out, MAP, self.keys());
        if let Some(have) = &self.have {
            write_key(&mut out, "b");
            write_bytes(&mut out, have.as_bytes());
        }
        if let Some(cells) = &self.cells {
            write_key(&mut out, "c");
            write_head(&mut out, ARRAY, 3);
            write_head(&mut out, UNSIGNED, cells.number());
            write_head(&mut out, UNSIGNED, cells.first() as u64);
            write_bytes(&mut out, &cells.to_bytes());
        }
        write_cids(&mut out, "h", &self.held);
        if let Some(have) = &self.have {
            write_number(&mut out, "k", have.k().into());
        }
        if let Some(LinkBits { check, bits }) = &self.links {
            write_key(&mut out, "l");
            write_head(&mut out, ARRAY, 2);
            write_bytes(&mut out, check);
            write_bytes(&mut out, bits);
        }
        if self.scope != Scope::All {
            write_number(&mut out, "m", self.scope.number());
        }
        write_cids(&mut out, "p", &self.parents);
        if let Some(root) = &self.root {
            write_key(&mut out, "r");
            write_bytes(&mut out, &root.to_bytes());
        }
        if let Some(session) = &self.session {
            write_key(&mut out, "s");
            write_bytes(&mut out, session);
        }
        write_cids(&mut out, "w", &self.want);
        out
    }

    fn keys(&self) -> u64 {
        let Self { root, want, held, have, scope, links, parents, session, cells } = self;
        let filter = 2 * u64::from(have.is_some());
        let others = [
            !held.is_empty(),
            links.is_some(),
            !parents.is_empty(),
            *scope != Scope::All,
            root.is_some(),
            session.is_some(),
            cells.is_some(),
            !want.is_empty(),
        ];
        filter + others.map(u64::from).iter().sum::<u64>()
    }
}

impl Asked {
    /// Reads the body of a [`Request`]; what it claims is held to `limits` before anything is
    /// allocated, and the filter, which can be nearly all of the body, keeps its memory. `seed` is
    /// for the list, see [`CidMap`](carpool_core::CidMap).
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::TooManyWanted`], [`Error::TooManyHeld`], [`Error::Bloom`],
    /// [`Error::BitmapTooLong`], [`Error::TooManyCells`], [`Error::NoCells`].
    pub fn decode(mut body: Vec<u8>, limits: &Limits, seed: u64) -> Result<Self, Error> {
        let mut draft = Draft::new(seed);
        let mut reader = Reader::new(&body);
        let read = draft.read(&mut reader, limits);
        let (at, whole) = (reader.at() as u64, reader.rest().is_empty());
        let malformed = |expected| Error::Malformed { offset: at, expected };
        read.map_err(|fault| fault.unwrap_or_else(|| malformed("a known key")))?;
        if !whole {
            return Err(malformed("the end"));
        }
        draft.name_root().ok_or_else(|| malformed("a root"))?;
        if !draft.parents.is_empty() && draft.links.is_none() {
            return Err(malformed("a bitmap"));
        }
        let bits = draft.bits.len();
        body.copy_within(draft.bits, 0);
        body.truncate(bits);
        let bloom =
            carpool_bloom::Limits { max_bytes: limits.max_bloom_bytes, max_k: limits.max_bloom_k };
        let have = Filter::from_wire(body, draft.k, &bloom).map_err(Error::Bloom)?;
        let Draft { root, want, held, scope, links, parents, session, cells, .. } = draft;
        Ok(Self { root, want, held, have, scope, links, parents, session, cells })
    }
}

/// What was read of a message; the filter by its place.
struct Draft {
    bits: Range<usize>,
    k: u32,
    root: Option<Cid>,
    want: CidList,
    held: Vec<Cid>,
    scope: Scope,
    links: Option<LinkBits>,
    parents: CidList,
    session: Option<[u8; SESSION_BYTES]>,
    cells: Option<Cells>,
}

/// Keys that there are.
const KEYS: u64 = 10;

impl Draft {
    fn new(seed: u64) -> Self {
        let (want, parents) = (CidList::with_seed(seed), CidList::with_seed(seed));
        let (root, links, session, cells) = (None, None, None, None);
        let (bits, k, held, scope) = (0..0, 0, Vec::new(), Scope::All);
        Self { bits, k, root, want, held, scope, links, parents, session, cells }
    }

    fn read(&mut self, reader: &mut Reader<'_>, limits: &Limits) -> Result<(), Fault> {
        let keys = reader.head(MAP).filter(|keys| *keys <= KEYS).ok_or(None)?;
        for _ in 0..keys {
            match reader.string(TEXT).ok_or(None)? {
                b"b" => self.bits = read_place(reader).ok_or(None)?,
                b"c" => self.cells = Some(read_cells(reader)?),
                b"h" => self.held = read_held(reader)?,
                b"k" => self.k = read_k(reader).ok_or(None)?,
                b"l" => self.links = Some(read_links(reader)?),
                b"m" => self.scope = reader.head(UNSIGNED).and_then(Scope::of).ok_or(None)?,
                b"p" => read_list(reader, &mut self.parents, limits.max_wanted as u64)?,
                b"r" => self.root = Some(read_cid(reader).ok_or(None)?),
                b"s" => self.session = Some(read_exact(reader).ok_or(None)?),
                b"w" => read_list(reader, &mut self.want, limits.max_wanted as u64)?,
                _ => return Err(None),
            }
        }
        Ok(())
    }

    /// Whoever names nothing wants the root, and held roots and cells are held against one; `None`
    /// where there should be one and is not.
    fn name_root(&mut self) -> Option<()> {
        let names = !self.want.is_empty() || self.links.is_some();
        if names && self.held.is_empty() && self.cells.is_none() {
            return Some(());
        }
        let root = self.root?;
        if !names {
            self.want.push(&root);
        }
        Some(())
    }
}

/// `None` where a value is not of the form that its key has.
type Fault = Option<Error>;

/// What is named, or whose links are.
fn read_list(reader: &mut Reader<'_>, list: &mut CidList, max: u64) -> Result<(), Fault> {
    let wanted = reader.head(ARRAY).ok_or(None)?;
    if wanted > max {
        return Err(Some(Error::TooManyWanted { wanted, max }));
    }
    for _ in 0..wanted {
        list.push(&read_cid(reader).ok_or(None)?);
    }
    Ok(())
}

/// Where the bytes of a string lie.
fn read_place(reader: &mut Reader<'_>) -> Option<Range<usize>> {
    let bytes = reader.string(BYTES)?;
    Some(reader.at() - bytes.len()..reader.at())
}

fn read_held(reader: &mut Reader<'_>) -> Result<Vec<Cid>, Fault> {
    let (held, max) = (reader.head(ARRAY).ok_or(None)?, MAX_HELD as u64);
    if held > max {
        return Err(Some(Error::TooManyHeld { held, max }));
    }
    (0..held).map(|_| read_cid(reader).ok_or(None)).collect()
}

fn read_k(reader: &mut Reader<'_>) -> Option<u32> {
    u32::try_from(reader.head(UNSIGNED)?).ok()
}

fn read_links(reader: &mut Reader<'_>) -> Result<LinkBits, Fault> {
    reader.head(ARRAY).filter(|parts| *parts == 2).ok_or(None)?;
    let check = read_exact(reader).ok_or(None)?;
    let bits = reader.string(BYTES).ok_or(None)?;
    let (bytes, max) = (bits.len() as u64, MAX_BITMAP_BYTES as u64);
    if bytes > max {
        return Err(Some(Error::BitmapTooLong { bytes, max }));
    }
    Ok(LinkBits { check, bits: bits.to_vec() })
}

fn read_cells(reader: &mut Reader<'_>) -> Result<Cells, Fault> {
    reader.head(ARRAY).filter(|parts| *parts == 3).ok_or(None)?;
    let number = reader.head(UNSIGNED).ok_or(None)?;
    let first = reader.head(UNSIGNED).ok_or(None)?;
    Cells::from_bytes(number, first, reader.string(BYTES).ok_or(None)?).map_err(Some)
}

fn read_exact<const N: usize>(reader: &mut Reader<'_>) -> Option<[u8; N]> {
    reader.string(BYTES)?.try_into().ok()
}

fn read_cid(reader: &mut Reader<'_>) -> Option<Cid> {
    cid_exact(reader.string(BYTES)?).ok()
}

fn write_key(out: &mut Vec<u8>, key: &str) {
    write_head(out, TEXT, key.len() as u64);
    out.extend_from_slice(key.as_bytes());
}

fn write_number(out: &mut Vec<u8>, key: &str, number: u64) {
    write_key(out, key);
    write_head(out, UNSIGNED, number);
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_head(out, BYTES, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn write_cids(out: &mut Vec<u8>, key: &str, cids: &[Cid]) {
    if cids.is_empty() {
        return;
    }
    write_key(out, key);
    write_head(out, ARRAY, cids.len() as u64);
    cids.iter().for_each(|cid| write_bytes(out, &cid.to_bytes()));
}

impl From<Request> for Bytes {
    fn from(request: Request) -> Self {
        request.encode().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use carpool_core::{Block, codec};

    fn cid(name: u8) -> Cid {
        *Block::new(codec::DAG_CBOR, vec![name].into()).cid()
    }

    fn filter() -> Filter {
        Filter::new(carpool_bloom::Params::for_items(10))
    }

    fn links(bytes: usize) -> Option<LinkBits> {
        Some(LinkBits { check: [7; 8], bits: vec![1; bytes] })
    }

    /// Of zeros, cell 0 among them.
    fn cells(first: u64, cells: usize) -> Option<Cells> {
        let bytes = vec![0; cells * carpool_bloom::sketch::Cell::BYTES];
        Some(Cells::from_bytes(u64::MAX, first, &bytes).expect("few cells"))
    }

    fn of_root() -> Request {
        Request { root: Some(cid(1)), ..Request::default() }
    }

    /// What is read of a message, as it would be written.
    fn read(request: &Request, limits: &Limits) -> Result<Request, Error> {
        let asked = Asked::decode(request.encode(), limits, 0)?;
        let Asked { root, want, held, have, scope, links, parents, session, cells } = asked;
        let parents = parents.iter().collect();
        let want: Vec<Cid> = want.iter().collect();
        let want = if root.is_some_and(|root| want == [root]) { Vec::new() } else { want };
        Ok(Request { root, want, held, have, scope, links, parents, session, cells })
    }

    #[test]
    fn messages_come_back_and_are_small() {
        for request in [
            of_root(),
            Request { want: vec![cid(5), cid(6)], held: vec![cid(2)], ..of_root() },
            Request { held: vec![cid(2)], have: Some(filter()), ..of_root() },
            Request { have: Some(filter()), scope: Scope::Interior, ..of_root() },
            Request { want: vec![cid(5)], ..Request::default() },
            Request { links: links(3), scope: Scope::Named, ..Request::default() },
            Request { links: links(0), want: vec![cid(4)], ..Request::default() },
            Request { links: links(2), parents: vec![cid(7), cid(8)], ..Request::default() },
            Request { links: links(1), session: Some([9; 16]), ..of_root() },
            Request { cells: cells(0, 256), ..of_root() },
            Request { cells: cells(256, 769), want: vec![cid(4)], ..of_root() },
        ] {
            assert_eq!(read(&request, &Limits::default()), Ok(request));
        }
        let known = Request { held: vec![cid(2)], ..of_root() };
        assert_eq!(known.encode().len(), 82, "within 120 bytes");
        let level = Request { links: links(5), scope: Scope::Named, ..Request::default() };
        assert_eq!(level.encode().len(), 14 + 3 + 5);
        let sketch = Request { cells: cells(0, 256), ..of_root() };
        assert_eq!(sketch.encode().len(), 41 + 16 + 2560);
    }

    #[test]
    fn every_count_has_its_limit() {
        let request = |want: u8, held: u8| Request {
            want: (0..want).map(cid).collect(),
            held: (0..held).map(cid).collect(),
            ..of_root()
        };
        let bits = |bytes| Request { links: links(bytes), ..Request::default() };
        let parents = |n: u8| Request { parents: (0..n).map(cid).collect(), ..bits(1) };
        let mut limits = Limits::default();
        limits.max_wanted = 3;
        let (bytes, max) = (MAX_BITMAP_BYTES as u64 + 1, MAX_BITMAP_BYTES as u64);
        for (request, fault) in [
            (request(3, 16), None),
            (request(4, 0), Some(Error::TooManyWanted { wanted: 4, max: 3 })),
            (parents(3), None),
            (parents(4), Some(Error::TooManyWanted { wanted: 4, max: 3 })),
            (request(0, 17), Some(Error::TooManyHeld { held: 17, max: 16 })),
            (bits(MAX_BITMAP_BYTES), None),
            (bits(MAX_BITMAP_BYTES + 1), Some(Error::BitmapTooLong { bytes, max })),
        ] {
            assert_eq!(read(&request, &limits).err(), fault);
        }
    }

    #[test]
    fn what_is_no_message_says_where() {
        let decode = |bytes: &[u8]| Asked::decode(bytes.to_vec(), &Limits::default(), 0);
        let good = Request { held: vec![cid(2)], ..of_root() }.encode();
        for end in 0..good.len() {
            assert!(decode(&good[..end]).is_err(), "cut at {end}");
        }
        let mut long = good;
        long.push(0);
        let fault = |bytes: &[u8]| decode(bytes).err();
        assert_eq!(fault(&long), Some(Error::Malformed { offset: 82, expected: "the end" }));
        let table: [(&[u8], u64, &'static str); 8] = [
            (b"\xa1\x61c\x82\x00\x00", 4, "a known key"),
            (b"\xa1\x61c\x83\x00\x20\x40", 5, "a known key"),
            (&[0xa0], 1, "a root"),
            (b"\xa1\x61m\x02", 4, "a root"),
            (b"\xa1\x61m\x03", 4, "a known key"),
            (b"\xa1\x61x\x00", 3, "a known key"),
            (b"\xa1\x61l\x82\x47\x00\x00\x00\x00\x00\x00\x00\x40", 12, "a known key"),
            (
                b"\xa1\x61s\x4f\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
                19,
                "a known key",
            ),
        ];
        for (bytes, offset, expected) in table {
            assert_eq!(fault(bytes), Some(Error::Malformed { offset, expected }), "{bytes:?}");
        }
        let held = Request { held: vec![cid(2)], links: links(1), ..Request::default() };
        assert!(decode(&held.encode()).is_err(), "nothing to hold them against");
        let sketch = Request { want: vec![cid(2)], cells: cells(0, 1), ..Request::default() };
        assert!(decode(&sketch.encode()).is_err(), "nor these");
    }
}
