//! A block that many link to is sent once.

mod common;

use carpool_core::{Block, codec};
use common::{nothing, send};
use sim::{
    Setup,
    dag::{Dag, diamond, node},
};

/// 2^60 ways lead to the same two leaves.
#[test]
fn a_diamond_takes_as_long_as_it_has_blocks() {
    let dag = diamond(1, 60, 100);
    for setup in [Setup::pull(), Setup::push()] {
        let report = send(&setup, &dag, &nothing(&dag));
        assert_eq!((report.blocks_sent, report.duplicates), (dag.blocks.len() as u64, 0));
    }
}

#[test]
fn a_node_that_repeats_one_link() {
    let leaf = Block::new(codec::RAW, "again".into());
    let root = node(std::iter::repeat_n(leaf.cid(), 5000));
    let dag = Dag { root: *root.cid(), blocks: vec![root, leaf] };
    for setup in [Setup::pull(), Setup::push()] {
        let report = send(&setup, &dag, &nothing(&dag));
        assert_eq!((report.blocks_sent, report.stored), (2, 2));
    }
}
