//! Feeds `fuzz::sharded_index`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::sharded_index(data));
