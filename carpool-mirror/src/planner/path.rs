/// What lies between two peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// Round-trip time in microseconds.
    pub rtt_micros: u64,
    /// Bytes a second, each way.
    pub bytes_per_second: u64,
}

/// Bytes that a connection sends before it hears anything back: ten segments
/// ([RFC 6928](https://www.rfc-editor.org/rfc/rfc6928)).
pub const INITIAL_WINDOW: u64 = 14_600;

impl Path {
    /// What is assumed of a path of which nothing is known: 50 ms and 100 Mb/s.
    pub const ASSUMED: Self = Self { rtt_micros: 50_000, bytes_per_second: 12_500_000 };

    /// Round-trip time in seconds.
    #[must_use]
    pub fn rtt(&self) -> f64 {
        self.rtt_micros as f64 / 1e6
    }

    /// Bytes that fill the path for one round-trip time.
    #[must_use]
    pub fn product(&self) -> f64 {
        self.rate() * self.rtt()
    }

    pub(super) fn rate(&self) -> f64 {
        self.bytes_per_second.max(1) as f64
    }
}

/// One connection in virtual time, with the slow start of TCP both ways: a window of
/// [`INITIAL_WINDOW`] bytes that grows by what was sent, until it fills the path. Nothing is lost
/// on the way, and windows stay as they are between messages. Opening it is not counted.
#[derive(Clone, Debug)]
pub struct Connection {
    path: Path,
    up: f64,
    down: f64,
}

impl Connection {
    /// A connection that has carried nothing.
    #[must_use]
    pub const fn new(path: Path) -> Self {
        Self { path, up: INITIAL_WINDOW as f64, down: INITIAL_WINDOW as f64 }
    }

    pub(super) fn rtt(&self) -> f64 {
        self.path.rtt()
    }

    /// Seconds from the first byte of a request of `up` bytes to the last of an answer of `down`.
    pub fn round(&mut self, up: u64, down: u64) -> f64 {
        let asking = send(&self.path, &mut self.up, up as f64);
        self.path.rtt() + asking + send(&self.path, &mut self.down, down as f64)
    }
}

/// Seconds until the last byte is on its way.
fn send(path: &Path, window: &mut f64, bytes: f64) -> f64 {
    let (mut left, mut seconds) = (bytes, 0.0);
    while *window < path.product() && left > *window {
        left -= *window;
        seconds += path.rtt();
        *window *= 2.0;
    }
    *window += left;
    seconds + left / path.rate()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOW: Path = Path { rtt_micros: 100_000, bytes_per_second: 1_000_000 };

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn a_window_doubles_until_the_path_is_full() {
        // 14,600 + 29,200 + 58,400 take a round trip each; the window is 116,800 of 100,000 then.
        let mut connection = Connection::new(SLOW);
        assert!(near(connection.round(0, 102_200 + 1_000_000), 0.1 + 0.3 + 1.0));
        assert!(near(connection.round(0, 1_000_000), 0.1 + 1.0), "and stays");
        assert!(near(connection.round(14_600, 0), 0.1 + 0.0146), "each way has its own");
    }

    #[test]
    fn what_fits_into_the_window_goes_at_the_paths_rate() {
        assert!(near(Connection::new(SLOW).round(10_000, 14_600), 0.1 + 0.01 + 0.0146));
        let near_by = Path { rtt_micros: 1_000, ..SLOW };
        assert!(near(Connection::new(near_by).round(0, 1_000_000), 1.001));
    }
}
