//! How to speak to servers.

use carpool_http::client::{Compress, Deltas};
use carpool_mirror::planner::Step;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// The dialects of CAR Mirror.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum DialectArg {
    /// Find out: a URL that ends in /dag is tried as car-mirror's first, others as the specification's
    #[default]
    Auto,
    /// CAR Mirror over HTTP 0.2.0
    Spec,
    /// car-mirror 0.1.0 for Rust
    CarMirror,
}

/// How to find out what is missing.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum StrategyArg {
    /// What is likely to take the least time
    #[default]
    Auto,
    /// Name old roots that both hold
    Held,
    /// A Bloom filter of all that is held
    Filter,
    /// A filter of blocks with links, then a bit for each leaf
    Interior,
    /// A bit for each link, level by level
    Levels,
    /// A sketch of all that is held
    Sketch,
    /// Ask for all of it
    Everything,
}

impl StrategyArg {
    pub(crate) const fn step(self) -> Option<Step> {
        match self {
            Self::Auto => None,
            Self::Held => Some(Step::HeldRoots),
            Self::Filter => Some(Step::Filter),
            Self::Interior => Some(Step::InteriorFilter),
            Self::Levels => Some(Step::Bitmaps),
            Self::Sketch => Some(Step::Sketch),
            Self::Everything => Some(Step::Everything),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum DeltaArg {
    /// From servers that are not on this machine or beside it
    #[default]
    Auto,
    Always,
    Never,
}

impl DeltaArg {
    pub(crate) const fn when(self) -> Deltas {
        match self {
            Self::Auto => Deltas::Auto,
            Self::Always => Deltas::Always,
            Self::Never => Deltas::Never,
        }
    }
}

/// When to compress.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum CompressArg {
    /// Where the server is far or the way to it slow, and what is sent compresses
    #[default]
    Auto,
    /// Wherever what is sent compresses
    Always,
    /// Not at all
    Never,
}

impl CompressArg {
    pub(crate) const fn when(self) -> Compress {
        match self {
            Self::Auto => Compress::Auto,
            Self::Always => Compress::Always,
            Self::Never => Compress::Never,
        }
    }
}

/// What a server wants to see before it answers, and how it is known.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ServerFlags {
    /// A header for every request; can be given again
    #[arg(long, value_name = "NAME: VALUE")]
    pub(crate) header: Vec<String>,
    /// The token that the server wants
    #[arg(long, env = "CARPOOL_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
    /// Certificates to trust beside the system's, in PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) cacert: Option<PathBuf>,
}

/// How to speak to a server.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct RemoteFlags {
    #[command(flatten)]
    pub(crate) server: ServerFlags,
    /// How the server speaks: as the specification says, or as car-mirror 0.1.0 does
    #[arg(long, value_enum, default_value_t, value_name = "DIALECT")]
    pub(crate) dialect: DialectArg,
    /// HTTP/2 over cleartext at once (https negotiates it)
    #[arg(long)]
    pub(crate) http2: bool,
    /// The one way to find out what is missing, where both sides can take it
    #[arg(long, value_enum, default_value_t, value_name = "STRATEGY")]
    pub(crate) strategy: StrategyArg,
    /// Whether what is pulled may come as what differs from an old root that both sides hold
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) delta: DeltaArg,
    /// Compress what travels: where the way is slow, always, or never
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) compress: CompressArg,
    /// Explain the plan and each round on standard error, in place of progress bars
    #[arg(short, long)]
    pub(crate) verbose: bool,
}
