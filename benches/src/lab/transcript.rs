use carpool_core::varint;
use carpool_mirror::planner::{Connection, Path};

use super::node::{CID_BYTES, Node};

/// Duplicates that are kept to be looked at: strategies that send everything need not be.
const MAX_REPEATED: usize = 1 << 20;

/// Bytes of the header of a CAR with one root.
const CAR_HEADER: u64 = 59;

/// One request and its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Bytes of the request's body, and of the extension's header beside it.
    pub up: u64,
    /// Bytes of the answer's body.
    pub down: u64,
}

/// What went over the wire between two sides, without any times: those come of a replay.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    rounds: Vec<Round>,
    /// Nodes of the new version that were sent.
    pub(super) sent: Vec<Node>,
    /// Sections of blocks that the sink held.
    pub(super) duplicates: u64,
    pub(super) duplicate_bytes: u64,
    /// Which they were, as far as they are few.
    pub(super) repeated: Vec<Node>,
    /// What the strategy wants to be known beside the numbers.
    pub(super) note: String,
}

impl Transcript {
    /// A transcript of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The sink sends this many bytes; what is sent from here on answers them.
    pub fn request(&mut self, up: u64) {
        self.rounds.push(Round { up, down: 0 });
    }

    /// The source sends bytes that are no blocks.
    pub fn answer(&mut self, bytes: u64) {
        if let Some(round) = self.rounds.last_mut() {
            round.down += bytes;
        }
    }

    /// The source sends a block of `size` bytes as a section of a CAR.
    pub fn send(&mut self, node: Node, size: u64) {
        let begins = self.rounds.last().is_some_and(|round| round.down == 0);
        self.answer(section(size) + if begins { CAR_HEADER } else { 0 });
        self.count(node, section(size));
    }

    /// As [`send`](Self::send), in a frame of another protocol.
    pub fn send_framed(&mut self, node: Node, bytes: u64) {
        self.answer(bytes);
        self.count(node, bytes);
    }

    fn count(&mut self, node: Node, bytes: u64) {
        if node.is_new() {
            self.sent.push(node);
        } else {
            self.duplicates += 1;
            if self.repeated.len() < MAX_REPEATED {
                self.repeated.push(node);
            }
            self.duplicate_bytes += bytes;
        }
    }

    /// Says something about the run that is no number.
    pub fn note(&mut self, note: impl Into<String>) {
        self.note = note.into();
    }

    /// All rounds.
    #[must_use]
    pub fn rounds(&self) -> &[Round] {
        &self.rounds
    }

    /// Bytes of all requests.
    #[must_use]
    pub fn up(&self) -> u64 {
        self.rounds.iter().map(|round| round.up).sum()
    }

    /// Bytes of all answers.
    #[must_use]
    pub fn down(&self) -> u64 {
        self.rounds.iter().map(|round| round.down).sum()
    }

    /// Seconds that it takes over a path, on one connection with slow start.
    #[must_use]
    pub fn seconds(&self, path: &Path) -> f64 {
        let mut connection = Connection::new(*path);
        self.rounds.iter().map(|round| connection.round(round.up, round.down)).sum()
    }
}

/// Bytes of a CAR's section.
#[must_use]
pub fn section(size: u64) -> u64 {
    varint::len(CID_BYTES + size) as u64 + CID_BYTES + size
}

/// Bytes of a CAR of blocks of these sizes.
pub(super) fn car(sizes: impl Iterator<Item = u64>) -> u64 {
    CAR_HEADER + sizes.map(section).sum::<u64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use carpool_car::{header, section_prefix};

    #[test]
    fn bytes_are_those_of_a_car() {
        let cid = Node::old(0, 1).cid();
        assert_eq!(CAR_HEADER, header(&[cid]).len() as u64);
        for size in [0_u64, 1, 91, 92, 1024, 262_144] {
            let prefix = section_prefix(&cid, usize::try_from(size).expect("small"));
            assert_eq!(section(size), prefix.as_ref().len() as u64 + size);
        }
    }

    #[test]
    fn a_transcript_counts_what_the_sink_held() {
        let mut transcript = Transcript::new();
        transcript.request(10);
        transcript.send(Node::new(0, 1), 100);
        transcript.send(Node::old(0, 1), 100);
        assert_eq!((transcript.up(), transcript.down()), (10, 59 + 2 * 138));
        assert_eq!((transcript.sent.len(), transcript.duplicates), (1, 1));
        assert_eq!(transcript.duplicate_bytes, 138);
    }
}
