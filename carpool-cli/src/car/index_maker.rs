//! An index that is made within a budget, with a temporary file for what goes beyond it.

use carpool_car::index::{Codec, IndexLimits, Indexer, Output};
use carpool_core::cid_prefix;
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
};

use crate::failure::{Exit, Failure, Outcome};

/// Makes an index; see [`Indexer`].
#[derive(Debug)]
pub(crate) struct IndexMaker {
    indexer: Indexer,
    spill: Option<File>,
    /// Where each run begins in the file.
    runs: Vec<u64>,
    written: u64,
}

impl IndexMaker {
    /// One that keeps to `budget` bytes of memory. With `identity` it takes identity CIDs too.
    pub(crate) fn new(codec: Codec, budget: usize, identity: bool) -> Outcome<Self> {
        let indexer = Indexer::new(codec, budget, &IndexLimits::default()).map_err(made)?;
        let indexer = if identity { indexer.with_identity() } else { indexer };
        Ok(Self { indexer, spill: None, runs: Vec::new(), written: 0 })
    }

    /// Takes the section that begins at `offset` of the CARv1 with this binary CID.
    #[inline]
    pub(crate) fn add(&mut self, cid: &[u8], offset: u64) -> Outcome {
        let full = match *cid {
            [0x12, 0x20, ref digest @ ..] | [1, 0..0x80, 0x12, 0x20, ref digest @ ..]
                if digest.len() == 32 =>
            {
                self.indexer.handle_entry(0x12, digest, offset).map_err(made)?
            }
            _ => {
                let Ok((cid, _)) = cid_prefix(cid) else { return Ok(()) };
                self.indexer.handle_section(&cid, offset).map_err(made)?
            }
        };
        if full {
            self.poll(&mut |_| Err(Failure::new(Exit::Io, "an index is written at its end")))?;
        }
        Ok(())
    }

    /// There are no more sections: the bytes of the index go to `write`.
    pub(crate) fn finish(mut self, mut write: impl FnMut(&[u8]) -> Outcome) -> Outcome {
        self.indexer.handle_end();
        self.poll(&mut write)
    }

    fn poll(&mut self, write: &mut dyn FnMut(&[u8]) -> Outcome) -> Outcome {
        let spilled = |error| Failure::io("temporary file", &error);
        while let Some(output) = self.indexer.poll().map_err(made)? {
            match output {
                Output::Write(bytes) => write(&bytes)?,
                Output::SpillWrite { run, bytes } => {
                    self.spill_write(run, &bytes).map_err(spilled)?;
                }
                Output::SpillRead { run, offset, len } => {
                    let bytes = self.spill_read(run, offset, len).map_err(spilled)?;
                    self.indexer.handle_spill(bytes.into()).map_err(made)?;
                }
            }
        }
        Ok(())
    }

    /// Runs are written one after the other, so that each is a piece of the file.
    fn spill_write(&mut self, run: u32, bytes: &[u8]) -> io::Result<()> {
        if self.spill.is_none() {
            self.spill = Some(tempfile::tempfile()?);
        }
        if self.runs.len() <= run as usize {
            self.runs.push(self.written);
        }
        let file = self.spill.as_mut().ok_or(io::ErrorKind::NotFound)?;
        file.seek(SeekFrom::Start(self.written))?;
        file.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    fn spill_read(&mut self, run: u32, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let start = *self.runs.get(run as usize).ok_or(io::ErrorKind::NotFound)?;
        let file = self.spill.as_mut().ok_or(io::ErrorKind::NotFound)?;
        file.seek(SeekFrom::Start(start + offset))?;
        let mut bytes = vec![0; len];
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

fn made(error: carpool_car::Error) -> Failure {
    Failure::new(Exit::Io, error)
}
