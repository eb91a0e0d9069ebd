//! Feeds `fuzz::cid`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::cid(data));
