//! Requests over HTTP/1.1: kept connections, no redirects, bounded answers.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, HeaderName,
    HeaderValue, RETRY_AFTER, USER_AGENT,
};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;

use crate::transport::body::{Body, BodyError};
use crate::transport::dialer::Dialer;
use crate::transport::error::TransportError;
use crate::transport::origin::Origin;
use crate::transport::request::{Header, Method, Request};
use crate::transport::retry_after::retry_after_ms;
use crate::transport::stage::{Stage, Step};

/// A kept connection that was idle for longer is not used again: a middlebox may have forgotten it,
/// and a request into the void costs a whole deadline.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// Most bytes of an answer's head, and of what is read of its body at once. Real heads have some
/// thousands.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Most headers of an answer.
const HEADERS_MAX: usize = 128;

/// How long a body that nobody reads is waited for. It spares a new connection, no more.
const DRAINING_MAX: Duration = Duration::from_millis(250);

type Outgoing = hyper::Request<Full<Bytes>>;

/// A client with its kept connections, at most one per origin.
#[derive(Clone)]
pub struct Http {
    dialer: Dialer,
    body_bytes_max: usize,
    reads_bodies: bool,
    kept: Arc<Mutex<Vec<Kept>>>,
}

struct Kept {
    origin: Origin,
    line: SendRequest<Full<Bytes>>,
    since: Instant,
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

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("dialer", &self.dialer).finish_non_exhaustive()
    }
}

impl Http {
    /// A client.
    pub fn new(dialer: Dialer, body_bytes_max: usize) -> Self {
        Self { dialer, body_bytes_max, reads_bodies: true, kept: Arc::default() }
    }

    /// Answers are their heads alone, whatever their bodies are: those are empty.
    #[must_use]
    pub fn without_bodies(mut self) -> Self {
        self.reads_bodies = false;
        self
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
        let outgoing = outgoing(origin, request)?;
        let stage = Stage::new();
        match tokio::time::timeout(deadline, self.exchange(origin, outgoing, &stage)).await {
            Ok(answer) => answer,
            Err(_) => Err(stage.timeout(millis(deadline))),
        }
    }

    async fn exchange(
        &self,
        origin: &Origin,
        mut request: Outgoing,
        stage: &Stage,
    ) -> Result<Answer, TransportError> {
        let (host, _) = origin.host_and_port();
        let failed = |error: hyper::Error| TransportError::network("request", &host, error);
        if let Some(mut line) = self.take_kept(origin).await {
            stage.enter(Step::Exchange("request"));
            match line.try_send_request(request).await {
                Ok(response) => return self.answer(origin, line, response).await,
                Err(mut error) => match error.take_message() {
                    // It was closed before a byte was sent: another one will do.
                    Some(unsent) => request = unsent,
                    None => return Err(failed(error.into_error())),
                },
            }
        }
        let pipe = self.dialer.dial(origin, stage).await?;
        stage.enter(Step::Exchange("request"));
        let mut builder = Builder::new();
        let builder = builder.max_buf_size(HEAD_BYTES_MAX).max_headers(HEADERS_MAX);
        let (mut line, connection) = builder.handshake(TokioIo::new(pipe)).await.map_err(failed)?;
        // It ends when `line` is dropped, or the vendor closes.
        tokio::spawn(connection);
        let response = line.send_request(request).await.map_err(failed)?;
        self.answer(origin, line, response).await
    }

    async fn answer(
        &self,
        origin: &Origin,
        line: SendRequest<Full<Bytes>>,
        response: hyper::Response<Incoming>,
    ) -> Result<Answer, TransportError> {
        let (host, _) = origin.host_and_port();
        let (head, mut incoming) = response.into_parts();
        let text =
            |name| head.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let retry_after_ms =
            text(RETRY_AFTER).and_then(|value| retry_after_ms(value, Timestamp::now()));
        if !self.reads_bodies {
            let drained = drain(&mut incoming, self.body_bytes_max);
            if tokio::time::timeout(DRAINING_MAX, drained).await.unwrap_or(false) {
                self.keep(origin, line);
            }
            let (status, body) = (head.status.as_u16(), Bytes::new());
            return Ok(Answer { status, retry_after_ms, headers: head.headers, body });
        }
        let mut body = match head.headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes) {
            None | Some(b"" | b"identity") => Body::plain(self.body_bytes_max),
            Some(b"gzip" | b"x-gzip") => Body::gzip(self.body_bytes_max),
            Some(_) => return Err(encoding("an encoding that was not asked for")),
        };
        let wrong = |error| match error {
            BodyError::TooLarge => TransportError::TooLarge { limit_bytes: self.body_bytes_max },
            BodyError::Damaged(source) => TransportError::network("decompression", &host, source),
        };
        while let Some(frame) = incoming.frame().await {
            let frame = frame.map_err(|error| TransportError::network("answer", &host, error))?;
            if let Some(chunk) = frame.data_ref() {
                body.take(chunk).map_err(wrong)?;
            }
        }
        let answer = Answer {
            status: head.status.as_u16(),
            retry_after_ms,
            headers: head.headers,
            body: body.finish().map_err(wrong)?,
        };
        self.keep(origin, line);
        Ok(answer)
    }

    async fn take_kept(&self, origin: &Origin) -> Option<SendRequest<Full<Bytes>>> {
        let mut line = {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.retain(|kept| kept.since.elapsed() < IDLE_MAX && !kept.line.is_closed());
            let at = kept.iter().position(|kept| kept.origin == *origin)?;
            kept.swap_remove(at).line
        };
        line.ready().await.is_ok().then_some(line)
    }

    fn keep(&self, origin: &Origin, line: SendRequest<Full<Bytes>>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|kept| kept.origin != *origin);
        kept.push(Kept { origin: origin.clone(), line, since: Instant::now() });
    }
}

/// Whether a body has ended before it was too large, so that its connection is free again.
async fn drain(incoming: &mut Incoming, bytes_max: usize) -> bool {
    let mut bytes = 0;
    while let Some(frame) = incoming.frame().await {
        let Ok(frame) = frame else { return false };
        bytes += frame.data_ref().map_or(0, Bytes::len);
        if bytes > bytes_max {
            return false;
        }
    }
    true
}

fn outgoing(origin: &Origin, request: &Request) -> Result<Outgoing, TransportError> {
    let wrong = |what| TransportError::Request { what };
    let url = origin
        .join(&request.path_and_query)
        .ok_or_else(|| wrong("its path holds `..` or would leave the configured origin"))?;
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let host = HeaderValue::try_from(authority).map_err(|_| wrong("its host is no header"))?;
    let mut headers = header_map(&request.headers)?;
    headers.insert(HOST, host);
    let fixed = [
        (ACCEPT, "application/json"),
        (USER_AGENT, concat!("unbroken/", env!("CARGO_PKG_VERSION"))),
    ];
    for (name, value) in fixed {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    if request.body.is_some() {
        headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    }
    let body = request.body.clone().unwrap_or_default();
    let method = match request.method {
        Method::Get => hyper::Method::GET,
        Method::Post => hyper::Method::POST,
        Method::Put => hyper::Method::PUT,
        Method::Head => hyper::Method::HEAD,
        Method::Delete => hyper::Method::DELETE,
    };
    let mut outgoing = hyper::Request::builder()
        .method(method)
        .uri(target)
        .body(Full::new(Bytes::from(body)))
        .map_err(|_| wrong("its path is none that HTTP knows"))?;
    *outgoing.headers_mut() = headers;
    Ok(outgoing)
}

fn encoding(kind: &str) -> TransportError {
    let source = Box::new(std::io::Error::from(std::io::ErrorKind::Unsupported));
    TransportError::Network { step: "answer", kind: kind.to_owned(), source }
}

pub(crate) fn header_map(headers: &[Header]) -> Result<HeaderMap, TransportError> {
    let wrong = |what| TransportError::Request { what };
    let mut map = HeaderMap::with_capacity(headers.len() + 6);
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
