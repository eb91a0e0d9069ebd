//! Feeds `fuzz::pool_engine`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::pool_engine(data));
