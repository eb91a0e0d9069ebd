//! Feeds `fuzz::delta_copies`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::delta_copies(data));
