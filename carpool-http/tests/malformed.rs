//! Requests that are wrong: a 4xx, and the server goes on as if nothing had been.

mod common;

use carpool_core::{Block, Cid, codec};
use carpool_http::message::{self, Dialect, Kind};
use carpool_mirror::Status;
use common::{client, holding, post, serve_default};

const PULL: &str = "/api/v0/dag/pull";
const PUSH: &str = "/api/v0/dag/push";

fn leaf(n: u32) -> Block {
    Block::new(codec::RAW, n.to_le_bytes().to_vec().into())
}

fn request(want: Vec<Cid>) -> Vec<u8> {
    message::encode(Dialect::Spec, Kind::PullRequest, &Status { want, have: None }).to_vec()
}

fn car(roots: &[Cid], sections: &[(&Cid, &[u8])]) -> Vec<u8> {
    let mut car = carpool_car::header(roots).to_vec();
    for (cid, data) in sections {
        car.extend_from_slice(carpool_car::section_prefix(cid, data.len()).as_ref());
        car.extend_from_slice(data);
    }
    car
}

#[tokio::test(flavor = "multi_thread")]
async fn pulls() {
    let url = serve_default(holding([&leaf(1)])).await;
    let cid = *leaf(1).cid();
    let with_filter = |k: u8, bits: &[u8]| {
        let mut body = request(vec![cid]);
        let bytes = [&[0x40 | u8::try_from(bits.len()).expect("short")], bits].concat();
        body.splice(4..5, bytes);
        let at = 4 + 1 + bits.len() + 3;
        body.splice(at..=at, if k < 24 { vec![k] } else { vec![0x18, k] });
        body
    };
    assert_eq!(post(&url, PULL, &request(vec![cid])).await, 200);
    assert_eq!(post(&url, PULL, &with_filter(64, &[0])).await, 200);
    assert_eq!(post(&url, PULL, &with_filter(65, &[0])).await, 400, "one hash too many");
    assert_eq!(post(&url, PULL, &with_filter(0, &[0])).await, 400, "a filter that hits always");
    assert_eq!(post(&url, PULL, b"").await, 400);
    assert_eq!(post(&url, PULL, b"\xa3garbage").await, 400);
    assert_eq!(post(&url, PULL, &request(vec![*leaf(2).cid()])).await, 404);
    let many: Vec<Cid> = (0..10_001).map(|n| *leaf(n).cid()).collect();
    assert_eq!(post(&url, PULL, &request(many[..10_000].to_vec())).await, 200);
    assert_eq!(post(&url, PULL, &request(many)).await, 400, "one want too many");
    assert_eq!(post(&url, PULL, &vec![0; (12 << 20) + 1]).await, 413);
    assert_eq!(post(&url, "/api/v0/dag/nothing", b"").await, 404);
    assert!(client(&url).pull(cid, vec![], holding([])).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn pushes() {
    let store = holding([]);
    let url = serve_default(store.clone()).await;
    let (one, two) = (leaf(1), leaf(2));
    let whole = car(&[*one.cid()], &[(one.cid(), one.data())]);
    assert_eq!(post(&url, PUSH, b"").await, 400, "nothing at all");
    assert_eq!(post(&url, PUSH, b"\x0bnot a header").await, 400);
    assert_eq!(post(&url, PUSH, &car(&[], &[])).await, 400, "no root");
    assert_eq!(post(&url, PUSH, &whole[..whole.len() - 1]).await, 400, "truncated");
    let lie = car(&[*one.cid()], &[(one.cid(), two.data())]);
    assert_eq!(post(&url, PUSH, &lie).await, 422, "another hash");
    let stray = car(&[*one.cid()], &[(two.cid(), two.data())]);
    assert_eq!(post(&url, PUSH, &stray).await, 202, "unreachable, and dropped");
    assert_eq!(store.len(), 0, "nothing of all this is stored");
    assert_eq!(post(&url, PUSH, &whole).await, 200);
    assert_eq!(post(&url, &format!("{PUSH}?diff=unknown%20name"), &whole).await, 200);
    assert_eq!(store.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_above_the_limit() {
    let store = holding([]);
    let url = serve_default(store.clone()).await;
    let at = Block::new(codec::RAW, vec![1; 2 << 20].into());
    let past = Block::new(codec::RAW, vec![1; (2 << 20) + 1].into());
    for (block, code) in [(at, 200), (past, 413)] {
        let body = car(&[*block.cid()], &[(block.cid(), block.data())]);
        assert_eq!(post(&url, PUSH, &body).await, code);
    }
    assert_eq!(store.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_one_byte_too_many() {
    let block = leaf(1);
    let body = car(&[*block.cid()], &[(block.cid(), block.data())]);
    for (max, code) in [(body.len(), 200), (body.len() - 1, 413)] {
        let mut options = carpool_http::ServerOptions::default();
        options.limits.max_car_bytes = max as u64;
        let url = common::serve(holding([]), options).await;
        assert_eq!(post(&url, PUSH, &body).await, code);
    }
}
