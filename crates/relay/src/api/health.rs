//! `GET /healthz` and `GET /readyz`.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Value, json};

use unbroken_render::wall;

use super::reply::json;
use crate::app::App;
use crate::host::{Readiness, StoreDoubt};
use crate::http::problem::{STALE, STORE_STALE};
use crate::http::{Answer, Answering, Call, Problem};

pub(crate) fn alive(_app: Arc<App>, _call: Call) -> Answering {
    Box::pin(std::future::ready(Ok(json(StatusCode::OK, &json!({ "alive": true })))))
}

pub(crate) fn ready(app: Arc<App>, call: Call) -> Answering {
    let (streams, store) = (app.host.readiness(), app.host.store_doubt());
    Box::pin(std::future::ready(readiness(&streams, store, call.caller.is_some())))
}

/// A process without any stream has no data that could be current.
fn readiness(streams: &[Readiness], store: Option<StoreDoubt>, with_names: bool) -> Answer {
    let stale: Vec<&Readiness> = streams.iter().filter(|stream| !stream.ready).collect();
    let since = stale.iter().filter_map(|stream| stream.since.as_deref()).min();
    if stale.is_empty() && !streams.is_empty() {
        if let Some(StoreDoubt { since, why }) = store {
            let detail = format!("the store is behind the log: {why}");
            let problem = Problem::new(&STORE_STALE, detail);
            return Err(problem.with("ready", false).with("since", wall(since)));
        }
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
    use unbroken_core::time::UnixMicros;

    use super::{Readiness, StoreDoubt, readiness};

    #[test]
    fn one_stale_stream_is_enough_and_its_name_is_for_those_with_a_token() {
        let of = |stream: &str, ready| Readiness {
            stream: stream.to_owned(),
            phase: "waiting".to_owned(),
            ready,
            since: (!ready).then(|| "2026-01-01T00:00:00.000Z".to_owned()),
        };
        assert!(readiness(&[of("a/b", true)], None, false).is_ok());
        let streams = [of("a/b", true), of("c/d", false)];
        let told = readiness(&streams, None, false).expect_err("one is stale").to_json();
        assert_eq!(
            (&told["status"], &told["since"]),
            (&503.into(), &"2026-01-01T00:00:00.000Z".into())
        );
        assert!(!told.to_string().contains("c/d"));
        let told = readiness(&streams, None, true).expect_err("one is stale").to_json();
        assert_eq!(told["stale"][0]["stream"], "c/d");
        assert!(readiness(&[], None, true).is_err());
        let store = Some(StoreDoubt { since: UnixMicros(0), why: "it cannot be written" });
        let live = [of("a/b", true)];
        let told = readiness(&live, store, false).expect_err("state is old").to_json();
        assert_eq!(
            (&told["type"], &told["detail"], &told["since"]),
            (
                &"/problems/store-stale".into(),
                &"the store is behind the log: it cannot be written".into(),
                &"1970-01-01T00:00:00.000Z".into()
            )
        );
    }
}
