//! Prints the CID that `ipfs add` would give a file under a profile: this crate and nothing else.
//!
//! `cargo run -p carpool-unixfs --example file_to_dag -- FILE [PROFILE]`

use std::{env, error::Error, fs, io::Read};

use carpool_unixfs::{
    Chunker, EncodedLeaf, FileBuilder, Metadata, Options, Overrides, Profile, hash_leaves,
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let path = args.next().ok_or("which file?")?;
    let profile = args.next().as_deref().unwrap_or("unixfs-v1-2025").parse::<Profile>()?;
    let options = Options::new(profile, &Overrides::default())?;

    let mut input = fs::File::open(path)?;
    let mut chunker = Chunker::new(&options);
    let mut builder = FileBuilder::new(&options, Metadata::NONE);
    let mut ended = false;
    while !ended {
        let mut piece = Vec::new();
        let wanted = 16 * options.chunking().longest() as u64;
        ended = input.by_ref().take(wanted).read_to_end(&mut piece)? == 0;
        if ended {
            chunker.handle_end()
        } else {
            chunker.handle_data(piece.into())
        }
        let chunks = std::iter::from_fn(|| chunker.poll());
        let encoded = chunks.map(|chunk| EncodedLeaf::new(chunk, &Metadata::NONE, &options));
        for leaf in hash_leaves(encoded.collect()) {
            builder.handle_leaf(&leaf); // and store leaf.into_block()
        }
        while builder.poll().is_some() {} // and store those
    }
    let built = builder.finish();
    println!("{} {} bytes", built.root.cid, built.root.size);
    Ok(())
}
