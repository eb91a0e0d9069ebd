//! Feeds `fuzz::http_message`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::http_message(data));
