use carpool_core::Cid;
use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{Error, Result};

/// The longest name, in bytes of UTF-8.
pub const MAX_NAME_BYTES: usize = 255;

/// What a name pointed to at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameEntry {
    /// The root of the DAG.
    pub root: Cid,
    /// 1 when the name was set first, and one more every time after.
    pub seq: u64,
    /// When it was set, to the millisecond, by the clock of this machine.
    pub time: SystemTime,
}

/// What a name must be before [`Names::set_name`] changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Whatever it is: the name is overwritten.
    Any,
    /// The name was never set.
    Absent,
    /// The name points to this root: the same CID, with its version and codec.
    Root(Cid),
}

impl From<Option<Cid>> for Expect {
    /// `None` says that the name was never set.
    fn from(root: Option<Cid>) -> Self {
        root.map_or(Self::Absent, Self::Root)
    }
}

impl Expect {
    pub(crate) fn allows(&self, current: Option<&Cid>) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => current.is_none(),
            Self::Root(root) => current == Some(root),
        }
    }
}

/// What [`Names::set_name`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a conflict has set nothing"]
pub enum SetName {
    /// The name points to the new root.
    Set(NameEntry),
    /// The name is not what was expected, and was left alone.
    Conflict {
        /// What it is; `None` when it was never set.
        current: Option<NameEntry>,
    },
}

/// Names for roots, and the roots that were completed last.
pub trait Names: Send + Sync {
    /// What `name` points to; `None` when it was never set.
    ///
    /// # Errors
    /// [`NameLength`](Error::NameLength), [`NameControl`](Error::NameControl), or when the store
    /// cannot be read.
    fn name(&self, name: &str) -> Result<Option<NameEntry>>;

    /// Every name and what it points to, sorted by the bytes of the name.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn names(&self) -> Result<Vec<(String, NameEntry)>>;

    /// All that `name` has pointed to, newest first.
    ///
    /// # Errors
    /// As [`name`](Self::name).
    fn history(&self, name: &str) -> Result<Vec<NameEntry>>;

    /// Points `name` to `new` if it is what `expect` says, at once for all processes that use the
    /// store. When it returns, the name and every block that was put before survive a power loss.
    ///
    /// # Errors
    /// As [`name`](Self::name), or when the store cannot be written.
    fn set_name(&self, name: &str, expect: Expect, new: &Cid) -> Result<SetName>;

    /// Remembers `root` as the newest of the roots whose DAG is held completely, all of it
    /// flushed. A store keeps the last thousand or so.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn note_root(&self, root: &Cid) -> Result<()>;

    /// The last `n` roots that were noted, newest first, each once.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn recent_roots(&self, n: usize) -> Result<Vec<Cid>>;
}

/// How many roots a store remembers.
pub(crate) const RECENT_ROOTS: usize = 1024;

/// The time, as it is stored.
pub(crate) fn now() -> SystemTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UNIX_EPOCH + Duration::new(since.as_secs(), since.subsec_millis() * 1_000_000)
}

/// Whether a name may be used: 1 to [`MAX_NAME_BYTES`] bytes without control characters.
///
/// # Errors
/// [`Error::NameLength`], [`Error::NameControl`].
pub fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name.len() > MAX_NAME_BYTES {
        return Err(Error::NameLength { bytes: name.len(), max: MAX_NAME_BYTES });
    }
    match name.char_indices().find(|(_, c)| c.is_control()) {
        Some((at, _)) => Err(Error::NameControl { at }),
        None => Ok(()),
    }
}

macro_rules! through {
    ($($pointer:ty),*) => {$(
        impl<S: Names + ?Sized> Names for $pointer {
            fn name(&self, name: &str) -> Result<Option<NameEntry>> {
                (**self).name(name)
            }
            fn names(&self) -> Result<Vec<(String, NameEntry)>> {
                (**self).names()
            }
            fn history(&self, name: &str) -> Result<Vec<NameEntry>> {
                (**self).history(name)
            }
            fn set_name(&self, name: &str, expect: Expect, new: &Cid) -> Result<SetName> {
                (**self).set_name(name, expect, new)
            }
            fn note_root(&self, root: &Cid) -> Result<()> {
                (**self).note_root(root)
            }
            fn recent_roots(&self, n: usize) -> Result<Vec<Cid>> {
                (**self).recent_roots(n)
            }
        }
    )*};
}
through!(&S, Arc<S>, Box<S>);
