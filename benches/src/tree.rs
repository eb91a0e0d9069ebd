//! Files to import, the same on every machine.

use sim::dag::mix;
use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::Path,
};

/// Folders of the tree.
const FOLDERS: u64 = 200;
/// Files in each of them.
const FILES: u64 = 100;
/// What the tree is as blocks: a leaf a file, a node a folder, and the root.
pub const TREE_BLOCKS: u64 = FOLDERS * FILES + FOLDERS + 1;

/// Writes 20,000 files of 1 to 8 KiB in 200 folders below `root`; returns their bytes.
///
/// # Errors
/// When the files cannot be written.
pub fn make_tree(root: &Path) -> io::Result<u64> {
    let mut total = 0;
    for folder in 0..FOLDERS {
        let path = root.join(format!("folder-{folder:03}"));
        fs::create_dir_all(&path)?;
        for file in 0..FILES {
            let state = mix(folder * FILES + file + 1);
            let bytes = 1024 + state % (7 * 1024 + 1);
            total += bytes;
            write(&path.join(format!("file-{file:02}.bin")), state, bytes)?;
        }
    }
    Ok(total)
}

/// Writes one file of `bytes` bytes.
///
/// # Errors
/// When the file cannot be written.
pub fn make_file(path: &Path, bytes: u64) -> io::Result<()> {
    write(path, 42, bytes)
}

fn write(path: &Path, seed: u64, bytes: u64) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(256 << 10, File::create(path)?);
    let mut state = mix(seed);
    for _ in 0..bytes / 8 {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        out.write_all(&mix(state).to_le_bytes())?;
    }
    let rest = bytes % 8;
    out.write_all(&mix(state).to_le_bytes()[..usize::try_from(rest).expect("below 8")])?;
    out.flush()
}

/// Reads and hashes every file below `root` on one thread, a megabyte at a time; returns the bytes.
///
/// # Errors
/// When a file cannot be read.
pub fn hash_files(root: &Path) -> io::Result<u64> {
    let mut buffer = vec![0; 1 << 20];
    hash_below(root, &mut buffer)
}

fn hash_below(path: &Path, buffer: &mut [u8]) -> io::Result<u64> {
    if path.is_file() {
        return hash_file(path, buffer);
    }
    let mut total = 0;
    for entry in fs::read_dir(path)? {
        total += hash_below(&entry?.path(), buffer)?;
    }
    Ok(total)
}

fn hash_file(path: &Path, buffer: &mut [u8]) -> io::Result<u64> {
    use sha2::{Digest, Sha256};
    use std::io::Read;
    let mut file = File::open(path)?;
    let (mut hasher, mut total) = (Sha256::new(), 0);
    loop {
        let n = file.read(buffer)?;
        if n == 0 {
            std::hint::black_box(hasher.finalize());
            return Ok(total);
        }
        hasher.update(&buffer[..n]);
        total += n as u64;
    }
}
