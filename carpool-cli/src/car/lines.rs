//! Many lines: for standard output or into a file, buffered.

use serde_json::Value;
use std::{
    ffi::OsStr,
    fmt::{Display, Write as _},
    io::{self, BufWriter, Stdout, Write as _},
};

use super::{input::Input, target::Target};
use crate::{
    failure::{Failure, Outcome},
    output::Output,
};

/// Where lines go.
pub(crate) struct Lines {
    json: bool,
    line: String,
    place: Place,
}

enum Place {
    Stdout(BufWriter<Stdout>),
    File(Target),
}

impl Lines {
    /// Lines for the file `name`, which must be none of `inputs`; without a name, or with `-`, for
    /// standard output.
    pub(crate) fn open(name: Option<&OsStr>, inputs: &[&Input], output: &Output) -> Outcome<Self> {
        let place = match name.filter(|name| *name != "-") {
            Some(name) => Place::File(Target::create(name, inputs)?),
            None => Place::Stdout(BufWriter::with_capacity(64 << 10, io::stdout())),
        };
        Ok(Self { json: output.json(), line: String::new(), place })
    }

    /// One result.
    pub(crate) fn result(&mut self, value: impl FnOnce() -> Value, line: impl Display) -> Outcome {
        self.line.clear();
        let written = match self.json {
            true => writeln!(self.line, "{}", value()),
            false => writeln!(self.line, "{line}"),
        };
        debug_assert!(written.is_ok(), "strings take all");
        match &mut self.place {
            Place::File(target) => target.write(self.line.as_bytes()),
            Place::Stdout(out) => seen(out.write_all(self.line.as_bytes())),
        }
    }

    /// What was given is to be seen now.
    pub(crate) fn flush(&mut self) -> Outcome {
        match &mut self.place {
            Place::File(_) => Ok(()),
            Place::Stdout(out) => seen(out.flush()),
        }
    }

    /// All lines were given.
    pub(crate) fn finish(self) -> Outcome {
        match self.place {
            Place::File(target) => target.commit(),
            Place::Stdout(mut out) => seen(out.flush()),
        }
    }
}

/// A reader that has gone has seen enough.
fn seen(written: io::Result<()>) -> Outcome {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        written => written.map_err(|error| Failure::io("standard output", &error)),
    }
}
