//! Feeds `fuzz::car_v2_header`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::car_v2_header(data));
