//! Large files, whose chunks are read by the threads that hash them: one that reads for all is
//! what they would wait for.

use carpool_unixfs::{Chunk, Chunking, Metadata};
use std::{
    fs::{self, File},
    io,
    path::PathBuf,
    sync::Arc,
};

use super::{
    at::fill_at,
    pieces::Pieces,
    scan::{Event, Problem, changed},
};

/// Bytes of a span of short chunks: what a core's cache holds while they are hashed.
const SHORT: usize = 1 << 20;
/// Chunks of a span: as many as are hashed together,
const TOGETHER: usize = 4;
/// but no more bytes than this.
const LONGEST: usize = 4 << 20;

/// A file that is read by many threads.
#[derive(Debug)]
pub(crate) struct Large {
    pub(super) file: File,
    pub(super) path: PathBuf,
    /// What was known of it when it was opened.
    pub(super) before: fs::Metadata,
    pub(super) metadata: Metadata,
}

impl Large {
    /// What is to be said where it is not what it was when it was opened.
    pub(super) fn problem(&self) -> Option<Problem> {
        let after = self.file.metadata().ok();
        let changed = changed(&self.before, after.as_ref(), self.before.len());
        changed
            .then(|| Problem { path: self.path.clone(), what: "changed while it was read".into() })
    }
}

/// Whole chunks of a large file; the last may be shorter.
#[derive(Debug)]
pub(crate) struct Span {
    large: Arc<Large>,
    pieces: Pieces,
    offset: u64,
    bytes: usize,
    chunk: usize,
}

/// Cuts large files into spans.
#[derive(Clone, Debug)]
pub(super) struct Spans {
    chunk: usize,
    bytes: usize,
    is_cut_by_size: bool,
    pieces: Pieces,
}

impl Spans {
    /// Spans of whole chunks: of none where nobody knows where a chunk ends before it is read.
    pub(super) fn new(chunking: Chunking) -> Self {
        let (chunk, is_cut_by_size) = (chunking.longest(), chunking.fixed().is_some());
        let bytes = span_bytes(chunk);
        Self { chunk, bytes, is_cut_by_size, pieces: Pieces::new(bytes) }
    }

    /// Whether a file is large: it has several spans.
    pub(super) fn suit(&self, found: &fs::Metadata) -> bool {
        cfg!(unix) && self.is_cut_by_size && found.len() > self.bytes as u64
    }

    /// The spans of a file.
    pub(super) fn of(&self, large: &Arc<Large>) -> impl Iterator<Item = Span> + use<> {
        let (spans, large, len) = (self.clone(), Arc::clone(large), large.before.len());
        (0..len).step_by(spans.bytes).map(move |offset| Span {
            large: Arc::clone(&large),
            pieces: spans.pieces.clone(),
            offset,
            bytes: usize::try_from(len - offset).map_or(spans.bytes, |left| left.min(spans.bytes)),
            chunk: spans.chunk,
        })
    }
}

fn span_bytes(chunk: usize) -> usize {
    let (short, longest) = (SHORT / chunk, (LONGEST / chunk).max(1));
    chunk * short.max(TOGETHER).min(longest)
}

/// Reads what is to be read: chunks are put in place of spans.
pub(super) fn expand(events: Vec<Event>) -> Vec<Event> {
    let mut read = Vec::with_capacity(events.len());
    for event in events {
        if let Event::Span(span) = event {
            span.read(&mut read);
        } else {
            read.push(event);
        }
    }
    read
}

impl Span {
    fn read(self, to: &mut Vec<Event>) {
        let fill =
            |buffer: &mut [u8]| fill_at(&self.large.file, self.offset, &mut buffer[..self.bytes]);
        match self.pieces.filled(fill) {
            Err(error) => to.extend(self.failed(&error)),
            Ok(mut piece) => {
                let short = piece.len() < self.bytes;
                while !piece.is_empty() {
                    let data = piece.split_to(piece.len().min(self.chunk));
                    to.push(Event::Chunk(Chunk { data, only: false }, self.large.metadata));
                }
                to.extend(short.then_some(Event::Short));
            }
        }
    }

    fn failed(&self, error: &io::Error) -> [Event; 2] {
        let (path, what) = (self.large.path.clone(), format!("skipped: {error}"));
        [Event::DropFile, Event::Problem(Problem { path, what })]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_whole_chunks() {
        for (chunk, expected) in [
            (1, SHORT),
            (1000, 1048 * 1000),
            (256 << 10, 1 << 20),
            (1 << 20, 4 << 20),
            ((2 << 20) - 256, 2 * ((2 << 20) - 256)),
        ] {
            assert_eq!(span_bytes(chunk), expected, "{chunk}");
        }
    }

    fn large(len: usize, claimed: usize) -> (tempfile::TempDir, Vec<Event>) {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("file");
        fs::write(&path, vec![7; claimed]).unwrap();
        let before = fs::metadata(&path).unwrap();
        fs::write(&path, vec![7; len]).unwrap();
        let file = File::open(&path).unwrap();
        let large = Arc::new(Large { file, path, before, metadata: Metadata::NONE });
        let spans = Spans::new(Chunking::size(1 << 18).expect("a size"));
        (room, expand(spans.of(&large).map(Event::Span).collect()))
    }

    fn sizes(events: &[Event]) -> Vec<Option<usize>> {
        let size = |event: &Event| {
            let Event::Chunk(chunk, _) = event else { return None };
            Some(chunk.data.len())
        };
        events.iter().map(size).collect()
    }

    #[cfg(unix)]
    #[test]
    fn chunks_are_those_of_the_file() {
        let (_room, events) = large((1 << 20) + (1 << 18) + 5, (1 << 20) + (1 << 18) + 5);
        let whole = Some(1 << 18);
        assert_eq!(sizes(&events), [whole, whole, whole, whole, whole, Some(5)]);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_ends_early_is_short_from_there_on() {
        let (_room, events) = large((1 << 18) + 1, 2 << 20);
        assert_eq!(sizes(&events), [Some(1 << 18), Some(1), None, None]);
        assert!(matches!(events[2], Event::Short));
    }
}
