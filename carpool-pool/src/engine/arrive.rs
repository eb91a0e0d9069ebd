//! What comes.

use carpool_core::{Block, Cid, for_each_link, identity_data, may_link};

use super::{Pool, PoolOutput, Took};
use crate::{
    Error,
    frontier::{Id, ListId},
    request::{RequestId, Way},
    source::{Gone, SourceId},
};

impl Pool {
    pub(super) fn note_begun(&mut self, request: RequestId, now: u64) {
        let Some(of) = self.requests.get_mut(&request).filter(|of| !of.begun) else { return };
        of.begun = true;
        if of.alone {
            self.sources[usize::from(of.source)].note_answer(now.saturating_sub(of.asked));
        }
    }

    pub(super) fn arrive(
        &mut self,
        source: SourceId,
        request: RequestId,
        block: Block,
    ) -> Result<Took, Error> {
        let bytes = block.data().len() as u64;
        let Some(id) = self.frontier.find(block.cid()) else {
            return Ok(self.set_aside(source, request, block));
        };
        if self.frontier.is_held(id) {
            let stolen = self.requests.get(&request).is_none_or(|of| of.stolen);
            let of = &mut self.sources[usize::from(source)];
            of.tally.duplicate_bytes += bytes;
            if stolen {
                of.ahead += bytes;
            }
            self.waste(source, bytes);
            self.end_where_taken(request, id);
            return Ok(Took::Duplicate);
        }
        self.end_where_taken(request, id);
        self.sizes.add(self.frontier.is_node(id), bytes);
        let of = &mut self.sources[usize::from(source)];
        (of.tally.blocks, of.tally.bytes) = (of.tally.blocks + 1, of.tally.bytes + bytes);
        // Bytes alone are no work.
        of.failures = 0;
        self.take_in(id, block.cid(), block.data())?;
        self.outputs.push_back(PoolOutput::Store(block));
        Ok(Took::Wanted)
    }

    /// Ends a stream of which others took over the far end where it comes to that: a block that is not among those
    /// that it is still to bring. What it lacks would keep it from ever being through.
    fn end_where_taken(&mut self, request: RequestId, id: Id) {
        let Some(of) = self.requests.get(&request) else { return };
        if of.stolen && of.way != Way::Named && self.frontier.list(id) != Some(of.list) {
            self.cancel(request);
        }
    }

    /// A block that nothing links to yet. Only who sends its share of a plan, or speaks with others, can be
    /// ahead of them; for everybody else parents come first.
    fn set_aside(&mut self, source: SourceId, request: RequestId, block: Block) -> Took {
        let bytes = block.data().len() as u64;
        let shares = match self.requests.get(&request) {
            Some(of) => of.way == Way::Share,
            // Of what was cancelled more may come.
            None => {
                self.waste(source, bytes);
                return Took::Unasked;
            }
        };
        if !shares {
            self.drop_source(source, Gone::Lied);
            return Took::Unasked;
        }
        let size = u32::try_from(bytes).unwrap_or(u32::MAX);
        if !self.waiting.insert_absent(block.cid(), || (source, size)) {
            self.sources[usize::from(source)].tally.duplicate_bytes += bytes;
            self.waste(source, bytes);
            return Took::Duplicate;
        }
        let of = &mut self.sources[usize::from(source)];
        (of.tally.blocks, of.tally.bytes) = (of.tally.blocks + 1, of.tally.bytes + bytes);
        of.waiting += bytes + super::trouble::WAITING;
        let over = of.waiting > self.options.max_waiting;
        self.outputs.push_back(PoolOutput::Hold(block));
        if over {
            self.pause(source, request);
        }
        Took::Waits
    }

    /// The bytes of a wanted block are here.
    pub(super) fn take_in(&mut self, id: Id, cid: &Cid, data: &[u8]) -> Result<(), Error> {
        if may_link(cid) {
            self.expand(id, cid, data)?;
        }
        self.settle(id);
        Ok(())
    }

    /// An entry is wanted no more.
    pub(super) fn settle(&mut self, id: Id) {
        let list = self.frontier.list(id);
        self.frontier.hold(id);
        if let Some(list) = list {
            self.note_emptied(list);
        }
        self.stirred |= self.frontier.wanted() == 0;
    }

    /// Nothing is left of what a request was to bring: where others took part of it, more would come in vain.
    pub(super) fn note_emptied(&mut self, list: ListId) {
        if !self.frontier.is_empty(list) {
            return;
        }
        if let Some((request, of)) = self.request_of(list)
            && of.stolen
        {
            self.cancel(request);
        }
    }

    fn expand(&mut self, id: Id, cid: &Cid, data: &[u8]) -> Result<(), Error> {
        let mut links = core::mem::take(&mut self.links);
        links.clear();
        for_each_link(cid, data, &self.limits, |link| links.push(link)).map_err(Error::Block)?;
        let list = self.frontier.list(id);
        for link in &links {
            match identity_data(link) {
                // It carries its block.
                Some(data) if may_link(link) => {
                    let data = data.to_vec();
                    self.links = alloc::vec::Vec::new();
                    self.expand(id, link, &data)?;
                }
                Some(_) => {}
                None => self.meet(id, list, link)?,
            }
        }
        self.links = links;
        Ok(())
    }

    fn meet(&mut self, parent: Id, list: Option<ListId>, link: &Cid) -> Result<(), Error> {
        let Some(id) = self.frontier.meet(link, Some(parent)) else { return Ok(()) };
        if id as usize >= self.options.max_blocks {
            return Err(Error::Blocks { max: self.options.max_blocks as u64 });
        }
        let cover = self.frontier.cover(parent);
        self.frontier.note_cover(id, cover);
        match (self.share_of(id, link), list.filter(|list| self.is_below(*list))) {
            (Some(share), _) => self.frontier.put(id, share, None),
            (None, Some(list)) => self.frontier.put(id, list, Some(parent)),
            (None, None) => self.free(id),
        }
        self.look_up(id, link);
        Ok(())
    }

    /// Whether the source sends what lies below what it sends.
    fn is_below(&self, list: ListId) -> bool {
        self.request_of(list).is_some_and(|(_, of)| of.way == Way::Below)
    }
}
