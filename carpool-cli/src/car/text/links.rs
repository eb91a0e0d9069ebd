use carpool_core::{
    Cid,
    cbor::{ARRAY, BYTES, MAP, Reader, TAG, TEXT},
    cid_prefix,
    codec::{DAG_CBOR, DAG_PB},
};
use core::ops::Range;

use super::{
    Error,
    entry::{Body, Form},
    pb,
};

/// What became of a block's links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    /// No link changed.
    Same,
    /// Some did.
    Changed,
}

impl Body {
    /// Calls `each` with every link.
    pub(crate) fn each_link(&mut self, mut each: impl FnMut(&Cid)) {
        match &mut self.form {
            Form::Value(value) => value.each_link(&mut |cid| each(cid)),
            Form::Block(block) => {
                places(self.codec, block).iter().for_each(|(cid, _)| each(cid));
            }
        }
    }

    /// Puts other links in place of those for which `other` has one.
    pub(crate) fn rewrite(&mut self, other: impl Fn(&Cid) -> Option<Cid>) -> Result<Edit, Error> {
        let mut edit = Edit::Same;
        match &mut self.form {
            Form::Value(value) => value.each_link(&mut |cid| {
                if let Some(new) = other(cid) {
                    (*cid, edit) = (new, Edit::Changed);
                }
            }),
            Form::Block(block) => {
                for (cid, place) in places(self.codec, block) {
                    let Some(new) = other(&cid) else { continue };
                    let new = new.to_bytes();
                    if new.len() != place.len() {
                        return Err(Error::LinkLength);
                    }
                    block[place].copy_from_slice(&new);
                    edit = Edit::Changed;
                }
            }
        }
        Ok(edit)
    }
}

/// The links of a block that no value stands for, as far as it parses, and where they are.
fn places(codec: u64, block: &[u8]) -> Vec<(Cid, Range<usize>)> {
    let mut places = Vec::new();
    match codec {
        DAG_CBOR => {
            let _ = cbor_places(block, &mut places);
        }
        DAG_PB => pb::link_places(block, &mut |place: Range<usize>| {
            if let Ok((cid, len)) = cid_prefix(&block[place.clone()])
                && len == place.len()
            {
                places.push((cid, place));
            }
        }),
        _ => {}
    }
    places
}

fn cbor_places(block: &[u8], places: &mut Vec<(Cid, Range<usize>)>) -> Option<()> {
    let mut reader = Reader::new(block);
    let mut left = 1u64;
    while left > 0 {
        left -= 1;
        let at_hand = reader.rest().len() as u64;
        match reader.rest().first()? >> 5 {
            major @ (BYTES | TEXT) => drop(reader.string(major)?),
            ARRAY => left += reader.head(ARRAY).filter(|items| *items <= at_hand)?,
            MAP => left += reader.head(MAP).filter(|pairs| *pairs <= at_hand)? * 2,
            TAG => {
                let cid = reader.link()?;
                places.push((cid, reader.at() - cid.encoded_len()..reader.at()));
            }
            major => drop(reader.head(major)?),
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use carpool_core::{Block, cbor::write_link};

    #[test]
    fn links_in_hex_are_found_where_they_are_and_not_in_strings() {
        let cid = *Block::new(0x55, "a".into()).cid();
        let other = *Block::new(0x55, "b".into()).cid();
        let mut link = Vec::new();
        write_link(&mut link, &cid);
        // Unsorted keys, and a string that looks like a link.
        let mut block = vec![0xa2, 0x62, b'b', b'b', 0x58, u8::try_from(link.len()).unwrap()];
        block.extend_from_slice(&link);
        block.extend_from_slice(&[0x61, b'a']);
        block.extend_from_slice(&link);
        let mut body = Body { codec: DAG_CBOR, form: Form::Block(block.clone()) };
        let edit = body.rewrite(|found| (*found == cid).then_some(other));
        assert_eq!(edit, Ok(Edit::Changed));
        let rewritten = body.encode().unwrap();
        let at = block.len() - cid.encoded_len();
        assert_eq!(rewritten[..at], block[..at]);
        assert_eq!(rewritten[at..], other.to_bytes());
    }

    #[test]
    fn a_link_of_another_length_does_not_fit_into_hex() {
        let cid = *Block::new(0x55, "a".into()).cid();
        let mut block = vec![0x82, 0xf6];
        write_link(&mut block, &cid);
        let mut body = Body { codec: DAG_CBOR, form: Form::Block(block) };
        let other = Cid::new_v0(*cid.hash()).unwrap();
        assert_eq!(body.rewrite(|_| Some(other)), Err(Error::LinkLength));
    }
}
