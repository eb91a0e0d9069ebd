//! Time against the number of blocks.

use carpool_store::MemoryStore;
use sim::dag::{Dag, Shape, original};
use std::hint::black_box;

use crate::{
    clock::{median, timed_thread},
    memory::{hash_all, holding, pull},
    report::{Goal, Row},
};

const SMALLEST: u64 = 8 << 10;
const DOUBLINGS: u32 = 5;
const RUNS: usize = 7;

/// All sizes are measured by turns, so that a busy minute of the machine hits them all. A round
/// before them goes uncounted: it takes the memory that the others use again, at every size.
pub(super) fn measure(each: &mut dyn FnMut(Row)) {
    let mut sizes: Vec<Size> = (0..=DOUBLINGS).map(|n| Size::new(SMALLEST << n)).collect();
    sizes.iter_mut().for_each(|size| drop(size.pull()));
    for _ in 0..RUNS {
        sizes.iter_mut().for_each(Size::run);
    }
    let times: Vec<f64> = sizes.into_iter().map(|size| size.report(each)).collect();
    let growth = times[times.len() - 1] / times[0];
    let row = Row::new("linear", "time for 32 × the leaves", growth, "×");
    each(row.goal(Goal::AtMost(40.0)));
}

struct Size {
    leaves: u64,
    dag: Dag,
    from: MemoryStore,
    ours: Vec<f64>,
    hashed: Vec<f64>,
}

impl Size {
    fn new(leaves: u64) -> Self {
        let dag = original(&Shape { leaves, ..Shape::SMALL });
        let from = holding(&dag.blocks);
        Self { leaves, dag, from, ours: Vec::new(), hashed: Vec::new() }
    }

    fn run(&mut self) {
        self.ours.push(self.pull().0);
        self.hashed.push(timed_thread(|| black_box(hash_all(&self.dag.blocks))).0);
    }

    /// Seconds, and the store that took the blocks.
    fn pull(&self) -> (f64, MemoryStore) {
        let to = MemoryStore::new();
        let (seconds, _) = timed_thread(|| pull(self.dag.root, &[], &self.from, &to));
        assert_eq!(to.len(), self.dag.blocks.len(), "all came");
        (seconds, to)
    }

    /// Seconds.
    fn report(self, each: &mut dyn FnMut(Row)) -> f64 {
        let (ours, hashed) = (median(self.ours), median(self.hashed));
        let (blocks, size) = (self.dag.blocks.len() as f64, self.leaves >> 10);
        let what = format!("pull of {size} Ki leaves of 1 KiB, fan-out 64: {ours:.3} s");
        let row = Row::new("linear", what, blocks / ours, "blocks/s");
        let row = row.beside("sha2 of the same blocks", blocks / hashed);
        each(row.goal(Goal::AtLeast(250_000.0)));
        ours
    }
}
