//! `https://`: a server with a certificate that the client is told to trust, and one that it is
//! not told of.

mod common;

use common::{client_with, holding};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use sim::dag::{Shape, original};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_rustls::{TlsAcceptor, rustls};

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_has_to_be_trusted() {
    let dag = original(&Shape { seed: 1, leaves: 300, leaf_size: 3000, fanout: 8 });
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let options = carpool_http::ServerOptions::default();
    let router = carpool_http::Server::new(holding(&dag.blocks), options).router();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, router) = (acceptor.clone(), router.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = TowerToHyperService::new(router);
                let builder = Builder::new(TokioExecutor::new());
                let _ = builder.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    let stranger = client_with(&url, |_| {});
    let refused = stranger.pull(dag.root, vec![], holding([])).await;
    assert!(matches!(refused, Err(carpool_http::Error::Connect(_))), "{refused:?}");
    let client = client_with(&url, |options| {
        common::as_blocks(options);
        options.extra_roots = made.cert.pem().into_bytes();
    });
    let report = client.pull(dag.root, vec![], holding([])).await.unwrap();
    assert!(report.totals.bytes_received > dag.car_bytes(), "TLS is counted too");
}
