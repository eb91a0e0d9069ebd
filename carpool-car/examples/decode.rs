//! Reads a CAR from bytes that arrive in pieces.

use carpool_car::{Cid, Decoder, Error, Item, header, section_prefix};
use carpool_core::{Block, Limits, codec};

fn main() -> Result<(), Error> {
    let block = Block::new(codec::RAW, "hello".into());
    let roots: [Cid; 1] = [*block.cid()];
    let prefix = section_prefix(block.cid(), block.data().len());
    let car = [&header(&roots), prefix.as_ref(), block.data()].concat();

    let mut decoder = Decoder::new(&Limits::default());
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
            Item::Header(header) => println!("roots {:?}", header.roots),
            Item::Behind(_) => {}
            Item::Section(section) => println!("{}: {} bytes", section.cid, section.data.len()),
        }
    }
    Ok(())
}
