//! Names of codecs and hash functions
//! ([multicodec](https://github.com/multiformats/multicodec/blob/master/table.csv)).

/// The name of a codec; its number where it has none here.
pub(crate) fn codec_name(code: u64) -> String {
    let name = match code {
        0x51 => "cbor",
        0x55 => "raw",
        0x70 => "dag-pb",
        0x71 => "dag-cbor",
        0x72 => "libp2p-key",
        0x78 => "git-raw",
        0x85 => "dag-jose",
        0x86 => "dag-cose",
        0x0129 => "dag-json",
        0x0200 => "json",
        0x0202 => "car",
        _ => return number("Code", code),
    };
    name.to_owned()
}

/// The name of a hash function; its number where it has none here.
pub(crate) fn hash_name(code: u64) -> String {
    let name = match code {
        0x00 => "identity",
        0x11 => "sha1",
        0x12 => "sha2-256",
        0x13 => "sha2-512",
        0x14 => "sha3-512",
        0x16 => "sha3-256",
        0x1b => "keccak-256",
        0x1e => "blake3",
        0x20 => "sha2-384",
        0x22 => "murmur3-x64-64",
        0x56 => "dbl-sha2-256",
        0xd5 => "md5",
        0x1012 => "sha2-256-trunc254-padded",
        0xb220 => "blake2b-256",
        0xb240 => "blake2b-512",
        0xb260 => "blake2s-256",
        0xb401 => "poseidon-bls12_381-a2-fc1",
        _ => return number("Code", code),
    };
    name.to_owned()
}

/// As go-car writes what it has no name for.
fn number(what: &str, code: u64) -> String {
    format!("{what}({code})")
}
