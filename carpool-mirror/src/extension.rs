//! The negotiated extension, version 1: `docs/extension.md` is its specification.

use alloc::{format, string::String, vec::Vec};
use carpool_bloom::Filter;
use carpool_core::{
    Bytes, Cid, CidList, Limits,
    cbor::{ARRAY, BYTES, MAP, Reader, TEXT, UNSIGNED, write_head},
    cid_exact,
};
use core::ops::Range;

use crate::Error;

/// The header of requests and answers.
pub const HEADER: &str = "car-mirror-ext";
/// The content type of an extended request.
pub const CONTENT_TYPE: &str = "application/vnd.carpool.mirror.v1+cbor";
/// The most held roots that a request may name.
pub const MAX_HELD: usize = 16;
/// The most bytes of a header's value.
pub const MAX_HEADER_BYTES: usize = 4096;
/// Bytes of a session's name: a number that the sink draws at random.
pub const SESSION_BYTES: usize = 16;

const VERSION: &str = "v=1";

/// What the header of a request says: roots that the sink holds with all that lies below them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// The root of the DAG that is transferred, where the message beside the header wants others.
    pub root: Option<Cid>,
    /// The roots that are held, the best first; at most [`MAX_HELD`] count.
    pub held: Vec<Cid>,
    /// The session under which the source may remember what it sends.
    pub session: Option<[u8; SESSION_BYTES]>,
}

impl Offer {
    /// The header's value.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut value = String::from(VERSION);
        if let Some(root) = &self.root {
            value += &format!("; root={root}");
        }
        for (i, cid) in self.held.iter().take(MAX_HELD).enumerate() {
            value += &if i == 0 { format!("; held={cid}") } else { format!(",{cid}") };
        }
        if let Some(session) = self.session {
            value += &format!("; session={:032x}", u128::from_be_bytes(session));
        }
        value
    }

    /// Reads a header's value. `None` for one that is too long, of another version, or damaged: then
    /// the request is one without a header.
    #[must_use]
    pub fn decode(value: &str) -> Option<Self> {
        let mut offer = Self::default();
        for (key, value) in parameters(value)? {
            match key {
                "root" => offer.root = Some(value.parse().ok()?),
                "held" => offer.held = cids(value)?,
                "session" => offer.session = Some(session(value)?),
                _ => {}
            }
        }
        Some(offer)
    }
}

/// What the header of an answer says; that there is one says that extended requests are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Whether what was sent is the difference to a root that the request named.
    pub used_held: bool,
    /// Whether the source remembers what it sends here for the session that the request named.
    pub memory: Memory,
}

/// What a source remembers of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Memory {
    /// Nothing.
    #[default]
    None,
    /// What it sends from here on: it knows of no round before.
    Begun,
    /// What it sends, and what it sent in the rounds before.
    Kept,
}

impl Answer {
    /// The header's value.
    #[must_use]
    pub const fn encode(self) -> &'static str {
        match (self.used_held, self.memory) {
            (false, Memory::None) => VERSION,
            (true, Memory::None) => "v=1; used=held",
            (false, Memory::Begun) => "v=1; session=new",
            (true, Memory::Begun) => "v=1; used=held; session=new",
            (false, Memory::Kept) => "v=1; session=kept",
            (true, Memory::Kept) => "v=1; used=held; session=kept",
        }
    }

    /// As [`Offer::decode`].
    #[must_use]
    pub fn decode(value: &str) -> Option<Self> {
        let mut answer = Self::default();
        for parameter in parameters(value)? {
            match parameter {
                ("used", "held") => answer.used_held = true,
                ("session", "new") => answer.memory = Memory::Begun,
                ("session", "kept") => answer.memory = Memory::Kept,
                _ => {}
            }
        }
        Some(answer)
    }
}

/// The parameters behind the version.
fn parameters(value: &str) -> Option<impl Iterator<Item = (&str, &str)>> {
    let mut parts = value.split(';').map(str::trim);
    let known = value.len() <= MAX_HEADER_BYTES && parts.next() == Some(VERSION);
    known.then(|| parts.filter_map(|part| part.split_once('=')))
}

/// 32 hexadecimal digits, and nothing else.
fn session(value: &str) -> Option<[u8; SESSION_BYTES]> {
    let digits = value.len() == 2 * SESSION_BYTES && value.bytes().all(|c| c.is_ascii_hexdigit());
    let number = digits.then(|| u128::from_str_radix(value, 16).ok()).flatten()?;
    Some(number.to_be_bytes())
}

fn cids(value: &str) -> Option<Vec<Cid>> {
    value.split(',').take(MAX_HELD).map(|cid| cid.trim().parse().ok()).collect()
}

/// An extended pull request, for a source that is known to read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The root of the DAG that is transferred.
    pub root: Cid,
    /// What is wanted; nothing stands for the root.
    pub want: Vec<Cid>,
    /// Roots that the sink holds with all that lies below them, the best first.
    pub held: Vec<Cid>,
    /// Blocks that the sink holds and does not want again.
    pub have: Option<Filter>,
    /// As [`Offer::session`].
    pub session: Option<[u8; SESSION_BYTES]>,
}

/// An extended pull request as a source reads it: in little more memory than its bytes take.
#[derive(Clone, Debug)]
pub struct Asked {
    /// As [`Request::root`].
    pub root: Cid,
    /// What is wanted, at least one.
    pub want: CidList,
    /// As [`Request::held`].
    pub held: Vec<Cid>,
    /// As [`Request::have`].
    pub have: Option<Filter>,
    /// As [`Offer::session`].
    pub session: Option<[u8; SESSION_BYTES]>,
}

impl Request {
    /// The body: a DAG-CBOR map with keys of one letter, those that say nothing left out.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let lists = [("h", &self.held), ("w", &self.want)];
        let named = lists.iter().filter(|(_, list)| !list.is_empty()).count();
        let mut out = Vec::new();
        let filter = 2 * usize::from(self.have.is_some());
        let session = usize::from(self.session.is_some());
        write_head(&mut out, MAP, (1 + named + filter + session) as u64);
        if let Some(have) = &self.have {
            write_key(&mut out, "b");
            write_bytes(&mut out, have.as_bytes());
        }
        write_cids(&mut out, "h", &self.held);
        if let Some(have) = &self.have {
            write_key(&mut out, "k");
            write_head(&mut out, UNSIGNED, u64::from(have.k()));
        }
        write_key(&mut out, "r");
        write_bytes(&mut out, &self.root.to_bytes());
        if let Some(session) = &self.session {
            write_key(&mut out, "s");
            write_bytes(&mut out, session);
        }
        write_cids(&mut out, "w", &self.want);
        out
    }
}

impl Asked {
    /// Reads the body of a [`Request`]; what it claims is held to `limits` before anything is
    /// allocated, and the filter, which can be nearly all of the body, keeps its memory. `seed` is
    /// for the list, see [`CidMap`](carpool_core::CidMap).
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::TooManyWanted`], [`Error::TooManyHeld`], [`Error::Bloom`].
    pub fn decode(mut body: Vec<u8>, limits: &Limits, seed: u64) -> Result<Self, Error> {
        let mut draft = Draft::new(seed);
        let mut reader = Reader::new(&body);
        let read = draft.read(&mut reader, limits);
        let (at, whole) = (reader.at() as u64, reader.rest().is_empty());
        let malformed = |expected| Error::Malformed { offset: at, expected };
        read.map_err(|fault| fault.unwrap_or_else(|| malformed("a known key")))?;
        let root = draft.root.ok_or_else(|| malformed("a root"))?;
        if !whole {
            return Err(malformed("the end"));
        }
        if draft.want.is_empty() {
            draft.want.push(&root);
        }
        let bits = draft.bits.len();
        body.copy_within(draft.bits, 0);
        body.truncate(bits);
        let bloom =
            carpool_bloom::Limits { max_bytes: limits.max_bloom_bytes, max_k: limits.max_bloom_k };
        let have = Filter::from_wire(body, draft.k, &bloom).map_err(Error::Bloom)?;
        Ok(Self { root, want: draft.want, held: draft.held, have, session: draft.session })
    }
}

/// What was read of a request; the filter by its place.
struct Draft {
    bits: Range<usize>,
    k: u32,
    root: Option<Cid>,
    want: CidList,
    held: Vec<Cid>,
    session: Option<[u8; SESSION_BYTES]>,
}

impl Draft {
    fn new(seed: u64) -> Self {
        let (want, held) = (CidList::with_seed(seed), Vec::new());
        Self { bits: 0..0, k: 0, root: None, want, held, session: None }
    }

    fn read(&mut self, reader: &mut Reader<'_>, limits: &Limits) -> Result<(), Fault> {
        let keys = reader.head(MAP).filter(|keys| *keys <= 6).ok_or(None)?;
        for _ in 0..keys {
            match reader.string(TEXT).ok_or(None)? {
                b"b" => self.bits = read_place(reader).ok_or(None)?,
                b"h" => self.held = read_held(reader)?,
                b"k" => self.k = read_k(reader).ok_or(None)?,
                b"r" => self.root = Some(read_cid(reader).ok_or(None)?),
                b"s" => self.session = Some(read_session(reader).ok_or(None)?),
                b"w" => self.read_want(reader, limits.max_wanted as u64)?,
                _ => return Err(None),
            }
        }
        Ok(())
    }

    fn read_want(&mut self, reader: &mut Reader<'_>, max: u64) -> Result<(), Fault> {
        let wanted = reader.head(ARRAY).ok_or(None)?;
        if wanted > max {
            return Err(Some(Error::TooManyWanted { wanted, max }));
        }
        for _ in 0..wanted {
            self.want.push(&read_cid(reader).ok_or(None)?);
        }
        Ok(())
    }
}

/// `None` where a value is not of the form that its key has.
type Fault = Option<Error>;

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

fn read_session(reader: &mut Reader<'_>) -> Option<[u8; SESSION_BYTES]> {
    reader.string(BYTES)?.try_into().ok()
}

fn read_cid(reader: &mut Reader<'_>) -> Option<Cid> {
    cid_exact(reader.string(BYTES)?).ok()
}

fn write_key(out: &mut Vec<u8>, key: &str) {
    write_head(out, TEXT, key.len() as u64);
    out.extend_from_slice(key.as_bytes());
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
    use alloc::{string::ToString, vec};
    use carpool_core::{Block, codec};

    fn cid(name: u8) -> Cid {
        *Block::new(codec::DAG_CBOR, vec![name].into()).cid()
    }

    #[test]
    fn headers_come_back() {
        for offer in [
            Offer::default(),
            Offer { root: Some(cid(1)), held: vec![cid(2)], session: Some([7; 16]) },
            Offer { root: None, held: (0..16).map(cid).collect(), session: Some([0; 16]) },
        ] {
            let value = offer.encode();
            assert!(value.len() <= MAX_HEADER_BYTES);
            assert_eq!(Offer::decode(&value), Some(offer));
        }
        for memory in [Memory::None, Memory::Begun, Memory::Kept] {
            for used_held in [false, true] {
                let answer = Answer { used_held, memory };
                assert_eq!(Answer::decode(answer.encode()), Some(answer));
            }
        }
    }

    #[test]
    fn a_header_that_is_not_understood_is_none() {
        let long = "x".repeat(MAX_HEADER_BYTES - VERSION.len() - 3);
        let table = [
            ("", false),
            ("v=2", false),
            ("v=1", true),
            ("v=1; new=thing; held=", false),
            ("v=1; new=thing", true),
            ("v=1; held=nonsense", false),
            ("v=1; root=nonsense", false),
            ("v=1; session=0123456789abcdef0123456789ABCDEF", true),
            ("v=1; session=0123456789abcdef0123456789abcde", false),
            ("v=1; session=+123456789abcdef0123456789abcdef", false),
            (&format!("v=1; x={long}"), false),
            (&format!("v=1; x={}", &long[1..]), true),
        ];
        for (value, read) in table {
            assert_eq!(Offer::decode(value).is_some(), read, "{value:.40}");
        }
    }

    #[test]
    fn roots_beyond_the_limit_do_not_count() {
        let held: Vec<Cid> = (0..17).map(cid).collect();
        let value =
            format!("v=1; held={}", held.iter().map(Cid::to_string).collect::<Vec<_>>().join(","));
        assert_eq!(Offer::decode(&value).map(|offer| offer.held.len()), Some(MAX_HELD));
    }

    /// What is read of a request, as it would be written.
    fn read(request: &Request, limits: &Limits) -> Result<Request, Error> {
        let Asked { root, want, held, have, session } = Asked::decode(request.encode(), limits, 0)?;
        let want: Vec<Cid> = want.iter().collect();
        let want = if want == [root] { Vec::new() } else { want };
        Ok(Request { root, want, held, have, session })
    }

    #[test]
    fn requests_come_back_and_are_small() {
        let filter = Filter::new(carpool_bloom::Params::for_items(10));
        for request in [
            Request { root: cid(1), want: vec![], held: vec![], have: None, session: None },
            Request {
                root: cid(1),
                want: vec![cid(5), cid(6)],
                held: vec![cid(2)],
                have: None,
                session: None,
            },
            Request {
                root: cid(1),
                want: vec![],
                held: vec![cid(2)],
                have: Some(filter),
                session: Some([9; 16]),
            },
        ] {
            assert_eq!(read(&request, &Limits::default()), Ok(request));
        }
        let known =
            Request { root: cid(1), want: vec![], held: vec![cid(2)], have: None, session: None };
        assert_eq!(known.encode().len(), 82, "within 120 bytes");
    }

    #[test]
    fn vectors_of_the_specification() {
        let a = *Block::new(codec::DAG_CBOR, vec![0xa0].into()).cid();
        let text = "bafyreigbtj4x7ip5legnfznufuopl4sg4knzc2cof6duas4b3q2fy6swua";
        let offer = |root| Offer { root, held: vec![a], session: None }.encode();
        assert_eq!(offer(None), format!("v=1; held={text}"));
        assert_eq!(offer(Some(a)), format!("v=1; root={text}; held={text}"));
        let session = 0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f_u128.to_be_bytes();
        let named = Offer { session: Some(session), ..Offer::default() };
        assert_eq!(named.encode(), "v=1; session=000102030405060708090a0b0c0d0e0f");
        let used = Answer { used_held: true, memory: Memory::None };
        assert_eq!(used.encode(), "v=1; used=held");
        let kept = Answer { used_held: false, memory: Memory::Kept };
        assert_eq!(kept.encode(), "v=1; session=kept");
        let body =
            [&[0xa2, 0x61, 0x72, 0x58, 0x24][..], &a.to_bytes(), &[0x61, 0x73, 0x50], &session];
        let request =
            Request { root: a, want: vec![], held: vec![], have: None, session: Some(session) };
        assert_eq!(request.encode(), body.concat());
        let bytes = a.to_bytes();
        let body =
            [&[0xa2, 0x61, 0x68, 0x81, 0x58, 0x24][..], &bytes, &[0x61, 0x72, 0x58, 0x24], &bytes];
        let request = Request { root: a, want: vec![], held: vec![a], have: None, session: None };
        assert_eq!(request.encode(), body.concat());
    }

    #[test]
    fn every_count_has_its_limit() {
        let request = |want: u8, held: u8| Request {
            root: cid(1),
            want: (0..want).map(cid).collect(),
            held: (0..held).map(cid).collect(),
            have: None,
            session: None,
        };
        let mut limits = Limits::default();
        limits.max_wanted = 3;
        for (request, fault) in [
            (request(3, 16), None),
            (request(4, 0), Some(Error::TooManyWanted { wanted: 4, max: 3 })),
            (request(0, 17), Some(Error::TooManyHeld { held: 17, max: 16 })),
        ] {
            assert_eq!(read(&request, &limits).err(), fault);
        }
    }

    #[test]
    fn what_is_no_request_says_where() {
        let decode = |bytes: &[u8]| Asked::decode(bytes.to_vec(), &Limits::default(), 0);
        let good =
            Request { root: cid(1), want: vec![], held: vec![cid(2)], have: None, session: None }
                .encode();
        for end in 0..good.len() {
            assert!(decode(&good[..end]).is_err(), "cut at {end}");
        }
        let mut long = good;
        long.push(0);
        let fault = |bytes: &[u8]| decode(bytes).err();
        assert_eq!(fault(&long), Some(Error::Malformed { offset: 82, expected: "the end" }));
        assert_eq!(fault(&[0xa0]), Some(Error::Malformed { offset: 1, expected: "a root" }));
    }
}
