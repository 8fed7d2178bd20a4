//! Requests over HTTP: one pooled connection per origin, no redirects, bounded answers.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};

use crate::transport::error::TransportError;
use crate::transport::origin::Origin;
use crate::transport::request::{Header, Method, Request};
use crate::transport::retry_after::retry_after_ms;
use crate::transport::tls::{Tls, TlsError};

/// A client with its pool.
#[derive(Clone, Debug)]
pub struct Http {
    client: reqwest::Client,
    body_bytes_max: usize,
}

/// An answer with any status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// `Retry-After`, in milliseconds from its arrival.
    pub retry_after_ms: Option<u64>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, decompressed.
    pub body: Bytes,
}

impl Answer {
    /// Whether the status is 2xx. A redirect is not: where a bearer goes is configured, not told.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A header's value, if it is there and is text. Of one that came several times, all of them.
    pub fn header(&self, name: &str) -> Option<String> {
        let values: Option<Vec<&str>> =
            self.headers.get_all(name).iter().map(|value| value.to_str().ok()).collect();
        values.filter(|values| !values.is_empty()).map(|values| values.join(", "))
    }
}

impl Http {
    /// A client.
    ///
    /// # Errors
    /// If the TLS library refuses the configuration.
    pub fn new(tls: &Tls, body_bytes_max: usize) -> Result<Self, TlsError> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.config().as_ref().clone())
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .tcp_nodelay(true)
            .tcp_keepalive(Duration::from_secs(30))
            .pool_max_idle_per_host(1)
            .user_agent(concat!("unbroken/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| TlsError::Roots(rustls::Error::General(error.to_string())))?;
        Ok(Self { client, body_bytes_max })
    }

    /// Sends a request with a JSON body (or none).
    ///
    /// # Errors
    /// If no whole answer came in time. A status is no error here.
    pub async fn send(
        &self,
        origin: &Origin,
        request: &Request,
        deadline: Duration,
    ) -> Result<Answer, TransportError> {
        let wrong = |what| TransportError::Request { what };
        let url = origin
            .join(&request.path_and_query)
            .ok_or_else(|| wrong("its path would leave the configured origin"))?;
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
        };
        let mut headers = header_map(&request.headers)?;
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("application/json"));
        let mut builder = self.client.request(method, url);
        if let Some(body) = &request.body {
            headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
            builder = builder.body(body.clone());
        }
        let sent = self.answer(origin, builder.headers(headers));
        match tokio::time::timeout(deadline, sent).await {
            Ok(answer) => answer,
            Err(_) => Err(TransportError::Timeout { step: "request", limit_ms: millis(deadline) }),
        }
    }

    async fn answer(
        &self,
        origin: &Origin,
        request: reqwest::RequestBuilder,
    ) -> Result<Answer, TransportError> {
        let failed = |step| {
            move |error: reqwest::Error| {
                // The library's text would hold the URL with its query.
                TransportError::network(step, &origin.host_and_port().0, error.without_url())
            }
        };
        let mut response = request.send().await.map_err(failed("request"))?;
        let status = response.status().as_u16();
        let retry_after_ms = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| retry_after_ms(value, Timestamp::now()));
        let headers = std::mem::take(response.headers_mut());
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(failed("answer"))? {
            if body.len() + chunk.len() > self.body_bytes_max {
                return Err(TransportError::TooLarge { limit_bytes: self.body_bytes_max });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, retry_after_ms, headers, body: body.freeze() })
    }
}

pub(crate) fn header_map(headers: &[Header]) -> Result<HeaderMap, TransportError> {
    let wrong = |what| TransportError::Request { what };
    let mut map = HeaderMap::with_capacity(headers.len() + 2);
    for header in headers {
        let name = HeaderName::try_from(header.name.as_str())
            .map_err(|_| wrong("a header's name holds characters that no name may hold"))?;
        let mut value = HeaderValue::try_from(header.value.as_str())
            .map_err(|_| wrong("a header's value holds characters that no value may hold"))?;
        value.set_sensitive(header.secret);
        map.append(name, value);
    }
    Ok(map)
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
