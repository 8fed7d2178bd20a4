//! `GET /healthz` and `GET /readyz`.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::reply::json;
use crate::app::App;
use crate::host::Readiness;
use crate::http::problem::STALE;
use crate::http::{Answer, Answering, Call, Problem};

pub(crate) fn alive(_app: Arc<App>, _call: Call) -> Answering {
    Box::pin(std::future::ready(Ok(json(StatusCode::OK, &json!({ "alive": true })))))
}

pub(crate) fn ready(app: Arc<App>, call: Call) -> Answering {
    Box::pin(std::future::ready(readiness(&app.host.readiness(), call.caller.is_some())))
}

/// A process without any stream has no data that could be current.
fn readiness(streams: &[Readiness], with_names: bool) -> Answer {
    let stale: Vec<&Readiness> = streams.iter().filter(|stream| !stream.ready).collect();
    let since = stale.iter().filter_map(|stream| stream.since.as_deref()).min();
    if stale.is_empty() && !streams.is_empty() {
        let ready = json!({ "ready": true, "streams": streams.len() });
        return Ok(json(StatusCode::OK, &ready));
    }
    let detail = format!("{} of {} streams are not live", stale.len(), streams.len());
    let mut problem = Problem::new(&STALE, detail).with("ready", false).with("since", since);
    if with_names {
        let named = stale.iter().map(|stream| {
            json!({ "stream": stream.stream, "phase": stream.phase, "since": stream.since })
        });
        problem = problem.with("stale", named.collect::<Vec<Value>>());
    }
    Err(problem)
}

#[cfg(test)]
mod tests {
    use super::{Readiness, readiness};

    #[test]
    fn one_stale_stream_is_enough_and_its_name_is_for_those_with_a_token() {
        let of = |stream: &str, ready| Readiness {
            stream: stream.to_owned(),
            phase: "waiting".to_owned(),
            ready,
            since: (!ready).then(|| "2026-01-01T00:00:00.000Z".to_owned()),
        };
        assert!(readiness(&[of("a/b", true)], false).is_ok());
        let streams = [of("a/b", true), of("c/d", false)];
        let told = readiness(&streams, false).expect_err("one is stale").to_json();
        assert_eq!(
            (&told["status"], &told["since"]),
            (&503.into(), &"2026-01-01T00:00:00.000Z".into())
        );
        assert!(!told.to_string().contains("c/d"));
        let told = readiness(&streams, true).expect_err("one is stale").to_json();
        assert_eq!(told["stale"][0]["stream"], "c/d");
        assert!(readiness(&[], true).is_err());
    }
}
