use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use std::time::{Duration, Instant};

use crate::{Error, Result};

/// How slow a peer may be. Only time spent waiting for the peer counts: while our own side is busy
/// nobody is late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    /// How long a body may stand still.
    pub(crate) stall: Duration,
    /// What has to move in as much time, in bytes a second.
    pub(crate) bytes_per_second: u64,
}

impl Pace {
    /// Bytes that have to move within [`stall`](Self::stall): one at least.
    fn quota(self) -> u64 {
        let bytes = u128::from(self.bytes_per_second) * self.stall.as_millis() / 1000;
        u64::try_from(bytes).unwrap_or(u64::MAX).max(1)
    }

    /// How long a reader may take to make room for `bytes`.
    pub(crate) fn patience(self, bytes: usize) -> Duration {
        let seconds = (bytes as u64).checked_div(self.bytes_per_second).unwrap_or(0);
        self.stall + Duration::from_secs(seconds)
    }
}

/// Watches the pace of one body.
pub(crate) struct Watch {
    pace: Pace,
    waited: Duration,
    moved: u64,
}

impl Watch {
    pub(crate) const fn new(pace: Pace) -> Self {
        Self { pace, waited: Duration::ZERO, moved: 0 }
    }

    /// The next data of `body`, or `None` at its end.
    ///
    /// # Errors
    /// [`Error::Cut`] when it breaks, stands still or comes too slowly.
    pub(crate) async fn data<B>(&mut self, body: &mut B) -> Result<Option<Bytes>>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: std::fmt::Display,
    {
        loop {
            let Some(frame) = self.wait(body).await? else { return Ok(None) };
            let broke = |error| Error::Cut(format!("the connection broke: {error}"));
            if let Ok(data) = frame.map_err(broke)?.into_data() {
                self.moved += data.len() as u64;
                return Ok(Some(data));
            }
        }
    }

    async fn wait<B>(&mut self, body: &mut B) -> Result<Option<Result<Frame<Bytes>, B::Error>>>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        loop {
            let begun = Instant::now();
            let left = self.pace.stall.saturating_sub(self.waited);
            let frame = tokio::time::timeout(left, body.frame()).await;
            self.waited += begun.elapsed();
            match frame {
                Ok(frame) => return Ok(frame),
                Err(_) => self.check()?,
            }
        }
    }

    /// Called when as much time was spent waiting as a body may stand still.
    fn check(&mut self) -> Result<()> {
        let (moved, quota) = (self.moved, self.pace.quota());
        if moved < quota {
            let seconds = self.pace.stall.as_secs_f32();
            return Err(Error::Cut(format!(
                "{moved} bytes in {seconds} s, where {quota} are the least"
            )));
        }
        *self = Self::new(self.pace);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        pin::Pin,
        task::{Context, Poll},
    };
    use tokio::time::{Interval, interval};

    /// A byte whenever the interval ticks, and the end after `left` of them.
    struct Drip {
        ticks: Interval,
        left: u32,
    }

    impl Body for Drip {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            if self.left == 0 {
                return Poll::Ready(None);
            }
            self.ticks.poll_tick(cx).map(|_| {
                self.left -= 1;
                Some(Ok(Frame::data(Bytes::from_static(b"x"))))
            })
        }
    }

    async fn drip(bytes_per_second: u64, every: Duration, left: u32) -> Result<u64> {
        let pace = Pace { stall: Duration::from_millis(200), bytes_per_second };
        let (mut body, mut watch) = (Drip { ticks: interval(every), left }, Watch::new(pace));
        let mut bytes = 0;
        while let Some(data) = watch.data(&mut body).await? {
            bytes += data.len() as u64;
        }
        Ok(bytes)
    }

    #[tokio::test]
    async fn a_drip_is_cut_and_a_steady_trickle_is_not() {
        let (fast, slow) = (Duration::from_millis(5), Duration::from_millis(50));
        assert_eq!(drip(10, fast, 120).await.unwrap(), 120, "200 a second, over three windows");
        assert_eq!(drip(0, slow, 20).await.unwrap(), 20, "no rate is asked for");
        assert!(drip(1000, slow, 20).await.is_err(), "20 a second");
        assert!(drip(0, Duration::from_secs(9), 2).await.is_err(), "stands still");
        assert_eq!(drip(1000, slow, 2).await.unwrap(), 2, "what ends soon is not slow");
    }

    #[test]
    fn a_reader_is_given_time_for_what_it_has_to_read() {
        let pace = Pace { stall: Duration::from_secs(60), bytes_per_second: 1024 };
        assert_eq!(pace.patience(0), Duration::from_secs(60));
        assert_eq!(pace.patience(128 << 10), Duration::from_secs(188));
        let any = Pace { bytes_per_second: 0, ..pace };
        assert_eq!(any.patience(128 << 10), Duration::from_secs(60));
    }
}
