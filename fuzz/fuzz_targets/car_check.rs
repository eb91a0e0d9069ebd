//! Feeds `fuzz::car_check`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::car_check(data));
