use alloc::vec::Vec;
use carpool_bloom::sketch::{Cell, Decoder, Sketch};
use carpool_core::{Bytes, Cid, Limits, may_link};
use carpool_selector::{Order, Step, Walk};

use super::{CellRange, Cells, Lacking, MAX_CELLS, NamedKey};
use crate::{Error, narrowing::with_bytes};

/// What a [`Reconciliation`] has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reconciling {
    /// Look this CID up and answer with [`Reconciliation::handle_load`]. Leaves are not asked for.
    Load(Cid),
    /// These cells are needed: ask the sink, and hand them in with
    /// [`handle_cells`](Reconciliation::handle_cells).
    Need(CellRange),
    /// What the sink lacks is known; nothing follows.
    Lacking(Lacking),
    /// It does not come to an end within the limits: the sink is to say in another way what it
    /// lacks. Nothing follows.
    GaveUp,
}

/// The source's side: what below a root does the sink lack whose cells these are?
///
/// It walks the DAG below the root once, whatever comes, and keeps a sketch of it; with the sink's cells
/// it is decoded, message by message. **Never trusted**: cells of no set, or of another, end in
/// blocks that are sent in vain or not at all, and the sink asks for those by name.
///
/// In memory it takes 16 bytes a cell of [`MAX_CELLS`], up to 40 more for each that came, and what the
/// walk takes.
#[derive(Debug)]
pub struct Reconciliation {
    named: NamedKey,
    /// Until all is in our sketch: it takes more memory than all else.
    walk: Option<Walk>,
    ours: Sketch,
    /// Blocks that may still be walked.
    left: usize,
    /// Cell 0 of the sink's sketch, once it has come.
    zeroth: Option<Cell>,
    /// What came and is not decoded yet.
    theirs: Vec<Cell>,
    decoder: Decoder,
    /// Whether the DAG has more blocks than may be walked.
    too_large: bool,
    /// Whether the cells are of no set, or too few of all that may come.
    failed: bool,
    /// What to ask for next, before anything else.
    again: Option<CellRange>,
}

impl Reconciliation {
    /// A reconciliation of the DAG below `root`, under a key that was drawn for this peer. `seed` is for
    /// hash tables, see [`CidMap`](carpool_core::CidMap). A DAG of more blocks than
    /// [`Limits::max_sketched`] is given up.
    #[must_use]
    pub fn new(named: NamedKey, root: Cid, limits: &Limits, seed: u64) -> Self {
        Self {
            named,
            walk: Some(Walk::new([root], Order::BreadthFirst, limits, seed)),
            ours: Sketch::new(named.key, MAX_CELLS),
            left: limits.max_sketched,
            zeroth: None,
            theirs: Vec::new(),
            decoder: Decoder::new(),
            too_large: false,
            failed: false,
            again: None,
        }
    }

    /// The key.
    #[must_use]
    pub const fn named(&self) -> &NamedKey {
        &self.named
    }

    /// Takes the sink's next cells. Those that begin with cell 0 begin anew; those that do not go on
    /// where the last ones ended, or are of a set that has changed, are dropped, and all of them are
    /// asked for again. Where the transport is full-duplex they may come one by one; but each call
    /// costs a look at all that is decoded.
    pub fn handle_cells(&mut self, cells: &Cells) {
        let (first, end) = (cells.first(), cells.first() + cells.cells().len());
        if first == 0 {
            (self.decoder, self.failed) = (Decoder::new(), false);
            self.theirs.clear();
            self.zeroth = Some(cells.zeroth());
        }
        let goes_on = self.zeroth == Some(cells.zeroth()) && first == self.known();
        let takes = goes_on && cells.number() == self.named.number;
        if takes {
            self.theirs.extend_from_slice(cells.cells());
        }
        self.again = (!takes).then(|| CellRange { first: 0, count: end.min(MAX_CELLS) });
    }

    /// Cells that came.
    fn known(&self) -> usize {
        self.decoder.cells() + self.theirs.len()
    }

    /// Answers a [`Reconciling::Load`], in any order: the block's bytes, verified before, or `None`
    /// where it is not held.
    pub fn handle_load(&mut self, cid: &Cid, data: Option<Bytes>) {
        if let Some(walk) = &mut self.walk {
            walk.handle_load(cid, data);
        }
    }

    /// The next output; `None` while look-ups are awaited. Call again after every `handle_*`, until
    /// `None` or what ends it, which is said again when polled again.
    ///
    /// # Errors
    /// [`Error::Block`] for a held block that does not parse.
    pub fn poll(&mut self) -> Result<Option<Reconciling>, Error> {
        if let Some(range) = self.again {
            return Ok(Some(Reconciling::Need(range)));
        }
        if self.known() == 0 {
            return Ok(Some(Reconciling::Need(CellRange::BEGIN)));
        }
        if let Some(cid) = self.walk_on()? {
            return Ok(Some(Reconciling::Load(cid)));
        }
        if self.too_large || self.failed {
            return Ok(Some(Reconciling::GaveUp));
        }
        Ok(self.walk.is_none().then(|| self.decode()))
    }

    /// Walks, until a look-up is needed or awaited or all is in the sketch.
    fn walk_on(&mut self) -> Result<Option<Cid>, Error> {
        let Self { walk, ours, left, too_large, .. } = self;
        while let Some(on) = walk.as_mut().filter(|_| !*too_large) {
            let step = on.poll(|cid| {
                with_bytes(cid, |bytes| ours.toggle(bytes));
                *too_large |= *left == 0;
                *left = left.saturating_sub(1);
                !*too_large && may_link(cid)
            })?;
            match step {
                Some(Step::Load(cid)) => return Ok(Some(cid)),
                Some(Step::Visit(_) | Step::Missing { .. }) => {}
                None if on.is_done() => *walk = None,
                None => break,
            }
        }
        Ok(None)
    }

    fn decode(&mut self) -> Reconciling {
        let (begin, theirs) = (self.decoder.cells(), core::mem::take(&mut self.theirs));
        self.failed = self.decoder.handle_cells(&theirs, &self.ours.cells()[begin..]).is_err();
        if self.decoder.is_done() {
            return Reconciling::Lacking(self.lacking());
        }
        let more = CellRange::after(self.known()).filter(|_| !self.failed);
        self.failed |= more.is_none();
        more.map_or(Reconciling::GaveUp, Reconciling::Need)
    }

    fn lacking(&self) -> Lacking {
        Lacking::new(self.named.key, self.decoder.recovered().to_vec())
    }
}
