use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since the beginning of 1970.
pub(in crate::client) type Seconds = u64;

/// Now, by the system's clock: what is remembered outlives the process.
pub(in crate::client) fn now() -> Seconds {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_secs())
}

/// Something that was learned at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dated<T> {
    pub(super) value: T,
    pub(super) since: Seconds,
}

impl<T> Dated<T> {
    pub(super) const fn new(value: T, since: Seconds) -> Self {
        Self { value, since }
    }

    /// The value, until so many seconds have passed. What comes from a time that has not come yet, as
    /// where a clock was set back, has no age that could be told.
    pub(super) fn fresh(self, now: Seconds, life: u64) -> Option<T> {
        let age = now.checked_sub(self.since)?;
        (age < life).then_some(self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fresh_for_a_life_and_no_longer() {
        for (now, fresh) in [(99, false), (100, true), (159, true), (160, false)] {
            assert_eq!(Dated::new('x', 100).fresh(now, 60).is_some(), fresh, "{now}");
        }
    }
}
