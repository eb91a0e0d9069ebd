//! Feeds `fuzz::cbor_reader`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::cbor_reader(data));
