use carpool_core::Limits;
use carpool_mirror::extension::{Answer, Asked, MAX_BITMAP_BYTES, MAX_HELD, Offer, Request};

/// Headers and bodies of the extension: refused, or held to their limits and the same when written
/// and read again.
pub fn extension(data: &[u8]) {
    if let Ok(value) = core::str::from_utf8(data) {
        header(value);
    }
    let mut limits = Limits::default();
    (limits.max_wanted, limits.max_bloom_bytes, limits.max_bloom_k) = (4, 256, 8);
    if let Some(request) = read(data, &limits) {
        assert!(request.want.len() <= 4 && request.held.len() <= MAX_HELD);
        let bits = request.links.as_ref().map_or(0, |links| links.bits.len());
        assert!(bits <= MAX_BITMAP_BYTES);
        assert_eq!(read(&request.encode(), &limits), Some(request));
    }
}

fn read(data: &[u8], limits: &Limits) -> Option<Request> {
    let asked = Asked::decode(data.to_vec(), limits, 1).ok()?;
    let Asked { root, want, held, have, scope, links, parents, session, cells } = asked;
    let (want, parents) = (want.iter().collect(), parents.iter().collect());
    Some(Request { root, want, held, have, scope, links, parents, session, cells })
}

fn header(value: &str) {
    if let Some(offer) = Offer::decode(value) {
        assert!(offer.held.len() <= MAX_HELD);
        assert_eq!(Offer::decode(&offer.encode()), Some(offer));
    }
    if let Some(answer) = Answer::decode(value) {
        assert_eq!(Answer::decode(&answer.encode()), Some(answer));
    }
}
