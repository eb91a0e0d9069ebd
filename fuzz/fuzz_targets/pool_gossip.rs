//! Feeds `fuzz::pool_gossip`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::pool_gossip(data));
