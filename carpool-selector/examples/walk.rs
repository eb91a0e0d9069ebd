//! Visits every block of a small DAG, depth first.

use carpool_core::{Block, Bytes, Cid, Limits, codec};
use carpool_selector::{Order, Step, Walk};
use std::collections::BTreeMap;

fn main() -> Result<(), carpool_core::Error> {
    let leaf = Block::new(codec::RAW, "leaf".into());
    let link = [b"\x81\xd8\x2a\x58\x25\x00", &leaf.cid().to_bytes()[..]].concat();
    let root = Block::new(codec::DAG_CBOR, link.into());
    let start = *root.cid();
    let held: BTreeMap<Cid, Bytes> = [leaf, root].into_iter().map(Block::into_parts).collect();

    let mut walk = Walk::new([start], Order::DepthFirst, &Limits::default(), 0);
    while let Some(step) = walk.poll(|_| true)? {
        match step {
            Step::Load(cid) => walk.handle_load(&cid, held.get(&cid).cloned()),
            Step::Visit(block) => println!("{} {} bytes", block.cid(), block.data().len()),
            Step::Missing { cid, .. } => println!("{cid} is not held"),
        }
    }
    Ok(())
}
