//! Bodies that lie: an error that says where, and what came before it stands.

mod common;

use carpool_core::{Bytes, Cid, Limits};
use carpool_delta::{Error, Options};
use common::{Body, Came, Store, decode, encode, mix, noise, numbers, text};
use proptest::prelude::*;

fn read(body: impl Into<Bytes>) -> (Came, Result<(), Error>) {
    decode(&[], [body.into()], &Store::new(), &Limits::default())
}

fn record(expected: &'static str) -> Error {
    Error::Record { record: 0, cid: None, expected }
}

#[test]
fn every_lie_has_its_error() {
    let part = |part, record| Error::Part { part, record };
    let one = |control: &[u64], literals: &[u8]| {
        Body::new().segment(&numbers(control), literals, &[]).end()
    };
    let mut bomb = Body::new().segment(&numbers(&[20, 0x55, 1, 4]), &vec![0; 1 << 21], &[]);
    bomb.bytes.extend([0; 3]);
    let table: Vec<(Bytes, Error)> = vec![
        (Bytes::new(), Error::Truncated { record: 0 }),
        (vec![2].into(), Error::Version { version: 2 }),
        (vec![1, 0x80, 0x80].into(), Error::Truncated { record: 0 }),
        (vec![1, 0x80, 0].into(), record("three lengths")),
        (vec![1, 0, 0, 0, 7].into(), Error::End { expected: "nothing behind it" }),
        (vec![1, 0, 1, 0, 7].into(), part("control", 0)),
        (vec![1, 4, 0, 0, 1, 2, 3, 4].into(), part("control", 0)),
        (one(&[3], &[]), record("a kind of record")),
        (one(&[64], &[]), record("a record")),
        (one(&[12, 0], &[]), record("a name")),
        (one(&[12 + 16, 0x55, 0], &[]), record("an encoding")),
        (one(&[0, 1, 0, 0], &[]), record("a link of a node")),
        (one(&[1, 2, 0], &[]), record("a link of a node")),
        (one(&[1, 1, 1], &[]), record("a link of a node")),
        (one(&[2, 1, 3], &[]), record("a node")),
        (one(&[2, 1, 2, 0, 0], &[]), record("links of a node")),
        // A copy without bases, before a base, and a hash that nobody waits with.
        (one(&[20, 0x55, 1, 5], &[]), record("a base of the sequence")),
        (one(&[20, 0x55, 32, 3, 1], &[]), record("operations of the block's length")),
        (one(&[20, 0x55, 1, 7, 1, 0], &[]), record("operations of the block's length")),
        (one(&[20, 0x55, 32, 3, 2], &[]), record("a block that waits")),
        (one(&[20, 0x55, 32, 3, 0], &[]), record("a block that waits")),
        // Operations of no bytes, of too many, and none.
        (one(&[20, 0x55, 1, 0], &[]), record("operations of the block's length")),
        (one(&[20, 0x55, 1, 8], &[1, 2]), record("operations of the block's length")),
        (one(&[20, 0x55, 1], &[1]), record("operations of the block's length")),
        // More and less inserted than there is.
        (one(&[20, 0x55, 3, 12], &[1, 2]), part("literals", 0)),
        (one(&[20, 0x55, 1, 4], &[1, 2]), part("literals", 1)),
        (bomb.bytes.into(), part("literals", 1)),
        (one(&[16, 0x55, 3], &[]), part("plain", 0)),
        (one(&[24, 0x55, 3, 0, 0, 5], &[]), record("a base of the sequence")),
        (one(&[20, 0x55, 1, 4], &[1]), Error::End { expected: "no block that waits" }),
    ];
    for (n, (body, error)) in table.into_iter().enumerate() {
        assert_eq!(read(body), (Came::default(), Err(error)), "{n}");
    }
}

#[test]
fn a_block_is_named_in_the_error_it_causes() {
    let mut old = Store::new();
    let base = old.leaf("0123456789");
    let cid = Store::new().leaf("678901");
    let control =
        [&[2, 1, 0][..], &base.to_bytes(), &[4, 0], &cid.to_bytes(), &[6, 4 * 6 + 3, 0, 12]]
            .concat();
    let body = Body::new().segment(&control, &[], &[]).end();
    let (_, result) = decode(&[], [body], &old, &Limits::default());
    let expected = "copies within their bases";
    assert_eq!(result, Err(Error::Record { record: 1, cid: Some(cid), expected }));
}

#[test]
fn a_window_beyond_the_limit_is_refused() {
    let mut stream = zstd_safe::CCtx::create();
    stream.set_parameter(zstd_safe::CParameter::WindowLog(19)).unwrap();
    let mut out = Vec::with_capacity(1 << 10);
    {
        use zstd_safe::{InBuffer, OutBuffer, zstd_sys::ZSTD_EndDirective::ZSTD_e_flush};
        let (mut output, mut input) = (OutBuffer::around(&mut out), InBuffer::around(&[2, 0]));
        stream.compress_stream2(&mut output, &mut input, ZSTD_e_flush).unwrap();
    }
    let body = [&[1, u8::try_from(out.len()).unwrap(), 0, 0][..], &out, &[0; 3]].concat();
    assert_eq!(read(body).1, Err(Error::Part { part: "control", record: 0 }));
}

/// A body with all encodings in it, what it was made of, and the CIDs that both sides know.
fn sample() -> (Vec<Cid>, Store, Bytes, usize) {
    let (mut old, mut data) = (Store::new(), text(150_000, 1));
    data.extend(noise(40_000, 2).iter().map(|byte| byte & 0x3f));
    let old_root = old.file(&data, 16_384, 5);
    data.splice(10..20, *b"inserted");
    (150_100..data.len()).step_by(21).for_each(|n| data[n] ^= 0x55);
    data.extend(noise(20_000, 3));
    let mut new = old.clone();
    let root = new.file(&data, 16_384, 5);
    let (known, sent) = (vec![root, old_root], new.missing(&root, &old));
    let pair = |cid: &Cid| (*cid == root).then_some(old_root);
    let mut options = Options::default();
    options.min_sampled = 512;
    let (body, counts) = encode(&known, &sent, pair, &old, options);
    let kinds = [counts.plain, counts.copies, counts.prefix];
    assert!(kinds.iter().all(|tally| tally.blocks > 0), "{counts:?}");
    (known, old, body.concat().into(), sent.len())
}

#[test]
fn a_body_that_was_cut_is_truncated_wherever_that_is() {
    let (known, old, body, sent) = sample();
    for at in (0..body.len()).filter(|at| at % 97 == 0 || *at > body.len() - 20) {
        let (came, result) = decode(&known, [body.slice(..at)], &old, &Limits::default());
        assert!(matches!(result, Err(Error::Truncated { .. })), "{at}: {result:?}");
        assert!(came.wrong.is_empty() && came.blocks.len() <= sent);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn pieces_mean_nothing(sizes in prop::collection::vec(1usize..5_000, 1..40)) {
        let (known, old, body, sent) = sample();
        let (mut rest, mut pieces) = (body.clone(), Vec::new());
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            pieces.push(rest.split_to(rest.len().min(*size)));
        }
        let whole = decode(&known, [body], &old, &Limits::default());
        prop_assert_eq!(whole.0.blocks.len(), sent);
        prop_assert_eq!(decode(&known, pieces, &old, &Limits::default()), whole);
    }

    #[test]
    fn damage_never_makes_a_block_that_was_not_sent(seed in any::<u64>(), flips in 1u64..4) {
        let (known, old, body, _) = sample();
        let mut damaged = body.to_vec();
        for n in 0..flips {
            let at = usize::try_from(mix(seed ^ n) % damaged.len() as u64).unwrap();
            damaged[at] ^= 1 << (mix(seed ^ n ^ 99) % 8);
        }
        let (good, _) = decode(&known, [body], &old, &Limits::default());
        let (came, _) = decode(&known, [damaged.into()], &old, &Limits::default());
        // What verifies and was computed may be other bytes under their own CID, which nobody wants.
        let below = |cid: &Cid| good.blocks.iter().any(|block| block.cid() == cid);
        let named = came.blocks.iter().filter(|block| known.contains(block.cid()));
        prop_assert!(named.into_iter().all(|block| below(block.cid())));
    }
}
