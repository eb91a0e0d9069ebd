use carpool_bloom::{Filter, Limits, MAX_K};

use crate::choices::Choices;

/// Whatever bits and k a peer sends: refused or bounded, and what is accepted works.
pub fn bloom(data: &[u8]) {
    let mut choices = Choices::new(data);
    let k = u32::from_be_bytes([choices.byte() & 0x80, 0, choices.byte() & 1, choices.byte()]);
    let key = choices.bytes(36);
    let bits = choices.bytes(1 << 16);
    let limits = Limits { max_bytes: 4096, max_k: 40 };
    let Ok(Some(mut filter)) = Filter::from_wire(bits, k, &limits) else {
        assert!(bits.is_empty() || bits.len() > 4096 || k > 40 || k == 0);
        return;
    };
    assert!(k <= MAX_K && (filter.as_bytes(), filter.k()) == (bits, k));
    let (held, before) = (filter.contains(key), filter.clone());
    filter.insert(key);
    assert!(filter.contains(key) && filter.ones() >= before.ones());
    assert!(!held || filter == before);
    assert!((0.0..=1.0).contains(&filter.predicted_fpr()));
    let again = Filter::from_wire(filter.as_bytes(), k, &limits);
    assert_eq!(again, Ok(Some(filter.clone())));
    assert_eq!(filter.union(&before), Ok(()));
    assert_eq!(again, Ok(Some(filter)));
}
