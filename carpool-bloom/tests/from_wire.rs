//! What a peer may send, at the limits and one past them.

use carpool_bloom::{Error, Filter, Limits, MAX_K};

const LIMITS: Limits = Limits { max_bytes: 16, max_k: 5 };

fn from_wire(bytes: usize, k: u32, limits: &Limits) -> Result<Option<Filter>, Error> {
    Filter::from_wire(vec![0; bytes], k, limits)
}

#[test]
fn bytes_and_k_at_the_limit_and_one_past() {
    let filter = from_wire(16, 5, &LIMITS).unwrap().unwrap();
    assert_eq!((filter.bits(), filter.k()), (128, 5));
    assert_eq!(from_wire(17, 5, &LIMITS), Err(Error::PeerBytes { limit: 16, actual: 17 }));
    assert_eq!(from_wire(16, 6, &LIMITS), Err(Error::PeerHashes { limit: 5, actual: 6 }));
}

#[test]
fn default_limits() {
    let limits = Limits::default();
    assert_eq!((limits.max_bytes, limits.max_k), (16 << 20, 64));
    assert!(from_wire(16 << 20, 64, &limits).is_ok());
    assert!(from_wire((16 << 20) + 1, 64, &limits).is_err());
    assert!(from_wire(1, 20_000_000, &limits).is_err());
}

#[test]
fn no_limit_lets_k_past_the_largest() {
    let limits = Limits { max_k: u32::MAX, ..LIMITS };
    assert!(from_wire(1, MAX_K, &limits).is_ok());
    assert_eq!(from_wire(1, MAX_K + 1, &limits), Err(Error::PeerHashes { limit: 64, actual: 65 }));
}

#[test]
fn no_bytes_are_no_filter_whatever_k_says() {
    for k in [0, 3, u32::MAX] {
        assert_eq!(from_wire(0, k, &LIMITS), Ok(None));
    }
}

#[test]
fn no_hashes_would_match_everything() {
    let error = from_wire(1, 0, &LIMITS).unwrap_err();
    assert_eq!(error, Error::PeerZeroHashes { bytes: 1 });
    assert!(error.is_peer_fault());
}

#[test]
fn bytes_may_be_borrowed() {
    let filter = Filter::from_wire(&[0xff, 0][..], 1, &LIMITS).unwrap().unwrap();
    assert_eq!(filter.into_bytes(), [0xff, 0]);
}
