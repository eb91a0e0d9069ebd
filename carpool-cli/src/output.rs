//! What a person or a program gets to see.

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use std::{
    fmt::Display,
    io::{IsTerminal, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::Duration,
};

use crate::failure::Failure;

/// Results on standard output, everything else on standard error.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    json: bool,
    bars: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, bars: std::io::stderr().is_terminal() }
    }

    /// A result: as JSON, or as a line for people. A reader that has gone is nobody to tell.
    pub(crate) fn result(&self, value: &Value, line: impl Display) {
        let mut out = std::io::stdout().lock();
        let _ = if self.json { writeln!(out, "{value}") } else { writeln!(out, "{line}") };
    }

    /// Something beside the result, for people alone.
    pub(crate) fn note(&self, line: impl Display) {
        if !self.json {
            eprintln!("{line}");
        }
    }

    /// Something that is not as it should be.
    pub(crate) fn warn(&self, line: impl Display) {
        eprintln!("carpool: {line}");
    }

    pub(crate) fn failure(&self, failure: &Failure) {
        eprintln!("carpool: {failure}");
    }

    /// A progress bar that shows what `look` says, on a terminal; elsewhere nothing.
    pub(crate) fn meter(&self, look: impl Fn() -> Reading + Send + 'static) -> Meter {
        if !self.bars {
            return Meter { running: None };
        }
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let thread = std::thread::spawn(move || draw(&look, &seen));
        Meter { running: Some((stop, thread)) }
    }
}

/// What a progress bar shows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reading {
    /// Blocks, or files, done.
    pub(crate) done: u64,
    /// How many there will be as far as is known; 0 where nothing is.
    pub(crate) total: u64,
    /// Bytes done.
    pub(crate) bytes: u64,
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

fn draw(look: &impl Fn() -> Reading, stop: &AtomicBool) {
    let bar = ProgressBar::new(0).with_style(style("{spinner} {human_pos} {msg}"));
    let begun = std::time::Instant::now();
    while !stop.load(Relaxed) {
        let reading = look();
        if reading.total > 0 && bar.length() == Some(0) {
            bar.set_style(style("{wide_bar} {human_pos}/{human_len} {msg} {eta} left"));
        }
        bar.set_length(reading.total);
        bar.set_position(reading.done);
        let rate = reading.bytes as f64 / begun.elapsed().as_secs_f64().max(0.001);
        bar.set_message(format!("{} {}/s", size(reading.bytes), size(rate as u64)));
        std::thread::sleep(TICK);
    }
    bar.finish_and_clear();
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// A number of bytes as people read it.
pub(crate) fn size(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}
