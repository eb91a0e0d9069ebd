use carpool_core::{Cid, Limits};
use carpool_mirror::{
    extension::Asked,
    sketch::{CellRange, Lacking, MAX_MESSAGES, NamedKey, Reconciliation},
};
use carpool_store::BlockStore;

use crate::{
    Result,
    reconcile::{Reconciled, reconcile},
};

/// What the source of a push makes of the server's cells.
#[derive(Debug)]
pub(super) struct Sketching {
    named: NamedKey,
    /// What was begun, and the message that brought the first cells: it says what is wanted.
    begun: Option<(Reconciliation, Asked)>,
    messages: u32,
}

/// What a message of cells came to.
#[derive(Debug)]
pub(super) enum Came {
    /// What the server lacks below what this message wants.
    Lacking(Box<(Asked, Lacking)>),
    /// These are to be asked for.
    Need(CellRange),
    GaveUp,
}

impl Sketching {
    pub(super) const fn new(named: NamedKey) -> Self {
        Self { named, begun: None, messages: 0 }
    }

    /// The same, with no cells taken.
    pub(super) fn begun_anew(self) -> Self {
        Self { begun: None, ..self }
    }

    pub(super) const fn named(&self) -> NamedKey {
        self.named
    }

    /// Takes a message with cells. It walks the DAG below `root` once, and blocks.
    pub(super) fn take<S: BlockStore + ?Sized>(
        &mut self,
        asked: Asked,
        root: Cid,
        (limits, seed): (&Limits, u64),
        store: &S,
    ) -> Result<Came> {
        self.messages += 1;
        let Some(cells) = asked.cells.clone() else { return Ok(Came::GaveUp) };
        let (mut machine, asked) = match self.begun.take() {
            Some((machine, first)) => (machine, if cells.first() > 0 { first } else { asked }),
            None => (Reconciliation::new(self.named, root, limits, seed), asked),
        };
        machine.handle_cells(&cells);
        Ok(match reconcile(&mut machine, store)? {
            Reconciled::Lacking(lacking) => Came::Lacking(Box::new((asked, lacking))),
            Reconciled::Need(range) if self.messages < MAX_MESSAGES => {
                self.begun = Some((machine, asked));
                Came::Need(range)
            }
            Reconciled::Need(_) | Reconciled::GaveUp => Came::GaveUp,
        })
    }
}
