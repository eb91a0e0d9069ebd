use carpool_core::{Cid, CidList, Limits};
use carpool_mirror::{Survey, Trail};
use carpool_store::BlockStore;

use crate::Result;

/// Blocks are read from the store this many at a time.
const READ_BLOCKS: usize = 32;

/// Reads the blocks that a peer's bitmap is over; `None` where none can be. It blocks.
pub(crate) fn survey<S: BlockStore + ?Sized>(
    parents: &CidList,
    limits: &Limits,
    store: &S,
) -> Result<Option<Trail>> {
    let mut survey = Survey::new(parents, limits);
    let mut loads: Vec<Cid> = Vec::new();
    loop {
        while let Some(cid) = survey.poll() {
            loads.push(cid);
        }
        if loads.is_empty() {
            return Ok(survey.finish().ok());
        }
        for few in loads.chunks(READ_BLOCKS) {
            for (cid, data) in few.iter().zip(store.get_many(few)?) {
                survey.handle_load(cid, data);
            }
        }
        loads.clear();
    }
}
