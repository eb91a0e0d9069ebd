//! What `split` says of its parts, for `merge` to put them together again.

use carpool_core::{Cid, Multihash, SHA2_256, codec::RAW};
use carpool_hash::Hasher;
use serde_json::{Value, json};

use super::input::Input;
use crate::failure::{Exit, Failure, Outcome};

/// Bytes of a manifest at most.
const MAX_MANIFEST: usize = 256 << 20;
/// What is written into one.
const FORMAT: &str = "carpool split 1";

/// A CAR in parts.
#[derive(Debug, Default)]
pub(super) struct Manifest {
    /// The roots of the CAR.
    pub(super) roots: Vec<Cid>,
    /// Sections of the CAR.
    pub(super) blocks: u64,
    /// Bytes of the CARv1 that the parts come to.
    pub(super) bytes: u64,
    /// Its hash, as the CID of a raw block.
    pub(super) cid: Cid,
    pub(super) parts: Vec<Part>,
}

/// A part: a CARv1 of its own.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// Its name in the folder of the manifest.
    pub(super) name: String,
    pub(super) bytes: u64,
    /// The hash of the file, as the CID of a raw block.
    pub(super) cid: Cid,
    /// The roots in its header.
    pub(super) roots: Vec<Cid>,
    pub(super) blocks: u64,
    /// Which sections of the CAR are in it, in this order: the number of the first one and how many
    /// follow each other.
    pub(super) sections: Vec<(u64, u64)>,
}

fn texts(cids: &[Cid]) -> Vec<String> {
    cids.iter().map(Cid::to_string).collect()
}

impl Part {
    pub(super) fn to_json(&self) -> Value {
        json!({
            "name": self.name, "bytes": self.bytes, "cid": self.cid.to_string(),
            "roots": texts(&self.roots), "blocks": self.blocks, "sections": self.sections,
        })
    }

    fn of(value: &Value) -> Option<Self> {
        let pair = |pair: &Value| match &pair.as_array()?[..] {
            [first, count] => {
                let (first, count) = (first.as_u64()?, count.as_u64()?);
                first.checked_add(count).filter(|_| count > 0).map(|_| (first, count))
            }
            _ => None,
        };
        let sections =
            value["sections"].as_array()?.iter().map(pair).collect::<Option<Vec<_>>>()?;
        let rising = sections.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0);
        let part = Self {
            name: file_name(value["name"].as_str()?)?,
            bytes: value["bytes"].as_u64()?,
            cid: cid(&value["cid"])?,
            roots: cids(&value["roots"])?,
            blocks: value["blocks"].as_u64()?,
            sections,
        };
        let blocks = part.sections.iter().try_fold(0u64, |sum, (_, n)| sum.checked_add(*n));
        (rising && blocks == Some(part.blocks)).then_some(part)
    }
}

impl Manifest {
    pub(super) fn to_json(&self) -> Value {
        json!({
            "format": FORMAT, "roots": texts(&self.roots), "blocks": self.blocks,
            "bytes": self.bytes, "cid": self.cid.to_string(),
            "parts": self.parts.iter().map(Part::to_json).collect::<Vec<_>>(),
        })
    }

    /// Reads a manifest; `None` where `input` is none but begins as a CAR does.
    pub(super) fn read(input: &Input) -> Outcome<Option<Self>> {
        if input.metadata().is_none() {
            return Ok(None);
        }
        // A header as long as a brace is a number has the head of a map next.
        match input.read_at(0, 2)?[..] {
            [b'{', next] if next != 0xa2 => {}
            _ => return Ok(None),
        }
        let text = input.read_at(0, MAX_MANIFEST + 1)?;
        if text.len() > MAX_MANIFEST {
            return Err(wrong(input, "longer than a manifest may be"));
        }
        let value: Option<Value> = serde_json::from_slice(&text).ok();
        let value = value.ok_or_else(|| wrong(input, "neither a CAR nor JSON"))?;
        if value["format"] != FORMAT {
            return Err(wrong(input, "not the manifest of a split that is known here"));
        }
        Self::of(&value)
            .map(Some)
            .ok_or_else(|| wrong(input, "a manifest that does not fit together"))
    }

    fn of(value: &Value) -> Option<Self> {
        Some(Self {
            roots: cids(&value["roots"])?,
            blocks: value["blocks"].as_u64()?,
            bytes: value["bytes"].as_u64()?,
            cid: cid(&value["cid"])?,
            parts: value["parts"].as_array()?.iter().map(Part::of).collect::<Option<_>>()?,
        })
    }
}

fn wrong(input: &Input, what: &str) -> Failure {
    Failure::new(Exit::Damaged, format_args!("{}: {what}", input.shown()))
}

fn cid(value: &Value) -> Option<Cid> {
    value.as_str()?.parse().ok()
}

fn cids(value: &Value) -> Option<Vec<Cid>> {
    value.as_array()?.iter().map(cid).collect()
}

/// A name that stays in its folder.
fn file_name(name: &str) -> Option<String> {
    let path = std::path::Path::new(name);
    (path.file_name() == Some(path.as_os_str())).then(|| name.to_owned())
}

/// The CID of a raw block of what was hashed.
pub(super) fn raw_cid(hasher: Hasher) -> Cid {
    let digest = hasher.finish();
    let hash = Multihash::wrap(SHA2_256, &digest).expect("32 bytes fit into 64");
    Cid::new_v1(RAW, hash)
}
