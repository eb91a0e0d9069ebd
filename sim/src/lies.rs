//! What a peer does that it should not.

use carpool_core::{Block, Cid, Unverified, codec};
use std::iter::repeat_n;

use crate::sender::Tamper;

/// What a lying source does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceLie {
    /// It sends other bytes under the CID of the block of this number, counted from 0.
    WrongBytes(u64),
    /// It never sends the block of this CID.
    Skips(Cid),
    /// It sends a block that nobody wants before each of its own.
    Unrelated,
    /// It sends every block three times.
    Repeats,
    /// It says that it has nothing.
    Nothing,
    /// After its blocks it sends others that nobody wants, without end.
    Endless,
}

/// What a lying sink says in place of what it lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinkLie {
    /// That it has nothing, whatever it was sent.
    Nothing,
    /// That it wants a block which nobody has.
    Unheld,
    /// That it wants what it was sent, in another way each time.
    Sent,
    /// That it wants another block each time, and nobody has any of them.
    Endless,
}

impl SourceLie {
    /// What is sent in place of each block.
    pub(crate) fn tamper(self) -> Tamper {
        let mut nth = 0;
        Box::new(move |block| {
            nth += 1;
            match self {
                Self::WrongBytes(bad) if nth == bad + 1 => vec![corrupted(block)],
                Self::Skips(cid) if *block.cid() == cid => vec![],
                Self::Nothing => vec![],
                Self::Unrelated => vec![unrelated(nth), claim(block)],
                Self::Repeats => repeat_n(claim(block), 3).collect(),
                Self::WrongBytes(_) | Self::Skips(_) | Self::Endless => vec![claim(block)],
            }
        })
    }
}

impl SinkLie {
    /// What is said to be wanted after so many rounds.
    pub(crate) fn want(self, root: Cid, rounds: u32) -> Vec<Cid> {
        match self {
            Self::Nothing => vec![root],
            Self::Unheld => vec![unrelated(0).cid],
            Self::Sent => repeat_n(root, 1 + rounds as usize % 2).collect(),
            Self::Endless => vec![unrelated(rounds.into()).cid],
        }
    }
}

/// The block as it is.
pub(crate) fn claim(block: Block) -> Unverified {
    let (cid, data) = block.into_parts();
    Unverified { cid, data }
}

fn corrupted(block: Block) -> Unverified {
    let (cid, data) = block.into_parts();
    Unverified { cid, data: [&data[..], b"!"].concat().into() }
}

/// A block that nothing links to, of another kind than those of [`crate::dag`].
pub(crate) fn unrelated(n: u64) -> Unverified {
    let mut data = n.to_be_bytes().to_vec();
    data.resize(300, 0xee);
    claim(Block::new(codec::RAW, data.into()))
}
