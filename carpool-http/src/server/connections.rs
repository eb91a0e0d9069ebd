use axum::{Router, body::Body, extract::ConnectInfo, response::Response};
use http::{Request, Version};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use std::{
    convert::Infallible, future::Future, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration,
};
use tokio::{net::TcpListener, sync::Semaphore};

use super::{
    ServerOptions,
    idle::Activity,
    metrics::{Metrics, OpenConnection},
};
use crate::joined::{Joined, PIECE_BYTES};

/// How long transfers may go on after the server was told to stop.
const FAREWELL: Duration = Duration::from_secs(10);

/// The accept loop. Waiting for a free place happens before accepting, so that the system's own
/// queue holds back what is too much.
pub(super) async fn serve(
    router: Router,
    listener: TcpListener,
    options: &ServerOptions,
    metrics: &Arc<Metrics>,
    stop: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let builder = builder(options);
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(options.max_connections));
    let mut stop = pin!(stop);
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut stop => break,
        };
        let Some(stream) = usable(accepted).await? else { continue };
        let activity = Arc::<Activity>::default();
        let service = counted(router.clone(), Arc::clone(&activity), stream.peer_addr().ok());
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        let (watched, idle) = (graceful.watch(connection), options.idle_timeout);
        let open = OpenConnection::new(metrics);
        tokio::spawn(async move {
            tokio::select! {
                ended = watched => if let Err(error) = ended {
                    tracing::debug!(%error, "connection ended");
                },
                () = activity.idle_for(idle) => tracing::debug!("connection was idle"),
            }
            drop((place, open));
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(FAREWELL, graceful.shutdown()).await;
    Ok(())
}

/// The routes, counting what is under way on one connection.
fn counted(
    router: Router,
    activity: Arc<Activity>,
    peer: Option<SocketAddr>,
) -> impl hyper::service::Service<
    Request<Incoming>,
    Response = Response<Joined<Body>>,
    Error = Infallible,
    Future: Send + 'static,
> + Clone {
    let service = TowerToHyperService::new(router);
    hyper::service::service_fn(move |mut request: Request<Incoming>| {
        if let Some(peer) = peer {
            request.extensions_mut().insert(ConnectInfo(peer));
        }
        let joined = if request.version() == Version::HTTP_11 { PIECE_BYTES } else { 0 };
        let (under_way, service) = (activity.begin(), service.clone());
        async move {
            let response = hyper::service::Service::call(&service, request).await?;
            Ok(response.map(|body| {
                // Dropped with the body, which is when the answer has gone out or was given up.
                let body = Body::new(body.map_frame(move |frame| {
                    let _ = &under_way;
                    frame
                }));
                Joined::new(body, joined)
            }))
        }
    })
}

/// A connection that broke before it was accepted is no reason to stop, nor is a shortage of file
/// descriptors, which passes.
async fn usable(
    accepted: io::Result<(tokio::net::TcpStream, SocketAddr)>,
) -> io::Result<Option<tokio::net::TcpStream>> {
    match accepted {
        Ok((stream, _)) => {
            let _ = stream.set_nodelay(true);
            Ok(Some(stream))
        }
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Err(error),
        Err(error) => {
            tracing::warn!(%error, "accept");
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok(None)
        }
    }
}

fn builder(options: &ServerOptions) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(options.header_timeout)
        .max_headers(options.max_headers);
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(4 << 20)
        .initial_connection_window_size(8 << 20)
        .max_frame_size(256 << 10)
        .max_send_buf_size(1 << 20)
        .max_header_list_size(options.max_header_bytes)
        .max_concurrent_streams(options.max_streams)
        .keep_alive_interval(options.stall_timeout);
    builder
}
