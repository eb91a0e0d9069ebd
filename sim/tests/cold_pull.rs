//! A sink that holds nothing gets all in one round, each block once, in any framing.

mod common;

use common::{blocks, send, transfer};
use sim::{
    Blocks, End, Framing, Setup,
    dag::{Dag, Shape, chain, diamond, hamt, identities, original, wide},
};

fn shapes() -> Vec<(&'static str, Dag)> {
    vec![
        ("tiny", original(&Shape { seed: 7, leaves: 5, leaf_size: 8, fanout: 2 })),
        ("single leaf", original(&Shape { seed: 1, leaves: 1, leaf_size: 8, fanout: 2 })),
        ("tree", original(&Shape { seed: 2, leaves: 2000, leaf_size: 100, fanout: 7 })),
        ("chain", chain(3, 300, 20)),
        ("wide", wide(4, 3000, 10)),
        ("hamt", hamt(&Shape { seed: 5, leaves: 800, leaf_size: 40, fanout: 16 }, &[].into())),
        ("diamond", diamond(6, 40, 16)),
        ("identities", identities(7, 50, 30)),
    ]
}

#[test]
fn every_shape_comes_in_one_round() {
    for (name, dag) in shapes() {
        for framing in [Framing::Car, Framing::Plain] {
            let setup = Setup { framing, ..Setup::pull() };
            let (report, held) = transfer(&setup, dag.root, &blocks(&dag), &Blocks::new());
            assert_eq!(report.end, End::Complete, "{name}");
            assert_eq!(held.len(), dag.blocks.len(), "{name}");
            assert_eq!((report.rounds, report.duplicates, report.unreachable), (1, 0, 0), "{name}");
            assert_eq!(report.blocks_sent, dag.blocks.len() as u64, "{name}");
        }
    }
}

#[test]
fn the_body_is_the_car_of_the_dag() {
    for (name, dag) in shapes() {
        let nothing = Dag { root: dag.root, blocks: vec![] };
        let report = send(&Setup::pull(), &dag, &nothing);
        assert_eq!(report.body_bytes, dag.car_bytes(), "{name}");
    }
}

#[test]
fn a_root_without_links_is_a_dag() {
    let leaf = wide(1, 1, 10).blocks.remove(1);
    let dag = Dag { root: *leaf.cid(), blocks: vec![leaf] };
    let nothing = Dag { root: dag.root, blocks: vec![] };
    assert_eq!(send(&Setup::pull(), &dag, &nothing).stored, 1);
}
