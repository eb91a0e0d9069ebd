//! Feeds `fuzz::hash_lanes`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::hash_lanes(data));
