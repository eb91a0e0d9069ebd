//! Feeds `fuzz::car_index`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::car_index(data));
