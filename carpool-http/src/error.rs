use carpool_core::{Cid, Fault};
use http::StatusCode;
use std::fmt;

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a transfer, or a request about names, failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The URL, a header or another option cannot be used.
    Usage(String),
    /// The peer cannot be reached, or the connection broke before anything came of it.
    Connect(Box<dyn std::error::Error + Send + Sync>),
    /// The peer refuses: it is read-only, wants another token, or a name has moved.
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// What the peer says.
        reason: String,
    },
    /// A name is not what was expected.
    Conflict {
        /// What it points to; `None` when it was never set.
        current: Option<Cid>,
    },
    /// The peer answered what it should not.
    Status {
        /// The HTTP status.
        status: StatusCode,
        /// What the peer says.
        reason: String,
    },
    /// The transfer stopped short; what arrived is kept, and the next run asks for the rest.
    Incomplete {
        /// Blocks known to be missing.
        missing: u64,
        /// One of them.
        example: Option<Cid>,
        /// What stopped it.
        reason: String,
    },
    /// The source itself lacks blocks of the DAG that it is to send.
    SourceLacks {
        /// One of them.
        cid: Cid,
    },
    /// The server speaks car-mirror's dialect, and no block as large as this fits it.
    PeerTakesLess {
        /// The block.
        cid: Cid,
        /// Its size in bytes.
        bytes: u64,
        /// What the peer takes, in bytes.
        max: u64,
    },
    /// A block does not hash to its CID, or does not parse.
    Block(carpool_core::Error),
    /// The bytes are no CAR.
    Car(carpool_car::Error),
    /// The peer broke the protocol.
    Mirror(carpool_mirror::Error),
    /// A message does not parse.
    Message(crate::message::MessageError),
    /// The body is larger than its limit.
    TooLarge {
        /// The limit in bytes.
        max: u64,
    },
    /// The store failed.
    Store(carpool_store::Error),
    /// A body has a content coding that is not read, or is not in the one that it says.
    Coding(String),
    /// The sink of a pool gave up.
    Pool(carpool_pool::Error),
    /// Blocks that wait for their parents could not be put aside.
    Aside(std::io::Error),
    /// A body ended before its end, or stood still for too long.
    Cut(String),
}

impl Error {
    /// Whose fault it is.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Usage(_)
            | Self::Store(_)
            | Self::SourceLacks { .. }
            | Self::Aside(_)
            | Self::PeerTakesLess { .. } => Fault::Caller,
            Self::Connect(_)
            | Self::Refused { .. }
            | Self::Conflict { .. }
            | Self::Status { .. }
            | Self::Incomplete { .. }
            | Self::Block(_)
            | Self::Car(_)
            | Self::Mirror(_)
            | Self::Message(_)
            | Self::TooLarge { .. }
            | Self::Coding(_)
            | Self::Pool(_)
            | Self::Cut(_) => Fault::Peer,
        }
    }

    /// Whether trying again can help: the connection failed, not the data.
    pub(crate) const fn is_transient(&self) -> bool {
        matches!(self, Self::Connect(_) | Self::Cut(_))
            || matches!(self, Self::Status { status, .. } if matches!(status.as_u16(), 502..=504 | 429))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(what) | Self::Coding(what) | Self::Cut(what) => f.write_str(what),
            Self::Connect(error) => write!(f, "no connection: {}", Chain(error.as_ref())),
            Self::Refused { status, reason } => write!(f, "refused ({status}): {reason}"),
            Self::Conflict { current: Some(root) } => {
                write!(f, "the name has moved: it points to {root} now")
            }
            Self::Conflict { current: None } => {
                f.write_str("the name has moved: it is not set now")
            }
            Self::Status { status, reason } => write!(f, "the peer answered {status}: {reason}"),
            Self::Incomplete { missing, example, reason } => {
                write!(f, "incomplete, {missing} blocks known to be missing")?;
                if let Some(cid) = example {
                    write!(f, " such as {cid}")?;
                }
                write!(f, ": {reason}")
            }
            Self::SourceLacks { cid } => write!(f, "block {cid} of the DAG is not held here"),
            Self::PeerTakesLess { cid, bytes, max } => write!(
                f,
                "block {cid} has {bytes} bytes and car-mirror takes {max}: profile unixfs-v1-2025 \
                 makes blocks of 1 MiB, unixfs-v0-2015 (or --chunker=size-262144) of 256 KiB"
            ),
            Self::Block(error) => error.fmt(f),
            Self::Car(error) => error.fmt(f),
            Self::Mirror(error) => error.fmt(f),
            Self::Message(error) => error.fmt(f),
            Self::TooLarge { max } => write!(f, "the body is larger than {max} bytes"),
            Self::Store(error) => error.fmt(f),
            Self::Pool(error) => error.fmt(f),
            Self::Aside(error) => write!(f, "a block cannot be put aside: {error}"),
        }
    }
}

/// An error with all its causes in one line.
struct Chain<'a>(&'a (dyn std::error::Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Connect(error) => Some(error.as_ref()),
            Self::Block(error) => Some(error),
            Self::Car(error) => Some(error),
            Self::Mirror(error) => Some(error),
            Self::Message(error) => Some(error),
            Self::Store(error) => Some(error),
            Self::Pool(error) => Some(error),
            Self::Aside(error) => Some(error),
            Self::Usage(_)
            | Self::Refused { .. }
            | Self::Conflict { .. }
            | Self::Status { .. }
            | Self::Incomplete { .. }
            | Self::SourceLacks { .. }
            | Self::PeerTakesLess { .. }
            | Self::TooLarge { .. }
            | Self::Coding(_)
            | Self::Cut(_) => None,
        }
    }
}

macro_rules! from {
    ($($variant:ident($error:ty)),*) => {$(
        impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        }
    )*};
}
from!(
    Block(carpool_core::Error),
    Car(carpool_car::Error),
    Mirror(carpool_mirror::Error),
    Message(crate::message::MessageError),
    Store(carpool_store::Error)
);
