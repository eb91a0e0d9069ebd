use super::MAX_OPEN_EPOCHS;
use crate::{Error, MAX_MEMBERS};

/// Which epochs are closed and which sources are gone: both only grow, and are joined by union.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Epochs {
    /// All epochs below this are closed.
    pub(super) floor: u32,
    /// Those from there on that are closed too, a bit each.
    pub(super) closed: u8,
    /// Sources that are gone, a bit each.
    pub(super) dropped: u64,
}

impl Epochs {
    /// Whether what `source` says in `epoch` counts.
    pub(super) fn counts(&self, source: u8, epoch: u32) -> bool {
        !self.is_closed(epoch) && self.dropped & bit(source) == 0
    }

    pub(super) fn is_closed(&self, epoch: u32) -> bool {
        let Some(place) = epoch.checked_sub(self.floor) else { return true };
        place < MAX_OPEN_EPOCHS && self.closed >> place & 1 == 1
    }

    /// # Errors
    /// [`Error::TooMany`] for an epoch that is too far from the first that is open, or a source that no plan has.
    pub(super) fn check(&self, source: u8, epoch: u32) -> Result<(), Error> {
        self.check_epoch(epoch)?;
        if usize::from(source) >= MAX_MEMBERS {
            let (count, max) = (u64::from(source) + 1, MAX_MEMBERS as u64);
            return Err(Error::TooMany { what: "sources", count, max });
        }
        Ok(())
    }

    pub(super) fn check_epoch(&self, epoch: u32) -> Result<(), Error> {
        let open = epoch.saturating_sub(self.floor);
        if open >= MAX_OPEN_EPOCHS {
            let (count, max) = (u64::from(open) + 1, u64::from(MAX_OPEN_EPOCHS));
            return Err(Error::TooMany { what: "open epochs", count, max });
        }
        Ok(())
    }

    pub(super) fn close(&mut self, epoch: u32) -> Result<(), Error> {
        self.check_epoch(epoch)?;
        if let Some(place) = epoch.checked_sub(self.floor) {
            self.closed |= 1 << place;
            self.rise();
        }
        Ok(())
    }

    pub(super) fn drop_source(&mut self, source: u8) {
        self.dropped |= bit(source);
    }

    pub(super) fn join(&mut self, other: &Self) {
        let (low, mut high) =
            if self.floor < other.floor { (*self, *other) } else { (*other, *self) };
        let risen = high.floor - low.floor;
        high.closed |= if risen < MAX_OPEN_EPOCHS { low.closed >> risen } else { 0 };
        high.dropped |= low.dropped;
        high.rise();
        *self = high;
    }

    /// The floor is the first that is open.
    fn rise(&mut self) {
        let closed = self.closed.trailing_ones();
        self.floor = self.floor.saturating_add(closed);
        self.closed = self.closed.checked_shr(closed).unwrap_or(0);
    }

    /// As it was when it was read, and in no other form.
    pub(super) const fn is_normal(&self) -> bool {
        self.closed & 1 == 0
    }
}

fn bit(source: u8) -> u64 {
    1_u64.checked_shl(u32::from(source)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_epochs_at_the_limit_and_one_past_it() {
        let mut epochs = Epochs::default();
        assert_eq!(epochs.check(0, 7), Ok(()));
        let refused = Error::TooMany { what: "open epochs", count: 9, max: 8 };
        assert_eq!(epochs.check(0, 8), Err(refused.clone()));
        assert_eq!(epochs.close(8), Err(refused));
        epochs.close(0).unwrap();
        assert_eq!(epochs.check(0, 8), Ok(()));
    }

    #[test]
    fn sources_at_the_limit_and_one_past_it() {
        let epochs = Epochs::default();
        assert_eq!(epochs.check(63, 0), Ok(()));
        let refused = Error::TooMany { what: "sources", count: 65, max: 64 };
        assert_eq!(epochs.check(64, 0), Err(refused));
    }

    #[test]
    fn epochs_close_in_any_order() {
        let mut epochs = Epochs::default();
        for (epoch, floor) in [(2, 0), (1, 0), (0, 3), (0, 3), (4, 3), (3, 5)] {
            epochs.close(epoch).unwrap();
            assert_eq!(epochs.floor, floor);
            assert!(epochs.is_closed(epoch) && epochs.is_normal());
        }
        assert!(!epochs.is_closed(5) && !epochs.is_closed(99));
    }
}
