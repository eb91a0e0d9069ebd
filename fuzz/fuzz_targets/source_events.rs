//! Feeds `fuzz::source_events`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::source_events(data));
