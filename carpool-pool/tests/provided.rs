//! The session of provided CIDs against a slow and obvious twin: whatever is told in whatever order, however
//! often, nothing that was promised is denied, and those who were told the same know the same.

use carpool_core::{Block, Cid, codec};
use carpool_pool::{Gossip, Promises, Provided};
use proptest::{collection::vec, prelude::*};
use std::collections::BTreeSet;

const SESSION: [u8; 16] = [5; 16];
const SOURCES: u8 = 3;
const EPOCHS: u32 = 3;
const BLOCKS: u8 = 12;

fn cid(n: u8) -> Cid {
    *Block::new(codec::RAW, vec![n].into()).cid()
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Promise(u8),
    Lack(u8),
    Finish,
    Tell,
}

fn act() -> impl Strategy<Value = (u8, u32, Act)> {
    let act = prop_oneof![
        4 => (0..BLOCKS).prop_map(Act::Promise),
        1 => (0..BLOCKS).prop_map(Act::Lack),
        1 => Just(Act::Finish),
        3 => Just(Act::Tell),
    ];
    (0..SOURCES, 0..EPOCHS, act)
}

/// A fact as the twin has it: source, epoch, block, and whether it is lacking.
type Fact = (u8, u32, u8, bool);

/// What the sources know of themselves, all messages, and what each of these says.
struct Said {
    views: Vec<Provided>,
    messages: Vec<(Vec<u8>, BTreeSet<Fact>)>,
}

fn said(acts: &[(u8, u32, Act)]) -> Said {
    let mut views = vec![Provided::new(&SESSION); SOURCES.into()];
    let mut promises: Vec<Vec<Promises>> = (0..SOURCES)
        .map(|source| (0..EPOCHS).map(|epoch| Promises::new(source, epoch)).collect())
        .collect();
    let (mut messages, mut news) = (Vec::new(), BTreeSet::new());
    for (source, epoch, act) in acts.iter().copied() {
        let view = &mut views[usize::from(source)];
        let ours = &mut promises[usize::from(source)][epoch as usize];
        match act {
            Act::Promise(n) => {
                // What was said before is not said again.
                if ours.promise(view, &cid(n)).expect("within the limits") {
                    news.insert((source, epoch, n, false));
                }
            }
            Act::Lack(n) => {
                // What was said before is not said again.
                if ours.lack(view, &cid(n)).expect("within the limits") {
                    news.insert((source, epoch, n, true));
                }
            }
            Act::Finish => ours.finish(view).expect("within the limits"),
            Act::Tell => {
                let Some(gossip) = ours.take(view) else { continue };
                let told = news.iter().filter(|it| (it.0, it.1) == (source, epoch)).copied();
                let told: BTreeSet<Fact> = told.collect();
                news.retain(|it| !told.contains(it));
                messages.push((gossip.encode(view.key()), told));
            }
        }
    }
    Said { views, messages }
}

fn hear(view: &mut Provided, message: &[u8]) {
    let gossip = Gossip::decode(view.key(), message).expect("a good message");
    view.apply(&gossip).expect("within the limits");
}

fn same_as_twin(view: &Provided, twin: &BTreeSet<Fact>) {
    let wanted: Vec<Cid> = (0..BLOCKS).map(cid).collect();
    for n in 0..BLOCKS {
        let by: Vec<&Fact> = twin.iter().filter(|it| it.2 == n && !it.3).collect();
        assert_eq!(view.is_provided(&cid(n)), !by.is_empty());
        assert_eq!(view.count(&cid(n)), by.len());
        for source in 0..SOURCES {
            let beside = by.iter().any(|it| it.0 != source);
            assert_eq!(view.is_provided_beside(source, &cid(n)), beside);
            let lacks = twin.iter().any(|it| (it.0, it.2, it.3) == (source, n, true));
            assert_eq!(view.is_lacked_by(source, &cid(n)), lacks);
        }
    }
    let open = wanted.iter().filter(|cid| !view.is_provided(cid)).copied().collect::<Vec<_>>();
    assert_eq!(view.outstanding(&wanted).copied().collect::<Vec<_>>(), open);
}

/// A view of any acts, with sources gone and epochs closed.
fn view() -> impl Strategy<Value = Provided> {
    (vec(act(), 0..30), vec(0..SOURCES, 0..2), vec(0..EPOCHS, 0..2)).prop_map(
        |(acts, gone, closed)| {
            let mut view = Provided::new(&SESSION);
            said(&acts).views.iter().for_each(|it| view.join(it).expect("within the limits"));
            gone.into_iter().for_each(|source| view.drop_source(source));
            for epoch in closed {
                view.close(epoch, []).expect("an epoch that may be open");
            }
            view
        },
    )
}

fn joined(a: &Provided, b: &Provided) -> Provided {
    let mut both = a.clone();
    both.join(b).expect("within the limits");
    both
}

proptest! {
    #[test]
    fn the_laws_of_a_join(a in view(), b in view(), c in view()) {
        prop_assert_eq!(joined(&a, &b), joined(&b, &a));
        prop_assert_eq!(joined(&joined(&a, &b), &c), joined(&a, &joined(&b, &c)));
        prop_assert_eq!(&joined(&a, &a), &a);
        let both = joined(&a, &b);
        prop_assert_eq!(&joined(&both, &a), &both, "nothing is lost");
    }

    /// Each is told some of the messages, in an order of its own and some twice.
    #[test]
    fn what_was_told_is_known_in_whatever_order(
        acts in vec(act(), 0..60),
        order in vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let said = said(&acts);
        let (mut view, mut twin) = (Provided::new(&SESSION), BTreeSet::new());
        for at in order.iter().filter(|_| !said.messages.is_empty()) {
            let (message, facts) = at.get(&said.messages);
            hear(&mut view, message);
            twin.extend(facts.iter().copied());
            same_as_twin(&view, &twin);
        }
        // Whatever was lost comes with the whole.
        let mut whole = Provided::new(&SESSION);
        for source in &said.views {
            for gossip in source.told() {
                hear(&mut view, &gossip.encode(source.key()));
                hear(&mut whole, &gossip.encode(source.key()));
            }
        }
        prop_assert_eq!(view, whole);
    }

    /// What somebody promised who is gone, or in an epoch that is closed, is promised no more, and nothing else.
    #[test]
    fn who_leaves_takes_its_own_alone(acts in vec(act(), 0..60), gone in 0..SOURCES, closed in 0..EPOCHS) {
        let said = said(&acts);
        let (mut view, mut twin) = (Provided::new(&SESSION), BTreeSet::new());
        for (message, facts) in &said.messages {
            hear(&mut view, message);
            twin.extend(facts.iter().copied());
        }
        view.drop_source(gone);
        view.close(closed, []).expect("an open epoch");
        twin.retain(|it| it.0 != gone && it.1 != closed);
        same_as_twin(&view, &twin);
        said.messages.iter().for_each(|(message, _)| hear(&mut view, message));
        same_as_twin(&view, &twin);
    }
}
