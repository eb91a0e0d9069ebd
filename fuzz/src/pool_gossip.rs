use carpool_core::{Block, Cid, codec};
use carpool_pool::{
    Counting, Error, Gossip, MAX_OPEN_EPOCHS, Promises, Provided, Retractable, SessionKey, Tallies,
};
use std::{collections::BTreeSet, sync::LazyLock};

use crate::choices::Choices;

const SESSION: [u8; 16] = [3; 16];
const SOURCES: u8 = 3;
const EPOCHS: u8 = 2;
const BLOCKS: usize = 16;

/// Messages of any bytes that a member of the session sealed are refused, or written as they were read and
/// harmless when heard twice; of what honest sources say nothing is denied, in both forms, whatever is heard in
/// between.
pub fn pool_gossip(data: &[u8]) {
    let mut choices = Choices::new(data);
    match choices.byte() % 3 {
        0 => any_body(&mut choices),
        1 => inverted(&mut choices),
        _ => counting(&mut choices),
    }
}

fn cid(n: usize) -> Cid {
    static CIDS: LazyLock<Vec<Cid>> = LazyLock::new(|| {
        let of = |n| *Block::new(codec::RAW, vec![n].into()).cid();
        (0..=u8::MAX).take(BLOCKS).map(of).collect()
    });
    CIDS[n]
}

/// A message of our session around any body, as `docs/pool-session.md` says.
fn sealed(form: u8, body: &[u8]) -> Vec<u8> {
    let id = blake3::derive_key("carpool-pool 2026-11 name of a session", &SESSION);
    let key = blake3::derive_key("carpool-pool 2026-11 messages of a session", &SESSION);
    let message = [&[1, form], &id[..16], body].concat();
    let mac = blake3::keyed_hash(&key, &message);
    [&message[..], mac.as_bytes()].concat()
}

fn any_body(choices: &mut Choices<'_>) {
    let key = SessionKey::new(&SESSION);
    let body = choices.bytes(1 << 20);
    for forged in [Gossip::decode(&key, body).err(), Tallies::decode(&key, body).err()] {
        assert!(matches!(forged, Some(Error::Forged | Error::Gossip { .. })));
    }
    let message = sealed(b'A', body);
    if let Ok(gossip) = Gossip::decode(&key, &message) {
        assert_eq!(gossip.encode(&key), message);
        any_gossip(&gossip);
    }
    let message = sealed(b'B', body);
    if let Ok(tallies) = Tallies::decode(&key, &message) {
        assert_eq!(tallies.encode(&key), message);
        any_tallies(&key, &tallies, body);
    }
}

fn any_gossip(gossip: &Gossip) {
    let mut view = Provided::new(&SESSION);
    let Ok(()) = view.apply(gossip) else {
        return assert_eq!(view, Provided::new(&SESSION), "what is refused leaves nothing");
    };
    let before = view.clone();
    view.apply(gossip).expect("it was taken before");
    assert_eq!(view, before);
    let mut other = Provided::new(&SESSION);
    other.join(&view).expect("it holds what fits");
    assert_eq!(view, other);
    (0..BLOCKS).for_each(|n| assert_eq!(view.is_provided(&cid(n)), view.count(&cid(n)) > 0));
}

fn any_tallies(key: &SessionKey, tallies: &Tallies, body: &[u8]) {
    // Behind source, epoch and number.
    let cells = u32::from_le_bytes(body[13..17].try_into().expect("four bytes"));
    let view = Counting::new(key, tallies.epoch(), cells, body[17]);
    let mut view = view.expect("a message keeps the limits of a view");
    view.apply(tallies).expect("of this shape");
    let before = view.clone();
    view.apply(tallies).expect("of this shape");
    assert_eq!(view, before);
}

fn inverted(choices: &mut Choices<'_>) {
    let mut views = vec![Provided::new(&SESSION); SOURCES.into()];
    let mut promises: Vec<Promises> = (0..SOURCES)
        .flat_map(|source| (0..EPOCHS).map(move |epoch| Promises::new(source, epoch.into())))
        .collect();
    let (mut messages, mut told) = (Vec::new(), BTreeSet::new());
    let (mut gone, mut closed) = (BTreeSet::new(), BTreeSet::new());
    let (mut heard, mut news) = (Provided::new(&SESSION), BTreeSet::new());
    while !choices.is_empty() {
        let (act, pick) = (choices.byte(), choices.byte() % (SOURCES * EPOCHS));
        let epoch = u32::from(pick % EPOCHS);
        let source = usize::from(pick / EPOCHS);
        let pick = usize::from(pick);
        let view = &mut views[source];
        match act % 6 {
            0 | 1 => {
                let n = choices.below(BLOCKS);
                if promises[pick].promise(view, &cid(n)).expect("few") {
                    news.insert((source, epoch, n));
                }
            }
            2 => {
                let Some(gossip) = promises[pick].take(view) else { continue };
                let said: Vec<_> =
                    news.iter().filter(|it| (it.0, it.1) == (source, epoch)).copied().collect();
                news.retain(|it| !said.contains(it));
                messages.push((gossip.encode(view.key()), said));
            }
            3 if !messages.is_empty() => {
                let (message, said) = &messages[choices.below(messages.len())];
                let gossip = Gossip::decode(heard.key(), message).expect("a good message");
                heard.apply(&gossip).expect("few");
                told.extend(said.iter().copied());
            }
            4 => {
                heard.drop_source(u8::try_from(source).expect("few"));
                gone.insert(source);
            }
            5 => {
                assert!(heard.close(epoch, []).expect("among the first"));
                closed.insert(epoch);
            }
            _ => {}
        }
        if act % 6 < 3 {
            continue;
        }
        for n in 0..BLOCKS {
            let counts = told.iter().filter(|it| it.2 == n);
            let counts = counts.filter(|it| !gone.contains(&it.0) && !closed.contains(&it.1));
            assert_eq!(heard.count(&cid(n)), counts.count());
        }
    }
    assert!(closed.iter().all(|epoch| heard.is_closed(*epoch) && *epoch < MAX_OPEN_EPOCHS));
}

fn counting(choices: &mut Choices<'_>) {
    let key = SessionKey::new(&SESSION);
    let (cells, hashes) = (1 + u32::from(choices.byte()), 1 + choices.byte() % 16);
    let empty = Counting::new(&key, 0, cells, hashes).expect("within the limits");
    let mut views = vec![empty.clone(); SOURCES.into()];
    let mut ours: Vec<Retractable> =
        (0..SOURCES).map(|source| Retractable::new(source).expect("a source")).collect();
    let mut heard = empty;
    while !choices.is_empty() {
        let (act, at, n) = (choices.byte(), choices.below(SOURCES.into()), choices.below(BLOCKS));
        match act % 4 {
            0 | 1 => {
                ours[at].promise(&mut views[at], &cid(n));
            }
            2 => {
                ours[at].retract(&mut views[at], &cid(n));
            }
            _ => {
                let Some(tallies) = ours[at].take(&views[at]) else { continue };
                let message = tallies.encode(&key);
                let tallies = Tallies::decode(&key, &message).expect("a good message");
                heard.apply(&tallies).expect("of this shape");
            }
        }
        if act % 4 < 3 && !choices.is_empty() {
            continue;
        }
        let stands = |n: usize| ours.iter().any(|it| it.contains(&cid(n)));
        let mut all = heard.clone();
        views.iter().for_each(|view| all.join(view).expect("of this shape"));
        assert!((0..BLOCKS).all(|n| all.is_provided(&cid(n)) || !stands(n)));
    }
}
