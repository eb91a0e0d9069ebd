use bytes::Bytes;
use std::collections::VecDeque;

/// Bytes of the last messages of a session that are kept for its sink. Who comes later is told all by what it comes to.
pub(super) const MAX_BYTES: usize = 256 << 10;

/// The last messages that this server said in a session, by their numbers from 0.
#[derive(Debug, Default)]
pub(super) struct Log {
    first: u64,
    messages: VecDeque<Bytes>,
    bytes: usize,
}

impl Log {
    /// The number of the next message.
    pub(super) fn next(&self) -> u64 {
        self.first + self.messages.len() as u64
    }

    pub(super) fn push(&mut self, message: Bytes) {
        self.bytes += message.len();
        self.messages.push_back(message);
        while self.bytes > MAX_BYTES {
            let Some(oldest) = self.messages.pop_front() else { return };
            self.bytes -= oldest.len();
            self.first += 1;
        }
    }

    /// The messages from this number on; of a number that is still to come all, for it is of a log before this one.
    /// `None` where some are not here any more.
    pub(super) fn since(&self, number: u64) -> Option<Vec<Bytes>> {
        let number = if number > self.next() { 0 } else { number };
        let skipped = usize::try_from(number.checked_sub(self.first)?).ok()?;
        Some(self.messages.iter().skip(skipped).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: usize) -> Bytes {
        vec![7; bytes].into()
    }

    #[test]
    fn messages_have_numbers() {
        let mut log = Log::default();
        assert_eq!((log.next(), log.since(0)), (0, Some(vec![])));
        for bytes in 1..=3 {
            log.push(message(bytes));
        }
        let sizes = |number| log.since(number).map(|all| all.iter().map(Bytes::len).collect());
        let table: [(u64, Option<Vec<usize>>); 5] = [
            (0, Some(vec![1, 2, 3])),
            (2, Some(vec![3])),
            (3, Some(vec![])),
            (4, Some(vec![1, 2, 3])),
            (u64::MAX, Some(vec![1, 2, 3])),
        ];
        for (number, expected) in table {
            assert_eq!(sizes(number), expected, "{number}");
        }
    }

    #[test]
    fn bytes_at_the_limit_and_one_past_it() {
        let mut log = Log::default();
        log.push(message(1));
        log.push(message(MAX_BYTES - 1));
        assert_eq!(log.since(0).map(|all| all.len()), Some(2));
        log.push(message(1));
        assert_eq!((log.next(), log.since(0), log.bytes), (3, None, MAX_BYTES));
        assert_eq!(log.since(1).map(|all| all.len()), Some(2));
        assert_eq!(log.since(4), None, "a log before this one knew what is gone here");
        log.push(message(MAX_BYTES + 1));
        assert_eq!((log.next(), log.bytes, log.since(3)), (4, 0, None));
        assert_eq!(log.since(4), Some(vec![]));
    }
}
