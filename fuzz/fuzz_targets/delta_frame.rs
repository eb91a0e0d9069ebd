//! Feeds `fuzz::delta_frame`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::delta_frame(data));
