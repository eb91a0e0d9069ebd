//! Plans, and what the members of a pool say to each other.

use carpool_core::{Block, Cid, codec};
use carpool_pool::{
    Counting, MAC_BYTES, MAX_MEMBERS, Plan, Promises, Provided, Retractable, SESSION_ID_BYTES,
};
use std::io;

use crate::{noise, write, write_as};

/// What the target's sessions are called.
const SESSION: [u8; 16] = [3; 16];

pub(crate) fn write_all() -> io::Result<()> {
    write("pool_plan", plans())?;
    write("pool_engine", sessions())?;
    write("pool_gossip", messages())?;
    let noise = noise();
    let told = |mode: u8| noise.iter().map(move |input| [&[mode], &input[..]].concat());
    write_as("told", "pool_gossip", &told(1).chain(told(2)).collect::<Vec<_>>())
}

/// Sessions of every kind of source in which requests are answered in turn, to their ends or not.
fn sessions() -> Vec<Vec<u8>> {
    let of = |kind: u8, others: u8, answered: u8| {
        let options = [8, 2, 14, 11, 15, 255, 0];
        let dag = [23, 4, 0x45, 0, 3, 9, 0x85, 3, 2, 20, 3];
        let held_and_sources = [0xff, 0x11, kind % 8, 2, 0x84 | kind, 0x88 | kind, 0x60];
        let answers = (0..answered).flat_map(|n| [0xf0 >> (n % 5), n]);
        let begun = [&[others, kind][..], &options, &dag, &held_and_sources].concat();
        begun.into_iter().chain(answers).collect()
    };
    let all = (0..4).flat_map(|kind| (0..4).map(move |others| of(kind, others, 12 * others)));
    all.chain(noise()).collect()
}

fn plans() -> Vec<Vec<u8>> {
    let of = |me, reserve, weights: &[u32]| {
        Plan::new(SESSION, 3, me, reserve, weights.to_vec()).expect("a good plan").encode()
    };
    let most = of(63, 9, &[7; MAX_MEMBERS]);
    let past = format!("{most}-1");
    let plans = [of(0, 0, &[1]), of(1, 5, &[100, 50, 0]), of(0, 1, &[u32::MAX; 2]), most, past];
    plans.into_iter().map(String::into_bytes).collect()
}

fn cid(n: u8) -> Cid {
    *Block::new(codec::RAW, vec![n].into()).cid()
}

/// Bodies of both forms; the target seals them.
fn messages() -> Vec<Vec<u8>> {
    let body = |message: Vec<u8>| {
        let body = &message[2 + SESSION_ID_BYTES..message.len() - MAC_BYTES];
        [&[0], body].concat()
    };
    let (mut view, mut ours) = (Provided::new(&SESSION), Promises::new(2, 1));
    for n in 0..5 {
        ours.promise(&mut view, &cid(n)).expect("few");
    }
    ours.lack(&mut view, &cid(9)).expect("few");
    ours.finish(&mut view).expect("few");
    let said = ours.take(&view).expect("promises");
    let mut layered = body(said.encode(view.key()));
    *layered.last_mut().expect("a count of layers") = 1;
    layered.extend([0; 1 + 1024]);
    let closing = {
        let mut view = view.clone();
        view.drop_source(7);
        view.close(0, []).expect("the first");
        view.told().next().expect("what is closed")
    };
    let mut cells = Counting::new(view.key(), 1, 64, 3).expect("a shape");
    let mut counted = Retractable::new(1).expect("a source");
    counted.promise(&mut cells, &cid(1));
    counted.retract(&mut cells, &cid(1));
    let tallies = counted.take(&cells).expect("cells");
    vec![
        body(said.encode(view.key())),
        layered,
        body(closing.encode(view.key())),
        body(tallies.encode(view.key())),
    ]
}
