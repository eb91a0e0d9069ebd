//! Threads that work on what is handed to them, and hand it back in order.

use std::{
    collections::VecDeque,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::Scope,
};

/// What waits for one thread.
const QUEUE: usize = 2;

/// Threads that take work by turns, so that their answers, taken by turns, are in order.
pub(crate) struct Crew<'scope, I, O> {
    threads: Vec<(SyncSender<I>, Receiver<O>)>,
    turn: usize,
    waiting: VecDeque<Waiting<O>>,
    work: &'scope (dyn Fn(I) -> O + Sync),
}

enum Waiting<O> {
    Done(O),
    At(usize),
}

impl<'scope, I: Send + 'scope, O: Send + 'scope> Crew<'scope, I, O> {
    /// A crew of so many threads that do `work`; with one, or none, whoever hands it over does it.
    pub(crate) fn new(
        scope: &'scope Scope<'scope, '_>,
        threads: usize,
        work: &'scope (dyn Fn(I) -> O + Sync),
    ) -> Self {
        let threads = if threads > 1 { threads } else { 0 };
        let spawn = |_| {
            let (give, take) = sync_channel::<I>(QUEUE);
            let (done, results) = sync_channel(QUEUE);
            scope.spawn(move || {
                // Whoever asked may have gone: then nobody wants the rest.
                take.into_iter().try_for_each(|item| done.send(work(item)))
            });
            (give, results)
        };
        let threads = (0..threads).map(spawn).collect();
        Self { threads, turn: 0, waiting: VecDeque::new(), work }
    }

    /// Hands over the next item.
    pub(crate) fn give(&mut self, item: I) {
        let Some((thread, _)) = self.threads.get(self.turn) else {
            self.waiting.push_back(Waiting::Done((self.work)(item)));
            return;
        };
        thread.send(item).expect("a thread ends after its queue");
        self.waiting.push_back(Waiting::At(self.turn));
        self.turn = (self.turn + 1) % self.threads.len();
    }

    /// The next result in order; while more are to come only once every thread has its share.
    pub(crate) fn next(&mut self, last: bool) -> Option<O> {
        let full = self.waiting.len() >= (self.threads.len() * QUEUE).max(1);
        let oldest = if full || last { self.waiting.pop_front()? } else { return None };
        Some(match oldest {
            Waiting::Done(result) => result,
            Waiting::At(turn) => self.threads[turn].1.recv().expect("a thread answers each item"),
        })
    }
}
