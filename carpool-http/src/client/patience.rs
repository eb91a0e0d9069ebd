use std::time::Duration;

use crate::Error;

/// How often a broken transfer is taken up again: the count begins anew whenever something was
/// achieved, but not without end.
pub(crate) struct Patience {
    left: u32,
    /// Tries of the whole transfer: a peer that takes a little and dies, always, ends here.
    left_in_all: u32,
    retries: u32,
    pause: Duration,
    done_before: u64,
}

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Patience {
    pub(crate) const fn new(retries: u32, in_all: u32) -> Self {
        Self { left: retries, left_in_all: in_all, retries, pause: FIRST_PAUSE, done_before: 0 }
    }

    /// Waits before the next try; gives the error back when there is none. `done` counts the
    /// blocks that were moved up to now. A peer that was never reached is not tried again.
    pub(crate) async fn after(&mut self, error: Error, done: u64) -> Result<(), Error> {
        if done > self.done_before {
            *self = Self { done_before: done, ..Self::new(self.retries, self.left_in_all) };
        }
        let unreachable = matches!(error, Error::Connect(_)) && done == 0;
        if !error.is_transient() || unreachable || self.left == 0 || self.left_in_all == 0 {
            return Err(error);
        }
        tracing::warn!(%error, pause = ?self.pause, "taking the transfer up again");
        self.left -= 1;
        self.left_in_all -= 1;
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}
