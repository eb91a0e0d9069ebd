use carpool_core::Cid;
use carpool_mirror::sketch::{CellRange, Lacking, Reconciliation, Reconciling};
use carpool_store::BlockStore;

use crate::{Result, driver::READ_BLOCKS};

/// What cells came to.
#[derive(Debug)]
pub(crate) enum Reconciled {
    Need(CellRange),
    Lacking(Lacking),
    GaveUp,
}

/// Answers the look-ups of a reconciliation until it has something for the peer. It blocks.
pub(crate) fn reconcile<S: BlockStore + ?Sized>(
    machine: &mut Reconciliation,
    store: &S,
) -> Result<Reconciled> {
    let mut loads: Vec<Cid> = Vec::new();
    loop {
        match machine.poll()? {
            Some(Reconciling::Load(cid)) => loads.push(cid),
            None => {
                for few in loads.chunks(READ_BLOCKS) {
                    for (cid, data) in few.iter().zip(store.get_many(few)?) {
                        machine.handle_load(cid, data);
                    }
                }
                loads.clear();
            }
            Some(Reconciling::Need(range)) => return Ok(Reconciled::Need(range)),
            Some(Reconciling::Lacking(lacking)) => return Ok(Reconciled::Lacking(lacking)),
            Some(Reconciling::GaveUp) => return Ok(Reconciled::GaveUp),
        }
    }
}
