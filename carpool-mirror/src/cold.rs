use alloc::collections::VecDeque;
use carpool_core::{Block, Cid, CidSet};

/// A round of which nobody knows what the sink holds (CAR Mirror §3.1.3.1): all of a small DAG, of
/// a larger one the root alone. Whatever else went out, the sink might hold it.
#[derive(Debug)]
pub(crate) struct ColdCall {
    /// Bytes that may still be sent.
    left: u64,
    begun: bool,
    /// What goes out if all fits.
    kept: VecDeque<Block>,
    exceeded: bool,
}

/// Bytes that are kept at most, whatever the budget.
pub(crate) const MOST: u64 = 1 << 20;

/// CIDs looked up ahead: most of what is read of a large DAG is read in vain.
pub(crate) const WINDOW: usize = 8;

impl ColdCall {
    pub(crate) fn new(budget: u64) -> Self {
        Self { left: budget.min(MOST), begun: false, kept: VecDeque::new(), exceeded: false }
    }

    /// Takes the next block of the walk and gives back the one that goes out now: the first,
    /// whatever it costs. A block costs one byte more than it has. What turns out not to go out is
    /// added to `unsent`.
    pub(crate) fn take(&mut self, block: Block, unsent: Option<&mut CidSet>) -> Option<Block> {
        let left = self.left.checked_sub(block.data().len() as u64 + 1);
        self.left = left.unwrap_or(0);
        if !self.begun {
            self.begun = true;
            return Some(block);
        }
        self.kept.push_back(block);
        if left.is_none() {
            self.exceed(unsent);
        }
        None
    }

    fn exceed(&mut self, unsent: Option<&mut CidSet>) {
        self.exceeded = true;
        if let Some(unsent) = unsent {
            self.kept.iter().for_each(|block| {
                unsent.insert(block.cid());
            });
        }
        self.kept = VecDeque::new();
    }

    /// Whether the DAG is too large, so that nothing more goes out.
    pub(crate) const fn is_exceeded(&self) -> bool {
        self.exceeded
    }

    /// What has not gone out.
    pub(crate) fn kept(&self) -> impl Iterator<Item = &Cid> {
        self.kept.iter().map(Block::cid)
    }

    /// At the end of the walk, the next block that goes out.
    pub(crate) fn release(&mut self) -> Option<Block> {
        self.kept.pop_front()
    }
}
