//! Verifies what a peer claims, and lists the links of what is true.

use carpool_core::{Block, Limits, Unverified, codec, links, verify};

fn main() -> Result<(), carpool_core::Error> {
    let leaf = Block::new(codec::RAW, "leaf".into());
    let link = [b"\x81\xd8\x2a\x58\x25\x00", &leaf.cid().to_bytes()[..]].concat();
    let root = Block::new(codec::DAG_CBOR, link.into());
    let claims = vec![
        Unverified { cid: *root.cid(), data: root.data().clone() },
        Unverified { cid: *leaf.cid(), data: "something else".into() },
    ];
    for verdict in verify(claims) {
        match verdict {
            Ok(block) => {
                let links = links(block.cid(), block.data(), &Limits::default())?;
                println!("{} has {} links", block.cid(), links.len());
            }
            Err(error) => println!("refused: {error}"),
        }
    }
    Ok(())
}
