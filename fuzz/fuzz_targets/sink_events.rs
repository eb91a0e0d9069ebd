//! Feeds `fuzz::sink_events`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::sink_events(data));
