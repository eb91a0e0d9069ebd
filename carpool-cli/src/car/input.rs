//! Where a CAR is read from: a file, a pipe, or an HTTP server that answers ranges.

use carpool_http::Ranges;
use std::{
    ffi::OsStr,
    fs::{File, Metadata},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use tokio::runtime::Runtime;

use crate::{
    args::ServerFlags,
    failure::{Failure, Outcome},
    files::fill_at,
    output::Output,
    progress::{Meter, Reading, Total},
    remote::client_options,
};

/// Bytes of one request where a resource is read as a stream: of the first, and at most.
const FIRST_REQUEST_BYTES: usize = 4096;
const REQUEST_BYTES: usize = 4 << 20;

/// A CAR to read.
#[derive(Debug)]
pub(crate) struct Input {
    shown: String,
    source: Source,
    /// Bytes that were read, for whoever waits.
    taken: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Source {
    File { path: PathBuf, file: File },
    Pipe,
    Url(Box<Mutex<Remote>>),
}

/// A resource at a server, and the threads that speak to it.
#[derive(Debug)]
struct Remote {
    ranges: Ranges,
    runtime: Runtime,
}

impl Remote {
    fn open(url: &str, server: &ServerFlags) -> Outcome<Self> {
        let ranges = Ranges::new(url, client_options(server)?)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::io(url, &error))?;
        Ok(Self { ranges, runtime })
    }

    fn read_at(&mut self, offset: u64, len: usize) -> Outcome<(Vec<u8>, Option<u64>)> {
        let ranged = self.runtime.block_on(self.ranges.read_at(offset, len))?;
        Ok((ranged.bytes.into(), ranged.total))
    }
}

impl Input {
    /// Opens what the user named: `-` is standard input, `http://` and `https://` begin a URL, whose
    /// server is told what `server` says.
    pub(crate) fn open(name: &OsStr, server: &ServerFlags) -> Outcome<Self> {
        if name == "-" {
            return Ok(Self::of("standard input".to_owned(), Source::Pipe));
        }
        if let Some(url) = name.to_str().filter(|name| is_url(name)) {
            let source = Source::Url(Box::new(Mutex::new(Remote::open(url, server)?)));
            return Ok(Self::of(url.to_owned(), source));
        }
        let path = PathBuf::from(name);
        let shown = path.display().to_string();
        let file = File::open(&path).map_err(|error| Failure::io(&shown, &error))?;
        Ok(Self::of(shown, Source::File { path, file }))
    }

    fn of(shown: String, source: Source) -> Self {
        Self { shown, source, taken: Arc::default() }
    }

    /// A progress bar of what is read of it.
    pub(crate) fn meter(&self, output: &Output) -> Meter {
        let total = Total::Bytes(self.metadata().map_or(0, |found| found.len()));
        let taken = Arc::clone(&self.taken);
        output.meter(move || Reading { what: "", done: 0, bytes: taken.load(Relaxed), total })
    }

    /// The input as messages name it.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    /// What is wrong with reading it.
    pub(crate) fn failed(&self, error: &io::Error) -> Failure {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Failure>());
        match inner {
            Some(inner) => Failure::new(inner.exit, format_args!("{}: {inner}", self.shown)),
            None => Failure::io(&self.shown, error),
        }
    }

    /// What the file system says of it; `None` for what is no file.
    pub(crate) fn metadata(&self) -> Option<Metadata> {
        match &self.source {
            Source::File { file, .. } => file.metadata().ok().filter(Metadata::is_file),
            Source::Pipe | Source::Url(_) => None,
        }
    }

    /// The path, where it is one.
    pub(crate) fn path(&self) -> Option<&Path> {
        match &self.source {
            Source::File { path, .. } => Some(path),
            Source::Pipe | Source::Url(_) => None,
        }
    }

    /// Whether it can be read at any place.
    pub(crate) fn is_seekable(&self) -> bool {
        matches!(self.source, Source::Url(_)) || self.metadata().is_some()
    }

    /// Its length in bytes, where it is known without reading all of it.
    pub(crate) fn len(&self) -> Outcome<Option<u64>> {
        match &self.source {
            Source::Url(remote) => Ok(lock(remote).read_at(0, 1)?.1),
            Source::File { .. } | Source::Pipe => Ok(self.metadata().map(|found| found.len())),
        }
    }

    /// All of it from the start. A pipe can be read once.
    pub(crate) fn stream(&self) -> Outcome<Box<dyn Read + Send + '_>> {
        let stream: Box<dyn Read + Send + '_> = match &self.source {
            Source::File { file, .. } => {
                let mut file = file;
                if self.metadata().is_some() {
                    file.seek(SeekFrom::Start(0)).map_err(|error| self.failed(&error))?;
                }
                Box::new(file)
            }
            Source::Pipe => Box::new(io::stdin()),
            Source::Url(_) => {
                Box::new(Requests { input: self, at: 0, window: io::Cursor::default() })
            }
        };
        Ok(Box::new(Counted { stream, taken: &self.taken }))
    }

    /// The same input as one that can be read at any place and again: what is neither a file nor
    /// at a server that answers ranges goes to a temporary file, and `note` is told so.
    pub(crate) fn seekable(self, note: impl FnOnce(&str)) -> Outcome<Self> {
        if self.is_seekable() {
            return Ok(self);
        }
        note(&format!("{} is copied to a temporary file first", self.shown));
        let mut file =
            tempfile::tempfile().map_err(|error| Failure::io("temporary file", &error))?;
        io::copy(&mut self.stream()?, &mut file).map_err(|error| self.failed(&error))?;
        file.flush().map_err(|error| Failure::io("temporary file", &error))?;
        Ok(Self::of(self.shown, Source::File { path: PathBuf::new(), file }))
    }

    /// Up to `len` bytes at `offset` of a [`seekable`](Self::seekable) input; fewer only at its end.
    pub(crate) fn read_at(&self, offset: u64, len: usize) -> Outcome<Vec<u8>> {
        match &self.source {
            Source::Url(remote) => Ok(lock(remote).read_at(offset, len)?.0),
            Source::Pipe => Err(self.failed(&io::ErrorKind::NotSeekable.into())),
            Source::File { .. } => {
                let mut bytes = Vec::new();
                // What is claimed to be there is not allocated before it is found to be.
                while bytes.len() < len {
                    let (from, step) = (bytes.len(), (len - bytes.len()).min(REQUEST_BYTES));
                    bytes.resize(from + step, 0);
                    let read = self.read_into(offset + from as u64, &mut bytes[from..])?;
                    bytes.truncate(from + read);
                    if read < step {
                        break;
                    }
                }
                Ok(bytes)
            }
        }
    }

    /// Fills `window` with the bytes at `offset` of a [`seekable`](Self::seekable) input; returns
    /// how many there were, which are fewer only at its end.
    pub(crate) fn read_into(&self, offset: u64, window: &mut [u8]) -> Outcome<usize> {
        let Source::File { file, .. } = &self.source else {
            let bytes = self.read_at(offset, window.len())?;
            window[..bytes.len()].copy_from_slice(&bytes);
            return Ok(bytes.len());
        };
        let filled = fill_at(file, offset, window).map_err(|error| self.failed(&error))?;
        self.taken.fetch_add(filled as u64, Relaxed);
        Ok(filled)
    }

    /// The file, where there is one that can be read at any place by several threads.
    pub(crate) fn file(&self) -> Option<&File> {
        match &self.source {
            Source::File { file, .. } if cfg!(unix) && self.metadata().is_some() => Some(file),
            Source::File { .. } | Source::Pipe | Source::Url(_) => None,
        }
    }
}

/// Whether a name stands for what an HTTP server has.
pub(crate) fn is_url(name: &str) -> bool {
    name.starts_with("http://") || name.starts_with("https://")
}

fn lock(remote: &Mutex<Remote>) -> std::sync::MutexGuard<'_, Remote> {
    remote.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A stream whose bytes are counted as they are taken.
struct Counted<'a> {
    stream: Box<dyn Read + Send + 'a>,
    taken: &'a AtomicU64,
}

impl Read for Counted<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(into)?;
        self.taken.fetch_add(read as u64, Relaxed);
        Ok(read)
    }
}

/// A resource as a stream of ranges.
struct Requests<'a> {
    input: &'a Input,
    at: u64,
    window: io::Cursor<Vec<u8>>,
}

impl Read for Requests<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.window.position() == self.window.get_ref().len() as u64 {
            // Little first: whoever wants a header wants no more.
            let len = usize::try_from(self.at).unwrap_or(REQUEST_BYTES);
            let bytes = self.input.read_at(self.at, len.clamp(FIRST_REQUEST_BYTES, REQUEST_BYTES));
            let bytes = bytes.map_err(io::Error::other)?;
            self.at += bytes.len() as u64;
            self.window = io::Cursor::new(bytes);
        }
        self.window.read(into)
    }
}
