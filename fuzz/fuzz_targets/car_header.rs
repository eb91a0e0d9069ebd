//! Feeds `fuzz::car_header`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::car_header(data));
