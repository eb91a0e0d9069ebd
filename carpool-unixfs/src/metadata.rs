use crate::OptionsError;

/// The zero time of Go, 0001-01-01T00:00:00Z, which Kubo takes for "no time".
const NO_TIME: i64 = -62_135_596_800;

/// When something was modified ([UnixFS, mtime](https://specs.ipfs.tech/unixfs/#metadata)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mtime {
    seconds: i64,
    nanos: u32,
}

impl Mtime {
    /// Seconds since 1970-01-01T00:00:00Z, negative before it, and nanoseconds after that second.
    ///
    /// # Errors
    /// [`OptionsError::Nanoseconds`] when `nanos` is above 999,999,999.
    pub const fn new(seconds: i64, nanos: u32) -> Result<Self, OptionsError> {
        if nanos < 1_000_000_000 {
            Ok(Self { seconds, nanos })
        } else {
            Err(OptionsError::Nanoseconds { nanos })
        }
    }

    /// Whole seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds after [`Self::seconds`], 0 to 999,999,999.
    #[must_use]
    pub const fn nanos(self) -> u32 {
        self.nanos
    }
}

/// What a node may say about the file, directory or symbolic link that it stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Permissions with setuid, setgid and sticky: the lower 12 bits, the rest is dropped. Mode 0
    /// is not written, like Kubo does; nor is the mode of a symbolic link.
    pub mode: Option<u32>,
    /// When it was modified. The zero time of Go (0001-01-01) is not written, like Kubo does.
    pub mtime: Option<Mtime>,
}

impl Metadata {
    /// Nothing said.
    pub const NONE: Self = Self { mode: None, mtime: None };

    /// What of it reaches the bytes.
    #[must_use]
    pub fn stored(self) -> Self {
        let no_time = Mtime { seconds: NO_TIME, nanos: 0 };
        Self {
            mode: self.mode.map(|mode| mode & 0o7777).filter(|mode| *mode != 0),
            mtime: self.mtime.filter(|time| *time != no_time),
        }
    }

    pub(crate) fn is_none(&self) -> bool {
        *self == Self::NONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mode_zero_and_the_zero_time_are_not_stored() {
        let nothing = Metadata { mode: Some(0), mtime: Some(Mtime::new(NO_TIME, 0).unwrap()) };
        assert!(nothing.stored().is_none());
        let later = Metadata { mode: Some(0o104_755), mtime: Mtime::new(NO_TIME, 1).ok() };
        assert_eq!(later.stored(), Metadata { mode: Some(0o4755), ..later });
    }

    #[test]
    fn a_second_has_a_billion_nanoseconds() {
        assert!(Mtime::new(0, 999_999_999).is_ok());
        let over = Mtime::new(0, 1_000_000_000);
        assert_eq!(over, Err(OptionsError::Nanoseconds { nanos: 1_000_000_000 }));
    }
}
