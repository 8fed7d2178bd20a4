//! The vendor's error body.

use serde::Serialize;

use crate::server::http::Response;

/// `{message,code,status,contextId,details,errors}`.
pub(super) fn refusal(status: u16, code: &str, message: &str) -> Response {
    // A trace number, which means nothing to a client.
    let context_id = "00000000-0000-4000-a000-000000000000";
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct ErrorBody<'a> {
        message: &'a str,
        code: &'a str,
        status: u16,
        context_id: &'a str,
        details: [(); 0],
        errors: [(); 0],
    }
    let body = ErrorBody { message, code, status, context_id, details: [], errors: [] };
    Response::new(status, super::wire::answer(&body))
}

/// The documented answer to too many requests.
pub(super) fn too_many(seconds: u64) -> Response {
    let message =
        format!("Rate limit exceeded the maximum. Retry the request in [{seconds}] seconds");
    refusal(429, "too.many.requests.retry.after", &message).retry_after(seconds)
}

/// There is no such thing.
pub(super) fn not_found(what: &str) -> Response {
    refusal(404, "not.found", &format!("{what} could not be found"))
}

/// The request is not understood.
pub(super) fn bad_request(message: &str) -> Response {
    refusal(400, "bad.request", message)
}
