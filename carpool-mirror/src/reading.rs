use alloc::collections::VecDeque;
use carpool_core::{Bytes, Cid};
use core::ops::Range;

use crate::Trail;

/// Reads the blocks of a trail again, a few at a time and in their order.
#[derive(Debug)]
pub(crate) struct Reading {
    trail: Trail,
    nth: usize,
    place: usize,
    /// The number of the next block's first link.
    link: usize,
    ahead: VecDeque<Ahead>,
}

/// A block that was asked for.
#[derive(Debug)]
struct Ahead {
    cid: Cid,
    links: Range<usize>,
    data: Option<Option<Bytes>>,
}

/// A block of the trail as it is held now.
pub(crate) struct Again {
    pub(crate) cid: Cid,
    /// The numbers of its links, of all of the trail's.
    pub(crate) links: Range<usize>,
    pub(crate) data: Option<Bytes>,
}

/// How many are asked for ahead.
const WINDOW: usize = 32;

impl Reading {
    pub(crate) const fn new(trail: Trail) -> Self {
        Self { trail, nth: 0, place: 0, link: 0, ahead: VecDeque::new() }
    }

    /// The next block to look up, of those whose links `pick` wants; `None` where answers are
    /// awaited and at the end.
    pub(crate) fn poll(&mut self, pick: impl Fn(Range<usize>) -> bool) -> Option<Cid> {
        while self.ahead.len() < WINDOW {
            let (cid, links, place) = self.trail.block(self.nth, self.place)?;
            let links = self.link..self.link + links;
            (self.nth, self.place, self.link) = (self.nth + 1, place, links.end);
            if pick(links.clone()) {
                self.ahead.push_back(Ahead { cid, links, data: None });
                return Some(cid);
            }
        }
        None
    }

    /// Takes an answer; gives it back where nobody here asked.
    pub(crate) fn answer(&mut self, cid: &Cid, data: Option<Bytes>) -> Result<(), Option<Bytes>> {
        let asked = |ahead: &&mut Ahead| ahead.data.is_none() && ahead.cid == *cid;
        match self.ahead.iter_mut().find(asked) {
            Some(ahead) => {
                ahead.data = Some(data);
                Ok(())
            }
            None => Err(data),
        }
    }

    /// The next block that was answered.
    pub(crate) fn next(&mut self) -> Option<Again> {
        let data = self.ahead.front_mut()?.data.take()?;
        let Ahead { cid, links, .. } = self.ahead.pop_front()?;
        Some(Again { cid, links, data })
    }

    /// Whether all were looked at.
    pub(crate) fn is_done(&self) -> bool {
        self.ahead.is_empty() && self.trail.block(self.nth, self.place).is_none()
    }
}
