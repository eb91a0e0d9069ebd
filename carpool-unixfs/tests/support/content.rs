//! Inputs by the rules of the golden cases: SHAKE-128 of a seed, repeated bytes, texts.

use std::{cell::RefCell, collections::HashMap};

use carpool_unixfs::Bytes;
use serde_json::Value;
use sha3::{
    Shake128,
    digest::{ExtendableOutput, Update, XofReader},
};

thread_local! {
    static STREAMS: RefCell<HashMap<String, Bytes>> = RefCell::default();
}

/// The pieces of a content; `index` stands for `{i}` in seeds.
pub fn pieces(content: &Value, index: Option<u64>) -> Vec<Bytes> {
    let len = || usize::try_from(content["len"].as_u64().unwrap()).unwrap();
    if let Some(seed) = content["shake128"].as_str() {
        let seed = index.map_or_else(|| seed.into(), |i| seed.replace("{i}", &i.to_string()));
        vec![shake128(seed, len())]
    } else if let Some(byte) = content["byte"].as_u64() {
        repeated(&[u8::try_from(byte).unwrap()], len())
    } else if let Some(pattern) = content["repeat"].as_str() {
        repeated(&unhex(pattern), len())
    } else if let Some(text) = content["text"].as_str() {
        vec![Bytes::from(text.to_owned())]
    } else {
        let parts = content["concat"].as_array().unwrap();
        parts.iter().flat_map(|part| pieces(part, index)).collect()
    }
}

/// A shorter output is the beginning of a longer one, so one stream serves all lengths.
fn shake128(seed: String, len: usize) -> Bytes {
    STREAMS.with_borrow_mut(|streams| {
        let known = streams.get(&seed).filter(|bytes| bytes.len() >= len);
        if let Some(bytes) = known {
            return bytes.slice(..len);
        }
        let mut bytes = vec![0; len];
        let mut hasher = Shake128::default();
        hasher.update(seed.as_bytes());
        hasher.finalize_xof().read(&mut bytes);
        let bytes = Bytes::from(bytes);
        if len > 100 {
            streams.insert(seed, bytes.clone());
        }
        bytes
    })
}

/// One buffer many times: 200 MiB of zeros take 1 MiB.
fn repeated(pattern: &[u8], len: usize) -> Vec<Bytes> {
    let times = (1 << 20) / pattern.len();
    let piece = Bytes::from(pattern.repeat(times));
    let mut pieces = vec![piece.clone(); len / piece.len()];
    pieces.push(piece.slice(..len % piece.len()));
    pieces
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digit).collect()
}
