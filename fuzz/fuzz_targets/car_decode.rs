//! Feeds `fuzz::car_decode`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::car_decode(data));
