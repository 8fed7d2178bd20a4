//! `GET /metrics`: the host's figures, and the relay's own.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::http::StatusCode;

use super::reply::typed;
use crate::app::App;
use crate::http::{Answering, Call};

/// What Prometheus expects of its text format.
const MEDIA: &str = "text/plain; version=0.0.4; charset=utf-8";

const REFUSALS: &str = "Requests in a vendor's dialect that were answered with an error.";

pub(crate) fn answer(app: Arc<App>, _call: Call) -> Answering {
    let mut text = app.host.metrics();
    let figures = &app.figures;
    let of = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
    // A log that cannot be read is told by those who read it.
    let lag = app.feed.lag_max().unwrap_or_default();
    let help = "Records that the client furthest behind has before it.";
    for (name, kind, help, value) in [
        ("connections", "gauge", "Connections to the relay.", figures.connections.count()),
        ("streams", "gauge", "Clients that read events as they come.", figures.streams.count()),
        ("client_lag_records_max", "gauge", help, lag),
        ("refused_total", "counter", "Connections refused, being too many.", of(&figures.refused)),
        ("stalled_total", "counter", "Clients cut off, being too slow.", of(&figures.stalled)),
        ("events_total", "counter", "Events given to clients.", of(&figures.events)),
        ("dialect_refusals_total", "counter", REFUSALS, of(&figures.dialect_refusals)),
    ] {
        // Writing to a text cannot fail.
        let _ = writeln!(
            text,
            "# HELP unbroken_relay_{name} {help}\n# TYPE unbroken_relay_{name} {kind}\n\
             unbroken_relay_{name} {value}"
        );
    }
    let name = "unbroken_relay_problems_total";
    let help = "Problems that clients were told of, by name.";
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter");
    for (problem, count) in figures.problems.counts() {
        let _ = writeln!(text, "{name}{{problem=\"{problem}\"}} {count}");
    }
    Box::pin(std::future::ready(Ok(typed(StatusCode::OK, MEDIA, text))))
}
