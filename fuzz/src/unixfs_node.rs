use carpool_core::{Block, Bytes, Limits, codec};
use carpool_unixfs::Node;

/// Any bytes are a UnixFS node or an error.
pub fn unixfs_node(data: &[u8]) {
    let block = Bytes::copy_from_slice(data);
    let limits = Limits::default();
    let mut tight = Limits::default();
    (tight.max_links, tight.max_block_bytes) = (2, 200);
    for codec in [codec::DAG_PB, codec::RAW, codec::DAG_CBOR] {
        let cid = *Block::new(codec, Bytes::new()).cid();
        let node = Node::decode(&cid, &block, &limits);
        assert_eq!(node, Node::decode(&cid, &block, &limits));
        let held = Node::decode(&cid, &block, &tight);
        assert!(held == node || held.is_err() && (data.len() > 200 || codec == codec::DAG_PB));
        assert!(codec != codec::RAW || node.is_ok());
    }
}
