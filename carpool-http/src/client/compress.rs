use http::{HeaderMap, HeaderName, StatusCode, Uri, header};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{Client, acquaintances::now, is_loopback};
use crate::{
    Error,
    coding::{Coding, TAKEN, Wish, takes},
};

/// When CARs travel compressed. A pull then takes delta bodies as well where no old root is held, unless they are
/// [never](super::Deltas::Never) taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compress {
    /// Where the way to the server is slower than compressing is, as far as that is known.
    #[default]
    Auto,
    /// Whatever the way is.
    Always,
    /// Not at all.
    Never,
}

/// A way of so many bytes a second is left as it is: compressing is about half as fast again on text
/// (`numbers --only coding`), so what it costs is won back below this wherever a third is saved.
const FAST: u64 = 100_000_000;

/// The same where the server is near, and a low rate rather says that it is busy.
const FAST_NEAR: u64 = 25_000_000;

/// A server is far from this round trip on, in microseconds.
const FAR: u64 = 5_000;

/// What is known of the way to a server.
#[derive(Clone, Copy, Debug)]
struct Way {
    /// The host is this machine, as its name says.
    loopback: bool,
    /// The round trip in microseconds; 0 is unknown.
    rtt: u64,
    /// Bytes a second of the fastest long body; 0 is unknown.
    rate: u64,
}

impl Way {
    const fn is_slow(self) -> bool {
        let far = if self.rtt == 0 { !self.loopback } else { self.rtt >= FAR };
        if far { self.rate < FAST } else { self.rate > 0 && self.rate < FAST_NEAR }
    }
}

impl Client {
    pub(super) fn compresses(&self) -> bool {
        match self.options.compress {
            Compress::Always => true,
            Compress::Never => false,
            Compress::Auto => match self.options.path {
                Some(path) => path.bytes_per_second < FAST,
                None => self.way().is_slow(),
            },
        }
    }

    fn way(&self) -> Way {
        let (known, base, now) = (&self.options.acquaintances, &self.base, now());
        let counted = |counter: &AtomicU64| Some(counter.load(Relaxed)).filter(|n| *n > 0);
        let rtt = counted(&self.progress.connected).or_else(|| known.round_trip(base, now));
        let rate = counted(&self.rate).or_else(|| known.rate(base, now)).unwrap_or(0);
        let loopback = base.parse().is_ok_and(|uri: Uri| is_loopback(&uri));
        Way { loopback, rtt: rtt.unwrap_or(0), rate }
    }

    /// What a pull says of the codings that its answer may be in.
    pub(super) fn accepts(&self) -> Option<(HeaderName, &'static str)> {
        self.compresses().then_some((header::ACCEPT_ENCODING, TAKEN))
    }

    /// What the CAR of a push is to be written in, if that pays.
    pub(super) fn wish(&self) -> Option<Wish> {
        let takes = self.options.acquaintances.takes_zstd(&self.base, now()) == Some(true);
        let wish = takes && !self.zstd_refused.load(Relaxed) && self.compresses();
        wish.then_some(Wish { coding: Coding::Zstd, always: false, _place: None })
    }

    /// An answer came with these headers.
    pub(super) fn note_codings(&self, headers: &HeaderMap) {
        if takes(headers, Coding::Zstd) && !self.zstd_refused.load(Relaxed) {
            self.options.acquaintances.note_takes_zstd(&self.base, true, now());
        }
    }

    /// A server, or what stands before it, that does not take what was said to be taken is sent it as
    /// it is, in another try.
    pub(super) fn untaken(&self, error: Error) -> Error {
        let untaken = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        if !matches!(error, Error::Status { status, .. } if status == untaken) {
            return error;
        }
        self.zstd_refused.store(true, Relaxed);
        self.options.acquaintances.note_takes_zstd(&self.base, false, now());
        Error::Cut(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_ways_are_told_from_fast_ones() {
        for (loopback, rtt, rate, slow) in [
            (false, 0, 0, true),
            (true, 0, 0, false),
            (false, FAR - 1, 0, false),
            (false, FAR, 0, true),
            (true, FAR, 0, true),
            (false, FAR, FAST - 1, true),
            (false, FAR, FAST, false),
            (false, FAR - 1, FAST_NEAR - 1, true),
            (true, 0, FAST_NEAR - 1, true),
            (false, FAR - 1, FAST_NEAR, false),
        ] {
            let way = Way { loopback, rtt, rate };
            assert_eq!(way.is_slow(), slow, "{way:?}");
        }
    }

    #[test]
    fn this_machine_is_known_by_its_names() {
        for (base, loopback) in [
            ("http://127.0.0.1:4747", true),
            ("http://127.8.0.1/x", true),
            ("https://[::1]:1", true),
            ("http://LocalHost", true),
            ("http://localhost.example", false),
            ("http://192.168.0.1", false),
        ] {
            let uri = base.parse().expect("a URL");
            assert_eq!(is_loopback(&uri), loopback, "{base}");
        }
    }
}
