//! Compressed pushes that unfold: what they cost is bounded by what a CAR may hold, whatever they
//! unfold to, and nothing of them is stored.

mod memory;

use axum::body::Body;
use carpool_car::{header, section_prefix};
use carpool_core::{Block, Cid, Multihash, codec};
use carpool_http::{Server, ServerOptions, routes};
use carpool_store::MemoryStore;
use memory::{MIB, beyond_request};
use std::{
    io::{self, Read, Write},
    sync::Arc,
    time::Instant,
};

fn section(cid: &Cid, data: &[u8]) -> Vec<u8> {
    [section_prefix(cid, data.len()).as_ref(), data].concat()
}

/// `first`, and then `again` until there are so many bytes, in both codings.
fn unfolding(first: &[u8], again: &[u8], bytes: usize) -> [(&'static str, Vec<u8>); 2] {
    let times = bytes / again.len();
    let mut all = first.chain(Repeated { again: again.repeat(MIB.div_ceil(again.len())), at: 0 });
    let mut limited = (&mut all).take((first.len() + again.len() * times) as u64);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut zstd = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("memory");
    let mut both = Both(&mut zstd, &mut gzip);
    let _ = io::copy(&mut limited, &mut both).expect("memory");
    let gzip = gzip.finish().expect("memory");
    [("zstd", zstd.finish().expect("memory")), ("gzip", gzip)]
}

struct Repeated {
    again: Vec<u8>,
    at: usize,
}

impl Read for Repeated {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = (&self.again[self.at..]).read(into)?;
        self.at = (self.at + n) % self.again.len();
        Ok(n)
    }
}

struct Both<'a, A, B>(&'a mut A, &'a mut B);

impl<A: Write, B: Write> Write for Both<'_, A, B> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(bytes)?;
        self.1.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn what_unfolds_is_bounded() {
    let block = |data: Vec<u8>| Block::new(codec::RAW, data.into());
    let root = block(b"root".to_vec());
    let head = header(&[*root.cid()]).to_vec();
    let large = block(vec![0; 2 * MIB]);
    let empty = block(vec![]);
    let identity = Cid::new_v1(codec::RAW, Multihash::wrap(0, &[]).expect("an empty one"));
    let begins = [&head[..], &[0x80, 0x80, 0x80, 0x02]].concat();
    for (what, first, again, bytes, status) in [
        ("zeros", vec![], vec![0], 1 << 30, 400),
        ("zeros behind a header", head.clone(), vec![0], 1 << 30, 400),
        ("ones behind a header", head.clone(), vec![1], 1 << 30, 400),
        ("a section of 4 MiB", begins, vec![0], 1 << 30, 413),
        ("a block of 2 MiB", head.clone(), section(large.cid(), large.data()), 1 << 30, 413),
        ("an empty block", head.clone(), section(empty.cid(), &[]), 1 << 30, 413),
        ("an identity", head.clone(), section(&identity, &[]), 1 << 28, 413),
        ("a header of a megabyte", vec![0xff, 0xff, 0x3f], vec![0xa1], 1 << 30, 400),
    ] {
        for (coding, body) in unfolding(&first, &again, bytes) {
            let store = Arc::new(MemoryStore::new());
            let server = Server::new(Arc::<MemoryStore>::clone(&store), ServerOptions::default());
            let request = http::Request::post(routes::PUSH).header("content-encoding", coding);
            let (len, begun) = (body.len(), Instant::now());
            let request = request.body(Body::from(body)).expect("a request");
            let (beyond, answer) = beyond_request(&server, request).await;
            let took = begun.elapsed();
            println!("{what}, {coding}: {len} B for {bytes}: {beyond} B beyond, {took:.2?}");
            assert_eq!(answer.as_u16(), status, "{what}, {coding}");
            assert!(beyond <= 12 * MIB, "{what}, {coding}: {beyond}");
            assert_eq!(store.len(), 0, "{what}, {coding}");
        }
    }
    what_unfolds_to_nothing().await;
}

/// Frames without content cost what they weigh.
async fn what_unfolds_to_nothing() {
    let frame = zstd::encode_all(&[][..], 1).expect("memory");
    let skipped = b"\x50\x2a\x4d\x18\x00\0\0\0".to_vec();
    for (what, again) in [("empty frames", frame), ("skipped frames", skipped)] {
        let body = again.repeat(4 * MIB / again.len());
        let server = Server::new(Arc::new(MemoryStore::new()), ServerOptions::default());
        let request = http::Request::post(routes::PUSH).header("content-encoding", "zstd");
        let (len, begun) = (body.len(), Instant::now());
        let request = request.body(Body::from(body)).expect("a request");
        let (beyond, answer) = beyond_request(&server, request).await;
        println!("{what}: {len} B: {beyond} B beyond, {:.2?}", begun.elapsed());
        assert_eq!(answer.as_u16(), 400, "{what}: no CAR");
        assert!(beyond <= 2 * MIB, "{what}: {beyond}");
    }
}
