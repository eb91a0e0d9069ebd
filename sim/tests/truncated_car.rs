//! A body that ends inside a CAR though HTTP says it is whole is a cut; between two blocks it is a
//! round that brought less. Either way the rest is asked for.

mod common;

use common::{nothing, send, small_tree};
use sim::{End, Framing, Setup, link::Cut};

#[test]
fn the_rest_arrives_wherever_it_ends() {
    let dag = small_tree();
    for setup in [Setup::pull(), Setup::push()] {
        for framing in [Framing::Car, Framing::Plain] {
            for at in 0..dag.car_bytes() {
                let setup = Setup { cuts: vec![Cut::Clean(at)], framing, ..setup.clone() };
                let report = send(&setup, &dag, &nothing(&dag));
                assert_eq!(report.end, End::Complete, "{framing:?} at {at}");
                assert_eq!(report.stored, dag.blocks.len() as u64);
            }
        }
    }
}
