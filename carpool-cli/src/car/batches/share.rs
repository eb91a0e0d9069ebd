//! Windows shared between threads: whoever is free reads the next one and works on it, the caller
//! among them, who also tells of them in order. No core waits for one that reads.

use std::{
    collections::BTreeMap,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use super::{Feed, Stop, Window};
use crate::failure::{Failure, Outcome};

/// Windows that are there at once, for each thread.
const WINDOWS: usize = 2;

/// A window that was worked on, what that came to, and why there is none behind it.
type Done<T> = (Window, T, Option<Stop>);

/// A window's number, and the window with why there is none behind it.
type Read = (u64, Outcome<(Window, Option<Stop>)>);

/// What all threads have in common.
struct Shared<'a, T> {
    reading: Mutex<Reading<'a>>,
    results: Mutex<Results<T>>,
    /// Something was done, or memory has come free.
    changed: Condvar,
}

struct Reading<'a> {
    feed: Feed<'a>,
    /// The number of the next window.
    next: u64,
    ended: bool,
}

struct Results<T> {
    /// Windows that were worked on, and not told of, by their numbers.
    done: BTreeMap<u64, Outcome<Done<T>>>,
    /// Memory for windows, and for what comes of them.
    spare: Vec<(Vec<u8>, T)>,
    /// No more windows are read, or nobody wants them.
    over: bool,
    /// A thread has panicked.
    lost: bool,
}

/// Has `work` done on each window of `feed` by so many threads, of which the caller's is one, and
/// tells `each` in order. The feed comes back with why it ended.
pub(super) fn share<'a, T: Default + Send>(
    feed: Feed<'a>,
    threads: usize,
    work: &(impl Fn(&Window, &mut T) + Sync),
    mut each: impl FnMut(&mut T, &Window) -> Outcome,
) -> Outcome<(Feed<'a>, Stop)> {
    let shared = Shared::new(feed, threads);
    let stop = thread::scope(|scope| {
        let _leave = Leave(&shared);
        for _ in 1..threads {
            scope.spawn(|| {
                let _leave = Leave(&shared);
                while let Some(spare) = shared.spare() {
                    shared.one(spare, work);
                }
            });
        }
        let mut number = 0;
        loop {
            let (window, mut done, stop) = shared.result(number, work)?;
            if !window.bytes().is_empty() {
                each(&mut done, &window)?;
            }
            if let Some(stop) = stop {
                return Ok::<Stop, Failure>(stop);
            }
            shared.give((window.bytes, done));
            number += 1;
        }
    })?;
    let reading = shared.reading.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok((reading.feed, stop))
}

impl<'a, T: Default> Shared<'a, T> {
    fn new(feed: Feed<'a>, threads: usize) -> Self {
        let spare = (0..threads.max(1) * WINDOWS).map(|_| Default::default()).collect();
        let results = Results { done: BTreeMap::new(), spare, over: false, lost: false };
        let reading = Mutex::new(Reading { feed, next: 0, ended: false });
        Self { reading, results: Mutex::new(results), changed: Condvar::new() }
    }

    fn results(&self) -> MutexGuard<'_, Results<T>> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Memory for a window, once there is some; `None` when no more is wanted.
    fn spare(&self) -> Option<(Vec<u8>, T)> {
        let mut results = self.results();
        loop {
            if results.over {
                return None;
            }
            if let Some(spare) = results.spare.pop() {
                return Some(spare);
            }
            results = self.changed.wait(results).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn give(&self, spare: (Vec<u8>, T)) {
        self.results().spare.push(spare);
        self.changed.notify_one();
    }

    /// Reads the next window, if there is one, and works on it.
    fn one(&self, (bytes, mut filled): (Vec<u8>, T), work: &impl Fn(&Window, &mut T)) {
        let Some((number, read)) = self.read(bytes) else { return };
        let done = read.map(|(window, stop)| {
            work(&window, &mut filled);
            (window, filled, stop)
        });
        self.results().done.insert(number, done);
        self.changed.notify_all();
    }

    fn read(&self, bytes: Vec<u8>) -> Option<Read> {
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if reading.ended {
            return None;
        }
        let number = reading.next;
        let read = reading.feed.window(bytes);
        reading.next += 1;
        reading.ended = read.as_ref().map_or(true, |(_, stop)| stop.is_some());
        if reading.ended {
            self.results().over = true;
        }
        Some((number, read))
    }

    /// What came of the window of this number. Meanwhile others are worked on here too.
    fn result(&self, number: u64, work: &impl Fn(&Window, &mut T)) -> Outcome<Done<T>> {
        loop {
            let mut results = self.results();
            if let Some(done) = results.done.remove(&number) {
                return done;
            }
            assert!(!results.lost, "a thread that was to help has panicked");
            let spare = if results.over { None } else { results.spare.pop() };
            if let Some(spare) = spare {
                drop(results);
                self.one(spare, work);
            } else {
                drop(self.changed.wait(results).unwrap_or_else(PoisonError::into_inner));
            }
        }
    }
}

/// Tells all others when a thread goes: they would wait for what does not come.
struct Leave<'s, 'a, T: Default>(&'s Shared<'a, T>);

impl<T: Default> Drop for Leave<'_, '_, T> {
    fn drop(&mut self) {
        let mut results = self.0.results();
        results.over = true;
        results.lost |= thread::panicking();
        self.0.changed.notify_all();
    }
}
