use carpool_core::{
    Block, Bytes, Cid, Error, Limits, Multihash, codec, for_each_link_bytes, identity_data,
    may_link,
};
use ipld_core::{codec::Links, ipld::Ipld};
use serde_ipld_dagcbor::codec::DagCborCodec;

/// Where a full decoder reads a block, the scanner finds the links that it finds.
pub fn links(data: &[u8]) {
    let limits = Limits::default();
    let scan = |codec| carpool_core::links(Block::new(codec, Bytes::new()).cid(), data, &limits);
    if let (Ok(found), Ok(expected)) = (scan(codec::DAG_PB), pb(data)) {
        assert_eq!(found, expected);
    }
    let found = scan(codec::DAG_CBOR);
    if shallow(data) && canonical(data) {
        let expected: Vec<Cid> = DagCborCodec::links(data).expect("decoded before").collect();
        assert_eq!(found, Ok(expected));
    }
    strict(data, found.as_ref());
    assert_eq!(scan(codec::RAW), Ok(vec![]));
    at_the_limit(data, codec::DAG_CBOR, found.ok());
    at_the_limit(data, codec::DAG_PB, scan(codec::DAG_PB).ok());
    let carried =
        Cid::new_v1(codec::RAW, Multihash::wrap(0, &data[..data.len().min(64)]).expect("short"));
    assert_eq!(identity_data(&carried), Some(&data[..data.len().min(64)]));
    assert!(!may_link(&carried));
    assert_eq!(identity_data(Block::new(codec::RAW, Bytes::new()).cid()), None);
}

/// What the strict scanner takes, the full decoder takes, and both scanners find the same.
fn strict(data: &[u8], found: Result<&Vec<Cid>, &Error>) {
    let cid = *Block::new(codec::DAG_CBOR, Bytes::new()).cid();
    let mut strict = Vec::new();
    let taken = for_each_link_bytes(&cid, data, &Limits::default(), |link| strict.push(link));
    if taken.is_ok() {
        assert!(!shallow(data) || canonical(data), "the full decoder refuses it");
        assert!(found.is_ok_and(|found| found.iter().map(Cid::to_bytes).eq(strict)));
    }
}

/// As many links as the limit are found, and one more is refused.
fn at_the_limit(data: &[u8], codec: u64, found: Option<Vec<Cid>>) {
    let Some(found) = found else { return };
    let mut limits = Limits::default();
    let cid = *Block::new(codec, Bytes::new()).cid();
    limits.max_links = found.len();
    assert_eq!(carpool_core::links(&cid, data, &limits).as_ref(), Ok(&found));
    if let Some(less) = found.len().checked_sub(1) {
        limits.max_links = less;
        let max = less as u64;
        assert_eq!(carpool_core::links(&cid, data, &limits), Err(Error::TooManyLinks { cid, max }));
    }
}

/// The other decoder reads more than it writes, such as CIDs with bytes after them.
fn canonical(data: &[u8]) -> bool {
    let value: Result<Ipld, _> = serde_ipld_dagcbor::from_slice(data);
    value.is_ok_and(|value| serde_ipld_dagcbor::to_vec(&value).is_ok_and(|out| out == data))
}

fn pb(data: &[u8]) -> Result<Vec<Cid>, ipld_dagpb::Error> {
    let node = ipld_dagpb::PbNode::from_bytes(Bytes::copy_from_slice(data))?;
    Ok(node.links.into_iter().map(|link| link.cid).collect())
}

/// The other decoder goes as deep as the block says; the scanner's depth is tested elsewhere.
fn shallow(data: &[u8]) -> bool {
    data.iter().filter(|byte| matches!(**byte >> 5, 4..=6)).count() < 128
}
