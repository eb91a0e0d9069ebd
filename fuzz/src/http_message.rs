use carpool_core::Limits;
use sim::message::{Kind, decode, encode};

/// A message that is read is held to its limits, and what it is written as reads the same.
pub fn http_message(data: &[u8]) {
    let mut limits = Limits::default();
    (limits.max_wanted, limits.max_bloom_bytes) = (50, 256);
    for kind in [Kind::PullRequest, Kind::PushResponse] {
        let Ok(status) = decode(kind, data, &limits) else { continue };
        assert!(status.want.len() <= 50);
        assert!(status.have.as_ref().is_none_or(|have| have.as_bytes().len() <= 256));
        let written = encode(kind, &status);
        assert!(written.len() <= data.len());
        assert_eq!(decode(kind, &written, &limits), Ok(status));
    }
}
