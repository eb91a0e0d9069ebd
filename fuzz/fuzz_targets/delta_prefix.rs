//! Feeds `fuzz::delta_prefix`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::delta_prefix(data));
