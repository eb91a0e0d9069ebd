use carpool_bloom::sketch::Key;
use carpool_core::{Cid, CidSet, Limits, cid_exact};
use carpool_mirror::{Known, Summary};
use carpool_store::Store;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::ServerOptions;
use crate::{Result, driver::gather_within};

/// Roots whose DAGs are looked at, those that were completed last.
const ROOTS: usize = 64;
/// Bytes of the filter, which goes into answers.
const FILTER_BYTES: usize = 256 << 10;

/// What the store holds completely, kept from request to request: the DAGs of the roots that were
/// completed last. A source of which the server knows nothing is told of it, for nobody can tell
/// what is held below a node that has not come yet.
///
/// Each block is looked at once, when a root is first seen, so a request costs a copy of the filter.
pub(super) struct Inventory {
    state: Mutex<State>,
    limits: Limits,
    max_blocks: usize,
    seed: u64,
}

struct State {
    /// Those that were looked at, newest first.
    roots: Vec<Cid>,
    summary: Summary,
}

impl Inventory {
    pub(super) fn new(options: &ServerOptions) -> Self {
        let (max_blocks, seed) = (options.max_summary_blocks, options.seed);
        let state = State { roots: Vec::new(), summary: summary(max_blocks, seed) };
        Self { state: Mutex::new(state), limits: options.limits.clone(), max_blocks, seed }
    }

    /// The filter for an answer, and a sketch under `key` where there is one; `None` where nothing is
    /// known. A sketch under a key that was used lately costs a copy of it.
    pub(super) fn known<S: Store + ?Sized>(
        &self,
        store: &S,
        key: Option<&Key>,
    ) -> Result<Option<Known>> {
        if self.max_blocks == 0 {
            return Ok(None);
        }
        let roots = store.recent_roots(ROOTS)?;
        let mut state = self.lock();
        if state.roots != roots {
            self.look_at(&mut state, roots, store)?;
        }
        Ok(match key {
            Some(key) => state.summary.known_under(key),
            None => state.summary.known(),
        })
    }

    /// Adds the DAGs of roots that are new. Where there is no room, it begins again with the newest,
    /// in half of the room: however many come, a block is looked at again for one that is new.
    fn look_at<S: Store + ?Sized>(
        &self,
        state: &mut State,
        roots: Vec<Cid>,
        store: &S,
    ) -> Result<()> {
        let new: Vec<Cid> =
            roots.iter().filter(|root| !state.roots.contains(root)).copied().collect();
        let (from, most) = if state.summary.is_full() && !new.is_empty() {
            state.summary = summary(self.max_blocks, self.seed);
            (&roots, self.max_blocks / 2)
        } else {
            (&new, self.max_blocks)
        };
        for root in from {
            self.add(&mut state.summary, *root, most, store)?;
        }
        state.roots = roots;
        Ok(())
    }

    /// Adds what is below a root, breadth first and while the summary has at most `most` blocks,
    /// unless some of it is missing.
    fn add<S: Store + ?Sized>(
        &self,
        summary: &mut Summary,
        root: Cid,
        most: usize,
        store: &S,
    ) -> Result<()> {
        let room = most.saturating_sub(summary.len());
        let enter = |cid: &Cid, found| found < room && !summary.contains(cid);
        let found = gather_within(store, &[root], &self.limits, self.seed, enter)?;
        if found.complete {
            insert_all(summary, &found.held);
        }
        Ok(())
    }

    // Every step leaves it whole, and what it claims wrongly costs a round and nothing else.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn summary(max_blocks: usize, seed: u64) -> Summary {
    Summary::new(max_blocks, FILTER_BYTES, seed)
}

fn insert_all(summary: &mut Summary, held: &CidSet) {
    held.for_each(|cid| {
        summary.insert(&cid_exact(cid).expect("a key is a CID"));
    });
}
