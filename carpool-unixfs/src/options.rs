use core::str::FromStr;

use carpool_core::Version;

use crate::{
    Chunking, OptionsError, Profile,
    profile::{Leaves, Settings},
    slot::Fanout,
};

/// Bytes of a directory above which the profiles shard it.
const HAMT_THRESHOLD: u64 = 256 << 10;

/// How the size of a directory is told when it is compared with the threshold for sharding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Estimation {
    /// The bytes of all names and CIDs.
    Links,
    /// The bytes of the directory's block.
    Block,
    /// Never shard for size.
    Disabled,
}

impl FromStr for Estimation {
    type Err = OptionsError;

    /// Reads `links`, `block` or `disabled`.
    fn from_str(text: &str) -> Result<Self, OptionsError> {
        match text {
            "links" => Ok(Self::Links),
            "block" => Ok(Self::Block),
            "disabled" => Ok(Self::Disabled),
            _ => Err(OptionsError::Estimation),
        }
    }
}

/// What is asked for beside the profile; `None` leaves the profile's word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Version of the CIDs of DAG-PB nodes: 0 or 1. Raw leaves always have version 1.
    pub cid_version: Option<u64>,
    /// Leaves are the file's bytes and nothing else.
    pub raw_leaves: Option<bool>,
    /// Where files are cut.
    pub chunking: Option<Chunking>,
    /// Links of a file's node at most, from 2; 0 asks for the profile's number, as in Kubo.
    pub max_file_links: Option<usize>,
    /// Entries of a directory above which it is sharded; 0 is no limit.
    pub max_directory_links: Option<usize>,
    /// Slots of a shard: a power of two from 8 to 1024.
    pub hamt_fanout: Option<u64>,
    /// Bytes of a directory above which it is sharded; 0 is never.
    pub hamt_threshold: Option<u64>,
    /// How those bytes are counted.
    pub estimation: Option<Estimation>,
    /// Modes or times of modification will be given, to some file at least. In Kubo: any of
    /// `--preserve-mode`, `--preserve-mtime`, a `--mode` or `--mtime` that is not 0.
    pub metadata: bool,
}

/// Settings of an import that fit together: everything that decides CIDs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    cid_version: Version,
    raw_leaves: bool,
    chunking: Chunking,
    max_file_links: usize,
    max_directory_links: usize,
    fanout: Fanout,
    hamt_threshold: u64,
    estimation: Estimation,
}

impl Default for Options {
    /// The settings of [`Profile::UnixfsV1_2025`].
    fn default() -> Self {
        Self::new(Profile::default(), &Overrides::default()).expect("profiles are valid")
    }
}

impl Options {
    /// A profile and what is asked for beside it, with the precedence of `ipfs add`: what is asked
    /// for beats the profile; version 1 turns raw leaves on unless somebody spoke of them;
    /// metadata turns them off, or is refused where somebody asked for them.
    ///
    /// # Errors
    /// [`OptionsError::CidVersion`], [`OptionsError::FileLinks`], [`OptionsError::Fanout`],
    /// [`OptionsError::RawLeavesWithMetadata`].
    pub fn new(profile: Profile, asked: &Overrides) -> Result<Self, OptionsError> {
        let settings = profile.settings();
        let cid_version = version(asked.cid_version, settings.version)?;
        let fanout = asked.hamt_fanout.unwrap_or(256);
        Ok(Self {
            cid_version,
            raw_leaves: raw_leaves(asked, &settings, cid_version)?,
            chunking: asked.chunking.unwrap_or(settings.chunking),
            max_file_links: file_links(asked.max_file_links, settings.file_links)?,
            max_directory_links: asked.max_directory_links.unwrap_or(0),
            fanout: Fanout::new(fanout).ok_or(OptionsError::Fanout { fanout })?,
            hamt_threshold: asked.hamt_threshold.unwrap_or(HAMT_THRESHOLD),
            estimation: asked.estimation.unwrap_or(settings.estimation),
        })
    }

    /// Version of the CIDs of DAG-PB nodes.
    #[must_use]
    pub const fn cid_version(&self) -> Version {
        self.cid_version
    }

    /// Whether leaves are the file's bytes and nothing else.
    #[must_use]
    pub const fn raw_leaves(&self) -> bool {
        self.raw_leaves
    }

    /// Where files are cut.
    #[must_use]
    pub const fn chunking(&self) -> Chunking {
        self.chunking
    }

    /// Links of a file's node at most.
    #[must_use]
    pub const fn max_file_links(&self) -> usize {
        self.max_file_links
    }

    /// Entries above which a directory is sharded; 0 is no limit.
    #[must_use]
    pub const fn max_directory_links(&self) -> usize {
        self.max_directory_links
    }

    /// Slots of a shard.
    #[must_use]
    pub const fn hamt_fanout(&self) -> u32 {
        self.fanout.slots()
    }

    /// Bytes above which a directory is sharded; 0 is never.
    #[must_use]
    pub const fn hamt_threshold(&self) -> u64 {
        self.hamt_threshold
    }

    /// How those bytes are counted.
    #[must_use]
    pub const fn estimation(&self) -> Estimation {
        self.estimation
    }

    pub(crate) const fn fanout(&self) -> Fanout {
        self.fanout
    }
}

fn version(asked: Option<u64>, profile: Version) -> Result<Version, OptionsError> {
    match asked {
        None => Ok(profile),
        Some(0) => Ok(Version::V0),
        Some(1) => Ok(Version::V1),
        Some(version) => Err(OptionsError::CidVersion { version }),
    }
}

fn file_links(asked: Option<usize>, profile: usize) -> Result<usize, OptionsError> {
    match asked {
        None | Some(0) => Ok(profile),
        // A node with one link never ends a balanced tree.
        Some(1) => Err(OptionsError::FileLinks { links: 1 }),
        Some(links) => Ok(links),
    }
}

fn raw_leaves(asked: &Overrides, set: &Settings, version: Version) -> Result<bool, OptionsError> {
    let spoken = asked.raw_leaves.or(match set.leaves {
        Leaves::Raw => Some(true),
        Leaves::DagPb => Some(false),
        Leaves::Follow => None,
    });
    match spoken {
        Some(true) if asked.metadata && !set.metadata_over_raw => {
            Err(OptionsError::RawLeavesWithMetadata)
        }
        Some(raw) => Ok(raw),
        None => Ok(version == Version::V1 && !asked.metadata),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(profile: Profile, asked: Overrides) -> Result<Options, OptionsError> {
        Options::new(profile, &asked)
    }

    #[test]
    fn version_1_turns_raw_leaves_on_unless_somebody_spoke_of_them() {
        let v1 = Overrides { cid_version: Some(1), ..Overrides::default() };
        assert!(with(Profile::KuboDefault, v1).unwrap().raw_leaves());
        assert!(!with(Profile::UnixfsV0_2015, v1).unwrap().raw_leaves());
        let said = Overrides { raw_leaves: Some(false), ..v1 };
        assert!(!with(Profile::KuboDefault, said).unwrap().raw_leaves());
        let v0 = Overrides { cid_version: Some(0), ..Overrides::default() };
        assert!(with(Profile::UnixfsV1_2025, v0).unwrap().raw_leaves());
    }

    #[test]
    fn metadata_and_raw_leaves_exclude_each_other_in_the_profiles_of_kubo() {
        let metadata = Overrides { metadata: true, ..Overrides::default() };
        let refused = Err(OptionsError::RawLeavesWithMetadata);
        assert_eq!(with(Profile::UnixfsV1_2025, metadata), refused);
        let both = Overrides { raw_leaves: Some(true), ..metadata };
        assert_eq!(with(Profile::KuboDefault, both), refused);
        let neither = Overrides { raw_leaves: Some(false), ..metadata };
        assert!(!with(Profile::UnixfsV1_2025, neither).unwrap().raw_leaves());
        let v1 = Overrides { cid_version: Some(1), ..metadata };
        assert!(!with(Profile::KuboDefault, v1).unwrap().raw_leaves());
        assert!(with(Profile::CarpoolV1Meta, metadata).unwrap().raw_leaves());
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        let wrong = [
            Overrides { cid_version: Some(2), ..Overrides::default() },
            Overrides { hamt_fanout: Some(7), ..Overrides::default() },
            Overrides { hamt_fanout: Some(2048), ..Overrides::default() },
            Overrides { max_file_links: Some(1), ..Overrides::default() },
        ];
        for asked in wrong {
            assert!(with(Profile::default(), asked).is_err(), "{asked:?}");
        }
        let zero = Overrides { max_file_links: Some(0), ..Overrides::default() };
        assert_eq!(with(Profile::KuboDefault, zero).unwrap().max_file_links(), 174);
    }
}
