//! Kubo's own test of its profiles: at the width of a node and of a directory, and one past it.
//! The files of 1 GiB run when `CARPOOL_SLOW` is set.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod support;

use carpool_core::sha2_256;
use carpool_unixfs::{Bytes, DirectoryBuilder, Metadata, Options, Overrides, Profile};
use chacha20::{
    ChaCha20,
    cipher::{KeyIvInit, StreamCipher},
};
use serde_json::Value;
use support::{Blocks, import};

const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz01234567890-_";

fn vectors(kind: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("vectors/profiles.json")).unwrap();
    all[kind].as_array().unwrap().clone()
}

fn options(case: &Value) -> Options {
    let profile: Profile = case["profile"].as_str().unwrap().parse().unwrap();
    Options::new(profile, &Overrides::default()).unwrap()
}

fn number(case: &Value, name: &str) -> usize {
    usize::try_from(case[name].as_u64().unwrap()).unwrap()
}

fn keystream(seed: &str) -> impl FnMut(usize) -> Bytes {
    let mut cipher = ChaCha20::new(&sha2_256(seed.as_bytes()).into(), &[0; 12].into());
    move |len| {
        let mut bytes = vec![0; len];
        cipher.apply_keystream(&mut bytes);
        bytes.into()
    }
}

#[test]
fn files() {
    let mut ran = 0;
    for case in vectors("files") {
        let len = number(&case, "len");
        if len > 1 << 28 && std::env::var_os("CARPOOL_SLOW").is_none() {
            continue;
        }
        let mut next = keystream(case["seed"].as_str().unwrap());
        let piece = |at: usize| next((len - at).min(1 << 20));
        let pieces: Vec<Bytes> = (0..len).step_by(1 << 20).map(piece).collect();
        let mut blocks = Blocks::new();
        let root = import::file(&pieces, Metadata::NONE, &options(&case), &mut blocks);
        assert_eq!(root.cid.to_string(), case["root"].as_str().unwrap(), "{case}");
        ran += 1;
    }
    assert!(ran >= 6);
}

#[test]
fn directories() {
    for case in vectors("directories") {
        let mut stream = keystream(&format!("hamt-{}", case["profile"].as_str().unwrap()))(1 << 20);
        let mut blocks = Blocks::new();
        let options = options(&case);
        let file = import::file(&["x".into()], Metadata::NONE, &options, &mut blocks);
        let mut builder = DirectoryBuilder::new(&options, Metadata::NONE);
        let files = number(&case, "files");
        for index in 1..=files {
            let len = number(&case, if index == files { "last_len" } else { "name_len" });
            let letters = stream.split_to(len);
            let name = letters.iter().map(|byte| LETTERS[usize::from(*byte) % LETTERS.len()]);
            builder.insert(&name.collect::<Vec<u8>>(), &file.cid, file.tsize).unwrap();
        }
        let root = import::finish(builder, &mut blocks);
        assert_eq!(root.cid.to_string(), case["root"].as_str().unwrap(), "{case}");
    }
}
