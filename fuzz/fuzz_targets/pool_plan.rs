//! Feeds `fuzz::pool_plan`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::pool_plan(data));
