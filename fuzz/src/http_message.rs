use carpool_core::Limits;
use sim::message::{Dialect, Kind, decode, decode_vec, encode};

/// A message that is read is held to its limits, and what it is written as reads the same, in
/// either dialect and in the other one.
pub fn http_message(data: &[u8]) {
    let mut limits = Limits::default();
    (limits.max_wanted, limits.max_bloom_bytes) = (50, 256);
    let dialects = [Dialect::Spec, Dialect::CarMirror];
    for (dialect, kind) in dialects
        .into_iter()
        .flat_map(|dialect| [Kind::PullRequest, Kind::PushResponse].map(|kind| (dialect, kind)))
    {
        let read = decode(dialect, kind, data, &limits);
        assert_eq!(decode_vec(dialect, kind, data.to_vec(), &limits), read);
        let Ok(status) = read else { continue };
        assert!(status.want.len() <= 50);
        assert!(status.have.as_ref().is_none_or(|have| have.as_bytes().len() <= 256));
        for other in dialects {
            let written = encode(other, kind, &status);
            // Text of another base may be shorter than that which is written.
            assert!(dialect != other || dialect != Dialect::Spec || written.len() <= data.len());
            assert_eq!(decode(other, kind, &written, &limits), Ok(status.clone()));
        }
    }
}
