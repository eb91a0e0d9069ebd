//! What is known of the DAG: every CID that was met, and of those that are wanted, in which list they wait.

mod pieces;

use alloc::vec::Vec;
use carpool_core::{Cid, CidIndex, may_link};

use pieces::Pieces;

/// The number of a CID in a [`Frontier`].
pub(crate) type Id = u32;
/// The number of a list.
pub(crate) type ListId = u32;

/// No entry.
const NONE: Id = Id::MAX;
/// In place of a list: the block is held.
const HELD: ListId = ListId::MAX;
/// In place of a list: in none.
const NOWHERE: ListId = ListId::MAX - 1;

/// An entry is in two chains: that of all that is wanted, in the order in which a walk comes to it, and that of
/// the list it waits in.
#[derive(Clone, Copy, Debug)]
struct Entry {
    before: Id,
    after: Id,
    left: Id,
    right: Id,
    list: ListId,
    /// Whether it can have links.
    node: bool,
    /// The last plan that is of something it lies below; 0 is none.
    cover: u8,
    /// Which sources turned out not to have it, by a bit.
    lacking: u64,
    /// Which sources did not send it with what lies around it: they may not have come so far.
    withheld: u64,
}

impl Default for Entry {
    fn default() -> Self {
        let (before, after, left, right) = (NONE, NONE, NONE, NONE);
        Self {
            before,
            after,
            left,
            right,
            list: NOWHERE,
            node: false,
            cover: 0,
            lacking: 0,
            withheld: 0,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct List {
    first: Id,
    last: Id,
    len: u32,
    nodes: u32,
}

impl List {
    const EMPTY: Self = Self { first: NONE, last: NONE, len: 0, nodes: 0 };
}

#[derive(Debug)]
pub(crate) struct Frontier {
    index: CidIndex,
    entries: Pieces<Entry>,
    lists: Vec<List>,
    /// Ends of the chain of all that is wanted.
    first: Id,
    last: Id,
    wanted: usize,
    wanted_nodes: usize,
}

impl Frontier {
    pub(crate) fn new(seed: u64, lists: usize) -> Self {
        Self {
            index: CidIndex::with_seed(seed),
            entries: Pieces::new(),
            lists: alloc::vec![List::EMPTY; lists],
            first: NONE,
            last: NONE,
            wanted: 0,
            wanted_nodes: 0,
        }
    }

    /// Opens a list beyond those that there are from the beginning.
    pub(crate) fn open(&mut self) -> ListId {
        self.lists.push(List::EMPTY);
        ListId::try_from(self.lists.len() - 1).expect("lists are of requests")
    }

    pub(crate) fn is_node(&self, id: Id) -> bool {
        self.entries[id].node
    }

    pub(crate) fn is_empty(&self, list: ListId) -> bool {
        self.len(list) == 0
    }

    pub(crate) fn len(&self, list: ListId) -> usize {
        self.lists[list as usize].len as usize
    }

    /// How many of a list can have links.
    pub(crate) fn nodes(&self, list: ListId) -> usize {
        self.lists[list as usize].nodes as usize
    }

    pub(crate) const fn wanted(&self) -> usize {
        self.wanted
    }

    /// How many of them can have links.
    pub(crate) const fn wanted_nodes(&self) -> usize {
        self.wanted_nodes
    }

    pub(crate) fn find(&self, cid: &Cid) -> Option<Id> {
        self.index.get(cid)
    }

    /// As [`find`](Self::find), where it is probably `id`.
    pub(crate) fn find_near(&self, id: Option<Id>, cid: &Cid) -> Option<Id> {
        id.filter(|id| self.index.is(*id, cid)).or_else(|| self.find(cid))
    }

    pub(crate) fn cid(&self, id: Id) -> Cid {
        self.index.cid(id)
    }

    pub(crate) fn is_held(&self, id: Id) -> bool {
        self.entries[id].list == HELD
    }

    /// The list that an entry waits in.
    pub(crate) fn list(&self, id: Id) -> Option<ListId> {
        Some(self.entries[id].list).filter(|list| *list < NOWHERE)
    }

    /// The last plan that is of something this lies below; 0 is none.
    pub(crate) fn cover(&self, id: Id) -> u8 {
        self.entries[id].cover
    }

    pub(crate) fn note_cover(&mut self, id: Id, cover: u8) {
        self.entries[id].cover = cover;
    }

    pub(crate) fn lacking(&self, id: Id) -> u64 {
        self.entries[id].lacking
    }

    pub(crate) fn note_lacking(&mut self, id: Id, sources: u64) {
        self.entries[id].lacking |= sources;
    }

    /// Which sources may have it, and did not send it when they were asked for what lies above it.
    pub(crate) fn withheld(&self, id: Id) -> u64 {
        self.entries[id].withheld & !self.entries[id].lacking
    }

    /// Twice is no chance.
    pub(crate) fn note_withheld(&mut self, id: Id, sources: u64) {
        let entry = &mut self.entries[id];
        entry.lacking |= entry.withheld & sources;
        entry.withheld |= sources;
    }

    /// Gives a CID that was not met before its place in the order: in front of `at`, or at the end. `None` where
    /// it was met before.
    pub(crate) fn meet(&mut self, cid: &Cid, at: Option<Id>) -> Option<Id> {
        let (id, new) = self.index.number(cid);
        if !new {
            return None;
        }
        self.entries.push(Entry { node: may_link(cid), ..Entry::default() });
        let after = at.unwrap_or(NONE);
        let before = if after == NONE { self.last } else { self.entries[after].before };
        (self.entries[id].before, self.entries[id].after) = (before, after);
        match before {
            NONE => self.first = id,
            _ => self.entries[before].after = id,
        }
        match after {
            NONE => self.last = id,
            _ => self.entries[after].before = id,
        }
        self.wanted += 1;
        self.wanted_nodes += usize::from(self.entries[id].node);
        Some(id)
    }

    /// Marks an entry held: it is in no list, and has no place in the order any more.
    pub(crate) fn hold(&mut self, id: Id) {
        self.take(id);
        let Entry { before, after, .. } = self.entries[id];
        match before {
            NONE => self.first = after,
            _ => self.entries[before].after = after,
        }
        match after {
            NONE => self.last = before,
            _ => self.entries[after].before = before,
        }
        self.entries[id].list = HELD;
        self.wanted -= 1;
        self.wanted_nodes -= usize::from(self.entries[id].node);
    }

    /// Takes an entry out of its list.
    pub(crate) fn take(&mut self, id: Id) {
        let Entry { left, right, list, .. } = self.entries[id];
        if list >= NOWHERE {
            return;
        }
        match left {
            NONE => self.lists[list as usize].first = right,
            _ => self.entries[left].right = right,
        }
        match right {
            NONE => self.lists[list as usize].last = left,
            _ => self.entries[right].left = left,
        }
        self.count(list, id, false);
        self.entries[id].list = NOWHERE;
    }

    /// Puts an entry into a list, out of the one that it was in: in front of `at`, which is in it, or at its end.
    pub(crate) fn put(&mut self, id: Id, list: ListId, at: Option<Id>) {
        self.take(id);
        let right = at.unwrap_or(NONE);
        let left =
            if right == NONE { self.lists[list as usize].last } else { self.entries[right].left };
        let entry = &mut self.entries[id];
        (entry.left, entry.right, entry.list) = (left, right, list);
        match left {
            NONE => self.lists[list as usize].first = id,
            _ => self.entries[left].right = id,
        }
        match right {
            NONE => self.lists[list as usize].last = id,
            _ => self.entries[right].left = id,
        }
        self.count(list, id, true);
    }

    fn count(&mut self, list: ListId, id: Id, comes: bool) {
        let node = u32::from(self.entries[id].node);
        let list = &mut self.lists[list as usize];
        let by = |n: u32, by: u32| if comes { n + by } else { n - by };
        (list.len, list.nodes) = (by(list.len, 1), by(list.nodes, node));
    }

    pub(crate) fn first(&self, list: ListId) -> Option<Id> {
        Some(self.lists[list as usize].first).filter(|id| *id != NONE)
    }

    /// The last of a list, in the list's own order.
    pub(crate) fn last(&self, list: ListId) -> Option<Id> {
        Some(self.lists[list as usize].last).filter(|id| *id != NONE)
    }

    /// What is to the left in the list of `id`.
    pub(crate) fn left(&self, id: Id) -> Option<Id> {
        Some(self.entries[id].left).filter(|id| *id != NONE)
    }

    /// What is to the right in the list of `id`.
    pub(crate) fn right(&self, id: Id) -> Option<Id> {
        Some(self.entries[id].right).filter(|id| *id != NONE)
    }

    /// The first that is wanted, in the order of a walk.
    pub(crate) fn first_wanted(&self) -> Option<Id> {
        Some(self.first).filter(|id| *id != NONE)
    }

    /// What a walk comes to just after `id`.
    pub(crate) fn after(&self, id: Id) -> Option<Id> {
        Some(self.entries[id].after).filter(|id| *id != NONE)
    }

    /// The last that is wanted, in the order of a walk.
    pub(crate) fn last_wanted(&self) -> Option<Id> {
        Some(self.last).filter(|id| *id != NONE)
    }

    /// What a walk comes to just before `id`.
    pub(crate) fn before(&self, id: Id) -> Option<Id> {
        Some(self.entries[id].before).filter(|id| *id != NONE)
    }

    /// Bytes that all of it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.index.bytes() + self.entries.bytes() + self.lists.len() * size_of::<List>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};
    use carpool_core::{Block, codec};

    fn cid(n: u32) -> Cid {
        let codec = if n.is_multiple_of(2) { codec::RAW } else { codec::DAG_CBOR };
        *Block::new(codec, n.to_le_bytes().to_vec().into()).cid()
    }

    fn of(frontier: &Frontier, list: ListId) -> Vec<Id> {
        let mut ids = Vec::new();
        let mut at = frontier.last(list);
        while let Some(id) = at {
            ids.push(id);
            at = frontier.left(id);
        }
        ids.reverse();
        ids
    }

    fn order(frontier: &Frontier) -> Vec<Id> {
        let mut ids = Vec::new();
        let mut at = frontier.last_wanted();
        while let Some(id) = at {
            ids.push(id);
            at = frontier.before(id);
        }
        ids.reverse();
        ids
    }

    #[test]
    fn children_stand_where_their_parent_stood() {
        let mut frontier = Frontier::new(1, 2);
        let ids: Vec<Id> = (0..3).map(|n| frontier.meet(&cid(n), None).unwrap()).collect();
        ids.iter().for_each(|id| frontier.put(*id, 0, None));
        assert_eq!(frontier.meet(&cid(1), None), None);
        let child = frontier.meet(&cid(3), Some(ids[1])).unwrap();
        frontier.put(child, 0, Some(ids[1]));
        frontier.hold(ids[1]);
        assert_eq!(order(&frontier), [0, 3, 2]);
        assert_eq!(of(&frontier, 0), [0, 3, 2]);
        assert_eq!((frontier.len(0), frontier.nodes(0), frontier.wanted()), (3, 1, 3));
        frontier.put(0, 1, None);
        frontier.put(2, 1, Some(0));
        assert_eq!((of(&frontier, 0), of(&frontier, 1)), (vec![3], vec![2, 0]));
        [2, 3, 0].into_iter().for_each(|id| frontier.hold(id));
        assert!(order(&frontier).is_empty() && frontier.is_empty(0) && frontier.is_empty(1));
        assert!(frontier.is_held(0) && frontier.list(0).is_none());
    }
}
