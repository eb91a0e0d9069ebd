//! One section of a file that is read again.

use carpool_car::{Status, decode};
use carpool_core::Cid;

use super::{args::ReadFlags, input::Input};
use crate::failure::Outcome;

/// Bytes that a section's length and CID have at most.
pub(crate) const HEAD_BYTES: usize = 10 + 40 + 64;

/// The section that begins at byte `offset` of the file: its CID and its bytes; `None` where there
/// is none.
pub(crate) fn section_at(
    input: &Input,
    offset: u64,
    read: &ReadFlags,
) -> Outcome<Option<(Cid, Vec<u8>)>> {
    let mut bytes = input.read_at(offset, HEAD_BYTES)?;
    let limits = read.limits();
    loop {
        match decode(&bytes, offset, &limits) {
            Ok(Status::Complete { cid, data_at, end }) => {
                bytes.truncate(end);
                bytes.drain(..data_at);
                return Ok(Some((cid, bytes)));
            }
            Ok(Status::Partial { needed }) => {
                let more = input.read_at(offset, needed)?;
                if more.len() < needed {
                    return Ok(None);
                }
                bytes = more;
            }
            Err(_) => return Ok(None),
        }
    }
}
