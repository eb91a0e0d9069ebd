//! Writes a large CARv1 for benchmarks: leaves of one size, DAG-CBOR nodes of links above them.
//!
//! `cargo run --release -p carpool-car --example giantcar -- BLOCKS BYTES OUT`

use carpool_car::{header, section_prefix};
use carpool_core::{
    Block, Cid,
    cbor::{ARRAY, write_head, write_link},
    codec,
};
use std::{
    env,
    error::Error,
    fs::File,
    io::{BufWriter, Seek, SeekFrom, Write},
};

/// Links of a node at most; a node is no longer than a leaf.
const FANOUT: usize = 174;

/// Bytes of a link in DAG-CBOR.
const LINK_BYTES: usize = 41;

struct Writer {
    file: BufWriter<File>,
    left: u64,
}

impl Writer {
    fn write(&mut self, block: &Block) -> std::io::Result<()> {
        self.left = self.left.saturating_sub(1);
        let data = block.data();
        self.file.write_all(section_prefix(block.cid(), data.len()).as_ref())?;
        self.file.write_all(data)
    }

    /// Nodes above `level`, up to one.
    fn nodes(&mut self, mut level: Vec<Cid>, fanout: usize) -> std::io::Result<Vec<Cid>> {
        let mut above = Vec::new();
        for links in level.chunks(fanout) {
            let mut data = Vec::new();
            write_head(&mut data, ARRAY, links.len() as u64);
            links.iter().for_each(|link| write_link(&mut data, link));
            let node = Block::new(codec::DAG_CBOR, data.into());
            self.write(&node)?;
            above.push(*node.cid());
        }
        level.clear();
        Ok(above)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().collect();
    let [_, blocks, bytes, out] = &args[..] else { return Err("giantcar BLOCKS BYTES OUT".into()) };
    let (blocks, bytes): (u64, usize) = (blocks.parse()?, bytes.parse()?);
    let fanout = (bytes / LINK_BYTES).clamp(2, FANOUT);
    let none = Block::new(codec::DAG_CBOR, "".into());
    let mut writer =
        Writer { file: BufWriter::with_capacity(1 << 20, File::create(out)?), left: blocks };
    writer.file.write_all(&header(&[*none.cid()]))?;
    let (mut nodes, mut leaves, mut pattern) = (Vec::new(), Vec::new(), vec![0; bytes]);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    // What the nodes above take up, roughly.
    while writer.left > (nodes.len() / (fanout - 1)) as u64 + 2 {
        for word in pattern.chunks_mut(8) {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            word.copy_from_slice(&state.to_be_bytes()[..word.len()]);
        }
        let leaf = Block::new(codec::RAW, pattern.clone().into());
        writer.write(&leaf)?;
        leaves.push(*leaf.cid());
        if leaves.len() == fanout {
            nodes.extend(writer.nodes(std::mem::take(&mut leaves), fanout)?);
        }
    }
    nodes.extend(leaves);
    while nodes.len() > 1 {
        nodes = writer.nodes(nodes, fanout)?;
    }
    let mut file = writer.file.into_inner()?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&header(&nodes))?;
    println!("{out}: root {}, {} bytes", nodes[0], file.metadata()?.len());
    Ok(())
}
