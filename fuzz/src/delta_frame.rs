use bytes::Bytes;
use carpool_core::{Cid, Limits};
use carpool_delta::Options;

use crate::{
    choices::Choices,
    delta_common::{Body, Store, decode, encode},
};

/// A body of any bytes, one whose parts are of any bytes, or one of two versions of a file: it ends with an error
/// or its end, the same in any pieces; what has a computed name verifies; and what was encoded comes back.
pub fn delta_frame(data: &[u8]) {
    let mut choices = Choices::new(data);
    match choices.byte() % 4 {
        0 => read(&mut choices, |choices| Bytes::copy_from_slice(choices.bytes(usize::MAX))),
        1 => versions(&mut choices),
        _ => read(&mut choices, parts),
    }
}

/// Segments of any parts.
fn parts(choices: &mut Choices<'_>) -> Bytes {
    let mut body = Body::new();
    for _ in 0..=choices.below(3) {
        let mut part = || {
            let n = usize::from(choices.byte());
            choices.bytes(n)
        };
        body = body.segment(part(), part(), part());
    }
    body.end()
}

fn read(choices: &mut Choices<'_>, body: impl Fn(&mut Choices<'_>) -> Bytes) {
    let (mut old, mut limits) = (Store::new(), Limits::default());
    let first = old.file(&[1, 2, 3].repeat(40), 50, 3);
    let second = old.file(b"other bytes", 4, 2);
    let root = old.node(&[first, second, first]);
    if choices.byte() & 1 == 1 {
        old.remove(&first);
    }
    limits.max_block_bytes = 1 << (choices.byte() % 12);
    let size = 1 + usize::from(choices.byte());
    let body = body(choices);
    let known = [first, root];
    let whole = decode(&known, [body.clone()], &old, &limits);
    let blocks = whole.0.blocks.iter();
    assert!(blocks.into_iter().all(|block| block.data().len() <= limits.max_block_bytes));
    let pieces = (0..body.len()).step_by(size).map(|at| body.slice(at..body.len().min(at + size)));
    assert_eq!(decode(&known, pieces, &old, &limits), whole);
}

/// Pieces of an old file, and others, make a new one.
fn versions(choices: &mut Choices<'_>) {
    let chunk = 1 + usize::from(choices.byte()) * 4;
    let fanout = 2 + choices.below(6);
    let size = usize::from(choices.byte());
    let seed = choices.bytes(size);
    let before: Vec<u8> = (0..20).flat_map(|n: u8| seed.iter().map(move |byte| byte ^ n)).collect();
    let mut after = Vec::new();
    while !choices.is_empty() && after.len() < 8_192 {
        let (at, len) = (usize::from(choices.byte()) * 20, usize::from(choices.byte()));
        if len > 200 || before.is_empty() {
            after.extend_from_slice(choices.bytes(len % 50));
        } else {
            let at = at % before.len();
            after.extend_from_slice(&before[at..before.len().min(at + 8 * len)]);
        }
    }
    let mut old = Store::new();
    let old_root = old.file(&before, chunk, fanout);
    let mut new = old.clone();
    let root = new.file(&after, chunk, fanout);
    let (known, sent) = ([root, old_root], new.missing(&root, &old));
    let pair = |cid: &Cid| (*cid == root).then_some(old_root);
    let (body, _) = encode(&known, &sent, pair, &old, Options::default());
    let (came, result) = decode(&known, [body.concat().into()], &old, &Limits::default());
    assert_eq!((result, came.blocks), (Ok(()), sent));
}
