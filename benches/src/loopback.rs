//! Client and server in one process, over loopback.

use carpool_http::{Client, ClientOptions, Server, ServerOptions, client::Compress};
use carpool_store::Store;
use std::sync::Arc;
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    sync::oneshot,
    task::JoinHandle,
};

/// A runtime with `threads` workers.
///
/// # Panics
/// When threads cannot be started.
#[must_use]
pub fn runtime(threads: usize) -> Runtime {
    let built = Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    built.expect("threads can be started")
}

/// Serves `store` on `runtime` for as long as it lives; returns the URL.
///
/// # Panics
/// When loopback has no port.
pub fn serve(runtime: &Runtime, store: Arc<dyn Store>) -> String {
    begin(runtime, store, std::future::pending()).0
}

/// What `with` makes of the URL at which `store` is served. Afterwards the server and its hold of
/// the store are gone, so that what one run stored is not beside the next.
///
/// # Panics
/// When loopback has no port, or the server does not end well.
pub fn served<T>(runtime: &Runtime, store: Arc<dyn Store>, with: impl FnOnce(&str) -> T) -> T {
    let (stop, stopped) = oneshot::channel::<()>();
    let (url, server) = begin(runtime, store, async { drop(stopped.await) });
    let made = with(&url);
    drop(stop);
    runtime.block_on(server).expect("a server that ends").expect("a server that ends well");
    made
}

fn begin(
    runtime: &Runtime,
    store: Arc<dyn Store>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> (String, JoinHandle<std::io::Result<()>>) {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("loopback");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let server = Server::new(store, ServerOptions::default());
    (url, runtime.spawn(async move { server.serve(listener, stop).await }))
}

/// A client of `url`.
///
/// # Panics
/// When `url` is none.
#[must_use]
pub fn client(url: &str, http2: bool) -> Client {
    let mut options = ClientOptions::default();
    options.http2 = http2;
    Client::new(url, options).expect("a good URL")
}

/// The same over HTTP/1.1, compressing when it is told to.
///
/// # Panics
/// When `url` is none.
#[must_use]
pub fn compressing(url: &str, compress: Compress) -> Client {
    let mut options = ClientOptions::default();
    options.compress = compress;
    Client::new(url, options).expect("a good URL")
}

/// `HTTP/1.1` or `HTTP/2`.
#[must_use]
pub const fn version(http2: bool) -> &'static str {
    if http2 { "HTTP/2" } else { "HTTP/1.1" }
}
