//! The bits are those of the published peers.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

use carpool_bloom::{Filter, Indices, Limits, Params, Rejection};
use serde_json::Value;

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn rust() -> Vec<Value> {
    read(include_str!("vectors/rust.json"))["vectors"].as_array().unwrap().clone()
}

fn go(group: &str) -> Vec<Value> {
    read(include_str!("vectors/go.json"))[group].as_array().unwrap().clone()
}

fn hex(value: &Value) -> Vec<u8> {
    let digits = value.as_str().unwrap();
    (0..digits.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&digits[i..i + 2], 16).unwrap())
        .collect()
}

fn numbers(value: &Value) -> Vec<u64> {
    value.as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect()
}

fn k(vector: &Value) -> u32 {
    u32::try_from(vector["k"].as_u64().unwrap()).unwrap()
}

fn rule_of(name: &str) -> Rejection {
    if name.contains("nonpo2") { Rejection::Rust } else { Rejection::Spec }
}

/// Checks every listed index and returns the filter those keys make.
fn built(vector: &Value, key: &str, bytes: usize, rule: Rejection) -> Filter {
    let mut filter = Filter::new(Params::new(bytes, k(vector)).unwrap()).with_rejection(rule);
    for item in vector["items"].as_array().unwrap() {
        let item_key = hex(&item[key]);
        let indices: Vec<u64> =
            Indices::new(&item_key, filter.bits(), rule).take(k(vector) as usize).collect();
        assert_eq!(indices, numbers(&item["indices"]));
        filter.insert(&item_key);
        assert!(filter.contains(&item_key));
    }
    filter
}

#[test]
fn rust_peer_filters() {
    let mut seen = 0;
    for vector in rust() {
        let name = vector["name"].as_str().unwrap();
        let Some(bytes) = vector.get("bytes_hex").map(hex) else { continue };
        let filter = Filter::from_wire(bytes.clone(), k(&vector), &Limits::default());
        let filter = filter.unwrap().unwrap().with_rejection(rule_of(name));
        assert_eq!(filter.ones(), vector["ones"].as_u64().unwrap(), "{name}");
        for probe in vector["probes"].as_array().unwrap() {
            assert_eq!(filter.contains(&hex(&probe["hex"])), probe["contains"].as_bool().unwrap());
        }
        let ours = built(&vector, "hex", bytes.len(), rule_of(name));
        // One vector lists the first two of its keys only: then ours is a part of theirs.
        let mut both = filter.clone();
        both.union(&ours).unwrap();
        assert_eq!(both, filter, "{name}");
        assert!(ours == filter || name == "bloom-default-sizing-100-cids", "{name}");
        seen += 1;
    }
    assert_eq!(seen, 4);
}

#[test]
fn rust_peer_sizes() {
    let mut seen = 0;
    for vector in rust() {
        let Some(bytes) = vector["byte_size"].as_u64() else { continue };
        let params = Params::for_items(vector["n"].as_u64().unwrap());
        assert_eq!(params.bytes() as u64, bytes);
        assert!(params.k() <= k(&vector), "never more hashes than the peer");
        seen += 1;
    }
    assert_eq!(seen, 7);
}

#[test]
fn xxh3_is_seeded_with_the_number_of_the_index() {
    let vector = &rust()[0];
    let item = hex(&vector["item_hex"]);
    // 2^63 bits: an index is the hash without its highest bit.
    let hashes = Indices::new(&item, 1 << 63, Rejection::Spec);
    for (hash, expected) in hashes.zip(vector["hashes"].as_array().unwrap()) {
        let expected = expected["u64"].as_str().unwrap().trim_start_matches("0x");
        assert_eq!(hash, u64::from_str_radix(expected, 16).unwrap() & ((1 << 63) - 1));
    }
}

#[test]
fn go_peer_filters() {
    for vector in go("power_of_two_and_peer_vectors") {
        let name = vector["name"].as_str().unwrap();
        let bytes = hex(&vector["go_bytes"]);
        let ours = built(&vector, "cid_hex", bytes.len(), rule_of(name));
        assert_eq!(ours.as_bytes(), bytes, "{name}");
    }
}

/// Go sizes count in bits, so bits are set here by hand.
#[test]
fn go_peer_odd_sizes() {
    for vector in go("non_power_of_two") {
        let bits = vector["m_bits"].as_u64().unwrap();
        let mut bytes = vec![0; hex(&vector["bytes_hex"]).len()];
        for item in vector["items"].as_array().unwrap() {
            let key = hex(&item["cid_hex"]);
            let indices: Vec<u64> =
                Indices::new(&key, bits, Rejection::Go).take(k(&vector) as usize).collect();
            assert_eq!(indices, numbers(&item["indices"]), "m = {bits}");
            for index in indices {
                bytes[usize::try_from(index / 8).unwrap()] |= 1 << (index % 8);
            }
        }
        assert_eq!(bytes, hex(&vector["bytes_hex"]), "m = {bits}");
    }
}
