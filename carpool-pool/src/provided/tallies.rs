use alloc::{collections::BTreeMap, vec::Vec};

use super::{
    MAX_TALLY_CELLS, MAX_TALLY_HASHES, SessionKey,
    counting::check,
    wire::{self, ascends},
};
use crate::{Error, MAX_MEMBERS};

const FORM: u8 = b'B';

/// How often a source promised a block of a cell, and how often it took one back. Both only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    promised: u16,
    retracted: u16,
}

impl Tally {
    pub(super) const fn promise(&mut self) {
        self.promised = self.promised.saturating_add(1);
    }

    /// Once the promises cannot be counted any more, nor can what is taken back.
    pub(super) const fn retract(&mut self) {
        if self.promised < u16::MAX {
            self.retracted = self.retracted.saturating_add(1);
        }
    }

    pub(super) fn join(&mut self, other: Self) {
        self.promised = self.promised.max(other.promised);
        self.retracted = self.retracted.max(other.retracted);
    }

    pub(super) fn standing(&self) -> u32 {
        match self.promised {
            u16::MAX => u32::MAX,
            promised => promised.saturating_sub(self.retracted).into(),
        }
    }
}

/// A message of the counting form: cells of one source as they are, all or those that changed. Both counts of a cell
/// are absolute and of one moment, so it may come late, twice or never.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tallies {
    pub(super) source: u8,
    pub(super) epoch: u32,
    pub(super) seq: u64,
    pub(super) cells: u32,
    pub(super) hashes: u8,
    pub(super) told: BTreeMap<u32, Tally>,
}

impl Tallies {
    /// The place of the source that it is of.
    #[must_use]
    pub const fn source(&self) -> u8 {
        self.source
    }

    /// The epoch that it is of.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Its number among those of its source, from 1; 0 for one that says all that is known.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        self.seq
    }

    /// In bytes, tied to the session.
    #[must_use]
    pub fn encode(&self, key: &SessionKey) -> Vec<u8> {
        let mut out = wire::begin(key, FORM);
        out.push(self.source);
        out.extend(self.epoch.to_le_bytes());
        out.extend(self.seq.to_le_bytes());
        out.extend(self.cells.to_le_bytes());
        out.push(self.hashes);
        out.extend(u32::try_from(self.told.len()).expect("within the limit").to_le_bytes());
        for (cell, tally) in &self.told {
            out.extend(cell.to_le_bytes());
            out.extend(tally.promised.to_le_bytes());
            out.extend(tally.retracted.to_le_bytes());
        }
        wire::seal(key, out)
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// As [`Gossip::decode`](super::Gossip::decode).
    pub fn decode(key: &SessionKey, message: &[u8]) -> Result<Self, Error> {
        let mut reader = wire::open(key, FORM, message)?;
        let (source, epoch, seq) = (reader.u8()?, reader.u32()?, reader.u64()?);
        let (cells, hashes, count) = (reader.u32()?, reader.u8()?, reader.u32()?);
        check("sources", u64::from(source) + 1, MAX_MEMBERS as u64)?;
        check("cells", cells.into(), MAX_TALLY_CELLS.into())?;
        check("hashes", hashes.into(), MAX_TALLY_HASHES.into())?;
        let (mut told, mut last) = (BTreeMap::new(), None);
        for _ in 0..count {
            let cell = reader.u32()?;
            ascends(&mut last, cell)?;
            if cell >= cells {
                return Err(Error::Gossip { expected: "a cell" });
            }
            told.insert(cell, Tally { promised: reader.u16()?, retracted: reader.u16()? });
        }
        reader.end()?;
        Ok(Self { source, epoch, seq, cells, hashes, told })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SessionKey {
        SessionKey::new(&[1; 16])
    }

    fn of(source: u8, cells: u32, hashes: u8, told: impl IntoIterator<Item = u32>) -> Tallies {
        let tally = Tally { promised: 2, retracted: 1 };
        let told = told.into_iter().map(|cell| (cell, tally)).collect();
        Tallies { source, epoch: 3, seq: 9, cells, hashes, told }
    }

    #[test]
    fn messages_come_back_and_those_past_a_limit_do_not() {
        let (cells, hashes) = (MAX_TALLY_CELLS, MAX_TALLY_HASHES);
        for (message, read) in [
            (of(0, 1, 1, []), true),
            (of(63, cells, hashes, 0..cells), true),
            (of(64, 1, 1, []), false),
            (of(0, cells + 1, 1, []), false),
            (of(0, 0, 1, []), false),
            (of(0, 1, hashes + 1, []), false),
            (of(0, 1, 0, []), false),
            (of(0, 5, 1, [4]), true),
            (of(0, 5, 1, [5]), false),
        ] {
            let bytes = message.encode(&key());
            assert_eq!(Tallies::decode(&key(), &bytes).is_ok(), read, "{:?}", message.source);
            assert!(!read || Tallies::decode(&key(), &bytes).as_ref() == Ok(&message));
            let other = SessionKey::new(&[2; 16]);
            assert_eq!(Tallies::decode(&other, &bytes), Err(Error::Forged));
        }
    }

    #[test]
    fn the_forms_are_not_taken_for_each_other() {
        let bytes = of(0, 1, 1, []).encode(&key());
        assert_eq!(super::super::Gossip::decode(&key(), &bytes), Err(Error::Forged));
    }
}
