use alloc::{format, string::String};
use core::fmt;

use super::Path;

/// Whether blocks go as what differs from old ones, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Encoding {
    /// Whether they do.
    pub deltas: bool,
    /// In words.
    pub reason: String,
}

/// Bytes of blocks a second that one side makes deltas of and the other makes blocks of. Chosen with care
/// rather than measured: in the comparison in the book, at 125 MB/s, deltas take 0.7 to 1.4 times as long as blocks as they
/// are, and with these rates it is as long at 80 MB/s.
const ENCODED: f64 = 120e6;
/// As [`ENCODED`].
const DECODED: f64 = 1e9;
/// What is left of the bytes in a change of many places.
const LEFT: f64 = 0.25;

impl Encoding {
    /// What pays on a path: the bytes that are saved against the time that both sides take, one after the
    /// other. A near server that sends this fast, or of which the rate is not known (`is_near`), is bound by its
    /// processors already.
    #[must_use]
    pub fn on(path: &Path, is_near: bool) -> Self {
        if is_near {
            let reason = "the server is near, bytes are cheaper than making blocks anew";
            return Self { deltas: false, reason: reason.into() };
        }
        let plain = 1e9 / path.rate();
        let deltas = LEFT * plain + 1e9 / ENCODED + 1e9 / DECODED;
        let pays = deltas < plain;
        let reason = format!(
            "a block takes {plain:.2} ns a byte at {} B/s, and about {deltas:.2} as a delta",
            path.bytes_per_second
        );
        Self { deltas: pays, reason }
    }

    /// What the caller said.
    #[must_use]
    pub fn forced(deltas: bool) -> Self {
        Self { deltas, reason: "it was asked for".into() }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.deltas { "deltas" } else { "blocks as they are" };
        write!(f, "{what}: {}", self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_paths_pay_for_deltas() {
        let path = |bytes_per_second| Path { rtt_micros: 50_000, bytes_per_second };
        for (rate, deltas) in
            [(1_250_000, true), (12_500_000, true), (80_000_000, true), (81_000_000, false)]
        {
            assert_eq!(Encoding::on(&path(rate), false).deltas, deltas, "{rate}");
        }
        assert!(!Encoding::on(&path(1_000), true).deltas);
        assert!(!Encoding::on(&path(0), true).deltas);
    }
}
