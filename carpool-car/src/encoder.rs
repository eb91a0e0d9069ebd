use alloc::vec::Vec;
use carpool_core::{
    Bytes, Cid,
    cbor::{ARRAY, write_head, write_link},
    varint,
};

/// The bytes that come before a block's data in a section: the section's length and the CID.
#[derive(Clone, Copy, Debug)]
pub struct SectionPrefix {
    bytes: [u8; MAX_PREFIX],
    len: usize,
}

/// A length of ten bytes, a CID of four varints and a digest of at most 64 bytes.
const MAX_PREFIX: usize = 10 + 40 + 64;

impl AsRef<[u8]> for SectionPrefix {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The header of a CARv1 with these roots, with its length before it: canonical DAG-CBOR.
///
/// The format wants one root at least; writers that have none name the empty identity CID
/// `bafkqaaa`.
#[must_use]
pub fn header(roots: &[Cid]) -> Bytes {
    let mut map = Vec::with_capacity(20 + roots.len() * 41);
    map.extend_from_slice(b"\xa2\x65roots");
    write_head(&mut map, ARRAY, roots.len() as u64);
    roots.iter().for_each(|root| write_link(&mut map, root));
    map.extend_from_slice(b"\x67version\x01");
    let mut len = [0; 10];
    let n = varint::encode(map.len() as u64, &mut len);
    [&len[..n], &map].concat().into()
}

/// What stands before `data_len` bytes of the block `cid`; the data follows as it is.
#[must_use]
pub fn section_prefix(cid: &Cid, data_len: usize) -> SectionPrefix {
    let mut bytes = [0; MAX_PREFIX];
    let mut len = [0; 10];
    let n = varint::encode((cid.encoded_len() + data_len) as u64, &mut len);
    bytes[..n].copy_from_slice(&len[..n]);
    let mut rest = &mut bytes[n..];
    let cid_len = cid.write_bytes(&mut rest).expect("the prefix is as long as the longest CID");
    SectionPrefix { bytes, len: n + cid_len }
}

/// The bytes that a block of `data_len` bytes takes up in a CAR.
#[must_use]
pub fn section_len(cid: &Cid, data_len: usize) -> usize {
    let body = cid.encoded_len() + data_len;
    varint::len(body as u64) + body
}

/// Appends the section of a block to `out`.
#[inline]
pub fn write_section(out: &mut Vec<u8>, cid: &Cid, data: &[u8]) {
    out.reserve(MAX_PREFIX + data.len());
    out.extend_from_slice(section_prefix(cid, data.len()).as_ref());
    out.extend_from_slice(data);
}
