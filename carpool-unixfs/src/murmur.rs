const C1: u64 = 0x87c3_7b91_1142_53d5;
const C2: u64 = 0x4cf5_ad43_2745_937f;

/// The first 64 bits of MurmurHash3-x64-128 with seed 0: what HAMT shards call `murmur3-x64-64`
/// (multihash code 0x22).
///
/// Own lines because the published crates need `std` or have `unsafe` for what is one loop.
pub(crate) fn murmur3_x64_64(data: &[u8]) -> u64 {
    let (mut h1, mut h2) = (0u64, 0u64);
    let (blocks, tail) = data.as_chunks::<16>();
    for block in blocks {
        let (k1, k2) = halves(block);
        h1 = (h1 ^ scramble_first(k1)).rotate_left(27).wrapping_add(h2);
        h1 = h1.wrapping_mul(5).wrapping_add(0x52dc_e729);
        h2 = (h2 ^ scramble_second(k2)).rotate_left(31).wrapping_add(h1);
        h2 = h2.wrapping_mul(5).wrapping_add(0x3849_5ab5);
    }
    // Zero bytes scramble to zero, so a padded tail is the tail.
    let mut last = [0; 16];
    last[..tail.len()].copy_from_slice(tail);
    let (k1, k2) = halves(&last);
    finish(h1 ^ scramble_first(k1), h2 ^ scramble_second(k2), data.len() as u64)
}

fn halves(block: &[u8; 16]) -> (u64, u64) {
    let both = u128::from_le_bytes(*block);
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is meant")]
    let low = both as u64;
    (low, (both >> 64) as u64)
}

const fn scramble_first(k: u64) -> u64 {
    k.wrapping_mul(C1).rotate_left(31).wrapping_mul(C2)
}

const fn scramble_second(k: u64) -> u64 {
    k.wrapping_mul(C2).rotate_left(33).wrapping_mul(C1)
}

const fn finish(mut h1: u64, mut h2: u64, len: u64) -> u64 {
    h1 ^= len;
    h2 ^= len;
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    avalanche(h1).wrapping_add(avalanche(h2))
}

const fn avalanche(mut k: u64) -> u64 {
    k = (k ^ (k >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    k = (k ^ (k >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    k ^ (k >> 33)
}

#[cfg(test)]
mod tests {
    use super::murmur3_x64_64;

    #[test]
    fn published_vectors() {
        let cases: [(&[u8], u64); 4] = [
            (b"", 0),
            (b"hello", 0xcbd8_a7b3_41bd_9b02),
            (b"hello, world", 0x342f_ac62_3a5e_bc8e),
            (b"The quick brown fox jumps over the lazy dog", 0xe34b_bc7b_bc07_1b6c),
        ];
        for (data, hash) in cases {
            assert_eq!(murmur3_x64_64(data), hash, "{data:?}");
        }
    }
}
