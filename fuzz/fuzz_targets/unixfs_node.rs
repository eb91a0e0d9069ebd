//! Feeds `fuzz::unixfs_node`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::unixfs_node(data));
