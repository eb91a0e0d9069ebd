//! A file that threads read ahead, window by window.

use std::{
    fs::File,
    io,
    sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    thread,
};

/// Threads that read.
const THREADS: u64 = 2;

/// Windows that wait for whoever wants them, of one thread.
const QUEUE: usize = 2;

/// A window and how many bytes were read into it, behind its room.
type Filled = io::Result<(Vec<u8>, usize)>;

/// Windows of a file, in order.
#[derive(Debug)]
pub(crate) struct Ahead {
    threads: Vec<(Receiver<Filled>, Sender<Vec<u8>>)>,
    turn: usize,
    given: Option<usize>,
}

impl Ahead {
    /// Windows of `size` bytes from `at` on, each with `room` bytes in front; `None` where no
    /// threads are to be had.
    pub(crate) fn new(file: &File, at: u64, size: usize, room: usize) -> Option<Self> {
        if thread::available_parallelism().map_or(1, usize::from) < 2 {
            return None;
        }
        let begin = |number: u64| {
            let (file, at) = (file.try_clone().ok()?, at + number * size as u64);
            let (filled, windows) = sync_channel(QUEUE);
            let (back, spare) = channel();
            let read = move || read(&file, at, (size, room), &filled, &spare);
            thread::Builder::new().spawn(read).ok()?;
            Some((windows, back))
        };
        let threads = (0..THREADS).map(begin).collect::<Option<_>>()?;
        Some(Self { threads, turn: 0, given: None })
    }

    /// The next window, in exchange for the last; what was read is behind the room.
    pub(crate) fn next(&mut self, last: &mut Vec<u8>) -> io::Result<usize> {
        let (windows, _) = &self.threads[self.turn];
        let (window, filled) = windows.recv().unwrap_or_else(|_| Ok((Vec::new(), 0)))?;
        let last = std::mem::replace(last, window);
        if let Some(given) = self.given {
            // A thread that is at the end takes none.
            let _ = self.threads[given].1.send(last);
        }
        self.given = Some(self.turn);
        self.turn = (self.turn + 1) % self.threads.len();
        Ok(filled)
    }
}

/// Fills every window that is this thread's, until the end or until nobody wants them.
fn read(
    file: &File,
    mut at: u64,
    (size, room): (usize, usize),
    filled: &SyncSender<Filled>,
    spare: &Receiver<Vec<u8>>,
) {
    loop {
        let mut window = spare.try_recv().unwrap_or_else(|_| vec![0; room + size]);
        let read = crate::files::fill_at(file, at, &mut window[room..]);
        let ended = read.as_ref().map_or(true, |read| *read < size);
        if filled.send(read.map(|read| (window, read))).is_err() || ended {
            return;
        }
        at += THREADS * size as u64;
    }
}
