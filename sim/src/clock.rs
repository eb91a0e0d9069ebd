use std::time::Duration;

/// Virtual time since the beginning; it moves when someone moves it, and never back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    now: Duration,
}

impl Clock {
    /// The time.
    #[must_use]
    pub const fn now(&self) -> Duration {
        self.now
    }

    /// Jumps ahead to `deadline`.
    pub fn jump(&mut self, deadline: Duration) {
        self.now = self.now.max(deadline);
    }
}
