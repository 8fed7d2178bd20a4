//! Calls of the vendor's API.

use std::sync::Arc;
use std::time::Duration;

use unbroken_core::connector::{Class, Failure};
use unbroken_core::ids::Label;

use crate::generic::Generic;
use crate::polling::refused;
use crate::secret::Secret;
use crate::source::not_understood;
use crate::tally::Tally;
use crate::transport::{Answer, Header, Http, Method, Origin, Request, follow};

/// What is needed to call.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) connector: Arc<Generic>,
    pub(crate) http: Http,
    pub(crate) api: Origin,
    pub(crate) allowed_hosts: Vec<String>,
    /// For one call.
    pub(crate) deadline: Duration,
    pub(crate) tally: Arc<Tally>,
}

/// The status of what is not there (any more).
pub(super) const NOT_FOUND: u16 = 404;

impl Client {
    /// Calls, and gives what was answered with success.
    ///
    /// # Errors
    /// The failure as the machine understands it.
    pub(super) async fn call(
        &self,
        method: Method,
        path_and_query: String,
        body: Option<String>,
        token: Option<&Secret>,
    ) -> Result<Answer, Failure> {
        let request = Request { method, path_and_query, headers: bearer(token), body };
        self.tally.request(self.send(&self.api, &request).await)
    }

    /// Calls; `None` where there is no such thing (any more).
    ///
    /// # Errors
    /// Any other failure.
    pub(super) async fn find(
        &self,
        method: Method,
        path_and_query: String,
        token: Option<&Secret>,
    ) -> Result<Option<Answer>, Failure> {
        match self.call(method, path_and_query, None, token).await {
            Err(failure) if failure.code == Some(NOT_FOUND) => Ok(None),
            answer => answer.map(Some),
        }
    }

    /// Gets what the vendor has put somewhere else. Never with the token: the address is the right.
    ///
    /// # Errors
    /// If the address leads where nobody has allowed it, or any other failure.
    pub(super) async fn download(&self, url: &str) -> Result<Answer, Failure> {
        let mut request = Request {
            method: Method::Get,
            path_and_query: "/".to_owned(),
            headers: Vec::new(),
            body: None,
        };
        let origin =
            follow(url, &self.api, &self.allowed_hosts, &mut request).map_err(|error| {
                let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
                fatal(format!("download: {error}{hint}"))
            })?;
        // Path and query of such an address may be the right itself: only the host is told.
        let answer = self.http.send(&origin, &request, self.deadline).await;
        let answer = answer.map_err(|error| error.failure_at(&format!("for a download {origin}")));
        let answer = answer.and_then(|answer| match answer.is_success() {
            true => Ok(answer),
            false => Err(refused(&self.connector, &answer, &format!("a download at {origin}"))),
        });
        self.tally.request(answer)
    }

    async fn send(&self, origin: &Origin, request: &Request) -> Result<Answer, Failure> {
        let place = format!("{origin}{}", without_ids(request.path()));
        let answer = self.http.send(origin, request, self.deadline).await;
        let answer = answer.map_err(|error| error.failure_at(&place))?;
        match answer.is_success() {
            true => Ok(answer),
            false => Err(refused(&self.connector, &answer, &place)),
        }
    }
}

/// Reads an answer.
///
/// # Errors
/// It is not what the vendor's model says; without what it holds.
pub(super) fn read<'a, T: serde::Deserialize<'a>>(
    answer: &'a Answer,
    what: &str,
) -> Result<T, Failure> {
    serde_json::from_slice(&answer.body).map_err(|_| {
        let failure = retry(format!("answer is not understood: expected {what}"));
        not_understood(failure, &answer.body, "the API")
    })
}

/// A channel's id opens its socket: it is shown nowhere.
fn without_ids(path: &str) -> String {
    const CHANNELS: &str = "/notifications/channels/";
    let Some((before, rest)) = path.split_once(CHANNELS) else { return path.to_owned() };
    let after = rest.split_once('/').map(|(_, after)| format!("/{after}")).unwrap_or_default();
    format!("{before}{CHANNELS}…{after}")
}

fn bearer(token: Option<&Secret>) -> Vec<Header> {
    let header = |token: &Secret| Header {
        name: "Authorization".to_owned(),
        value: format!("Bearer {}", token.expose()),
        secret: true,
    };
    token.map(header).into_iter().collect()
}

pub(super) fn fatal(what: impl Into<String>) -> Failure {
    Failure { class: Class::Fatal, code: None, what: Label::new(what.into()) }
}

pub(super) fn retry(what: impl Into<String>) -> Failure {
    Failure { class: Class::Retry { after_ms: None }, code: None, what: Label::new(what.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_s_id_is_shown_nowhere() {
        let path = "/api/v2/notifications/channels/streaming-1/subscriptions";
        assert_eq!(without_ids(path), "/api/v2/notifications/channels/…/subscriptions");
        let path = "/api/v2/notifications/channels/streaming-1";
        assert_eq!(without_ids(path), "/api/v2/notifications/channels/…");
        assert_eq!(without_ids("/api/v2/notifications/channels"), "/api/v2/notifications/channels");
        assert_eq!(without_ids("/a/b"), "/a/b");
    }
}
