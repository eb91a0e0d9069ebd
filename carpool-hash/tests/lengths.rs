//! Every length where padding changes its shape, alone and beside others.

mod common;

use common::{bytes, check};

#[test]
fn every_short_length() {
    let messages: Vec<_> = (0..=300).map(|n| bytes(n, n as u64)).collect();
    check(&messages);
    messages.iter().for_each(|message| check(&[message]));
}

#[test]
fn every_short_length_beside_every_edge() {
    let edges = [0, 1, 55, 56, 63, 64, 65, 119, 120, 128].map(|n| bytes(n, 7));
    for n in 0..=130 {
        let message = bytes(n, 3);
        for edge in &edges {
            check(&[&message, edge]);
            check(&[edge, &message, edge, edge, &message]);
        }
    }
}

#[test]
fn lengths_around_whole_blocks() {
    for blocks in [1, 2, 3, 15, 16, 17, 63, 64, 65, 1024, 4096] {
        let around = (64 * blocks - 10)..=(64 * blocks + 10);
        let messages: Vec<_> = around.map(|n| bytes(n, blocks as u64)).collect();
        check(&messages);
    }
}

#[test]
fn the_test_vectors_of_the_standard() {
    let long = [b'a'; 1_000_000];
    let digests = carpool_hash::sha2_256_each(&[&b"abc"[..], b"", &long]);
    let hex = |digest: &[u8]| digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let expected = [
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
    ];
    assert!(digests.iter().map(|digest| hex(digest)).eq(expected));
}
