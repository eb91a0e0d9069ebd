use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// Requests of one connection: how many began, and how many have ended with the last byte of their
/// answer.
#[derive(Debug, Default)]
pub(super) struct Activity {
    begun: AtomicU64,
    ended: AtomicU64,
}

/// A request under way, until this is dropped.
#[derive(Debug)]
pub(super) struct UnderWay(Arc<Activity>);

impl Activity {
    pub(super) fn begin(self: &Arc<Self>) -> UnderWay {
        self.begun.fetch_add(1, Relaxed);
        UnderWay(Arc::clone(self))
    }

    /// Ends when nothing was asked for `timeout`, or for up to twice as long: a peer that says
    /// nothing keeps a place from others, and HTTP/2 has no timeout of its own for it.
    pub(super) async fn idle_for(&self, timeout: Duration) {
        loop {
            let before = self.begun.load(Relaxed);
            tokio::time::sleep(timeout).await;
            let (begun, ended) = (self.begun.load(Relaxed), self.ended.load(Relaxed));
            if begun == before && begun == ended {
                return;
            }
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Relaxed);
    }
}
