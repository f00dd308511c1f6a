//! `/metrics`, `/healthz`, `/readyz`: plain HTTP for Prometheus and supervisors.
//!
//! Healthy: the process answers. Ready: it serves calls; 503 while it starts,
//! ends or has failed.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Where the daemon is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Recovering.
    Starting,
    /// Answering calls.
    Serving,
    /// Ending.
    Draining,
}

/// Serves until the runtime ends.
pub(crate) async fn serve(
    listener: TcpListener,
    metrics: PrometheusHandle,
    phase: watch::Receiver<Phase>,
) -> std::io::Result<()> {
    let ready = move || {
        let phase = *phase.borrow();
        async move {
            match phase {
                Phase::Serving => (StatusCode::OK, "serving\n"),
                Phase::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
                Phase::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
            }
        }
    };
    let scrape = move || {
        let page = metrics.render();
        async move { ([("content-type", "text/plain; version=0.0.4")], page) }
    };
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(scrape));
    axum::serve(listener, router).await
}
