//! Folders on a memory file system, so that no disk decides.

use std::path::Path;
use tempfile::TempDir;

/// Where Linux has a memory file system.
const MEMORY: &str = "/dev/shm";

/// A temporary folder, in memory if there is a place for it.
///
/// # Panics
/// When there is no place for a folder at all.
#[must_use]
pub fn temporary() -> TempDir {
    let memory = Path::new(MEMORY);
    let made = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
    made.expect("a temporary folder can be made")
}
