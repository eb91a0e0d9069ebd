use alloc::{collections::BTreeSet, vec::Vec};

use super::{
    MAX_FINGERPRINTS, MAX_LAYERS, SESSION_ID_BYTES, SessionKey,
    epochs::Epochs,
    facts::Facts,
    layers,
    wire::{self, Reader, ascends},
};
use crate::Error;

const FORM: u8 = b'A';
const DONE: u8 = 1;

/// A message: what one source says in one epoch, all of it or what is new, and what its sender knows of closed
/// epochs and of sources that are gone. Everything in it is absolute, so it may come late, twice or never.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gossip {
    pub(super) source: u8,
    pub(super) epoch: u32,
    pub(super) seq: u64,
    pub(super) epochs: Epochs,
    pub(super) facts: Facts,
}

impl Gossip {
    /// What a source says that has nothing to say yet, so that others know that it hears them.
    #[must_use]
    pub fn hello(source: u8, epoch: u32) -> Self {
        Self { source, epoch, ..Self::default() }
    }

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

    /// Its number among those of its source and epoch, from 1; 0 for one that says all that is known.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        self.seq
    }

    /// Whether it is of its source, and not only of closed epochs and sources that are gone, which a sink says too.
    pub(super) fn is_of_source(&self) -> bool {
        !self.facts.is_empty() || self.epochs == Epochs::default()
    }

    /// What its source says of itself alone; `None` where that is nothing.
    pub(crate) fn of_source(self) -> Option<Self> {
        self.is_of_source().then_some(Self { epochs: Epochs::default(), ..self })
    }

    /// What it says of closed epochs and sources that are gone, and nothing of its source.
    pub(super) fn of_epochs(&self) -> Self {
        Self { epochs: self.epochs, ..Self::default() }
    }

    /// What a message in bytes names its session by; nothing of it is checked.
    #[must_use]
    pub fn session_of(message: &[u8]) -> Option<&[u8; SESSION_ID_BYTES]> {
        wire::session_of(message)
    }

    /// In bytes, tied to the session.
    #[must_use]
    pub fn encode(&self, key: &SessionKey) -> Vec<u8> {
        let Self { source, epoch, seq, epochs, facts } = self;
        let mut out = wire::begin(key, FORM);
        out.push(*source);
        out.extend(epoch.to_le_bytes());
        out.extend(seq.to_le_bytes());
        out.extend(epochs.floor.to_le_bytes());
        out.push(epochs.closed);
        out.extend(epochs.dropped.to_le_bytes());
        out.push(if facts.done { DONE } else { 0 });
        write_set(&mut out, &facts.provided);
        write_set(&mut out, &facts.lacking);
        out.push(u8::try_from(facts.layers.iter().len()).expect("eleven at most"));
        for (layer, bits) in facts.layers.iter() {
            out.push(layer);
            out.extend(bits);
        }
        wire::seal(key, out)
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// [`Error::Forged`] for a message that nobody of this session made, [`Error::TooMany`] and
    /// [`Error::Saturated`] past a limit, [`Error::Gossip`] for other bytes.
    pub fn decode(key: &SessionKey, message: &[u8]) -> Result<Self, Error> {
        let mut reader = wire::open(key, FORM, message)?;
        let (source, epoch, seq) = (reader.u8()?, reader.u32()?, reader.u64()?);
        let epochs = Epochs { floor: reader.u32()?, closed: reader.u8()?, dropped: reader.u64()? };
        let facts = read_facts(&mut reader)?;
        reader.end()?;
        if !epochs.is_normal() {
            return Err(Error::Gossip { expected: "a first epoch that is open" });
        }
        // Of a source and an epoch that no view can have.
        Epochs::default().check(source, 0)?;
        Ok(Self { source, epoch, seq, epochs, facts })
    }
}

fn read_facts(reader: &mut Reader<'_>) -> Result<Facts, Error> {
    let flags = reader.u8()?;
    if flags & !DONE != 0 {
        return Err(Error::Gossip { expected: "flags that are known" });
    }
    let (provided, lacking) = (read_set(reader)?, read_set(reader)?);
    let mut facts = Facts { provided, lacking, done: flags == DONE, ..Facts::default() };
    let count = reader.u8()?;
    if count > MAX_LAYERS {
        let (count, max) = (u64::from(count), u64::from(MAX_LAYERS));
        return Err(Error::TooMany { what: "layers", count, max });
    }
    let mut last = None;
    for _ in 0..count {
        let layer = reader.u8()?;
        ascends(&mut last, layer)?;
        if layer >= MAX_LAYERS {
            return Err(Error::Gossip { expected: "a layer" });
        }
        facts.layers.add(layer, reader.bytes(layers::bytes(layer))?)?;
    }
    Ok(facts)
}

fn write_set(out: &mut Vec<u8>, set: &BTreeSet<u64>) {
    out.extend(u32::try_from(set.len()).expect("within the limit").to_le_bytes());
    set.iter().for_each(|fingerprint| out.extend(fingerprint.to_le_bytes()));
}

fn read_set(reader: &mut Reader<'_>) -> Result<BTreeSet<u64>, Error> {
    let count = reader.u32()? as usize;
    if count > MAX_FINGERPRINTS {
        let (count, max) = (count as u64, MAX_FINGERPRINTS as u64);
        return Err(Error::TooMany { what: "fingerprints", count, max });
    }
    let (mut set, mut last) = (BTreeSet::new(), None);
    for _ in 0..count {
        let fingerprint = reader.u64()?;
        ascends(&mut last, fingerprint)?;
        set.insert(fingerprint);
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn key() -> SessionKey {
        SessionKey::new(&[1; 16])
    }

    fn some() -> Gossip {
        let mut facts = Facts {
            provided: [3, 1 << 40].into(),
            lacking: [9].into(),
            done: true,
            ..Facts::default()
        };
        facts.layers.insert(0, 5);
        let epochs = Epochs { floor: 2, closed: 2, dropped: 1 << 63 };
        Gossip { source: 63, epoch: 4, seq: 7, epochs, facts }
    }

    #[test]
    fn messages_come_back() {
        for gossip in [Gossip::default(), some()] {
            let bytes = gossip.encode(&key());
            assert_eq!(Gossip::decode(&key(), &bytes), Ok(gossip));
            assert_eq!(Gossip::session_of(&bytes), Some(key().id()));
        }
    }

    #[test]
    fn what_is_changed_or_of_another_session_is_forged() {
        let bytes = some().encode(&key());
        for at in 0..bytes.len() {
            let mut forged = bytes.clone();
            forged[at] ^= 1;
            assert_eq!(Gossip::decode(&key(), &forged), Err(Error::Forged), "{at}");
            assert!(Gossip::decode(&key(), &bytes[..at]).is_err());
        }
        let other = SessionKey::new(&[2; 16]);
        assert_eq!(Gossip::decode(&other, &bytes), Err(Error::Forged));
    }

    /// A body of a member that says what it should not.
    fn sealed(change: impl FnOnce(&mut Vec<u8>)) -> Result<Gossip, Error> {
        let mut bytes = Gossip::default().encode(&key());
        bytes.truncate(bytes.len() - super::super::MAC_BYTES);
        change(&mut bytes);
        Gossip::decode(&key(), &wire::seal(&key(), bytes))
    }

    const BODY: usize = 2 + SESSION_ID_BYTES;
    const FLAGS: usize = BODY + 1 + 4 + 8 + 4 + 1 + 8;

    #[test]
    fn what_is_malformed_is_refused() {
        assert_eq!(sealed(|_| {}), Ok(Gossip::default()));
        assert!(sealed(|bytes| bytes.push(0)).is_err());
        assert!(sealed(|bytes| bytes.truncate(bytes.len() - 1)).is_err());
        assert!(sealed(|bytes| bytes[FLAGS] = 2).is_err());
        assert!(sealed(|bytes| bytes[BODY + 17] = 1).is_err(), "the first open one is closed");
        assert!(sealed(|bytes| bytes[BODY] = 63).is_ok());
        assert!(sealed(|bytes| bytes[BODY] = 64).is_err());
        let set = |numbers: [u64; 2]| {
            sealed(|bytes| {
                bytes[FLAGS + 1] = 2;
                let numbers = numbers.iter().flat_map(|it| it.to_le_bytes());
                bytes.splice(FLAGS + 5..FLAGS + 5, numbers);
            })
        };
        assert!(set([1, 2]).is_ok() && set([2, 2]).is_err() && set([2, 1]).is_err());
    }

    #[test]
    fn layers_at_the_limit_and_one_past_it() {
        let layers = |count: u8| {
            sealed(|bytes| {
                *bytes.last_mut().unwrap() = count;
                for layer in 0..count {
                    bytes.push(layer);
                    bytes.extend(vec![0; layers::bytes(layer.min(MAX_LAYERS - 1))]);
                }
            })
        };
        assert!(layers(MAX_LAYERS).is_ok());
        let refused = Error::TooMany { what: "layers", count: 12, max: 11 };
        assert_eq!(layers(MAX_LAYERS + 1), Err(refused));
    }

    #[test]
    fn fingerprints_at_the_limit_and_one_past_it() {
        let of = |count: u64| {
            let facts = Facts { provided: (0..count).collect(), ..Facts::default() };
            Gossip::decode(&key(), &Gossip { facts, ..Gossip::default() }.encode(&key()))
        };
        let max = MAX_FINGERPRINTS as u64;
        assert!(of(max).is_ok());
        let refused = Error::TooMany { what: "fingerprints", count: max + 1, max };
        assert_eq!(of(max + 1), Err(refused));
    }

    #[test]
    fn bytes_at_the_limit_and_one_past_it() {
        let bytes = vec![0; super::super::MAX_GOSSIP_BYTES + 1];
        assert_eq!(Gossip::decode(&key(), &bytes[1..]), Err(Error::Forged));
        let (count, max) = (bytes.len() as u64, bytes.len() as u64 - 1);
        let refused = Error::TooMany { what: "bytes of a message", count, max };
        assert_eq!(Gossip::decode(&key(), &bytes), Err(refused));
    }

    #[test]
    fn the_largest_message_is_within_the_limit() {
        let max = MAX_FINGERPRINTS as u64;
        let mut facts =
            Facts { provided: (0..max).collect(), lacking: (0..max).collect(), ..Facts::default() };
        (0..MAX_LAYERS).for_each(|layer| facts.layers.insert(layer, 1));
        let bytes = Gossip { facts, ..Gossip::default() }.encode(&key());
        assert!(bytes.len() <= super::super::MAX_GOSSIP_BYTES);
        assert!(Gossip::decode(&key(), &bytes).is_ok());
    }
}
