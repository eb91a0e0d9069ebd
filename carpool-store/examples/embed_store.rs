//! A store inside another program: put, name, find again.
use carpool_core::{Block, codec};
use carpool_store::{BlockStore, Expect, LocalOptions, LocalStore, Names, SetName};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: embed_store FOLDER")?;
    let store = LocalStore::open(&folder, LocalOptions::default())?;
    for cut in &store.recovery().cuts {
        println!("segment {} ended in an unfinished write of {} bytes", cut.segment, cut.bytes);
    }

    let blocks: Vec<Block> =
        (0..1000_u32).map(|n| Block::new(codec::RAW, n.to_le_bytes().to_vec().into())).collect();
    store.put_many(&blocks)?;

    // Another process may set the name at the same time: one of the two gets the conflict.
    let before = store.name("latest")?.map(|entry| entry.root);
    let root = blocks[0].cid();
    match store.set_name("latest", Expect::from(before), root)? {
        SetName::Set(entry) => println!("latest is {} (number {})", entry.root, entry.seq),
        SetName::Conflict { current } => println!("somebody was faster: {current:?}"),
    }

    let found = store.get_many(&[*root])?;
    assert_eq!(found[0].as_ref(), Some(blocks[0].data()));
    println!("{:?}", store.stats()?);
    Ok(())
}
