//! Lists the sections of a CAR of either version and reads the last one again, by ranges.
//! `cargo run --example at_random -- FILE`

use carpool_car::{Error, Options, ReadAt, Reader, Reading};
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
};

/// A range of a file; shorter only at its end. An HTTP client or an object store does as well.
fn read_at(file: &mut File, ReadAt { offset, len }: ReadAt) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(offset))?;
    file.take(len as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Answers until the reader has something, or nothing left.
fn next(reader: &mut Reader, file: &mut File) -> Result<Reading, Box<dyn std::error::Error>> {
    loop {
        let reading = reader.poll()?;
        let Reading::Read(range) = reading else { return Ok(reading) };
        reader.handle_read(read_at(file, range)?.into());
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(path) = std::env::args().nth(1) else { return Err("which file?".into()) };
    let mut file = File::open(path)?;
    let mut reader = Reader::new(Options::default());
    let Reading::Header(header) = next(&mut reader, &mut file)? else {
        return Err(Error::Truncated { offset: 0 }.into());
    };
    println!("version {}, roots {:?}", if header.v2.is_some() { 2 } else { 1 }, header.roots);

    let mut last = None;
    reader.scan(reader.first_section());
    while let Reading::Head(head) = next(&mut reader, &mut file)? {
        println!("{} at {}: {} bytes", head.cid, head.offset, head.data_len);
        last = Some(head.offset);
    }
    if let Some(offset) = last {
        reader.fetch(offset);
        if let Reading::Section(section) = next(&mut reader, &mut file)? {
            println!("the last again: {} bytes of {}", section.data.len(), section.cid);
        }
    }
    Ok(())
}
