//! Bytes to test with, spelled out or from a file; the tests of other crates read them from here.

use std::path::PathBuf;

/// Bytes written as hex.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let text = |pair| std::str::from_utf8(pair).expect("filtered");
    digits.chunks(2).map(|pair| u8::from_str_radix(text(pair), 16).expect("filtered")).collect()
}

/// A file or folder of the public fixtures; `None`, and a word about it, where there are none.
pub(crate) fn fixture(path: &str) -> Option<PathBuf> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/fixtures");
    let folder = std::env::var("CARPOOL_FIXTURES").unwrap_or_else(|_| default.to_owned());
    let path = PathBuf::from(folder).join(path);
    if !path.exists() {
        println!("skipped: no fixtures");
        return None;
    }
    Some(path)
}
