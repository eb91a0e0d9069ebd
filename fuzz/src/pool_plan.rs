use carpool_core::{Block, codec};
use carpool_pool::{MAX_MEMBERS, Plan};

/// A plan as text: refused, or within its limits, the same when written and read again, and with one owner, who
/// weighs something, of every block that is not in reserve.
pub fn pool_plan(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let Ok(plan) = Plan::decode(text) else { return };
    assert!((1..=MAX_MEMBERS).contains(&plan.weights().len()));
    assert!(usize::from(plan.me()) < plan.weights().len());
    assert_eq!(Plan::decode(&plan.encode()).as_ref(), Ok(&plan));
    for (codec, byte) in [codec::RAW, codec::DAG_CBOR].into_iter().zip(0..) {
        let cid = *Block::new(codec, vec![byte].into()).cid();
        let owner = plan.owner(&cid);
        match owner {
            Some(owner) => assert!(plan.weights()[owner] > 0),
            None => assert!(plan.reserve() > 0 && codec == codec::RAW),
        }
        assert_eq!(plan.is_mine(&cid), owner == Some(plan.me().into()));
    }
}
