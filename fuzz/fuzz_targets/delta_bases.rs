//! Feeds `fuzz::delta_bases`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::delta_bases(data));
