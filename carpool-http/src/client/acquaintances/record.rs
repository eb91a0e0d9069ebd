use carpool_core::Cid;
use carpool_mirror::sketch::NamedKey;

use super::age::Dated;

/// What is remembered of one server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// Its base URL.
    pub(super) base: String,
    /// Whether it reads the extension.
    pub(super) reads: Option<Dated<bool>>,
    /// Whether it takes pushes with deltas.
    pub(super) takes_deltas: Option<Dated<bool>>,
    /// Whether it takes CARs in zstd.
    pub(super) takes_zstd: Option<Dated<bool>>,
    /// Microseconds.
    pub(super) round_trip: Option<Dated<u64>>,
    /// Bytes a second.
    pub(super) rate: Option<Dated<u64>>,
    /// The key of sketches that it gave.
    pub(super) given: Option<Dated<NamedKey>>,
    /// The one that was drawn for it.
    pub(super) drawn: Option<Dated<NamedKey>>,
    /// Names, and the blocks that were missing the last time; used last, last.
    pub(super) changes: Vec<(String, u64)>,
    /// Names, and the roots that it acknowledged to have under them last; used last, last.
    pub(super) acknowledged: Vec<(String, Cid)>,
}

impl Record {
    pub(super) fn new(base: &str) -> Self {
        Self { base: base.to_owned(), ..Self::default() }
    }

    pub(super) fn change(&self, name: &str) -> Option<u64> {
        self.changes.iter().find(|(known, _)| known == name).map(|(_, blocks)| *blocks)
    }

    pub(super) fn note_change(&mut self, name: &str, blocks: u64, max: usize) {
        self.changes.retain(|(known, _)| known != name);
        self.changes.push((name.to_owned(), blocks));
        self.forget_beyond(max);
    }

    pub(super) fn acknowledged(&self, name: &str) -> Option<Cid> {
        self.acknowledged.iter().find(|(known, _)| known == name).map(|(_, root)| *root)
    }

    pub(super) fn note_acknowledged(&mut self, name: &str, root: Cid, max: usize) {
        self.acknowledged.retain(|(known, _)| known != name);
        self.acknowledged.push((name.to_owned(), root));
        self.forget_beyond(max);
    }

    pub(super) fn forget_beyond(&mut self, names: usize) {
        self.acknowledged.drain(..self.acknowledged.len().saturating_sub(names));
        self.changes.drain(..self.changes.len().saturating_sub(names));
    }

    /// Whether there is a user or a password in the URL.
    pub(super) fn is_secret(&self) -> bool {
        let authority = self.base.split("://").nth(1).and_then(|rest| rest.split('/').next());
        authority.is_some_and(|authority| authority.contains('@'))
    }
}
