use alloc::vec::Vec;
use carpool_core::{
    Bytes, Cid, Version,
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
#[inline]
pub fn section_prefix(cid: &Cid, data_len: usize) -> SectionPrefix {
    let mut bytes = [0; MAX_PREFIX];
    let len = (cid.encoded_len() + data_len) as u64;
    let n = varint::encode(len, bytes.first_chunk_mut().expect("ten of them"));
    let cid_len = common(cid, &mut bytes[n..]).unwrap_or_else(|| {
        let mut rest = &mut bytes[n..];
        cid.write_bytes(&mut rest).expect("the prefix is as long as the longest CID")
    });
    SectionPrefix { bytes, len: n + cid_len }
}

/// Writes a CID of four numbers of a byte each and a digest of 32, as nearly all are.
#[inline]
fn common(cid: &Cid, out: &mut [u8]) -> Option<usize> {
    let byte = |number: u64| u8::try_from(number).ok().filter(|byte| *byte < 0x80);
    let digest: &[u8; 32] = cid.hash().digest().try_into().ok()?;
    let prefix = match cid.version() {
        Version::V1 => [1, byte(cid.codec())?, byte(cid.hash().code())?, 32],
        Version::V0 => return None,
    };
    out[..4].copy_from_slice(&prefix);
    out[4..36].copy_from_slice(digest);
    Some(36)
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
