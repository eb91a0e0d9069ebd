use carpool_core::{Cid, Limits};
use carpool_selector::reference::breadth_first;
use carpool_selector::{Difference, Order, Step, Walk};
use sim::Blocks;
use std::collections::BTreeSet;

use crate::{choices::Choices, mirror_session::blocks};

/// Any two roots of any DAG, blocks that are not there, answers in any order, any capacity: nothing
/// that is missing is taken for held, and the old side is opened within its budget.
pub fn difference(data: &[u8]) {
    let mut choices = Choices::new(data);
    let all = blocks(&mut choices);
    let (missing_there, capacity) = (choices.byte(), usize::from(choices.byte()));
    let held = all.iter().enumerate().filter(|(i, _)| i % 8 != usize::from(missing_there % 16));
    let store: Blocks = held.map(|(_, block)| block.clone().into_parts()).collect();
    let mut pick = || *all[choices.below(all.len())].cid();
    let (new, old) = ([pick()], [pick(), pick()]);
    let limits = Limits::default();
    let mut machine = Difference::new(new, old, capacity, &limits, 1);
    let loads = run(&mut machine, &store, &mut choices);
    let reached = below(&new, &store);
    let lacking = entered(new[0], &machine, &store);
    let missing: BTreeSet<Cid> = reached.difference(&below(&old, &store)).copied().collect();
    assert!(missing.is_subset(&lacking), "what is missing is sent");
    assert!(lacking.is_subset(&reached));
    assert!(loads <= 3 * reached.len() + 66, "{loads} look-ups");
}

fn below(roots: &[Cid], store: &Blocks) -> BTreeSet<Cid> {
    breadth_first(roots, store).into_iter().collect()
}

fn run(machine: &mut Difference, store: &Blocks, choices: &mut Choices<'_>) -> usize {
    let (mut asked, mut loads) = (Vec::new(), 0);
    loop {
        match machine.poll() {
            Some(cid) => asked.push(cid),
            None if asked.is_empty() => break,
            None => {
                let cid: Cid = asked.swap_remove(choices.below(asked.len()));
                machine.handle_load(&cid, store.get(&cid).cloned());
                loads += 1;
            }
        }
    }
    assert!(machine.is_done());
    loads
}

/// What a walk comes to that enters what is lacking.
fn entered(new: Cid, machine: &Difference, store: &Blocks) -> BTreeSet<Cid> {
    let mut walk = Walk::new([new], Order::DepthFirst, &Limits::default(), 1);
    let mut found = BTreeSet::new();
    while let Some(step) = walk.poll(|cid| machine.lacks(cid)).expect("blocks that parse") {
        match step {
            Step::Load(cid) => walk.handle_load(&cid, store.get(&cid).cloned()),
            Step::Visit(block) => found.extend([*block.cid()]),
            Step::Missing { cid, .. } => found.extend([cid]),
        }
    }
    found
}
