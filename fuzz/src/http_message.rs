use carpool_core::Limits;
use carpool_mirror::Status;
use sim::message::{Dialect, Kind, MessageError, Request, decode, decode_request, encode};
use std::collections::BTreeSet;

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
        if kind == Kind::PullRequest {
            check_request(decode_request(dialect, data.to_vec(), &limits, 1), &read);
        }
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

/// A server reads the same from a message, but for wants that are named twice.
fn check_request(request: Result<Request, MessageError>, read: &Result<Status, MessageError>) {
    match (request, read) {
        (Ok(request), Ok(status)) => {
            let mut seen = BTreeSet::new();
            let once = status.want.iter().copied().filter(|cid| seen.insert(*cid));
            assert!(once.eq(request.want.iter()));
            assert_eq!(request.have, status.have);
        }
        (request, read) => assert_eq!(request.err().as_ref(), read.as_ref().err()),
    }
}
