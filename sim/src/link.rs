//! One direction of a connection, like netem in front of a socket: a machine without I/O.
//!
//! HTTP runs over a transport that neither loses nor reorders. What it does is to be late, to be
//! slow, to be read slowly, to stand still, and to break; so that is what a link does. What stood
//! still may come out after all, on a connection that was given up ([`Link::withheld`]).

use carpool_core::Bytes;
use std::{collections::VecDeque, time::Duration};

use crate::dag::mix;

/// What a connection is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conditions {
    /// From one end to the other.
    pub latency: Duration,
    /// Bytes a second; `None` is no limit.
    pub rate: Option<u64>,
    /// Bytes a second that the reader takes out; `None` is no limit.
    pub reader: Option<u64>,
    /// Bytes that may be under way or unread before the sender is made to wait.
    pub window: usize,
    /// Bytes arrive in pieces of up to so many.
    pub segment: usize,
    /// How long a reader waits without a byte before it gives the connection up.
    pub patience: Duration,
    /// Decides the sizes of the pieces.
    pub seed: u64,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(10),
            rate: Some(12_500_000),
            reader: None,
            window: 1 << 20,
            segment: 16 << 10,
            patience: Duration::from_secs(60),
            seed: 0,
        }
    }
}

/// How a connection ends before its message does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// It does not: it ends where its message ends.
    Never,
    /// It breaks after so many bytes.
    Broken(u64),
    /// It ends after so many bytes as if that were all, which is what a bad proxy makes of a cut.
    Clean(u64),
    /// Nothing more arrives after so many bytes, until the reader gives up.
    Stalled(u64),
    /// It breaks after so many bytes because the source's process died; a new one begins with what
    /// its store holds.
    SourceDied(u64),
    /// The same of the sink's process.
    SinkDied(u64),
}

impl Cut {
    const fn after(self) -> u64 {
        match self {
            Self::Never => u64::MAX,
            Self::Broken(bytes)
            | Self::Clean(bytes)
            | Self::Stalled(bytes)
            | Self::SourceDied(bytes)
            | Self::SinkDied(bytes) => bytes,
        }
    }

    const fn arrival(self) -> Arrival {
        match self {
            Self::Clean(_) | Self::Never => Arrival::End,
            Self::Broken(_) | Self::Stalled(_) | Self::SourceDied(_) | Self::SinkDied(_) => {
                Arrival::Cut
            }
        }
    }
}

/// What comes out at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The next bytes.
    Data(Bytes),
    /// The message has ended.
    End,
    /// The connection broke.
    Cut,
}

/// One direction of a connection.
#[derive(Debug)]
pub struct Link {
    conditions: Conditions,
    cut: Option<Cut>,
    accepted: u64,
    over: bool,
    queue: VecDeque<(Duration, Arrival)>,
    withheld: Vec<Bytes>,
    line_free: Duration,
    reader_free: Duration,
    in_flight: usize,
    peak: usize,
    random: u64,
}

impl Link {
    /// A connection of this kind.
    #[must_use]
    pub fn new(conditions: Conditions) -> Self {
        Self {
            random: conditions.seed,
            conditions,
            cut: None,
            accepted: 0,
            over: false,
            queue: VecDeque::new(),
            withheld: Vec::new(),
            line_free: Duration::ZERO,
            reader_free: Duration::ZERO,
            in_flight: 0,
            peak: 0,
        }
    }

    /// Begins a new connection, which will be cut like this; what was under way is lost.
    pub fn connect(&mut self, now: Duration, cut: Option<Cut>) {
        self.cut = cut;
        self.accepted = 0;
        self.over = false;
        self.queue.clear();
        self.withheld.clear();
        self.in_flight = 0;
        (self.line_free, self.reader_free) = (now, now);
    }

    /// Takes bytes to be carried.
    pub fn handle_packet(&mut self, now: Duration, mut bytes: Bytes) {
        while !bytes.is_empty() && !self.over {
            let left = self.cut.map_or(u64::MAX, |cut| cut.after() - self.accepted);
            let room = usize::try_from(left).unwrap_or(usize::MAX);
            if room == 0 {
                self.handle_end(now);
                break;
            }
            let piece = self.segment().min(bytes.len()).min(room);
            self.carry(now, bytes.split_to(piece));
        }
        self.withhold(bytes);
    }

    /// Bytes that a stalled connection took in and does not give out fill its window.
    fn withhold(&mut self, bytes: Bytes) {
        if self.stalls() && !bytes.is_empty() {
            self.in_flight += bytes.len();
            self.peak = self.peak.max(self.in_flight);
            self.withheld.push(bytes);
        }
    }

    const fn stalls(&self) -> bool {
        matches!(self.cut, Some(Cut::Stalled(_)))
    }

    /// What the stalled connection took in and did not give out.
    pub fn withheld(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.withheld)
    }

    /// Says that the message has ended. On a connection that is to be cut, the end is lost.
    pub fn handle_end(&mut self, now: Duration) {
        if !self.over {
            self.over = true;
            let arrival = self.cut.map_or(Arrival::End, Cut::arrival);
            let patience = if self.stalls() { self.conditions.patience } else { Duration::ZERO };
            let at = self.reader_free.max(now + self.conditions.latency) + patience;
            self.queue.push_back((at, arrival));
        }
    }

    fn carry(&mut self, now: Duration, piece: Bytes) {
        let len = piece.len();
        self.accepted += len as u64;
        self.line_free = now.max(self.line_free) + time_for(len, self.conditions.rate);
        let arrived = self.line_free + self.conditions.latency;
        self.reader_free = arrived.max(self.reader_free) + time_for(len, self.conditions.reader);
        self.in_flight += len;
        self.peak = self.peak.max(self.in_flight);
        self.queue.push_back((self.reader_free, Arrival::Data(piece)));
    }

    fn segment(&mut self) -> usize {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let max = self.conditions.segment.max(1) as u64;
        usize::try_from(1 + mix(self.random) % max).unwrap_or(usize::MAX)
    }

    /// What has arrived by `now`. Call again until `None`.
    pub fn poll(&mut self, now: Duration) -> Option<Arrival> {
        self.queue.front().filter(|(at, _)| *at <= now)?;
        let (_, arrival) = self.queue.pop_front()?;
        if let Arrival::Data(bytes) = &arrival {
            self.in_flight -= bytes.len();
        }
        Some(arrival)
    }

    /// When [`poll`](Self::poll) will next have something.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.queue.front().map(|(at, _)| *at)
    }

    /// Whether the sender may hand over more. A message that has ended, or was cut, takes none.
    #[must_use]
    pub const fn has_room(&self) -> bool {
        self.in_flight < self.conditions.window && (!self.over || self.stalls())
    }

    /// The most bytes that were ever under way or unread.
    #[must_use]
    pub const fn peak(&self) -> usize {
        self.peak
    }
}

fn time_for(bytes: usize, rate: Option<u64>) -> Duration {
    rate.map_or(Duration::ZERO, |rate| {
        Duration::from_nanos((bytes as u64).saturating_mul(1_000_000_000) / rate.max(1))
    })
}
