//! Offering the store.

use carpool_http::ServerOptions;
use clap::{Args, ValueEnum};
use std::{net::SocketAddr, time::Duration};

/// Offer the store over HTTP.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  carpool serve                                  on 127.0.0.1:4747, for this machine
  carpool serve --listen 0.0.0.0:4747 --token s  for others, who need the token
  carpool serve --read-only                      take nothing
  carpool serve --peer http://10.0.0.2:4747      fetch from there what is asked for and not held
  carpool serve --log-format json                one JSON object per request, for log collectors

What was counted is at /metrics, for Prometheus.")]
pub(crate) struct ServeArgs {
    /// Address and port; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4747")]
    pub(crate) listen: SocketAddr,
    /// Refuse pushes
    #[arg(long)]
    pub(crate) read_only: bool,
    /// A token that clients have to give
    #[arg(long, env = "CARPOOL_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
    /// A server to fetch from what is asked for and not held here; can be given again
    #[arg(long, value_name = "URL")]
    pub(crate) peer: Vec<String>,
    /// The token that peers want
    #[arg(long, env = "CARPOOL_PEER_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub(crate) peer_token: Option<String>,
    /// How requests are logged on standard error; CARPOOL_LOG=warn logs none
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) log_format: LogFormat,
    /// Leave out /metrics
    #[arg(long)]
    pub(crate) no_metrics: bool,
    /// Send and take nothing compressed
    #[arg(long)]
    pub(crate) no_compress: bool,
    #[command(flatten, next_help_heading = "What clients may take")]
    pub(crate) bounds: BoundArgs,
}

/// What one client may take from the others. The rest of the limits is in the book.
#[derive(Debug, Args)]
pub(crate) struct BoundArgs {
    /// Connections at a time; others wait
    #[arg(long, value_name = "N", default_value_t = ServerOptions::default().max_connections)]
    pub(crate) max_connections: usize,
    /// Transfers at a time; others are told to come back
    #[arg(long, value_name = "N", default_value_t = ServerOptions::default().max_transfers)]
    pub(crate) max_transfers: usize,
    /// Bytes of one push
    #[arg(long, value_name = "BYTES",
          default_value_t = ServerOptions::default().limits.max_car_bytes)]
    pub(crate) max_push_bytes: u64,
    /// Seconds that the head of a request may take
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "30")]
    pub(crate) header_timeout: Duration,
    /// Seconds that a connection may be open without a request
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "60")]
    pub(crate) idle_timeout: Duration,
    /// Seconds that a body may stand still
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "60")]
    pub(crate) stall_timeout: Duration,
    /// Bytes a second that a body has to move, over that time
    #[arg(long, value_name = "BYTES",
          default_value_t = ServerOptions::default().min_bytes_per_second)]
    pub(crate) min_rate: u64,
    /// Bytes for what was sent to clients that come again; 0 remembers nothing
    #[arg(long, value_name = "BYTES",
          default_value_t = ServerOptions::default().max_sessions_bytes)]
    pub(crate) max_sessions_bytes: usize,
    /// Seconds that it is remembered
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "60")]
    pub(crate) session_timeout: Duration,
}

impl BoundArgs {
    pub(crate) const fn apply(&self, options: &mut ServerOptions) {
        options.max_connections = self.max_connections;
        options.max_transfers = self.max_transfers;
        options.limits.max_car_bytes = self.max_push_bytes;
        options.header_timeout = self.header_timeout;
        options.idle_timeout = self.idle_timeout;
        options.stall_timeout = self.stall_timeout;
        options.min_bytes_per_second = self.min_rate;
        options.max_sessions_bytes = self.max_sessions_bytes;
        options.session_timeout = self.session_timeout;
    }
}

/// A time of which something is left.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds".to_owned())?;
    let time = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
    if time.is_zero() { Err("more than no seconds".to_owned()) } else { Ok(time) }
}

/// How a log is written.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object per line
    Json,
}
