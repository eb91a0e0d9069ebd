use core::{fmt, str::FromStr};

use carpool_core::Version;

use crate::{Chunking, Estimation, OptionsError};

/// A set of import settings under a name: two importers that use the same profile make the same
/// CIDs ([IPIP-0499](https://specs.ipfs.tech/ipips/ipip-0499/)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// `unixfs-v1-2025`: CIDv1, raw leaves of 1 MiB, 1,024 links a node. The default.
    #[default]
    UnixfsV1_2025,
    /// `unixfs-v0-2015`, also called `legacy-cid-v0`: CIDv0, DAG-PB leaves of 256 KiB, 174 links.
    UnixfsV0_2015,
    /// `default`: what `ipfs add` does in a repository without a profile. The settings of
    /// [`Self::UnixfsV0_2015`], of which none is fixed: asking for CIDv1 turns raw leaves on.
    KuboDefault,
    /// `carpool-v1-meta`: [`Self::UnixfsV1_2025`] that takes mode and mtime and keeps raw leaves:
    /// the metadata is on a DAG-PB root, over one raw leaf where there is only one. Content keeps
    /// the leaf CIDs that it has without metadata. Kubo reads such files and makes none.
    CarpoolV1Meta,
    /// `carpool-v1-fastcdc`: [`Self::UnixfsV1_2025`] with leaves of about 16 KiB that end where their
    /// content says, for what is changed and sent again. Kubo reads such files and makes none.
    CarpoolV1FastCdc,
}

/// What a profile says about leaves when nobody else does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaves {
    Raw,
    DagPb,
    /// Raw with version 1, DAG-PB with version 0, DAG-PB when metadata is asked for.
    Follow,
}

pub(crate) struct Settings {
    pub(crate) version: Version,
    pub(crate) leaves: Leaves,
    /// Metadata goes onto a node above raw leaves instead of being refused.
    pub(crate) metadata_over_raw: bool,
    pub(crate) chunking: Chunking,
    pub(crate) file_links: usize,
    pub(crate) estimation: Estimation,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 5] = [
        Self::UnixfsV1_2025,
        Self::UnixfsV0_2015,
        Self::KuboDefault,
        Self::CarpoolV1Meta,
        Self::CarpoolV1FastCdc,
    ];

    /// The name that [`FromStr`] reads.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnixfsV1_2025 => "unixfs-v1-2025",
            Self::UnixfsV0_2015 => "unixfs-v0-2015",
            Self::KuboDefault => "default",
            Self::CarpoolV1Meta => "carpool-v1-meta",
            Self::CarpoolV1FastCdc => "carpool-v1-fastcdc",
        }
    }

    pub(crate) const fn settings(self) -> Settings {
        let modern = !matches!(self, Self::UnixfsV0_2015 | Self::KuboDefault);
        Settings {
            version: if modern { Version::V1 } else { Version::V0 },
            leaves: match self {
                Self::UnixfsV1_2025 | Self::CarpoolV1Meta | Self::CarpoolV1FastCdc => Leaves::Raw,
                Self::UnixfsV0_2015 => Leaves::DagPb,
                Self::KuboDefault => Leaves::Follow,
            },
            metadata_over_raw: matches!(self, Self::CarpoolV1Meta),
            chunking: match self {
                Self::UnixfsV1_2025 | Self::CarpoolV1Meta => Chunking::MIB,
                Self::UnixfsV0_2015 | Self::KuboDefault => Chunking::KIB_256,
                Self::CarpoolV1FastCdc => Chunking::BY_CONTENT,
            },
            file_links: if modern { 1024 } else { 174 },
            estimation: if modern { Estimation::Block } else { Estimation::Links },
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Profile {
    type Err = OptionsError;

    /// Reads a profile's name, or `legacy-cid-v0` for `unixfs-v0-2015`.
    fn from_str(name: &str) -> Result<Self, OptionsError> {
        if name == "legacy-cid-v0" {
            return Ok(Self::UnixfsV0_2015);
        }
        Self::ALL.into_iter().find(|p| p.name() == name).ok_or(OptionsError::UnknownProfile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for profile in Profile::ALL {
            assert_eq!(profile.name().parse(), Ok(profile));
        }
        assert_eq!("legacy-cid-v0".parse(), Ok(Profile::UnixfsV0_2015));
        assert_eq!("test-cid-v1".parse::<Profile>(), Err(OptionsError::UnknownProfile));
    }
}
