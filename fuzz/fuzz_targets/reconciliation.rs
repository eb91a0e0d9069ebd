//! Feeds `fuzz::reconciliation`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::reconciliation(data));
