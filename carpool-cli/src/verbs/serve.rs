use carpool_http::{Server, ServerOptions};
use serde_json::json;
use std::path::PathBuf;
use tokio::net::TcpListener;

use crate::{
    args::ServeArgs,
    blocks,
    failure::{Failure, Outcome},
    output::Output,
    remote::{block_on, random_seed},
};

pub(crate) fn run(args: &ServeArgs, store: Option<PathBuf>, output: &Output) -> Outcome {
    let store = blocks::open(store, output)?;
    let mut options = ServerOptions::default();
    options.read_only = args.read_only;
    options.token.clone_from(&args.token);
    options.seed = random_seed();
    let server = Server::new(store, options);
    block_on(async {
        let failed = |error: std::io::Error| Failure::io(args.listen, &error);
        let listener = TcpListener::bind(args.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let url = format!("http://{address}");
        output.result(&json!({"listening": url}), format_args!("listening on {url}"));
        server.serve(listener, interrupted()).await.map_err(failed)
    })
}

/// Ctrl-C, and on Unix the polite signal of a service manager.
async fn interrupted() {
    let ctrl_c = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                () = ctrl_c => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    ctrl_c.await;
}
