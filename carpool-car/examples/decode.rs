//! Reads a CARv2 from bytes that arrive in pieces.

use carpool_car::{Cid, Decoder, Error, Item, Options, header, v2, write_section};
use carpool_core::{Block, codec};

fn main() -> Result<(), Error> {
    let block = Block::new(codec::RAW, "hello".into());
    let roots: [Cid; 1] = [*block.cid()];
    let mut data = header(&roots).to_vec();
    write_section(&mut data, block.cid(), block.data());
    // A CARv1 becomes a CARv2 by what stands before it.
    let outer = v2::Header::new(data.len() as u64, false)?;
    let car = [&v2::PRAGMA[..], &outer.encode(), &data].concat();

    let mut decoder = Decoder::with_options(Options::default());
    for piece in car.chunks(10) {
        decoder.handle_data(piece.to_vec().into());
        print_items(&mut decoder)?;
    }
    decoder.handle_eof();
    print_items(&mut decoder)
}

fn print_items(decoder: &mut Decoder) -> Result<(), Error> {
    while let Some(item) = decoder.poll()? {
        match item {
            Item::Header(header) => println!("roots {:?}, v2 {:?}", header.roots, header.v2),
            Item::Section(section) => println!("{}: {} bytes", section.cid, section.data.len()),
            Item::Behind(behind) => println!("{:?} at {}", behind.region, behind.offset),
        }
    }
    Ok(())
}
