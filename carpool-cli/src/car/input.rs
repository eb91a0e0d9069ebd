//! Where a CAR is read from: a file, a pipe, or an HTTP server that answers ranges.

use std::{
    ffi::OsStr,
    fs::{File, Metadata},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use crate::failure::{Failure, Outcome};

/// A CAR to read.
#[derive(Debug)]
pub(crate) struct Input {
    shown: String,
    source: Source,
}

#[derive(Debug)]
enum Source {
    File { path: PathBuf, file: File },
    Pipe,
}

impl Input {
    /// Opens what the user named; `-` is standard input.
    pub(crate) fn open(name: &OsStr) -> Outcome<Self> {
        if name == "-" {
            return Ok(Self { shown: "standard input".to_owned(), source: Source::Pipe });
        }
        let path = PathBuf::from(name);
        let shown = path.display().to_string();
        let file = File::open(&path).map_err(|error| Failure::io(&shown, &error))?;
        Ok(Self { shown, source: Source::File { path, file } })
    }

    /// The input as messages name it.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    /// What is wrong with reading it.
    pub(crate) fn failed(&self, error: &io::Error) -> Failure {
        Failure::io(&self.shown, error)
    }

    /// What the file system says of it; `None` for what is no file.
    pub(crate) fn metadata(&self) -> Option<Metadata> {
        match &self.source {
            Source::File { file, .. } => file.metadata().ok().filter(Metadata::is_file),
            Source::Pipe => None,
        }
    }

    /// The path, where it is one.
    pub(crate) fn path(&self) -> Option<&Path> {
        match &self.source {
            Source::File { path, .. } => Some(path),
            Source::Pipe => None,
        }
    }

    /// All of it from the start. A pipe can be read once.
    pub(crate) fn stream(&self) -> Outcome<Box<dyn Read + '_>> {
        match &self.source {
            Source::File { file, .. } => {
                let mut file = file;
                if self.metadata().is_some() {
                    file.seek(SeekFrom::Start(0)).map_err(|error| self.failed(&error))?;
                }
                Ok(Box::new(file))
            }
            Source::Pipe => Ok(Box::new(io::stdin().lock())),
        }
    }

    /// The same input as one that can be read at any place and again: what is no file goes to a
    /// temporary one, and `note` is told so.
    pub(crate) fn seekable(self, note: impl FnOnce(&str)) -> Outcome<Self> {
        if self.metadata().is_some() {
            return Ok(self);
        }
        note(&format!("{} is copied to a temporary file first", self.shown));
        let mut file =
            tempfile::tempfile().map_err(|error| Failure::io("temporary file", &error))?;
        io::copy(&mut self.stream()?, &mut file).map_err(|error| self.failed(&error))?;
        file.flush().map_err(|error| Failure::io("temporary file", &error))?;
        Ok(Self { shown: self.shown, source: Source::File { path: PathBuf::new(), file } })
    }

    /// Up to `len` bytes at `offset` of a [`seekable`](Self::seekable) input; fewer only at its end.
    pub(crate) fn read_at(&self, offset: u64, len: usize) -> Outcome<Vec<u8>> {
        let Source::File { file, .. } = &self.source else {
            return Err(self.failed(&io::ErrorKind::NotSeekable.into()));
        };
        let mut file = file;
        file.seek(SeekFrom::Start(offset)).map_err(|error| self.failed(&error))?;
        let mut bytes = Vec::new();
        file.take(len as u64).read_to_end(&mut bytes).map_err(|error| self.failed(&error))?;
        Ok(bytes)
    }
}
