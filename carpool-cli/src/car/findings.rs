//! What a check found, as it is told: a name, a place in the file, what was expected and what is
//! there.

use carpool_car::{Error, check};
use carpool_core::Cid;
use serde_json::{Value, json};

pub(super) use carpool_car::check::Kind;

/// Something that is wrong.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) kind: Kind,
    /// From the start of the file.
    offset: Option<u64>,
    cid: Option<Cid>,
    expected: Option<String>,
    actual: Option<String>,
    message: String,
}

impl Finding {
    pub(super) fn new(kind: Kind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { kind, offset: None, cid: None, expected: None, actual: None, message }
    }

    pub(super) const fn at(mut self, offset: u64) -> Self {
        self.offset = Some(offset);
        self
    }

    pub(super) const fn of(mut self, cid: Cid) -> Self {
        self.cid = Some(cid);
        self
    }

    pub(super) fn lengths(mut self, expected: impl ToString, actual: impl ToString) -> Self {
        (self.expected, self.actual) = (Some(expected.to_string()), Some(actual.to_string()));
        self
    }

    /// What ended the reading of sections.
    pub(super) fn fault(error: &Error, lengths: Option<(u64, u64)>) -> Self {
        let kind = if lengths.is_some() { Kind::Truncated } else { Kind::Section };
        let mut finding = Self::new(kind, error.to_string());
        if let Some((expected, actual)) = lengths {
            finding = finding.lengths(format!("{expected} bytes"), format!("{actual} bytes"));
        }
        finding.offset = place(error);
        finding
    }

    /// What a check of blocks or of a whole says, of a CARv1 that begins at `data` of the file.
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others have no place in the data")]
    pub(super) fn told(found: &check::Finding, data: u64) -> Self {
        use check::Finding as Found;
        let finding = |what: String| Self::new(found.kind(), what);
        match found {
            Found::Hash { offset, cid, actual } => {
                let lengths = (hex(cid.hash().digest()), hex(actual));
                let what = format!("the bytes of {cid} have another hash");
                finding(what).at(data + offset).of(*cid).lengths(lengths.0, lengths.1)
            }
            Found::UnknownHash { offset, cid, code } => {
                let what = format!("{cid} has a hash function not known here, {code:#x}");
                finding(what).at(data + offset).of(*cid)
            }
            Found::Undecodable { offset, cid, fault } => {
                finding(fault.to_string()).at(data + offset).of(*cid)
            }
            Found::Duplicate { offset } => {
                finding("this block was there before".to_owned()).at(data + offset)
            }
            Found::RootAbsent { cid } => {
                finding(format!("root {cid} is not in the file")).at(data).of(*cid)
            }
            Found::MissingLink { cid, from } => {
                let whom = cid.map_or_else(|| "a block".to_owned(), |cid| cid.to_string());
                let what = format!("the block here links to {whom}, which is not in the file");
                let mut finding = finding(what).at(data + from);
                finding.cid = *cid;
                finding
            }
            Found::IndexUnreadable { offset, .. } | Found::IndexUnsorted { offset, .. } => {
                finding(found.to_string()).at(*offset)
            }
            Found::IndexOffset { entry, expected, actual } => {
                let what = format!("entry {entry} of the index has another place for this block");
                finding(what).at(data.saturating_add(*expected)).lengths(expected, actual)
            }
            Found::IndexExtra { entry, offset } => {
                let what = format!(
                    "entry {entry} of the index has a block that is not there, at {offset}"
                );
                finding(what).at(data.saturating_add(*offset))
            }
            Found::IndexMissing { offset } => {
                finding("this block is not in the index".to_owned()).at(data + offset)
            }
            other => finding(other.to_string()),
        }
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "finding": self.kind.name(),
            "severity": self.kind.class().name(),
            "offset": self.offset,
            "cid": self.cid.map(|cid| cid.to_string()),
            "expected": self.expected,
            "actual": self.actual,
            "message": self.message,
        })
    }

    pub(super) fn line(&self) -> String {
        let mut line = self.kind.name().to_owned();
        if let Some(offset) = self.offset {
            line += &format!(" at byte {offset}");
        }
        line += &format!(": {}", self.message);
        if let (Some(expected), Some(actual)) = (&self.expected, &self.actual) {
            line += &format!("; expected {expected}, actual {actual}");
        }
        line
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[expect(clippy::wildcard_enum_match_arm, reason = "all others are about the header")]
const fn place(error: &Error) -> Option<u64> {
    match error {
        Error::Truncated { offset }
        | Error::PastData { offset, .. }
        | Error::SectionCid { offset }
        | Error::SectionLength { offset }
        | Error::SectionTooLong { offset, .. }
        | Error::BlockTooLong { offset, .. }
        | Error::Padding { offset } => Some(*offset),
        _ => None,
    }
}
