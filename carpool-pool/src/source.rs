//! What a sink knows of one source.

use alloc::vec::Vec;

use crate::frontier::ListId;

/// The number of a source in its pool, in the order in which they joined: below [`MAX_MEMBERS`](crate::MAX_MEMBERS).
pub type SourceId = u8;

/// What a source can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Kind {
    /// It can be asked for blocks by name alone, without what lies below them. Of a source that cannot only
    /// leaves are exact, and a node brings all that lies below it.
    pub named: bool,
    /// It takes a [`Plan`](crate::Plan).
    pub aware: bool,
    /// It leaves out of its share what it hears that others are asked for.
    pub gossips: bool,
}

impl Kind {
    /// A server of CAR Mirror that knows nothing of pools, nor of anything but the specification.
    pub const PLAIN: Self = Self { named: false, aware: false, gossips: false };
    /// One that can be asked for single blocks: car-mirror, by a filter that hides all the others, or a server
    /// of our extension.
    pub const NAMED: Self = Self { named: true, ..Self::PLAIN };
    /// One that takes plans.
    pub const AWARE: Self = Self { aware: true, ..Self::NAMED };
    /// One that takes plans and speaks with other sources.
    pub const GOSSIPING: Self = Self { gossips: true, ..Self::AWARE };
}

/// Where a source stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// It is asked, or will be when there is something to ask.
    #[default]
    Ready,
    /// It stood still or broke off, and is left alone for a while.
    Resting,
    /// It is not asked any more: it failed too often, lied, or left.
    Gone(Gone),
}

/// Why a source is not asked any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Gone {
    /// It left, or was taken out.
    Left,
    /// It failed too often in a row.
    Failed,
    /// What it sent is not what it said, or was not asked for.
    Lied,
    /// It sent more in vain than is allowed.
    Wasteful,
    /// It filled its room with blocks that belong to nothing.
    Unconnected,
}

/// What a source did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Blocks that it brought first.
    pub blocks: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Bytes of blocks that were held when they came.
    pub duplicate_bytes: u64,
    /// Requests.
    pub requests: u64,
    /// CIDs that requests named.
    pub named: u64,
    /// Blocks that it took over from others.
    pub stolen: u64,
    /// How often it stood still, broke off or was refused.
    pub failures: u64,
}

/// Rates are measured over so many microseconds at least.
const SAMPLE: u64 = 20_000;

/// What a source of which nothing is known is taken for, in bytes a second.
pub(crate) const ASSUMED_RATE: u64 = 1 << 20;

#[derive(Clone, Debug, Default)]
pub(crate) struct Source {
    pub(crate) kind: Kind,
    pub(crate) state: State,
    pub(crate) tally: Tally,
    /// Bytes a second; 0 is unknown.
    rate: u64,
    /// The least time between a request and its first byte; 0 is unknown.
    rtt: u64,
    /// Where the present sample began, and what came since.
    sampled: Option<(u64, u64)>,
    pub(crate) last_sign: u64,
    /// When it last brought a block that is of use: bytes alone are no work.
    pub(crate) last_block: u64,
    /// Failures in a row.
    pub(crate) failures: u32,
    pub(crate) rests_until: u64,
    /// How often it took over work of others since it last brought a block of use.
    pub(crate) in_vain: u32,
    /// When it looks again for what it could take over.
    pub(crate) looks_again: u64,
    /// When it looks again for nodes that others would send later.
    pub(crate) scouts_again: u64,
    /// Requests that are not read at the moment.
    pub(crate) paused: u32,
    /// It was not read until now.
    pub(crate) resumed: bool,
    /// Since when it has had nothing to do and found nothing.
    pub(crate) idle_since: Option<u64>,
    /// When its streams began to bring something, and how many bytes came since.
    streamed: Option<(u64, u64)>,
    pub(crate) waiting: u64,
    /// Of blocks that it was asked for by name: how many, and how many came.
    pub(crate) hits: (u64, u64),
    pub(crate) wasted: u64,
    /// Bytes that turned out to be under way where others took over: buffers hold more than the way.
    pub(crate) ahead: u64,
    /// Requests that are open, and how many of them are streams.
    pub(crate) open: u32,
    pub(crate) streams: u32,
    /// The lists of what they are to bring.
    pub(crate) lists: Vec<ListId>,
}

impl Source {
    pub(crate) fn new(kind: Kind, rtt: u64, rate: u64, now: u64) -> Self {
        Self { kind, rtt, rate, last_sign: now, ..Self::default() }
    }

    /// Whether nothing of what it was asked for is read.
    pub(crate) const fn is_paused(&self) -> bool {
        self.open > 0 && self.paused == self.open
    }

    pub(crate) const fn is_gone(&self) -> bool {
        matches!(self.state, State::Gone(_))
    }

    /// Bytes came.
    pub(crate) fn note_bytes(&mut self, bytes: u64, now: u64) {
        self.last_sign = now;
        self.streamed = match self.streamed {
            _ if self.streams == 0 || self.paused > 0 => None,
            None => Some((now, 0)),
            Some((begun, before)) => Some((begun, before + bytes)),
        };
        let Some((begun, before)) = self.sampled else {
            self.sampled = Some((now, 0));
            return;
        };
        let (spent, came) = (now - begun, before + bytes);
        if spent < SAMPLE {
            self.sampled = Some((begun, came));
            return;
        }
        let sample = came.saturating_mul(1_000_000) / spent;
        self.rate = if self.rate == 0 { sample } else { (self.rate * 2 + sample) / 3 };
        self.sampled = Some((now, 0));
    }

    /// Bytes a second of its streams from their beginning, where that is so many microseconds ago; they are at work
    /// and read.
    pub(crate) fn stream_rate(&self, now: u64, least: u64) -> Option<u64> {
        let (begun, bytes) = self.streamed.filter(|_| self.streams > 0 && self.paused == 0)?;
        let spent = now.saturating_sub(begun);
        (spent >= least).then(|| bytes.saturating_mul(1_000_000) / spent)
    }

    /// Nothing is asked of it any more: the time until it is asked again says nothing of its rate.
    pub(crate) fn note_idle(&mut self) {
        (self.sampled, self.streamed) = (None, None);
    }

    pub(crate) fn note_answer(&mut self, after: u64) {
        self.rtt = if self.rtt == 0 { after } else { self.rtt.min(after) };
    }

    pub(crate) const fn rate(&self) -> u64 {
        if self.rate == 0 { ASSUMED_RATE } else { self.rate }
    }

    /// So many bytes of blocks that are asked for come to so many that are sent: it may not have them all.
    pub(crate) const fn sent_of(&self, bytes: u64) -> u64 {
        let (asked, came) = self.hits;
        if asked == 0 { bytes } else { bytes.saturating_mul(came + 1) / (asked + 1) }
    }

    /// What has to be asked for so that so many bytes are sent; at most eight times as much.
    pub(crate) const fn asked_for(&self, bytes: u64) -> u64 {
        let (asked, came) = self.hits;
        let most = bytes.saturating_mul(8);
        let for_it = bytes.saturating_mul(asked + 1) / (came + 1);
        if asked == 0 {
            bytes
        } else if for_it < most {
            for_it
        } else {
            most
        }
    }

    pub(crate) const fn knows_rate(&self) -> bool {
        self.rate > 0
    }

    pub(crate) const fn rtt(&self) -> u64 {
        self.rtt
    }

    /// Microseconds that so many bytes take.
    pub(crate) const fn time(&self, bytes: u64) -> u64 {
        bytes.saturating_mul(1_000_000) / self.rate()
    }

    /// Bytes that come in so many microseconds.
    pub(crate) const fn bytes_in(&self, micros: u64) -> u64 {
        self.rate().saturating_mul(micros) / 1_000_000
    }
}
