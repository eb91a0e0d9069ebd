//! Feeds `fuzz::car_text`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::car_text(data));
