//! Sections from one CAR into another, on a thread that writes while another reads.

use carpool_car::{Header, Section};
use carpool_core::Cid;
use std::{
    sync::mpsc::{SyncSender, sync_channel},
    thread,
};

use super::{
    input::Input,
    scan::{Event, Found, Scan},
    writer::{CarWriter, Run},
};
use crate::failure::{Exit, Failure, Outcome};

/// Bytes that are handed to the writer at once.
const RUN_BYTES: usize = 1 << 20;
/// Runs that wait for it.
const QUEUE: usize = 2;

/// Copies the sections of `input` that `keep` wants, in their order. A block that is not what its
/// CID says fails the copy, and so does a file that cannot be read to its end.
///
/// `begin` makes the writer, from the header.
pub(crate) fn copy(
    scan: Scan<'_>,
    input: &Input,
    begin: impl FnOnce(&Header) -> Outcome<CarWriter>,
    keep: impl FnMut(&Section) -> bool,
) -> Outcome<CarWriter> {
    let mut begin = Some(begin);
    let mut keep = keep;
    thread::scope(|scope| {
        let mut pass = Pass { to: None, run: Run::default() };
        let mut thread = None;
        let scanned = scan.run(input, |event| match event {
            Event::Header(header) => {
                let Some(begin) = begin.take() else { return Ok(()) };
                let mut writer = begin(&header)?;
                let (to, runs) = sync_channel::<Run>(QUEUE);
                pass.to = Some(to);
                thread = Some(scope.spawn(move || {
                    runs.iter().try_for_each(|run| writer.sections(&run)).map(|()| writer)
                }));
                Ok(())
            }
            Event::Block(found) => {
                let section = good(found)?;
                if keep(&section) { pass.push(&section.cid, &section.data) } else { Ok(()) }
            }
            Event::Fault(fault) => Err(fault.into()),
        });
        let sent = scanned.and_then(|()| pass.send());
        drop(pass);
        let Some(thread) = thread else {
            return Err(sent.err().unwrap_or_else(|| Failure::new(Exit::Damaged, "no header")));
        };
        // Where the writer has gone, why it went is what is told.
        let written = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        written.and_then(|writer| sent.map(|()| writer))
    })
}

fn good(found: Found) -> Outcome<Section> {
    let Found { section, wrong } = found;
    match wrong {
        None => Ok(section),
        Some(error) => {
            let what = format_args!("section at byte {}: {error}", section.offset);
            Err(Failure::new(Exit::Damaged, what))
        }
    }
}

struct Pass {
    to: Option<SyncSender<Run>>,
    run: Run,
}

impl Pass {
    fn push(&mut self, cid: &Cid, data: &[u8]) -> Outcome {
        self.run.push(cid, data);
        if self.run.len() >= RUN_BYTES { self.send() } else { Ok(()) }
    }

    fn send(&mut self) -> Outcome {
        let run = std::mem::take(&mut self.run);
        let Some(to) = &self.to else { return Ok(()) };
        to.send(run).map_err(|_| Failure::new(Exit::Io, "the output takes no more"))
    }
}
