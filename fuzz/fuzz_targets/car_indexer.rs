//! Feeds `fuzz::car_indexer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::car_indexer(data));
