//! DAG-PB nodes ([DAG-PB](https://ipld.io/specs/codecs/dag-pb/spec/)), read and written by hand:
//! a link is appended to its node without a list of links in between, and read with the byte where
//! it went wrong, neither of which a message type of a protobuf crate would give.

use alloc::{vec, vec::Vec};

use carpool_core::{Bytes, Cid, Limits, cid_exact, varint};
use quick_protobuf::{BytesWriter, MessageWrite, Writer, sizeofs::sizeof_len};

use crate::{Error, data::Data};

const LEN: u64 = 2;
const DATA: u64 = 1;
const LINKS: u64 = 2;

/// The links of a node being written.
#[derive(Debug, Default)]
pub(crate) struct Links {
    bytes: Vec<u8>,
    len: usize,
    tsize: u64,
}

impl Links {
    /// Appends a link. Its name is `prefix` and `name`, present even when empty: that is how Kubo
    /// writes it, and the CID depends on it.
    pub(crate) fn push(&mut self, prefix: &[u8], name: &[u8], cid: &[u8], tsize: u64) {
        let name_len = prefix.len() + name.len();
        put_head(&mut self.bytes, 0x12, inner_len(name_len, cid.len(), tsize));
        put_head(&mut self.bytes, 0x0a, cid.len());
        self.bytes.extend_from_slice(cid);
        put_head(&mut self.bytes, 0x12, name_len);
        self.bytes.extend_from_slice(prefix);
        self.bytes.extend_from_slice(name);
        self.bytes.push(0x18);
        put_varint(&mut self.bytes, tsize);
        self.len += 1;
        self.tsize = self.tsize.saturating_add(tsize);
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// `Tsize` of a link to the node whose block has `block_len` bytes.
    pub(crate) const fn tsize_with(&self, block_len: usize) -> u64 {
        self.tsize.saturating_add(block_len as u64)
    }
}

/// Bytes that a link adds to its node.
pub(crate) fn link_len(name_len: usize, cid_len: usize, tsize: u64) -> u64 {
    1 + sizeof_len(inner_len(name_len, cid_len, tsize)) as u64
}

fn inner_len(name_len: usize, cid_len: usize, tsize: u64) -> usize {
    3 + sizeof_len(cid_len) + sizeof_len(name_len) + varint::len(tsize)
}

fn put_head(out: &mut Vec<u8>, key: u8, len: usize) {
    out.push(key);
    put_varint(out, len as u64);
}

fn put_varint(out: &mut Vec<u8>, value: u64) {
    let mut buf = [0; 10];
    let len = varint::encode(value, &mut buf);
    out.extend_from_slice(&buf[..len]);
}

/// A node's bytes: links first, then data, as the specification orders them.
pub(crate) fn node(links: &[u8], data: &Data<'_>) -> Vec<u8> {
    let mut out = vec![0; links.len() + 1 + sizeof_len(data.get_size())];
    let (front, back) = out.split_at_mut(links.len());
    front.copy_from_slice(links);
    let mut writer = Writer::new(BytesWriter::new(back));
    writer
        .write_with_tag(0x0a, |writer| writer.write_message(data))
        .expect("get_size is what write_message writes");
    out
}

/// A node that has been read.
pub(crate) struct Node {
    pub(crate) links: Vec<Link>,
    pub(crate) data: Option<Bytes>,
}

/// A link that has been read.
pub(crate) struct Link {
    pub(crate) cid: Cid,
    pub(crate) name: Bytes,
    pub(crate) tsize: u64,
}

/// Reads a node whose links and data come in either order; names and data are slices of `block`.
pub(crate) fn read(cid: &Cid, block: &Bytes, limits: &Limits) -> Result<Node, Error> {
    let mut cursor = Cursor { cid, data: block, at: 0, end: block.len() };
    let mut node = Node { links: Vec::new(), data: None };
    while cursor.at < cursor.end {
        match cursor.key()? {
            (DATA, LEN) if node.data.is_none() => node.data = Some(cursor.bytes()?),
            (LINKS, LEN) if node.links.len() == limits.max_links => {
                let max = limits.max_links as u64;
                return Err(carpool_core::Error::TooManyLinks { cid: *cid, max }.into());
            }
            (LINKS, LEN) => node.links.push(cursor.link()?),
            _ => return Err(cursor.expected("one Data, or Links")),
        }
    }
    Ok(node)
}

struct Cursor<'a> {
    cid: &'a Cid,
    data: &'a Bytes,
    at: usize,
    end: usize,
}

impl Cursor<'_> {
    fn expected(&self, expected: &'static str) -> Error {
        let offset = self.at as u64;
        carpool_core::Error::Malformed { cid: *self.cid, offset, expected }.into()
    }

    fn link(&mut self) -> Result<Link, Error> {
        let end = self.field_end()?;
        let mut inner = Cursor { end, ..*self };
        self.at = end;
        let (mut cid, mut name, mut tsize) = (None, None, None);
        while inner.at < inner.end {
            match inner.key()? {
                (1, LEN) if cid.is_none() => cid = Some(inner.cid()?),
                (2, LEN) if name.is_none() => name = Some(inner.bytes()?),
                (3, 0) if tsize.is_none() => tsize = Some(inner.varint()?),
                _ => return Err(inner.expected("one each of Hash, Name, Tsize")),
            }
        }
        let cid = cid.ok_or_else(|| inner.expected("Hash"))?;
        Ok(Link { cid, name: name.unwrap_or_default(), tsize: tsize.unwrap_or(0) })
    }

    fn cid(&mut self) -> Result<Cid, Error> {
        let end = self.field_end()?;
        let cid = cid_exact(&self.data[self.at..end]);
        let cid = cid.map_err(|_| self.expected("a CID in Hash"))?;
        self.at = end;
        Ok(cid)
    }

    fn bytes(&mut self) -> Result<Bytes, Error> {
        let end = self.field_end()?;
        let bytes = self.data.slice(self.at..end);
        self.at = end;
        Ok(bytes)
    }

    fn key(&mut self) -> Result<(u64, u64), Error> {
        let key = self.varint()?;
        Ok((key >> 3, key & 7))
    }

    fn varint(&mut self) -> Result<u64, Error> {
        let input = &self.data[self.at..self.end];
        // Protobuf writes 64 bits in up to ten bytes, one more than multiformats allow.
        if input.len() >= 10 && input[..9].iter().all(|byte| *byte >= 0x80) && input[9] <= 1 {
            self.at += 10;
            return Ok(u64::MAX);
        }
        let (value, len) = varint::take(input).map_err(|_| self.expected("a varint"))?;
        self.at += len;
        Ok(value)
    }

    /// Reads the length of a field and returns where it ends.
    fn field_end(&mut self) -> Result<usize, Error> {
        let len = self.varint()?;
        match usize::try_from(len) {
            Ok(len) if len <= self.end - self.at => Ok(self.at + len),
            _ => Err(self.expected("as many bytes as the field claims")),
        }
    }
}
