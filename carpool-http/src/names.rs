use carpool_core::Cid;
use carpool_store::NameEntry;
use serde::{Deserialize, Serialize};

/// A name and what it points to, as the names routes write it (JSON).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameRecord {
    /// The name.
    pub name: String,
    /// The root it points to.
    #[serde(with = "text_cid")]
    pub root: Cid,
    /// How often the name was set.
    pub seq: u64,
    /// When it was set, in milliseconds since 1970 by the server's clock.
    pub time_ms: u64,
}

impl NameRecord {
    pub(crate) fn new(name: String, entry: &NameEntry) -> Self {
        let since = entry.time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let time_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        Self { name, root: entry.root, seq: entry.seq, time_ms }
    }
}

/// The body that sets a name (JSON).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetNameRequest {
    /// The new root; the server must hold all of its DAG.
    #[serde(with = "text_cid")]
    pub root: Cid,
    /// The root that the name points to now; `null` when it was never set.
    #[serde(with = "optional_text_cid")]
    pub expected: Option<Cid>,
}

/// The body that lists names (JSON).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NameList {
    pub(crate) names: Vec<NameRecord>,
}

/// The body of a 409: what the name points to in truth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Conflict {
    pub(crate) current: Option<NameRecord>,
}

mod text_cid {
    use carpool_core::Cid;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(cid: &Cid, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(cid)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Cid, D::Error> {
        String::deserialize(d)?.parse().map_err(D::Error::custom)
    }
}

mod optional_text_cid {
    use carpool_core::Cid;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::ref_option, reason = "the signature that serde asks for")]
    pub(super) fn serialize<S: Serializer>(cid: &Option<Cid>, s: S) -> Result<S::Ok, S::Error> {
        match cid {
            Some(cid) => s.collect_str(cid),
            None => s.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Cid>, D::Error> {
        let text = Option::<String>::deserialize(d)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}
