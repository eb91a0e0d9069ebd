//! Looks for a section with several threads. Each reads windows of its own, while the others read
//! theirs, and looks through them where it has read them, once it is told where a section begins.

use std::{
    sync::mpsc::{Receiver, Sender, channel},
    thread,
};

use super::{HEAD_BYTES, Head, Heads, LONG_READ, SETTLED};
use crate::failure::Outcome;

/// More threads than this wait for memory.
const MAX_THREADS: usize = 4;

/// Where a section was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Bytes of the binary CID.
    pub(crate) cid_len: usize,
    /// Where the payload begins, from the start of the file.
    pub(crate) data_offset: u64,
    /// Bytes of the payload.
    pub(crate) len: u64,
}

impl Found {
    const fn of(head: &Head<'_>) -> Self {
        Self { cid_len: head.cid.len(), data_offset: head.data_offset, len: head.len }
    }
}

/// Why a search with several threads is over.
#[derive(Clone, Copy, Debug)]
enum Stop {
    Found(Found),
    End,
    /// Sections are long here: one thread steps over them.
    Sparse,
}

impl<'a> Heads<'a> {
    /// The next section whose binary CID is `wanted`.
    pub(crate) fn find(&mut self, wanted: impl Fn(&[u8]) -> bool + Sync) -> Outcome<Option<Found>> {
        loop {
            // One long window before threads would read ahead.
            if self.long + 1 >= SETTLED && self.input.file().is_some() {
                match self.find_together(&wanted)? {
                    Stop::Found(found) => return Ok(Some(found)),
                    Stop::End => return Ok(None),
                    Stop::Sparse => self.long = 0,
                }
            }
            match self.next()? {
                Some(head) if wanted(head.cid) => return Ok(Some(Found::of(&head))),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }

    fn find_together(&mut self, wanted: &(impl Fn(&[u8]) -> bool + Sync)) -> Outcome<Stop> {
        let threads = thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
        let seekers = self.seekers(threads, wanted);
        let stop = thread::scope(|scope| {
            let mut seekers = seekers.into_iter();
            let own = seekers.next();
            let others: Vec<_> = seekers
                .map_while(|seeker| {
                    thread::Builder::new().spawn_scoped(scope, move || seeker.run()).ok()
                })
                .collect();
            let own = own.and_then(Seeker::run);
            let join = |other: thread::ScopedJoinHandle<'_, _>| {
                other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            others.into_iter().filter_map(join).chain(own).next()
        });
        // Without threads nobody has found anything.
        let (at, stop) = stop.unwrap_or(Ok((self.at, Stop::Sparse)))?;
        self.at = at;
        Ok(stop)
    }

    /// Threads in a ring, the first of which has the turn.
    fn seekers<'w, W>(&self, threads: usize, wanted: &'w W) -> Vec<Seeker<'a, 'w, W>> {
        let (turns, waiting): (Vec<_>, Vec<_>) = (0..threads).map(|_| channel()).unzip();
        // It is held just below, so that it can be sent.
        let _ = turns[0].send(self.at);
        let seeker = |(number, turn): (usize, Receiver<u64>)| Seeker {
            heads: self.fork(),
            window_at: self.at + (number * LONG_READ) as u64,
            stride: (threads * LONG_READ) as u64,
            turn,
            next: turns[(number + 1) % threads].clone(),
            wanted,
        };
        waiting.into_iter().enumerate().map(seeker).collect()
    }

    fn fork(&self) -> Self {
        let (limits, opening) = (self.limits.clone(), self.opening.clone());
        Self { limits, opening, window: Vec::new(), filled: 0, room: 0, ahead: None, ..*self }
    }

    /// Reads the window at `at`, and behind it the rest of a head that begins in it.
    fn load(&mut self, at: u64) -> Outcome {
        self.window.resize(LONG_READ + HEAD_BYTES, 0);
        self.filled = self.input.read_into(at, &mut self.window)?;
        (self.window_at, self.room) = (at, 0);
        Ok(())
    }

    /// Looks through the window, from the section at `at` on; `None` at its end.
    fn look(&mut self, at: u64, wanted: impl Fn(&[u8]) -> bool) -> Outcome<Option<Stop>> {
        let end = self.window_at + LONG_READ as u64;
        self.at = at;
        if at >= end + LONG_READ as u64 {
            return Ok(Some(Stop::Sparse));
        }
        while self.at < end {
            match self.next()? {
                Some(head) if wanted(head.cid) => return Ok(Some(Stop::Found(Found::of(&head)))),
                Some(_) => {}
                None => return Ok(Some(Stop::End)),
            }
        }
        Ok(None)
    }
}

/// A thread of a search.
struct Seeker<'a, 'w, W> {
    heads: Heads<'a>,
    /// Where its next window is, and from there to the one after.
    window_at: u64,
    stride: u64,
    /// Says where the first section in its window begins. Who stops gives no more turns.
    turn: Receiver<u64>,
    next: Sender<u64>,
    wanted: &'w W,
}

impl<W: Fn(&[u8]) -> bool> Seeker<'_, '_, W> {
    /// What is found, and where the search goes on; `None` where another thread has stopped.
    fn run(mut self) -> Option<Outcome<(u64, Stop)>> {
        loop {
            let loaded = self.heads.load(self.window_at);
            let at = self.turn.recv().ok()?;
            match loaded.and_then(|()| self.heads.look(at, self.wanted)) {
                Ok(None) => self.next.send(self.heads.at).ok()?,
                Ok(Some(stop)) => return Some(Ok((self.heads.at, stop))),
                Err(error) => return Some(Err(error)),
            }
            self.window_at += self.stride;
        }
    }
}
