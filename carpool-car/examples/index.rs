//! Makes the index of a CAR within a memory budget, and finds a block through it.

use carpool_car::{
    Decoder, Error, Item, header,
    index::{Codec, IndexLimits, Indexer, Key, Lookup, LookupOutput, Output},
    section_prefix,
};
use carpool_core::{Block, Bytes, Limits, codec};

fn main() -> Result<(), Error> {
    let blocks: Vec<Block> =
        (0..1000u32).map(|n| Block::new(codec::RAW, n.to_string().into())).collect();
    let index = index_of(&car_of(&blocks))?;
    println!("{} bytes of index", index.len());
    let offset = find(&index, &blocks[500])?;
    println!("{} is the section at byte {offset:?}", blocks[500].cid());
    Ok(())
}

fn car_of(blocks: &[Block]) -> Bytes {
    let mut car = header(&[*blocks[0].cid()]).to_vec();
    for block in blocks {
        car.extend_from_slice(section_prefix(block.cid(), block.data().len()).as_ref());
        car.extend_from_slice(block.data());
    }
    car.into()
}

/// Scratch files would take the place of `runs`, and a file that of `index`.
fn index_of(car: &Bytes) -> Result<Vec<u8>, Error> {
    let (mut runs, mut index) = (Vec::new(), Vec::new());
    let mut indexer = Indexer::new(Codec::MultihashSorted, 16 << 10, &IndexLimits::default())?;
    let mut decoder = Decoder::new(&Limits::default());
    decoder.handle_data(car.clone());
    decoder.handle_eof();
    while let Some(item) = decoder.poll()? {
        let Item::Section(section) = item else { continue };
        if indexer.handle_section(&section.cid, section.offset)? {
            drive(&mut indexer, &mut runs, &mut index)?;
        }
    }
    indexer.handle_end();
    drive(&mut indexer, &mut runs, &mut index)?;
    println!("{} runs were spilled", runs.len());
    Ok(index)
}

fn drive(indexer: &mut Indexer, runs: &mut Vec<Vec<u8>>, index: &mut Vec<u8>) -> Result<(), Error> {
    while let Some(output) = indexer.poll()? {
        match output {
            Output::Write(bytes) => index.extend_from_slice(&bytes),
            Output::SpillWrite { run, bytes } => {
                runs.resize(run as usize + 1, Vec::new());
                runs[run as usize].extend_from_slice(&bytes);
            }
            Output::SpillRead { run, offset, len } => {
                let at = usize::try_from(offset).expect("in memory");
                indexer.handle_spill(Bytes::copy_from_slice(&runs[run as usize][at..at + len]))?;
            }
        }
    }
    Ok(())
}

fn find(index: &[u8], block: &Block) -> Result<Option<u64>, Error> {
    let mut lookup = Lookup::new(Key::cid(block.cid()), 0, &IndexLimits::default());
    loop {
        match lookup.poll()? {
            LookupOutput::ReadAt(read) => {
                let at = usize::try_from(read.offset).expect("in memory").min(index.len());
                let end = (at + read.len).min(index.len());
                lookup.handle_read(Bytes::copy_from_slice(&index[at..end]));
            }
            LookupOutput::Found(found) => return Ok(Some(found.entry.offset())),
            LookupOutput::Done => return Ok(None),
        }
    }
}
