//! As much of HTTP/1.1 as the vendors' paths need.

use std::fmt::Write;
use std::io;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::world::http_date;

/// Largest head of a request.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// Largest body of a request: a thousand topics are 90 kB.
const BODY_BYTES_MAX: usize = 256 << 10;

/// One request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Decoded pairs of the query.
    pub(crate) query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// A request as it was meant, without the text that carries it.
    pub(crate) fn new(
        method: &str,
        target: &str,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    ) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: parse_form(query),
            headers,
            body,
        }
    }

    /// A header by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A number in the query.
    pub(crate) fn query_number(&self, name: &str) -> Option<u64> {
        self.query.iter().find(|(key, _)| key == name).and_then(|(_, value)| value.parse().ok())
    }

    /// The bearer token.
    pub(crate) fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    /// Whether the client asks for a WebSocket.
    pub(crate) fn wants_websocket(&self) -> bool {
        self.header("upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
    }

    /// Whether the connection is to be closed after the answer.
    pub(crate) fn wants_close(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

/// One answer; always JSON.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) retry_after_s: Option<u64>,
    header: Option<(&'static str, String)>,
}

impl Response {
    pub(crate) fn new(status: u16, body: String) -> Self {
        Self { status, body, retry_after_s: None, header: None }
    }

    /// The client is told when to come again.
    pub(crate) fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
    }

    /// The same for a request that wants the head alone.
    pub(crate) fn without_body(self) -> Self {
        Self { body: String::new(), ..self }
    }

    /// With one header more.
    pub(crate) fn with_header(self, name: &'static str, value: &str) -> Self {
        Self { header: Some((name, value.to_owned())), ..self }
    }

    /// Writes it, with the time by the vendor's clock.
    pub(crate) fn write(&self, told_us: i64, out: &mut BytesMut) {
        let mut head = format!(
            "HTTP/1.1 {} {}\r\nContent-Type: application/json\r\n",
            self.status,
            reason(self.status),
        );
        // An answer without content must not say how long it is.
        if self.status != 204 {
            let _ = write!(head, "Content-Length: {}\r\n", self.body.len());
        }
        head.push_str("Date: ");
        http_date(told_us, &mut head);
        if self.status == 401 {
            head.push_str("\r\nWWW-Authenticate: Bearer");
        }
        if let Some(seconds) = self.retry_after_s {
            let _ = write!(head, "\r\nRetry-After: {seconds}");
        }
        if let Some((name, value)) = &self.header {
            let _ = write!(head, "\r\n{name}: {value}");
        }
        head.push_str("\r\n\r\n");
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(self.body.as_bytes());
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        202 => "Accepted",
        204 => "No Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        410 => "Gone",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Error",
    }
}

/// Reads the next request; `None` when the client has closed between requests.
pub(crate) async fn read_request(
    source: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
) -> io::Result<Option<Request>> {
    let head_end = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if buffer.len() > HEAD_BYTES_MAX {
            return Err(malformed("head too long"));
        }
        if source.read_buf(buffer).await? == 0 {
            return if buffer.is_empty() { Ok(None) } else { Err(malformed("cut short")) };
        }
    };
    let head = String::from_utf8_lossy(&buffer[..head_end]).into_owned();
    buffer.advance(head_end + 4);
    let mut request = parse_head(&head).ok_or_else(|| malformed("head not understood"))?;
    let length = request.header("content-length").map_or(Ok(0), str::parse::<usize>);
    let length = length.map_err(|_| malformed("content-length is no number"))?;
    if length > BODY_BYTES_MAX || request.header("transfer-encoding").is_some() {
        return Err(malformed("body not accepted"));
    }
    while buffer.len() < length {
        if source.read_buf(buffer).await? == 0 {
            return Err(malformed("cut short"));
        }
    }
    request.body = buffer.split_to(length).to_vec();
    Ok(Some(request))
}

fn parse_head(head: &str) -> Option<Request> {
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target, version) = (first.next()?, first.next()?, first.next()?);
    if version != "HTTP/1.1" {
        return None;
    }
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Some(Request::new(method, target, headers, Vec::new()))
}

/// Decodes `a=b&c=d` as forms and queries have it.
pub(crate) fn parse_form(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (percent_decode(name), percent_decode(value))
        })
        .collect()
}

fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at).copied() {
        let hex = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        let escaped = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (byte, escaped) {
            (b'%', Some(value)) => {
                decoded.push(value);
                at += 2;
            }
            (b'+', _) => decoded.push(b' '),
            _ => decoded.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("http: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_are_read_one_after_another_from_one_connection() {
        let text = "POST /token?x=1 HTTP/1.1\r\nContent-Length: 3\r\nHost: h\r\n\r\na=b\
                    GET /s?limit=5&q=a%20b+c HTTP/1.1\r\nauthorization: Bearer t\r\n\r\n";
        let (mut source, mut buffer) = (text.as_bytes(), BytesMut::new());
        let first = read_request(&mut source, &mut buffer).await.unwrap().unwrap();
        assert_eq!((first.path.as_str(), first.body.as_slice()), ("/token", &b"a=b"[..]));
        let second = read_request(&mut source, &mut buffer).await.unwrap().unwrap();
        assert_eq!((second.query_number("limit"), second.bearer()), (Some(5), Some("t")));
        assert_eq!(second.query[1].1, "a b c");
        assert!(read_request(&mut source, &mut buffer).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn what_is_not_http_is_refused() {
        for text in ["GET\r\n\r\n", "GET / HTTP/1.0\r\n\r\n", "GET / HT"] {
            let mut source = text.as_bytes();
            assert!(read_request(&mut source, &mut BytesMut::new()).await.is_err(), "{text}");
        }
    }
}
