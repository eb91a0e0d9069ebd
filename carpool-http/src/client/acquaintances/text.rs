//! The JSON of what is remembered.

use carpool_core::Cid;
use carpool_mirror::sketch::NamedKey;
use serde::{Deserialize, Serialize};

use super::{
    Acquaintances,
    age::{Dated, Seconds},
    record::Record,
};

/// What another version wrote is forgotten.
const VERSION: u32 = 1;

#[derive(Deserialize, Serialize)]
struct Text {
    version: u32,
    /// Spoken to last, last.
    servers: Vec<Server>,
}

/// Each value beside when it was learned, in seconds since 1970.
#[derive(Deserialize, Serialize)]
struct Server {
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reads_extension: Option<(bool, Seconds)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    takes_deltas: Option<(bool, Seconds)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    takes_zstd: Option<(bool, Seconds)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    round_trip_micros: Option<(u64, Seconds)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_per_second: Option<(u64, Seconds)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_given: Option<(String, Seconds)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_drawn: Option<(String, Seconds)>,
    /// By name, and under the empty one what was transferred without.
    last_changes: Vec<(String, u64)>,
    /// By name, the root that the server acknowledged.
    #[serde(default)]
    acknowledged: Vec<(String, String)>,
}

pub(super) fn decode(text: &[u8]) -> Option<Vec<Record>> {
    let text: Text = serde_json::from_slice(text).ok()?;
    (text.version == VERSION).then(|| text.servers.into_iter().map(Record::from).collect())
}

/// The records that were used last, as many as there is room for.
pub(super) fn encode(records: &[Record], max_bytes: usize) -> Vec<u8> {
    let shown: Vec<&Record> = records.iter().filter(|record| !record.is_secret()).collect();
    (0..=shown.len())
        .map(|from| written(&shown[from..]))
        .find(|text| text.len() <= max_bytes)
        .unwrap_or_default()
}

fn written(records: &[&Record]) -> Vec<u8> {
    let servers = records.iter().map(|record| Server::from(*record)).collect();
    let mut text = serde_json::to_vec_pretty(&Text { version: VERSION, servers })
        .expect("strings and numbers are JSON");
    text.push(b'\n');
    text
}

const fn pair<T: Copy>(dated: &Dated<T>) -> (T, Seconds) {
    (dated.value, dated.since)
}

fn text((name, root): &(String, Cid)) -> (String, String) {
    (name.clone(), root.to_string())
}

fn read((name, root): (String, String)) -> Option<(String, Cid)> {
    Some((name, root.parse().ok()?))
}

impl From<&Record> for Server {
    fn from(record: &Record) -> Self {
        let key = |dated: &Dated<NamedKey>| (dated.value.encode(), dated.since);
        Self {
            url: record.base.clone(),
            reads_extension: record.reads.as_ref().map(pair),
            takes_deltas: record.takes_deltas.as_ref().map(pair),
            takes_zstd: record.takes_zstd.as_ref().map(pair),
            round_trip_micros: record.round_trip.as_ref().map(pair),
            bytes_per_second: record.rate.as_ref().map(pair),
            key_given: record.given.as_ref().map(key),
            key_drawn: record.drawn.as_ref().map(key),
            last_changes: record.changes.clone(),
            acknowledged: record.acknowledged.iter().map(text).collect(),
        }
    }
}

impl From<Server> for Record {
    fn from(server: Server) -> Self {
        let flat = |(value, since)| Dated::new(value, since);
        let key = |(text, since): (String, Seconds)| {
            NamedKey::decode(&text).map(|named| Dated::new(named, since))
        };
        let mut record = Self {
            base: server.url,
            reads: server.reads_extension.map(|(reads, since)| Dated::new(reads, since)),
            takes_deltas: server.takes_deltas.map(|(takes, since)| Dated::new(takes, since)),
            takes_zstd: server.takes_zstd.map(|(takes, since)| Dated::new(takes, since)),
            round_trip: server.round_trip_micros.map(flat),
            rate: server.bytes_per_second.map(flat),
            given: server.key_given.and_then(key),
            drawn: server.key_drawn.and_then(key),
            changes: server.last_changes,
            acknowledged: server.acknowledged.into_iter().filter_map(read).collect(),
        };
        record.acknowledged.retain(|(name, _)| name.len() <= Acquaintances::MAX_NAME_BYTES);
        record.changes.retain(|(name, _)| name.len() <= Acquaintances::MAX_NAME_BYTES);
        record.forget_beyond(Acquaintances::MAX_NAMES);
        record
    }
}
