use alloc::vec::Vec;
use carpool_bloom::sketch::{Key, Sketch};
use carpool_core::Cid;

use super::{Sink, SinkOutput};
use crate::{
    narrowing::{interior_params, may_link_bytes},
    planner::Step as Way,
    sketch::{CellRange, Cells, NamedKey},
    sketching::{Sketching, worth},
};

impl Sink {
    /// Says that the source drew this key, and which cells it needs first: now
    /// [`Sketch`](Way::Sketch) can be taken. What was not taken under another key is under this one.
    pub fn handle_key(&mut self, named: NamedKey, range: CellRange) {
        self.sketching = Some(match &self.sketching {
            Some(before) => before.under(named, range),
            None => Sketching::new(named, range),
        });
    }

    /// Says that the source sent nothing yet and needs these cells. Where they are not worth their
    /// bytes the sink goes on to the next step.
    pub fn handle_need(&mut self, range: CellRange) {
        self.handle_cut();
        let goes_on = self.sketching.as_mut().is_some_and(|sketching| sketching.need(range));
        if !goes_on {
            self.give_up_sketch();
        }
    }

    /// The number of the key under which the message of the open round has cells.
    #[must_use]
    pub fn key_in_use(&self) -> Option<u64> {
        let sketching = self.sketching.as_ref().filter(|it| self.round.open && it.is_made())?;
        (self.step() == Some(Way::Sketch)).then(|| sketching.named().number)
    }

    pub(super) fn give_up_sketch(&mut self) {
        self.sketching = None;
        if let Some(asking) = self.asking.as_mut().filter(|asking| asking.step() == Way::Sketch) {
            asking.fall_back();
        }
    }

    /// The cells of the next message, where the step is to send some and they are worth it; an error
    /// while the summary is awaited.
    pub(super) fn ask_by_cells(&mut self) -> Result<Option<Cells>, Option<SinkOutput>> {
        if self.step() != Some(Way::Sketch) || !self.wants.any_interior() {
            return Ok(None);
        }
        let made = self.sketching.as_ref().filter(|_| self.root.is_some()).map(Sketching::is_made);
        if made == Some(false) {
            if let Some(waits) = self.ask_for_summary() {
                return Err(waits);
            }
            self.make_sketch();
        }
        let cells = self.sketching.as_mut().and_then(Sketching::cells);
        if cells.is_none() {
            self.give_up_sketch();
        }
        Ok(cells)
    }

    fn make_sketch(&mut self) {
        let (known, interior) = (self.take_known(), self.next_filter_is_interior());
        let Some(key) = self.sketching.as_ref().map(|sketching| sketching.named().key) else {
            return;
        };
        // Where an old root is held, what else there is only differs.
        let known = known.filter(|_| self.held_roots().is_empty());
        let (made, most) = match known {
            Some(known) => {
                let bytes = if interior { known.interior_bytes() } else { known.bytes() };
                (known.sketch_with(&key, |each| self.for_each_held(each)), worth(bytes))
            }
            None => self.own_sketch(key, interior),
        };
        if let (Some(sketching), Some(made)) = (&mut self.sketching, made) {
            sketching.make(made, most);
        }
    }

    /// A sketch of what is known to be held, and how many of its cells are worth sending; none of nothing.
    fn own_sketch(&self, key: Key, interior: bool) -> (Option<Sketch>, usize) {
        let mut n = 0;
        self.for_each_held(&mut |cid| n += usize::from(!interior || may_link_bytes(cid)));
        let max = self.limits.max_bloom_bytes;
        let params = if interior { interior_params(n, max) } else { self.sizing(n).params() };
        let most = worth(params.bytes());
        let mut sketch = Sketch::new(key, most);
        self.for_each_held(&mut |cid| sketch.toggle(cid));
        ((n > 0).then_some(sketch), most)
    }

    fn next_filter_is_interior(&self) -> bool {
        self.asking.as_ref().is_some_and(|asking| asking.next_step() == Way::InteriorFilter)
    }

    /// Cells are held against all of the DAG, so its root goes with what is wanted. The source of a push
    /// knows from the first of them what is wanted.
    pub(super) fn whole(
        &self,
        only: Option<Cid>,
        want: &mut Vec<Cid>,
        cells: &Cells,
    ) -> Option<Cid> {
        want.extend(only.filter(|only| self.root != Some(*only)));
        if self.pushed.is_some() && cells.first() > 0 {
            want.clear();
        }
        self.root
    }
}
