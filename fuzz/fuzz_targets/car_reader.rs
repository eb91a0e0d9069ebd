//! Feeds `fuzz::car_reader`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::car_reader(data));
