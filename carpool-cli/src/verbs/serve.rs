use carpool_http::{Server, ServerOptions};
use serde_json::json;
use std::{io, path::PathBuf};
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    args::ServeArgs,
    blocks,
    failure::{Exit, Failure, Outcome},
    output::Output,
    remote::{block_on, random_seed},
};

pub(crate) fn run(args: &ServeArgs, store: Option<PathBuf>, output: &Output) -> Outcome {
    let options = options(args)?;
    let store = blocks::open(store, output)?;
    if !args.listen.ip().is_loopback() && args.token.is_none() {
        let what = if args.read_only { "read" } else { "read and write" };
        output.warn(format_args!("whoever reaches {} may {what}; see --token", args.listen));
    }
    let server = Server::new(store, options);
    block_on(async {
        let failed = |error: io::Error| Failure::io(args.listen, &error);
        // Whoever reads where it listens may send signals at once.
        let mut signals = Signals::new().map_err(failed)?;
        let listener = TcpListener::bind(args.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let url = format!("http://{address}");
        output.result(&json!({"listening": url}), format_args!("listening on {url}"));
        let farewell = async {
            signals.next().await;
            tokio::spawn(at_once(signals));
        };
        server.serve(listener, farewell).await.map_err(failed)
    })
}

fn options(args: &ServeArgs) -> Outcome<ServerOptions> {
    let mut options = ServerOptions::default();
    options.read_only = args.read_only;
    options.token.clone_from(&args.token);
    options.peers.clone_from(&args.peer);
    options.peer_token.clone_from(&args.peer_token);
    options.metrics = !args.no_metrics;
    options.compress = !args.no_compress;
    args.bounds.apply(&mut options);
    options.seed = random_seed();
    options.check()?;
    Ok(options)
}

/// Transfers may end first, unless somebody insists.
async fn at_once(mut signals: Signals) {
    signals.next().await;
    std::process::exit(Exit::Incomplete as i32);
}

/// Ctrl-C, and on Unix the polite signal of a service manager.
#[cfg(unix)]
struct Signals(Signal, Signal);

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self(signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?))
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.0.recv() => {}
            _ = self.1.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
