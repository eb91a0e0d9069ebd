//! What was sent lately, for requests that speak of it by a bitmap (`docs/extension.md`).

use carpool_mirror::{Answered, extension::CHECK_BYTES};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

use super::{ServerOptions, aged::AgedMap};

type Check = [u8; CHECK_BYTES];

/// What an entry takes beside what it keeps.
const OVERHEAD: usize = 256;

/// How long an answer is kept: longer than the thirty seconds that CAR Mirror asks for (§3.2.2).
const TIMEOUT: Duration = Duration::from_secs(60);

/// Answers of which the next request may speak, each under its check: who was sent these blocks can
/// name it, whoever that is. What is forgotten costs a round and nothing else.
pub(super) struct Trails {
    /// By bytes.
    kept: Mutex<AgedMap<Check, Answered>>,
    is_on: bool,
}

impl Trails {
    pub(super) fn new(options: &ServerOptions) -> Self {
        let kept = Mutex::new(AgedMap::new(options.max_trail_bytes, TIMEOUT));
        Self { kept, is_on: options.max_trail_bytes > 0 }
    }

    /// Whether any are kept at all.
    pub(super) const fn is_on(&self) -> bool {
        self.is_on
    }

    // Every step leaves it whole.
    fn lock(&self) -> MutexGuard<'_, AgedMap<Check, Answered>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps an answer, and drives out the oldest where there is no room.
    pub(super) fn keep(&self, answered: Answered) {
        let Some(check) = answered.check() else { return };
        let bytes = OVERHEAD + answered.bytes();
        self.lock().insert(check, answered, bytes, Instant::now().into_std());
    }

    /// The answer of this check. It stays: what answers this request may be cut, and then it is asked
    /// again.
    pub(super) fn find(&self, check: &Check) -> Option<Answered> {
        self.lock().get(check, Instant::now().into_std()).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carpool_core::{Block, Limits, cbor, codec};
    use carpool_mirror::{
        Source, SourceOutput,
        extension::{Asked, Request},
    };
    use carpool_selector::Order;

    /// What a source answered that sent one node.
    fn answered(n: u8) -> Answered {
        let mut data = vec![];
        cbor::write_head(&mut data, cbor::ARRAY, 1);
        cbor::write_head(&mut data, cbor::UNSIGNED, u64::from(n));
        let node = Block::new(codec::DAG_CBOR, data.into());
        let limits = Limits::default();
        let mut source = Source::new(Order::DepthFirst, &limits, 0).with_trail(None);
        let request = Request { root: Some(*node.cid()), ..Request::default() };
        let asked = Asked::decode(request.encode(), &limits, 0).expect("a root");
        source.handle_asked(asked).expect("one want");
        while let Some(output) = source.poll().expect("it parses") {
            if let SourceOutput::Load(cid) = output {
                source.handle_load(&cid, Some(node.data().clone()));
            }
        }
        source.take_answered().expect("a block with links was sent")
    }

    fn trails(max_trail_bytes: usize) -> Trails {
        Trails::new(&ServerOptions { max_trail_bytes, ..ServerOptions::default() })
    }

    fn holds(trails: &Trails, n: u8) -> bool {
        trails.find(&answered(n).check().expect("a check")).is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_kept_for_its_time_and_no_longer() {
        let trails = trails(1 << 20);
        trails.keep(answered(1));
        tokio::time::advance(Duration::from_millis(59_999)).await;
        assert!(holds(&trails, 1) && !holds(&trails, 2));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!holds(&trails, 1));
        assert_eq!(trails.lock().weight(), 0);
    }

    #[tokio::test]
    async fn bytes_at_the_limit_and_one_past_it() {
        let one = OVERHEAD + answered(1).bytes();
        let full = trails(3 * one);
        (1..=3).for_each(|n| full.keep(answered(n)));
        assert!((1..=3).all(|n| holds(&full, n)));
        full.keep(answered(3));
        assert!((1..=3).all(|n| holds(&full, n)), "the same again takes no room");
        full.keep(answered(4));
        assert!(!holds(&full, 1) && (2..=4).all(|n| holds(&full, n)), "the oldest went");
        let small = trails(one - 1);
        small.keep(answered(1));
        assert!(!holds(&small, 1));
    }
}
