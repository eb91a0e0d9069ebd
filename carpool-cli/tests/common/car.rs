//! CARs by hand, also such as no writer makes.

use carpool_car::{header, section_prefix};
use carpool_core::{Block, Cid, codec};

use super::noise;

/// A CARv1 that is put together section by section.
#[derive(Clone, Debug)]
pub struct Car {
    bytes: Vec<u8>,
    /// The sections so far: CID, where the section begins, where the block's bytes begin.
    pub sections: Vec<(Cid, usize, usize)>,
}

impl Car {
    /// A header with these roots, none included.
    pub fn new(roots: &[Cid]) -> Self {
        Self { bytes: header(roots).to_vec(), sections: Vec::new() }
    }

    /// One with these blocks; the first is the root.
    pub fn of(blocks: &[Block]) -> Self {
        let root = *blocks.first().expect("a root").cid();
        blocks.iter().fold(Self::new(&[root]), Self::block)
    }

    /// A good block.
    pub fn block(self, block: &Block) -> Self {
        self.section(block.cid(), block.data())
    }

    /// A section whose bytes may belong to another CID.
    pub fn section(mut self, cid: &Cid, data: &[u8]) -> Self {
        let offset = self.bytes.len();
        self.bytes.extend_from_slice(section_prefix(cid, data.len()).as_ref());
        self.sections.push((*cid, offset, self.bytes.len()));
        self.raw(data)
    }

    /// Bytes as they are, such as padding, or half a section.
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// The file.
    pub fn bytes(&self) -> Vec<u8> {
        self.bytes.clone()
    }

    /// The same as a CARv2 with `padding` zero bytes before the data, and this index, if any,
    /// right after it.
    pub fn v2(&self, padding: usize, index: Option<&[u8]>) -> Vec<u8> {
        let at = 51 + padding as u64;
        let size = self.bytes.len() as u64;
        let mut file = b"\x0a\xa1\x67version\x02".to_vec();
        file.extend_from_slice(&[0; 16]);
        for number in [at, size, if index.is_some() { at + size } else { 0 }] {
            file.extend_from_slice(&number.to_le_bytes());
        }
        file.resize(file.len() + padding, 0);
        file.extend_from_slice(&self.bytes);
        file.extend_from_slice(index.unwrap_or_default());
        file
    }

    /// The index 0x0401 of all sections whose digest is SHA2-256, identity CIDs left out.
    pub fn index(&self) -> Vec<u8> {
        let entry = |(cid, offset, _): &(Cid, usize, usize)| {
            let digest = (cid.hash().code() == 0x12).then(|| cid.hash().digest().to_vec());
            digest.map(|digest| (digest, *offset as u64))
        };
        index(self.sections.iter().filter_map(entry).collect())
    }
}

/// An index 0x0401 of these digests of SHA2-256 and offsets, in their sorted order.
pub fn index(mut entries: Vec<(Vec<u8>, u64)>) -> Vec<u8> {
    entries.sort_unstable();
    unsorted_index(&entries)
}

/// The same in the order that is given.
pub fn unsorted_index(entries: &[(Vec<u8>, u64)]) -> Vec<u8> {
    let mut bytes = vec![0x81, 0x08];
    bytes.extend_from_slice(&1_u32.to_le_bytes());
    bytes.extend_from_slice(&0x12_u64.to_le_bytes());
    bytes.extend_from_slice(&1_u32.to_le_bytes());
    bytes.extend_from_slice(&40_u32.to_le_bytes());
    bytes.extend_from_slice(&(entries.len() as u64 * 40).to_le_bytes());
    for (digest, offset) in entries {
        bytes.extend_from_slice(digest);
        bytes.extend_from_slice(&offset.to_le_bytes());
    }
    bytes
}

/// As many blocks without links, of `len` bytes each.
pub fn leaves(count: u64, len: usize) -> Vec<Block> {
    (1..=count).map(|seed| Block::new(codec::RAW, noise(seed, len).into())).collect()
}
