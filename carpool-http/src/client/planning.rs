use carpool_core::{Cid, Limits, links, may_link};
use carpool_mirror::{
    Holding,
    planner::{Facts, Plan, Step, plan},
};
use carpool_store::BlockStore;
use std::sync::{Arc, atomic::Ordering::Relaxed};

use super::{Client, Deltas, Event, acquaintances::now, blocking};
use crate::{Error, Result};

/// Of how many levels a source looks at the left edge; what is deeper is a chain.
const EDGE: u64 = 100;

/// A source's own DAG, judged by its left edge: the nodes there are full, and it costs a look-up a
/// level.
#[derive(Debug, Default)]
struct Edge {
    blocks: u64,
    interior: u64,
    depth: u64,
    leaf_bytes: u64,
}

impl Edge {
    fn of<S: BlockStore + ?Sized>(store: &S, root: Cid, limits: &Limits) -> Result<Self> {
        let mut edge = Self { blocks: 1, ..Self::default() };
        let (mut next, mut nodes) = (Some(root), 1_u64);
        while let Some(cid) = next.filter(|cid| may_link(cid) && edge.depth < EDGE) {
            let Some(data) = store.get(&cid)? else { break };
            let links = links(&cid, &data, limits)?;
            edge.interior = edge.interior.saturating_add(nodes);
            nodes = nodes.saturating_mul(links.len() as u64);
            edge.blocks = edge.blocks.saturating_add(nodes);
            edge.depth += u64::from(!links.is_empty());
            next = links.first().copied();
        }
        let size = next.map(|leaf| store.size_many(&[leaf])).transpose()?;
        edge.leaf_bytes = size.into_iter().flatten().flatten().next().unwrap_or(0);
        Ok(edge)
    }
}

impl Client {
    /// How a pull goes on, for a sink that holds so much.
    pub(super) fn plan_pull(&self, holding: &Holding, leaf_bytes: u64) -> Plan {
        let extended = self.is_extended();
        let facts = self.with_last_change(Facts {
            blocks: holding.blocks,
            interior: holding.interior,
            depth: holding.depth,
            leaf_bytes,
            last_change: None,
            path: self.path(),
            common_root: holding.old_root && extended,
            extended,
        });
        self.plan(&facts, self.given_key().is_some())
    }

    /// How a push goes on. What the server holds is not known: it is taken to be about as much as
    /// there is here.
    pub(super) async fn plan_push<S: BlockStore + ?Sized + 'static>(
        &self,
        root: Cid,
        common_root: bool,
        store: &Arc<S>,
    ) -> Result<Plan> {
        let (store, options) = (Arc::clone(store), Arc::clone(&self.options));
        let edge = blocking(move || Edge::of(&*store, root, &options.limits)).await;
        let edge = match edge {
            Ok(edge) => edge,
            // What is wrong with the DAG turns up where it is walked.
            Err(Error::Block(_)) => Edge::default(),
            Err(error) => return Err(error),
        };
        let facts = self.with_last_change(Facts {
            blocks: edge.blocks,
            interior: edge.interior,
            depth: edge.depth,
            leaf_bytes: edge.leaf_bytes,
            last_change: None,
            path: self.path(),
            common_root,
            // To ask costs a header; a server that was not asked may read it.
            extended: self.options.acquaintances.reads(&self.base, now()) != Some(false),
        });
        Ok(self.plan(&facts, true))
    }

    /// The facts with the last change under this name. One of more than half of what there is was a
    /// beginning, such as the first transfer of all of it, and says nothing of the next.
    fn with_last_change(&self, facts: Facts) -> Facts {
        let blocks = self.options.acquaintances.change(&self.base, self.name_of_change());
        let change = blocks.filter(|blocks| blocks.saturating_mul(2) <= facts.blocks);
        Facts { last_change: change.map(|blocks| facts.leaves_among(blocks)), ..facts }
    }

    /// Remembers how many blocks a transfer moved that is over.
    pub(super) fn note_change(&self, blocks: u64) {
        if blocks > 0 {
            let (known, name) = (&self.options.acquaintances, self.name_of_change());
            known.note_change(&self.base, name, blocks);
        }
    }

    fn name_of_change(&self) -> &str {
        self.options.name.as_deref().unwrap_or_default()
    }

    /// A step that is forced is the only one, unless it cannot be taken here; sketches need a key.
    fn plan(&self, facts: &Facts, has_key: bool) -> Plan {
        let can = |step: &Step| has_key || *step != Step::Sketch;
        let forced = self.options.strategy.filter(can).map(|step| plan(facts, &[step]));
        let forced = forced.filter(|plan| Some(plan.first()) == self.options.strategy);
        let all: Vec<Step> = Step::ON_THE_WIRE.into_iter().filter(can).collect();
        let plan = forced.unwrap_or_else(|| plan(facts, &all));
        self.tell(&Event::Plans(plan.clone()));
        plan
    }

    /// Decides whether blocks travel as deltas, and tells why.
    pub(super) fn decide_encoding(&self) -> bool {
        let encoding = self.encoding();
        let deltas = encoding.deltas;
        self.tell(&Event::Encodes(encoding));
        deltas
    }

    /// Whether a delta body is taken. Without an old root that both hold it is blocks compressed together.
    pub(super) fn takes_deltas(&self, held: &[Cid]) -> bool {
        if held.is_empty() {
            return self.options.deltas != Deltas::Never && self.compresses();
        }
        self.decide_encoding()
    }

    /// Notes at what rate a body moved, where it was long enough to tell.
    pub(super) fn note_rate(&self, bytes: u64, seconds: f64) {
        const TELLING: u64 = 1 << 20;
        if bytes >= TELLING && seconds > 0.0 {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "saturates"
            )]
            let rate = (bytes as f64 / seconds) as u64;
            let fastest = self.rate.fetch_max(rate, Relaxed).max(rate);
            self.options.acquaintances.note_rate(&self.base, fastest, now());
        }
    }
}

/// The steps of a plan, in their order.
pub(super) fn steps(plan: &Plan) -> Vec<Step> {
    plan.steps.iter().map(|planned| planned.step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use carpool_store::MemoryStore;
    use sim::dag::{Shape, original};

    #[test]
    fn a_tree_is_judged_by_its_left_edge() {
        let shape = Shape { seed: 1, leaves: 4096, leaf_size: 100, fanout: 16 };
        let dag = original(&shape);
        let store = MemoryStore::new();
        store.put_many(&dag.blocks).expect("memory takes blocks");
        let edge = Edge::of(&store, dag.root, &Limits::default()).expect("it parses");
        let Edge { blocks, interior, depth, leaf_bytes } = edge;
        assert_eq!((blocks, interior), (4096 + 256 + 16 + 1, 256 + 16 + 1));
        assert_eq!((depth, leaf_bytes), (3, 100));
    }
}
