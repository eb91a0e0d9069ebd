//! Feeds `fuzz::mirror_session`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::mirror_session(data));
