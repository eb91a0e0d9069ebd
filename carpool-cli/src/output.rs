//! What a person or a program gets to see.

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::Duration,
};

use crate::failure::{Exit, Failure, Outcome};

/// Results on standard output, everything else on standard error.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    json: bool,
    bars: bool,
    /// Why a result could not be written.
    unwritten: Arc<Mutex<Option<io::Error>>>,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        let bars = io::stderr().is_terminal();
        Self { json, bars, unwritten: Arc::default() }
    }

    /// Whether results are JSON.
    pub(crate) const fn json(&self) -> bool {
        self.json
    }

    /// A result: as JSON, or as a line for people.
    pub(crate) fn result(&self, value: &Value, line: impl Display) {
        if self.json { self.print(value) } else { self.print(line) }
    }

    /// Standard output takes the data itself: there is no room for JSON.
    pub(crate) fn leave_to_data(&self) -> Outcome {
        if self.json {
            let what = "--json and the data both want standard output; say -o FILE";
            return Err(Failure::new(Exit::Usage, what));
        }
        Ok(())
    }

    fn print(&self, line: impl Display) {
        if let Err(error) = writeln!(io::stdout().lock(), "{line}") {
            *self.unwritten.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
    }

    /// Fails where results were lost. A reader that has gone has seen enough.
    pub(crate) fn written(&self) -> Outcome {
        match self.unwritten.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::io("standard output", &error))
            }
            _ => Ok(()),
        }
    }

    /// Something beside the result, for people alone.
    pub(crate) fn note(&self, line: impl Display) {
        if !self.json {
            let _ = writeln!(io::stderr(), "{line}");
        }
    }

    /// A line of a story that results belong to: in its place among them, for people alone.
    pub(crate) fn say(&self, line: impl Display) {
        if !self.json {
            self.print(line);
        }
    }

    /// Something that is not as it should be.
    pub(crate) fn warn(&self, line: impl Display) {
        complain(line);
    }

    pub(crate) fn failure(&self, failure: &Failure) {
        complain(failure);
    }

    /// A progress bar that shows what `look` says, on a terminal; elsewhere nothing.
    pub(crate) fn meter(&self, mut look: impl FnMut() -> Reading + Send + 'static) -> Meter {
        if !self.bars {
            return Meter { running: None };
        }
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let thread = std::thread::spawn(move || draw(&mut look, &seen));
        Meter { running: Some((stop, thread)) }
    }
}

/// Says something to people; where they cannot be reached there is nobody else to tell.
pub(crate) fn complain(line: impl Display) {
    let _ = writeln!(io::stderr(), "carpool: {line}");
}

/// Control characters in a stranger's names do not reach the terminal.
pub(crate) fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// What a progress bar shows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reading {
    /// What is counted.
    pub(crate) what: &'static str,
    /// How many of them are done.
    pub(crate) done: u64,
    /// How many there will be as far as is known; 0 where nothing is.
    pub(crate) total: u64,
    /// Bytes done.
    pub(crate) bytes: u64,
    /// How many there will be; 0 where nobody knows.
    pub(crate) total_bytes: u64,
}

/// A progress bar; it goes away when this is dropped.
#[derive(Debug)]
pub(crate) struct Meter {
    running: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

impl Drop for Meter {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            stop.store(true, Relaxed);
            let _ = thread.join();
        }
    }
}

const TICK: Duration = Duration::from_millis(100);

fn draw(look: &mut impl FnMut() -> Reading, stop: &AtomicBool) {
    let bar = ProgressBar::new(0).with_style(style("{spinner} {msg}"));
    let begun = std::time::Instant::now();
    while !stop.load(Relaxed) {
        let reading = look();
        let (at, end) = match reading.total_bytes {
            0 => (reading.done, reading.total),
            bytes => (reading.bytes, bytes),
        };
        if end > 0 && bar.length() == Some(0) {
            bar.set_style(style("{wide_bar} {msg} {eta} left"));
        }
        bar.set_length(end);
        bar.set_position(at);
        bar.set_message(message(&reading, begun.elapsed()));
        std::thread::sleep(TICK);
    }
    bar.finish_and_clear();
}

fn message(reading: &Reading, spent: Duration) -> String {
    let millis = u64::try_from(spent.as_millis()).unwrap_or(u64::MAX).max(1);
    let rate = reading.bytes.saturating_mul(1000) / millis;
    let of = if reading.total > 0 { format!("/{}", reading.total) } else { String::new() };
    let (done, what) = (reading.done, reading.what);
    format!("{done}{of} {what}, {}, {}/s", size(reading.bytes), size(rate))
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// A number of bytes as people read it.
pub(crate) fn size(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}
