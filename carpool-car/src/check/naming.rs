use alloc::{collections::VecDeque, vec::Vec};
use carpool_core::{Cid, Limits};

use super::{Keys, LinkKey, for_each_stored_link};
use crate::{ReadAt, Status, decode};

/// Bytes of a section that are asked for first: its length and its CID fit.
const FIRST: usize = 10 + 40 + 64;

/// Finds what links are called of which only keys are known: reads the blocks that have them again.
#[derive(Debug)]
pub struct Naming {
    absent: VecDeque<LinkKey>,
    keys: Keys,
    limits: Limits,
    data_offset: u64,
    named: VecDeque<Named>,
    len: usize,
}

/// A link that leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// Where the section of the block that has it begins, in bytes from the start of the CARv1.
    pub from: u64,
    /// Its CID; `None` where the block could not be read again.
    pub cid: Option<Cid>,
}

/// What a [`Naming`] has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamingOutput {
    /// These bytes of the file, for [`Naming::handle_read`].
    Read(ReadAt),
    /// The next link.
    Link(Named),
}

impl Naming {
    /// Finds the names of `absent`, which are in the order of the blocks that have them. The data
    /// of the CAR begins at `data_offset` of the file.
    #[must_use]
    pub fn new(absent: Vec<LinkKey>, keys: Keys, data_offset: u64, limits: Limits) -> Self {
        let (absent, named) = (absent.into(), VecDeque::new());
        Self { absent, keys, limits, data_offset, named, len: FIRST }
    }

    /// What to read, or the next link, in the order of the blocks that have them; `None` at the
    /// end.
    #[must_use]
    pub fn poll(&mut self) -> Option<NamingOutput> {
        if let Some(named) = self.named.pop_front() {
            return Some(NamingOutput::Link(named));
        }
        let offset = self.data_offset.saturating_add(self.absent.front()?.from);
        Some(NamingOutput::Read(ReadAt { offset, len: self.len }))
    }

    /// Takes what was asked for; fewer bytes, or none, where they cannot be read.
    pub fn handle_read(&mut self, bytes: &[u8]) {
        let Some(from) = self.absent.front().map(|link| link.from) else { return };
        match decode(bytes, from, &self.limits) {
            Ok(Status::Complete { cid, data_at, end }) => {
                self.name(from, &cid, &bytes[data_at..end]);
            }
            Ok(Status::Partial { needed }) if bytes.len() >= self.len && needed > self.len => {
                return self.len = needed;
            }
            _ => {}
        }
        self.len = FIRST;
        // Of a block that is not the one that was read before.
        while self.absent.front().is_some_and(|link| link.from == from) {
            self.absent.pop_front();
            self.named.push_back(Named { from, cid: None });
        }
    }

    fn name(&mut self, from: u64, cid: &Cid, data: &[u8]) {
        // What cannot be read to its end was told when it was checked.
        let _ = for_each_stored_link(cid, data, &self.limits, |link| {
            let key = self.keys.link(&link, from);
            let wanted = self.absent.iter().take_while(|link| link.from == from);
            if let Some(at) = wanted.into_iter().position(|wanted| wanted.key == key) {
                self.absent.remove(at);
                self.named.push_back(Named { from, cid: Some(link) });
            }
        });
    }
}
