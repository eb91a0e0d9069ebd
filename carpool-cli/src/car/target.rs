//! Where results go: a file that appears when it is whole, or standard output.

use std::{
    ffi::OsStr,
    fmt::Display,
    fs::{self, File, Metadata},
    io::{self, BufWriter, IsTerminal, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::input::Input;
use crate::{
    failure::{Exit, Failure, Outcome},
    files::beside,
    interrupt::Leftover,
};

/// Bytes that are gathered before they are written. Less than a window of sections has, which is
/// written as it is then: a copy of it would cost a tenth of all.
const BUFFER: usize = 128 << 10;

/// An output that is being written. Dropped before [`commit`](Self::commit) it leaves nothing.
#[derive(Debug)]
pub(crate) struct Target {
    shown: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    File { part: Leftover, file: BufWriter<File>, path: PathBuf },
    Device(BufWriter<File>),
    Stdout(BufWriter<io::Stdout>),
}

impl Target {
    /// An output at `name`, `-` is standard output. Refused where it is one of `inputs`: not by its
    /// name but by what it leads to.
    pub(crate) fn create(name: &OsStr, inputs: &[&Input]) -> Outcome<Self> {
        if name == "-" {
            return Self::stdout();
        }
        let path = Path::new(name);
        let shown = path.display().to_string();
        let found = path.metadata().ok();
        if let Some(found) = &found {
            refuse_inputs(&shown, found, inputs)?;
        }
        let place = match found {
            Some(found) if !found.is_file() => Self::device(path, &shown)?,
            _ => Self::part(path, &shown)?,
        };
        Ok(Self { shown, place })
    }

    /// Refuses an output that is this input, as [`create`](Self::create) does.
    pub(crate) fn refuse(name: &OsStr, input: &Input) -> Outcome {
        let path = Path::new(name);
        match path.metadata() {
            Ok(found) if name != "-" => {
                refuse_inputs(&path.display().to_string(), &found, &[input])
            }
            _ => Ok(()),
        }
    }

    /// Refuses an output that is this file, as [`create`](Self::create) does.
    pub(crate) fn refuse_path(name: &OsStr, input: &Path) -> Outcome {
        match (Path::new(name).metadata(), input.metadata()) {
            (Ok(found), Ok(given)) if name != "-" && same_file(&given, &found) => {
                Err(is_input(&Path::new(name).display(), &input.display()))
            }
            _ => Ok(()),
        }
    }

    /// As [`create`](Self::create), for text: a terminal may have it.
    pub(crate) fn text(name: &OsStr, inputs: &[&Input]) -> Outcome<Self> {
        if name == "-" { Ok(Self::open_stdout()) } else { Self::create(name, inputs) }
    }

    fn stdout() -> Outcome<Self> {
        if io::stdout().is_terminal() {
            let what = "a CAR is no text for a terminal; name an output, or pipe it on";
            return Err(Failure::new(Exit::Usage, what));
        }
        Ok(Self::open_stdout())
    }

    fn open_stdout() -> Self {
        let place = Place::Stdout(BufWriter::with_capacity(BUFFER, io::stdout()));
        Self { shown: "standard output".to_owned(), place }
    }

    fn device(path: &Path, shown: &str) -> Outcome<Place> {
        let file = File::options().write(true).open(path);
        let file = file.map_err(|error| Failure::io(shown, &error))?;
        Ok(Place::Device(BufWriter::with_capacity(BUFFER, file)))
    }

    fn part(path: &Path, shown: &str) -> Outcome<Place> {
        let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let part = Leftover::new(beside(&path, "part")?);
        let mut options = File::options();
        let file = options.read(true).write(true).create(true).truncate(true).open(part.path());
        let file = file.map_err(|error| Failure::io(shown, &error))?;
        Ok(Place::File { part, file: BufWriter::with_capacity(BUFFER, file), path })
    }

    /// The output as messages name it.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    /// What is wrong with writing it.
    pub(crate) fn failed(&self, error: &io::Error) -> Failure {
        Failure::io(&self.shown, error)
    }

    /// Writes on.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Outcome {
        let written = match &mut self.place {
            Place::File { file, .. } | Place::Device(file) => file.write_all(bytes),
            Place::Stdout(out) => out.write_all(bytes),
        };
        written.map_err(|error| self.failed(&error))
    }

    /// Whether what was written can be written over.
    pub(crate) const fn patchable(&self) -> bool {
        matches!(self.place, Place::File { .. })
    }

    /// Writes over what was written at `offset`, and goes on at the end.
    pub(crate) fn patch(&mut self, offset: u64, bytes: &[u8]) -> Outcome {
        let patched = match &mut self.place {
            Place::File { file, .. } => patch(file, offset, bytes),
            Place::Device(_) | Place::Stdout(_) => Err(io::ErrorKind::NotSeekable.into()),
        };
        patched.map_err(|error| self.failed(&error))
    }

    /// The output is whole: it takes its name.
    pub(crate) fn commit(self) -> Outcome {
        let Self { shown, place } = self;
        let done = match place {
            Place::File { part, file, path } => finish(&part, file, &path),
            Place::Device(mut file) => file.flush(),
            Place::Stdout(mut out) => out.flush(),
        };
        done.map_err(|error| Failure::io(shown, &error))
    }
}

fn patch(file: &mut BufWriter<File>, offset: u64, bytes: &[u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(bytes)?;
    file.seek(SeekFrom::End(0)).map(drop)
}

fn finish(part: &Leftover, file: BufWriter<File>, path: &Path) -> io::Result<()> {
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    fs::rename(part.path(), path)
}

fn refuse_inputs(shown: &str, found: &Metadata, inputs: &[&Input]) -> Outcome {
    for input in inputs {
        if input.metadata().is_some_and(|input| same_file(&input, found)) {
            return Err(is_input(&shown, &input.shown()));
        }
    }
    Ok(())
}

fn is_input(shown: &dyn Display, input: &dyn Display) -> Failure {
    Failure::new(Exit::Refused, format_args!("{shown} is the input {input}; name another output"))
}

#[cfg(unix)]
fn same_file(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
fn same_file(_: &Metadata, _: &Metadata) -> bool {
    false
}
