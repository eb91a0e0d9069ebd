use bytes::Bytes;
use http_body::{Body, Frame};
use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    sync::oneshot,
    time::{Sleep, sleep},
};

use crate::{Error, Progress};

/// A body that most servers will not need: it goes out where no answer came within about a round
/// trip of the head, and else it ends empty.
pub(crate) struct Late {
    body: Bytes,
    answered: oneshot::Receiver<()>,
    progress: Arc<Progress>,
    wait: Option<Pin<Box<Sleep>>>,
}

/// Whoever waits for the answer keeps this until it is there.
pub(crate) struct Unanswered {
    _unanswered: oneshot::Sender<()>,
}

impl Late {
    /// Nobody needs a round trip to be known yet: it is looked up in `progress` once there is a
    /// connection to send the body on.
    pub(crate) fn new(body: Bytes, progress: Arc<Progress>) -> (Self, Unanswered) {
        let (unanswered, answered) = oneshot::channel();
        (Self { body, answered, progress, wait: None }, Unanswered { _unanswered: unanswered })
    }
}

/// A quarter of the round trip, and so much, is for the server to find out what it holds.
const PATIENCE: Duration = Duration::from_millis(20);
/// A body is held back no longer, however far away the server is.
const MAX_WAIT: Duration = Duration::from_secs(1);

fn patience(round_trip: Duration) -> Duration {
    (round_trip * 5 / 4 + PATIENCE).min(MAX_WAIT)
}

impl Body for Late {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Self { body, answered, progress, wait } = &mut *self;
        if body.is_empty() || Pin::new(answered).poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        let wait = wait.get_or_insert_with(|| {
            let round_trip = Duration::from_micros(progress.connected.load(Relaxed));
            Box::pin(sleep(patience(round_trip)))
        });
        wait.as_mut().poll(cx).map(|()| Some(Ok(Frame::data(std::mem::take(body)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    async fn sent(late: Late) -> Bytes {
        late.collect().await.expect("it does not break").to_bytes()
    }

    #[tokio::test(start_paused = true)]
    async fn it_goes_out_when_no_answer_comes() {
        let progress = Arc::<Progress>::default();
        progress.note_connected(Duration::from_millis(80));
        let begun = tokio::time::Instant::now();
        let (late, _unanswered) = Late::new(Bytes::from_static(b"body"), progress);
        assert_eq!(sent(late).await, "body");
        assert_eq!(begun.elapsed().as_millis(), 120);
    }

    #[tokio::test(start_paused = true)]
    async fn it_stays_when_the_answer_is_there() {
        let (late, unanswered) = Late::new(Bytes::from_static(b"body"), Arc::default());
        let sent = tokio::spawn(sent(late));
        sleep(Duration::from_millis(19)).await;
        drop(unanswered);
        assert_eq!(sent.await.expect("no panic"), "");
    }

    #[test]
    fn nobody_waits_for_a_second_and_more() {
        for (round_trip, wait) in [(0, 20), (100, 145), (784, 1000), (785, 1000), (60_000, 1000)] {
            let wait = Duration::from_millis(wait);
            assert_eq!(patience(Duration::from_millis(round_trip)), wait, "{round_trip}");
        }
    }
}
