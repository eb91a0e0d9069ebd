//! Feeds `fuzz::sketch`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::sketch(data));
