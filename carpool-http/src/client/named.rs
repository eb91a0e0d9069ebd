use carpool_core::Cid;
use carpool_store::BlockStore;
use std::sync::Arc;

use super::{Client, PushReport, acquaintances::now};
use crate::{Error, Result};

/// What a push under a name did.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct NamedReport {
    /// What the name pointed to.
    pub before: Option<Cid>,
    /// What was pushed; nothing where the name pointed to the root already, because a server holds what its
    /// names point to.
    pub push: Option<PushReport>,
}

impl Client {
    /// Pushes the DAG below `root` and points `name` to it on the server: what changed since the root
    /// that the name points to. Where blocks are to be sent, `begins` is told before of the roots
    /// that the server is believed to hold.
    ///
    /// A server that takes deltas is not asked first: it is sent what changed since the root
    /// that it acknowledged last under the name, and says before it reads that where the name has moved.
    ///
    /// # Errors
    /// [`Error::Conflict`] where the name does not point to what was acknowledged last: somebody else has
    /// moved it. `force` moves it all the same. Any other [`Error`].
    pub async fn push_named<S: BlockStore + ?Sized + 'static>(
        &self,
        root: Cid,
        name: &str,
        force: bool,
        store: Arc<S>,
        begins: impl FnOnce(&[Cid]),
    ) -> Result<NamedReport> {
        let known = self.acknowledged(name).filter(|_| !force);
        let presumed = known.filter(|known| *known != root && self.sends_deltas());
        let before = match presumed {
            Some(known) => Some(known),
            None => self.name_as_known(name, known).await?,
        };
        if before == Some(root) {
            self.note_acknowledged(name, root);
            return Ok(NamedReport { before, push: None });
        }
        let held: Vec<Cid> = before.into_iter().collect();
        begins(&held);
        let hint = Some(name).filter(|_| before.is_some());
        let push = self.push_expecting(root, held, hint, presumed.is_some(), store).await?;
        self.set_name(name, root, before).await?;
        self.note_acknowledged(name, root);
        Ok(NamedReport { before, push: Some(push) })
    }

    /// What the name points to, which has to be what was acknowledged last.
    async fn name_as_known(&self, name: &str, known: Option<Cid>) -> Result<Option<Cid>> {
        let current = self.name(name).await?.map(|record| record.root);
        match (known, current) {
            (Some(known), Some(current)) if known != current => {
                Err(Error::Conflict { current: Some(current) })
            }
            _ => Ok(current),
        }
    }

    /// The root that the server acknowledged last to have under a name, as far as is remembered.
    #[must_use]
    pub fn acknowledged(&self, name: &str) -> Option<Cid> {
        self.options.acquaintances.acknowledged(&self.base, name)
    }

    /// Remembers that the server has this root under a name, and that this side knows.
    pub fn note_acknowledged(&self, name: &str, root: Cid) {
        self.options.acquaintances.note_acknowledged(&self.base, name, root);
    }

    /// Remembers that the server takes no deltas.
    pub(super) fn note_takes_no_deltas(&self) {
        self.options.acquaintances.note_takes_deltas(&self.base, false, now());
    }
}
