//! The negotiated extension, version 1: `docs/extension.md` is its specification.

mod header;
mod message;

pub use header::{Answer, Gossips, Memory, Offer, Plans, lost, lost_of};
pub use message::{Asked, LinkBits, Request, Scope};

/// The header of requests and answers.
pub const HEADER: &str = "car-mirror-ext";
/// The content type of the sink's extended message: the body of a pull request, and the answer to a
/// push.
pub const CONTENT_TYPE: &str = "application/vnd.carpool.mirror.v1+cbor";
/// The most held roots that a message may name.
pub const MAX_HELD: usize = 16;
/// The most bytes of a header's value.
pub const MAX_HEADER_BYTES: usize = 4096;
/// The most bytes of a message's bitmap: it speaks of at most
/// [`MAX_TRAIL_LINKS`](crate::MAX_TRAIL_LINKS) links, and none costs a byte and more.
pub const MAX_BITMAP_BYTES: usize = 1 << 18;
/// Bytes that tell a [`Trail`](crate::Trail) from every other.
pub const CHECK_BYTES: usize = 8;
/// Bytes of a session's name: a number that the sink draws at random.
pub const SESSION_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, vec};
    use carpool_core::{Block, Limits, codec};

    use crate::{Trail, bitmap, planner::Step};

    #[test]
    fn vectors_of_the_specification() {
        let a = *Block::new(codec::DAG_CBOR, vec![0xa0].into()).cid();
        let text = "bafyreigbtj4x7ip5legnfznufuopl4sg4knzc2cof6duas4b3q2fy6swua";
        let offer = |root| Offer { root, held: vec![a], ..Offer::default() }.encode();
        assert_eq!(offer(None), format!("v=1; held={text}"));
        assert_eq!(offer(Some(a)), format!("v=1; root={text}; held={text}"));
        let late = Offer { want: Some(a), held: vec![a], ..Offer::default() };
        assert_eq!(late.encode(), format!("v=1; want={text}; held={text}"));
        let session = 0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f_u128.to_be_bytes();
        let named = Offer { session: Some(session), ..Offer::default() };
        assert_eq!(named.encode(), "v=1; session=000102030405060708090a0b0c0d0e0f");
        let plan = "000102030405060708090a0b0c0d0e0f.3.1.20.100-50";
        let shared = Offer { root: Some(a), pool: Some(plan.into()), ..Offer::default() };
        assert_eq!(shared.encode(), format!("v=1; root={text}; pool={plan}"));
        let minds = Offer { gossips: Gossips::Minds, ..shared };
        assert_eq!(minds.encode(), format!("v=1; root={text}; pool={plan}; gossip=2"));
        let of = |plans| Answer { plans, ..Answer::default() }.encode();
        assert_eq!(of(Plans::Shares), "v=1; pool=1");
        assert_eq!(of(Plans::Gossips), "v=1; pool=1; gossip=1");
        let used = Answer { used_held: true, ..Answer::default() };
        assert_eq!(used.encode(), "v=1; used=held");
        let kept = Answer { memory: Memory::Kept, ..Answer::default() };
        assert_eq!(kept.encode(), "v=1; session=kept");
        let named = Request { root: Some(a), session: Some(session), ..Request::default() };
        let body =
            [&[0xa2, 0x61, 0x72, 0x58, 0x24][..], &a.to_bytes(), &[0x61, 0x73, 0x50], &session];
        assert_eq!(named.encode(), body.concat());
        let bytes = a.to_bytes();
        let body =
            [&[0xa2, 0x61, 0x68, 0x81, 0x58, 0x24][..], &bytes, &[0x61, 0x72, 0x58, 0x24], &bytes];
        let request = Request { root: Some(a), held: vec![a], ..Request::default() };
        assert_eq!(request.encode(), body.concat());
        let ask = Offer { ask: Some(Step::InteriorFilter), ..Offer::default() };
        assert_eq!(ask.encode(), "v=1; ask=interior");
        let next = Offer { keeps_filter: true, ..ask };
        assert_eq!(next.encode(), "v=1; ask=interior; keeps=filter");
        let mut trail = Trail::default();
        let linking = [&[0x81, 0xd8, 0x2a, 0x58, 0x25, 0x00][..], &bytes].concat();
        let block = Block::new(codec::DAG_CBOR, linking.into());
        trail.push(block.cid(), block.data(), &Limits::default());
        let check = trail.check().expect("one block");
        let bits = bitmap::encode([true]).expect("one bit");
        let links = Some(LinkBits { check, bits });
        let request = Request { scope: Scope::Named, links, ..Request::default() };
        let body = [
            &[0xa2, 0x61, 0x6c, 0x82, 0x48, 0x56, 0xe8, 0x67, 0xda, 0x0e, 0x66, 0x9a, 0xdb][..],
            &[0x40, 0x61, 0x6d, 0x02],
        ];
        assert_eq!(request.encode(), body.concat());
    }
}
