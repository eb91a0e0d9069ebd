//! How fast the stores are: `cargo run --release -p carpool-store --example store_speed -- FOLDER`.
//! The folder must not exist; what is written there is about 1.4 GB.
use carpool_core::{Block, Cid, codec};
use carpool_store::{BlockStore, LocalOptions, LocalStore, MemoryStore};
use std::{path::Path, time::Instant};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let folder = std::env::args().nth(1).ok_or("which folder?")?;
    if Path::new(&folder).exists() {
        return Err("the folder exists".into());
    }
    let small: Vec<Block> =
        (0..20_000_u16).map(|n| block(n.into(), 1024 + usize::from(n) * 7919 % 7169)).collect();
    memory(&(0..500_000).map(|n| block(n, 64)).collect::<Vec<_>>())?;
    for batch in [20_000, 500, 1] {
        let store = LocalStore::open(format!("{folder}/small-{batch}"), LocalOptions::default())?;
        local(&store, &small, batch)?;
    }
    let large: Vec<Block> = (0..4096).map(|n| block(n, 256 << 10)).collect();
    let store = LocalStore::open(format!("{folder}/large"), LocalOptions::default())?;
    local(&store, &large, 64)?;
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

fn block(n: u64, len: usize) -> Block {
    let mut data = n.to_le_bytes().repeat(len / 8 + 1);
    data.truncate(len);
    Block::new(codec::RAW, data.into())
}

fn memory(blocks: &[Block]) -> Result<()> {
    let store = MemoryStore::new();
    let cids = cids(blocks);
    time("memory put", blocks, || Ok(blocks.chunks(500).try_for_each(|b| store.put_many(b))?))?;
    time("memory has", blocks, || {
        Ok(cids.chunks(500).try_for_each(|c| store.has_many(c).map(drop))?)
    })?;
    time("memory get", blocks, || {
        Ok(cids.chunks(500).try_for_each(|c| store.get_many(c).map(drop))?)
    })
}

fn local(store: &LocalStore, blocks: &[Block], batch: usize) -> Result<()> {
    println!("-- {} blocks in batches of {batch}", blocks.len());
    let cids = cids(blocks);
    time("put", blocks, || Ok(blocks.chunks(batch).try_for_each(|b| store.put_many(b))?))?;
    time("flush", blocks, || Ok(store.flush()?))?;
    time("has", blocks, || {
        Ok(cids.chunks(batch).try_for_each(|c| store.has_many(c).map(drop))?)
    })?;
    time("has again", blocks, || {
        Ok(cids.chunks(batch).try_for_each(|c| store.has_many(c).map(drop))?)
    })?;
    time("get", blocks, || {
        Ok(cids.chunks(batch).try_for_each(|c| store.get_many(c).map(drop))?)
    })?;
    time("put again", blocks, || Ok(blocks.chunks(batch).try_for_each(|b| store.put_many(b))?))
}

fn cids(blocks: &[Block]) -> Vec<Cid> {
    blocks.iter().map(|block| *block.cid()).collect()
}

fn time(what: &str, blocks: &[Block], work: impl FnOnce() -> Result<()>) -> Result<()> {
    let start = Instant::now();
    work()?;
    let seconds = start.elapsed().as_secs_f64();
    let bytes: usize = blocks.iter().map(|block| block.data().len()).sum();
    let each = seconds / blocks.len() as f64 * 1e6;
    let rate = bytes as f64 / seconds / 1e9;
    println!("{what:>10}: {seconds:7.3} s, {each:6.2} us/block, {rate:6.2} GB/s");
    Ok(())
}
