//! One connection: HTTP/1.1 with its bounds.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tracing::debug;

use super::admission::Place;
use super::stall::Stalling;
use crate::app::App;
use crate::http::{Peer, guard};

/// Headers of a request.
const HEADERS_MAX: usize = 64;

/// Serves a connection until it ends; when the service stops, until its answer is there.
pub(super) async fn serve<S>(
    app: Arc<App>,
    router: Router,
    stream: S,
    peer: Peer,
    place: Place,
    mut stopping: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let settings = &app.settings;
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(settings.head_ms))
        .max_buf_size(settings.head_bytes_max)
        .max_headers(HEADERS_MAX);
    let io = TokioIo::new(Stalling::new(stream, Arc::clone(&app), place));
    let answering = Arc::clone(&app);
    let service =
        service_fn(move |request| answer(Arc::clone(&answering), router.clone(), request, peer));
    let connection = builder.serve_connection(io, service).with_upgrades();
    tokio::pin!(connection);
    let mut is_told = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    debug!(%error, "relay's client lost");
                }
                break;
            }
            _ = stopping.wait_for(|stop| *stop), if !is_told => {
                is_told = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

async fn answer(
    app: Arc<App>,
    router: Router,
    mut request: Request<Incoming>,
    peer: Peer,
) -> Result<Response<Body>, Infallible> {
    if let Err(problem) = guard(&app.names, peer, request.uri(), request.headers()) {
        app.figures.problems.note(&problem);
        return Ok(problem.into_response());
    }
    request.extensions_mut().insert(peer);
    hyper::service::Service::call(&TowerToHyperService::new(router), request).await
}
