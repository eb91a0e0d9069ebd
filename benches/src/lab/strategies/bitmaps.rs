use carpool_mirror::bitmap;

use crate::lab::{Node, Sink, Source, Strategy, Transcript, request};

/// A bit for each link of the blocks that came, level by level.
#[derive(Clone, Copy, Debug)]
pub struct Bitmaps;

/// Bytes of a message around a bitmap: a map of one key, and a byte string.
const AROUND: u64 = 6;

/// Bytes of the message, or messages, that say which of `links` are wanted.
pub(super) fn asking(links: &[Node], sink: &Sink<'_>) -> u64 {
    let encoded = |links: &[Node]| {
        let bits = links.iter().map(|link| !sink.holds(*link));
        bitmap::encode(bits).expect("as many as there may be").len() as u64
    };
    AROUND + links.chunks(bitmap::MAX_BITS).map(encoded).sum::<u64>()
}

impl Strategy for Bitmaps {
    fn name(&self) -> &'static str {
        "bitmaps"
    }

    fn run(&self, source: &mut Source<'_>, sink: &Sink<'_>) -> Transcript {
        let mut transcript = Transcript::new();
        let mut level = vec![source.root()];
        level.retain(|node| !sink.holds(*node));
        let mut up = request(1, 0);
        while !level.is_empty() {
            transcript.request(up);
            let mut links = Vec::new();
            for node in &level {
                links.extend(source.send(*node, &mut transcript));
            }
            up = asking(&links, sink);
            links.retain(|node| !sink.holds(*node));
            level = links;
        }
        transcript
    }
}
