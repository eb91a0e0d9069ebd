use cid::Cid;

use super::{Counted, pb, strict};
use crate::{Error, Limits, cid_bytes::is_cid, codec};

/// Containers around an item of DAG-CBOR that [`for_each_link_bytes`] reads at most: as many as
/// `serde_ipld_dagcbor` does.
pub const MAX_NESTING: usize = 127;

/// As [`for_each_link`](crate::for_each_link), with the bytes of each CID, checked but not taken
/// apart, and for DAG-CBOR with all that the codec demands.
///
/// A DAG-CBOR block is one item and nothing behind it, at most [`MAX_NESTING`] deep; its heads are
/// the shortest; strings are UTF-8; keys of maps are strings that ascend by length, then by bytes;
/// floats have 64 bits, are finite and not negative zero; 42 is the only tag
/// ([DAG-CBOR, strictness](https://ipld.io/specs/codecs/dag-cbor/spec/#strictness)). What
/// `serde_ipld_dagcbor` refuses is refused here. DAG-PB is read as `for_each_link` reads it.
///
/// # Errors
/// [`Error::Malformed`] with the offset, [`Error::TooManyLinks`]. Links before the fault have
/// been given to `each`.
pub fn for_each_link_bytes<'a>(
    cid: &Cid,
    data: &'a [u8],
    limits: &Limits,
    mut each: impl FnMut(&'a [u8]),
) -> Result<(), Error> {
    let each = |link| {
        let good = is_cid(link);
        if good {
            each(link);
        }
        good
    };
    let scanned = |each: &mut Counted<_>| match cid.codec() {
        codec::DAG_CBOR => strict::scan(data, &mut |link| each.step(link)),
        codec::DAG_PB => pb::scan(data, &mut |link| each.step(link)),
        _ => Ok(()),
    };
    Counted::new(limits, each).run(cid, scanned)
}
