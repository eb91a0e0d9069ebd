//! What a person or a program gets to see.

use serde_json::Value;
use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    failure::{Exit, Failure, Outcome},
    progress::{Forecast, Line, Meter, Reading},
};

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

    /// Without bars where lines explain what goes on.
    pub(crate) fn explaining(&self, verbose: bool) -> Self {
        Self { bars: self.bars && !verbose, ..self.clone() }
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
    pub(crate) fn meter(&self, look: impl FnMut() -> Reading + Send + 'static) -> Meter {
        if self.bars { Meter::begin(look) } else { Meter::default() }
    }

    /// Whether somebody looks at what goes on.
    pub(crate) const fn has_bars(&self) -> bool {
        self.bars
    }

    /// A progress bar for each of several things that go on at once, likewise.
    pub(crate) fn meters(&self, lines: Vec<Line>) -> Meter {
        if self.bars { Meter::begin_several(lines) } else { Meter::default() }
    }

    /// A total for a progress bar, to be found out; where there is no bar nobody looks for it.
    pub(crate) fn forecast(&self) -> Forecast {
        Forecast::new(self.bars)
    }
}

/// Says something to people; where they cannot be reached there is nobody else to tell.
pub(crate) fn complain(line: impl Display) {
    let _ = writeln!(io::stderr(), "carpool: {line}");
}

/// A line of what was asked to be told.
pub(crate) fn say(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Control characters in a stranger's names do not reach the terminal.
pub(crate) fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A number of bytes as people read it.
pub(crate) fn size(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}
