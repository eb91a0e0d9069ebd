//! What is remembered of servers from run to run, in the folder of the store.

use carpool_http::client::Acquaintances;
use std::{
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

/// The file's name.
const FILE: &str = "servers.json";

/// What is known of servers. It is written when this is dropped, whatever became of the transfer, if
/// anything was learned. Of two processes at once the last one's word stays, whole.
///
/// All of it is hints, so a file that cannot be read counts as none, and one that cannot be written
/// stays as it is.
#[derive(Debug)]
pub(crate) struct Acquainted {
    store: PathBuf,
    known: Acquaintances,
    before: Vec<u8>,
    kept: bool,
}

impl Acquainted {
    /// What was known when a run on this store ended the last time.
    pub(crate) fn of_store(store: &Path) -> Self {
        let text = read(&store.join(FILE)).unwrap_or_default();
        let known = Acquaintances::decode(&text);
        let before = known.encode();
        Self { store: store.to_owned(), known, before, kept: true }
    }

    /// Keeps nothing of what is learned, unless `keep`.
    pub(crate) fn kept_if(self, keep: bool) -> Self {
        let mut kept = self;
        kept.kept = keep;
        kept
    }

    /// What clients read and write.
    pub(crate) fn known(&self) -> Acquaintances {
        self.known.clone()
    }

    fn write(&self) -> io::Result<()> {
        let text = self.known.encode();
        if text == self.before || !self.kept {
            return Ok(());
        }
        // Temporary files are their owner's alone, and keys are in it.
        let mut file = tempfile::Builder::new().prefix(FILE).tempfile_in(&self.store)?;
        file.write_all(&text)?;
        file.persist(self.store.join(FILE))?;
        Ok(())
    }
}

impl Drop for Acquainted {
    fn drop(&mut self) {
        if let Err(error) = self.write() {
            tracing::debug!(%error, "what was learned of servers is not kept");
        }
    }
}

/// No more than is looked at, and whether there is more.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let max = Acquaintances::MAX_BYTES as u64;
    File::open(path)?.take(max + 1).read_to_end(&mut text)?;
    Ok(text)
}
