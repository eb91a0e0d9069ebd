use alloc::vec::Vec;
use carpool_core::{Bytes, Multihash, varint};

use super::Codec;

/// A rollup of the indexes of several CARs, each whole with its codec, under the CAR's multihash:
/// the bytes of a [`Codec::Multi`], in pieces, of which those of the indexes are not copied. CARs
/// are sorted by their digests. Two indexes of one CAR make a rollup that no [`Reader`] takes.
///
/// [`Reader`]: super::Reader
#[must_use]
pub fn encode_rollup(mut indexes: Vec<(Multihash<64>, Bytes)>) -> Vec<Bytes> {
    let order = |a: &Multihash<64>, b: &Multihash<64>| {
        a.digest().cmp(b.digest()).then(a.code().cmp(&b.code()))
    };
    indexes.sort_by(|(a, _), (b, _)| order(a, b));
    let mut head = Vec::new();
    write_varint(&mut head, Codec::Multi.code());
    write_varint(&mut head, indexes.len() as u64);
    let mut out = Vec::with_capacity(1 + 2 * indexes.len());
    out.push(head.into());
    for (car, index) in indexes {
        out.extend([car.to_bytes().into(), index]);
    }
    out
}

pub(crate) fn write_varint(out: &mut Vec<u8>, value: u64) {
    let mut bytes = [0; 10];
    let n = varint::encode(value, &mut bytes);
    out.extend_from_slice(&bytes[..n]);
}
