//! What a push costs that a server answers with all that it remembers.

mod memory;

use carpool_http::{Server, ServerOptions, routes};
use carpool_store::{BlockStore, MemoryStore, Names};
use memory::{MIB, beyond};
use sim::dag::{Shape, original};
use std::sync::Arc;

/// A server that remembers as many blocks as it does at most tells of them to whoever pushes
/// something unknown.
#[tokio::test]
async fn what_an_unknown_root_costs_a_server_that_remembers_much() {
    let shape = Shape { seed: 1, leaves: 140_000, leaf_size: 8, fanout: 64 };
    let dag = original(&shape);
    let store = MemoryStore::new();
    store.put_many(&dag.blocks).expect("memory takes blocks");
    store.note_root(&dag.root).expect("memory");
    let server = Server::new(Arc::new(store), ServerOptions::default());
    let node = original(&Shape { seed: 2, leaves: 4096, ..shape });
    let root = &node.blocks[0];
    let prefix = carpool_car::section_prefix(root.cid(), root.data().len());
    let car = [&carpool_car::header(&[node.root])[..], prefix.as_ref(), root.data()].concat();
    let first = beyond(&server, routes::PUSH, routes::CAR, &car).await;
    let begun = std::time::Instant::now();
    let second = beyond(&server, routes::PUSH, routes::CAR, &car).await;
    let (took, sent) = (begun.elapsed(), car.len());
    println!("an unknown root: {sent} B sent, {second} B beyond them, {first} the first time");
    println!("it took {took:?}");
    assert!(second <= MIB, "{second}");
}
