use carpool_car::{Decoder, Item};
use carpool_core::{Bytes, Cid, Limits, Unverified, cid_exact};

use crate::Failure;

/// How blocks are put into bytes. The machines know nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// A CARv1.
    Car,
    /// Length and CID, length and data: the least that works.
    Plain,
}

impl Framing {
    /// What comes before the first block.
    #[must_use]
    pub fn opening(self, root: &Cid) -> Bytes {
        match self {
            Self::Car => carpool_car::header(&[*root]),
            Self::Plain => Bytes::new(),
        }
    }

    /// One block, or what is passed off as one.
    #[must_use]
    pub fn section(self, cid: &Cid, data: &[u8]) -> Bytes {
        match self {
            Self::Car => {
                let prefix = carpool_car::section_prefix(cid, data.len());
                [prefix.as_ref(), data].concat().into()
            }
            Self::Plain => {
                let cid = cid.to_bytes();
                [&length(&cid)[..], &cid, &length(data), data].concat().into()
            }
        }
    }
}

fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).expect("blocks are small").to_be_bytes()
}

/// Takes framed blocks apart again.
#[derive(Debug)]
pub(crate) enum Unframing {
    Car(Box<Decoder>),
    Plain(Vec<u8>),
}

impl Unframing {
    pub(crate) fn new(framing: Framing, limits: &Limits) -> Self {
        match framing {
            Framing::Car => Self::Car(Box::new(Decoder::new(limits))),
            Framing::Plain => Self::Plain(Vec::new()),
        }
    }

    /// All blocks that are whole now.
    pub(crate) fn handle_data(&mut self, data: Bytes) -> Result<Vec<Unverified>, Failure> {
        match self {
            Self::Car(decoder) => {
                decoder.handle_data(data);
                sections(decoder)
            }
            Self::Plain(buffer) => {
                buffer.extend_from_slice(&data);
                Ok(std::iter::from_fn(|| plain(buffer)).collect())
            }
        }
    }

    /// Whether the bytes ended where a block did.
    pub(crate) fn handle_eof(&mut self) -> bool {
        match self {
            Self::Car(decoder) => {
                decoder.handle_eof();
                sections(decoder).is_ok()
            }
            Self::Plain(buffer) => buffer.is_empty(),
        }
    }
}

fn sections(decoder: &mut Decoder) -> Result<Vec<Unverified>, Failure> {
    let mut blocks = Vec::new();
    while let Some(item) = decoder.poll().map_err(Failure::Car)? {
        if let Item::Section(section) = item {
            blocks.push(Unverified { cid: section.cid, data: section.data });
        }
    }
    Ok(blocks)
}

fn plain(buffer: &mut Vec<u8>) -> Option<Unverified> {
    let (cid, rest) = field(buffer)?;
    let (data, rest) = field(rest)?;
    let cid = cid_exact(cid).expect("the simulation writes CIDs");
    let block = Unverified { cid, data: Bytes::copy_from_slice(data) };
    *buffer = rest.to_vec();
    Some(block)
}

fn field(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = input.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_be_bytes(*len) as usize)
}
