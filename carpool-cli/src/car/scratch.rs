//! What a check cannot keep in memory, in a temporary file, and its comparisons on all threads.

use carpool_car::{
    ReadAt,
    check::{Differences, Ledger, Part},
};
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

/// Scratch space: a file once there is something in it.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    file: Mutex<Option<File>>,
}

impl Scratch {
    /// Keeps what `ledger` has too much of.
    pub(super) fn take(&self, ledger: &mut Ledger) -> io::Result<()> {
        while let Some(spill) = ledger.poll_spill() {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            if file.is_none() {
                *file = Some(tempfile::tempfile()?);
            }
            let file = file.as_mut().ok_or(io::ErrorKind::NotFound)?;
            file.seek(SeekFrom::Start(spill.offset))?;
            file.write_all(&spill.bytes)?;
        }
        Ok(())
    }

    /// Compares all parts, on so many threads.
    pub(super) fn compare(&self, parts: Vec<Part>, threads: usize) -> io::Result<Vec<Differences>> {
        let next = AtomicUsize::new(0);
        let parts: Vec<_> = parts.into_iter().map(|part| Mutex::new(Some(part))).collect();
        let take = || -> io::Result<Vec<Differences>> {
            let mut all = Vec::new();
            while let Some(part) = parts.get(next.fetch_add(1, Relaxed)) {
                let part = part.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(part) = part {
                    all.push(self.part(part)?);
                }
            }
            Ok(all)
        };
        thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(take)).collect();
            let mut all = take()?;
            for other in others {
                all.extend(other.join().expect("comparing does not panic")?);
            }
            Ok(all)
        })
    }

    fn part(&self, mut part: Part) -> io::Result<Differences> {
        while let Some(read) = part.poll_read() {
            part.handle_spilled(&self.read(read)?).map_err(io::Error::other)?;
        }
        Ok(part.compare())
    }

    fn read(&self, ReadAt { offset, len }: ReadAt) -> io::Result<Vec<u8>> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let file = file.as_mut().ok_or(io::ErrorKind::NotFound)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = vec![0; len];
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}
