//! The counting form against a slow and obvious twin: no promise that stands is denied, and no cell counts fewer
//! promises than stand.

use carpool_core::{Block, Cid, codec};
use carpool_pool::{Counting, Retractable, SessionKey, Tallies};
use proptest::{collection::vec, prelude::*, sample::Index};
use std::collections::{BTreeMap, BTreeSet};

const SOURCES: u8 = 3;
const BLOCKS: u8 = 12;
/// Few, so that blocks share them.
const CELLS: u32 = 16;

fn cid(n: u8) -> Cid {
    *Block::new(codec::RAW, vec![n].into()).cid()
}

fn key() -> SessionKey {
    SessionKey::new(&[5; 16])
}

fn empty() -> Counting {
    Counting::new(&key(), 0, CELLS, 3).expect("a shape within the limits")
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Promise(u8),
    Retract(u8),
    Tell,
}

fn act() -> impl Strategy<Value = (u8, Act)> {
    let act = prop_oneof![
        3 => (0..BLOCKS).prop_map(Act::Promise),
        2 => (0..BLOCKS).prop_map(Act::Retract),
        2 => Just(Act::Tell),
    ];
    (0..SOURCES, act)
}

/// A source's message, and what it promises when it says so: every later message speaks for the earlier ones.
type Message = (Vec<u8>, u8, BTreeSet<u8>);

/// The sources' own views and all that they say; the last message of each says all.
fn said(acts: &[(u8, Act)]) -> (Vec<Counting>, Vec<Message>) {
    let mut views = vec![empty(); SOURCES.into()];
    let mut ours: Vec<Retractable> =
        (0..SOURCES).map(|it| Retractable::new(it).expect("a source")).collect();
    let mut standing = vec![BTreeSet::new(); SOURCES.into()];
    let mut messages = Vec::new();
    for (source, act) in acts.iter().copied() {
        let at = usize::from(source);
        match act {
            Act::Promise(n) => {
                assert_eq!(ours[at].promise(&mut views[at], &cid(n)), standing[at].insert(n));
            }
            Act::Retract(n) => {
                assert_eq!(ours[at].retract(&mut views[at], &cid(n)), standing[at].remove(&n));
            }
            Act::Tell => {
                if let Some(tallies) = ours[at].take(&views[at]) {
                    messages.push((tallies.encode(&key()), source, standing[at].clone()));
                }
            }
        }
        for n in 0..BLOCKS {
            let promised = standing[at].contains(&n);
            assert!(ours[at].contains(&cid(n)) == promised);
            assert!(views[at].is_provided(&cid(n)) || !promised);
        }
    }
    (views, messages)
}

fn hear(view: &mut Counting, message: &[u8]) {
    let tallies = Tallies::decode(&key(), message).expect("a good message");
    view.apply(&tallies).expect("of this shape");
}

/// How many of these promises are in each cell, told by views of one promise each.
fn true_counts<'a>(standing: impl Iterator<Item = &'a BTreeSet<u8>>) -> BTreeMap<u32, u32> {
    let mut counts = BTreeMap::new();
    for n in standing.flatten() {
        let (mut view, mut one) = (empty(), Retractable::new(0).expect("a source"));
        one.promise(&mut view, &cid(*n));
        (0..CELLS).for_each(|cell| *counts.entry(cell).or_default() += view.value(cell));
    }
    counts
}

fn joined(a: &Counting, b: &Counting) -> Counting {
    let mut both = a.clone();
    both.join(b).expect("of this shape");
    both
}

/// Different histories of the same sources: for the laws anything goes.
fn view() -> impl Strategy<Value = Counting> {
    (vec(act(), 0..30), vec(0..SOURCES, 0..2)).prop_map(|(acts, gone)| {
        let mut view = empty();
        said(&acts).0.iter().for_each(|it| view.join(it).expect("of this shape"));
        gone.into_iter().for_each(|source| view.drop_source(source));
        view
    })
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

    /// Told in order, with some left out and others again later, which changes nothing.
    #[test]
    fn no_promise_that_stands_is_denied(
        acts in vec(act(), 0..80),
        lost in vec(any::<Index>(), 0..3),
        again in vec(any::<Index>(), 0..10),
    ) {
        let (views, messages) = said(&acts);
        let mut view = empty();
        let lost: BTreeSet<usize> = lost.iter().filter(|_| !messages.is_empty()).map(|at| at.index(messages.len())).collect();
        messages.iter().enumerate().filter(|(at, _)| !lost.contains(at)).for_each(|(_, message)| hear(&mut view, &message.0));
        let before = view.clone();
        let heard: Vec<_> = messages.iter().enumerate().filter(|(at, _)| !lost.contains(at)).map(|(_, it)| it).collect();
        again.iter().filter(|_| !heard.is_empty()).for_each(|at| hear(&mut view, &at.get(&heard).0));
        prop_assert_eq!(&view, &before, "told twice counts once");
        // What was lost comes with the whole, in any order.
        let mut backwards = empty();
        messages.iter().rev().for_each(|message| hear(&mut backwards, &message.0));
        for source in &views {
            source.told().for_each(|tallies| hear(&mut view, &tallies.encode(&key())));
            source.told().for_each(|tallies| hear(&mut backwards, &tallies.encode(&key())));
        }
        prop_assert_eq!(&view, &backwards);
        let mut standing = vec![BTreeSet::new(); SOURCES.into()];
        for (source, act) in acts {
            let standing: &mut BTreeSet<u8> = &mut standing[usize::from(source)];
            match act {
                Act::Promise(n) => {
                    standing.insert(n);
                },
                Act::Retract(n) => {
                    standing.remove(&n);
                },
                Act::Tell => {}
            }
        }
        for n in standing.iter().flatten() {
            prop_assert!(view.is_provided(&cid(*n)));
        }
        for (cell, count) in true_counts(standing.iter()) {
            prop_assert!(view.value(cell) >= count, "cell {}", cell);
        }
    }

    /// As it is told in order: each message speaks for all that its source said before.
    #[test]
    fn what_a_message_says_stands_until_the_next(acts in vec(act(), 0..80)) {
        let (_, messages) = said(&acts);
        let (mut view, mut standing) = (empty(), BTreeMap::new());
        for (message, source, promised) in &messages {
            hear(&mut view, message);
            standing.insert(*source, promised.clone());
            for n in standing.values().flatten() {
                prop_assert!(view.is_provided(&cid(*n)));
            }
            for (cell, count) in true_counts(standing.values()) {
                prop_assert!(view.value(cell) >= count);
            }
        }
    }
}
