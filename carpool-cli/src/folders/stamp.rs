//! What the file system says of a file without its being read.

use carpool_unixfs::{Metadata, Mtime};
use std::{
    fs,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::files::{Selection, mode, mtime};

/// A time as file systems keep it: seconds since 1970, and nanoseconds after that second.
pub(crate) type Time = (i64, u32);

/// What changes when a file does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) size: u64,
    pub(crate) mtime: Time,
    /// When the inode changed, which nobody can set; zero where there is no such thing.
    pub(crate) ctime: Time,
    pub(crate) inode: u64,
    pub(crate) mode: u32,
}

impl Stamp {
    pub(crate) fn of(found: &fs::Metadata) -> Self {
        let (ctime, inode) = identity(found);
        let mtime = mtime(found).map_or((0, 0), |time| (time.seconds(), time.nanos()));
        Self { size: found.len(), mtime, ctime, inode, mode: mode(found) }
    }

    /// What a node says of it, where that is asked for.
    pub(crate) fn metadata(&self, selection: &Selection) -> Metadata {
        let time = || Mtime::new(self.mtime.0, self.mtime.1).ok();
        Metadata {
            mode: selection.mode.then_some(self.mode),
            mtime: if selection.mtime { time() } else { None },
        }
    }

    /// Whether what a node says of it is so already.
    pub(crate) fn has(&self, metadata: &Metadata) -> bool {
        // Bits that give away rights are not set, and not missed.
        let mode = metadata.mode.is_none_or(|mode| (mode ^ self.mode) & 0o1777 == 0);
        mode && metadata.mtime.is_none_or(|time| (time.seconds(), time.nanos()) == self.mtime)
    }

    /// Whether a change after `looked` could leave it as it is: clocks of file systems tick, and what
    /// is written twice in a tick is the same twice.
    pub(crate) fn is_racy(&self, looked: SystemTime) -> bool {
        let (seconds, nanos) = self.mtime.max(self.ctime);
        let Ok(seconds) = u64::try_from(seconds) else { return false };
        let written = UNIX_EPOCH.checked_add(Duration::new(seconds, nanos));
        written.and_then(|time| time.checked_add(tick(nanos))).is_none_or(|sure| sure >= looked)
    }
}

/// How long a clock may stand still that has shown so many nanoseconds: where it shows less than
/// milliseconds, it is that of a kernel, which ticks a hundred times a second or more often; otherwise
/// two seconds, as on FAT.
const fn tick(nanos: u32) -> Duration {
    if nanos.is_multiple_of(1_000_000) { Duration::from_secs(2) } else { Duration::from_millis(50) }
}

#[cfg(unix)]
fn identity(found: &fs::Metadata) -> (Time, u64) {
    use std::os::unix::fs::MetadataExt;
    let nanos = u32::try_from(found.ctime_nsec()).unwrap_or_default();
    ((found.ctime(), nanos), found.ino())
}

#[cfg(not(unix))]
fn identity(_: &fs::Metadata) -> (Time, u64) {
    ((0, 0), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64, nanos: u32) -> SystemTime {
        UNIX_EPOCH + Duration::new(seconds, nanos)
    }

    #[test]
    fn what_is_not_older_than_the_look_is_racy() {
        let fine = Stamp { mtime: (100, 1), ..Stamp::default() };
        let coarse = Stamp { mtime: (100, 0), ..Stamp::default() };
        for (stamp, looked, racy) in [
            (fine, at(100, 1), true),
            (fine, at(100, 50_000_001), true),
            (fine, at(100, 50_000_002), false),
            (coarse, at(102, 0), true),
            (coarse, at(102, 1), false),
            (Stamp { ctime: (200, 1), ..fine }, at(150, 0), true),
            (Stamp { mtime: (i64::MAX, 0), ..fine }, at(150, 0), true),
            (Stamp { mtime: (-5, 0), ..Stamp::default() }, at(1, 0), true),
            (Stamp { mtime: (-5, 0), ctime: (-5, 0), ..Stamp::default() }, at(1, 0), false),
        ] {
            assert_eq!(stamp.is_racy(looked), racy, "{stamp:?} {looked:?}");
        }
    }
}
