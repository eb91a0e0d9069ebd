use alloc::vec::Vec;
use carpool_core::{Cid, Limits, cid_prefix, for_each_link};

/// The links of a block in their order, repeats included, at some 40 bytes each.
#[derive(Clone, Debug, Default)]
pub(super) struct Links {
    bytes: Vec<u8>,
    starts: Vec<u32>,
}

impl Links {
    /// Those of a block; of a malformed one those before the fault.
    pub(super) fn of(cid: &Cid, data: &[u8], limits: &Limits) -> Self {
        let mut links = Self::default();
        let _ = for_each_link(cid, data, limits, |link| links.push(&link));
        links
    }

    pub(super) fn push(&mut self, cid: &Cid) {
        self.starts.push(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
        self.bytes.extend_from_slice(&cid.to_bytes());
    }

    pub(super) fn get(&self, n: usize) -> Option<Cid> {
        let start = *self.starts.get(n)?;
        let rest = self.bytes.get(usize::try_from(start).ok()?..)?;
        cid_prefix(rest).ok().map(|(cid, _)| cid)
    }

    pub(super) const fn len(&self) -> usize {
        self.starts.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Cid> {
        (0..self.len()).filter_map(|n| self.get(n))
    }

    /// Bytes of memory.
    pub(super) const fn memory(&self) -> usize {
        self.bytes.len() + 4 * self.starts.len()
    }
}
