//! The generator makes the DAGs that other implementations make from the same recipe.

use sim::dag::{Shape, original};

fn check(shape: &Shape, root: &str, blocks: usize, bytes: Option<u64>) {
    let dag = original(shape);
    assert_eq!(dag.root.to_string(), root);
    assert_eq!(dag.blocks.len(), blocks);
    assert!(bytes.is_none_or(|bytes| bytes == dag.block_bytes()));
}

#[test]
fn big() {
    let root = "bafyreigzfo3ubcz5ktj442uh6yfw4ydsiwoypgfyed32mh2nodbodczwca";
    check(&Shape::BIG, root, 273, Some(67_120_033));
}

#[test]
fn small() {
    let root = "bafyreieqzoucadmco4fxhksbl5i6ew7c6fxvlhkum6o5yuth6l2rtjvnhq";
    check(&Shape::SMALL, root, 66_577, None);
}

#[test]
fn tiny() {
    let root = "bafyreicyan2w4mlkixvcfu7mzc6b6wcd6liog4vocg4aqsrfopa24oixga";
    check(&Shape { seed: 7, leaves: 5, leaf_size: 8, fanout: 2 }, root, 11, Some(456));
}
