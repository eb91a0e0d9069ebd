//! Feeds `fuzz::session_faults`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::session_faults(data));
