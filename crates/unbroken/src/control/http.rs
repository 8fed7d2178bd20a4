//! `GET /metrics` on the control socket, so that `curl --unix-socket` and a monitor's agent can ask
//! without knowing our own protocol.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt};

use super::{Request, Response};

/// What Prometheus expects of its text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Whether a first line opens an HTTP request; our own lines begin with a brace.
pub(super) fn is_http(line: &str) -> bool {
    let last = line.trim_end().rsplit(' ').next().unwrap_or_default();
    !line.starts_with('{') && last.starts_with("HTTP/1.")
}

/// Reads what is left of the request's head and answers it. The connection ends with the answer.
pub(super) async fn converse<R, W, F>(
    first_line: &str,
    lines: &mut R,
    write: &mut W,
    answer: &F,
) -> io::Result<()>
where
    R: AsyncBufRead + Unpin,
    W: AsyncWrite + Unpin,
    F: Fn(Request) -> Response,
{
    let mut header = String::new();
    loop {
        header.clear();
        if lines.read_line(&mut header).await? == 0 || header.trim_end().is_empty() {
            break;
        }
    }
    let mut words = first_line.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split('?').next().unwrap_or_default();
    let (status, content_type, body) = match (method, path) {
        ("GET" | "HEAD", "/metrics") => match answer(Request::Metrics {}) {
            Response::Metrics { text } => ("200 OK", METRICS_TYPE, text),
            _ => ("503 Service Unavailable", "text/plain", "there are no figures\n".to_owned()),
        },
        ("GET" | "HEAD", _) => {
            ("404 Not Found", "text/plain", "there is only /metrics here\n".to_owned())
        }
        _ => ("405 Method Not Allowed", "text/plain", "only GET\n".to_owned()),
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n"
    );
    write.write_all(head.as_bytes()).await?;
    if method != "HEAD" {
        write.write_all(body.as_bytes()).await?;
    }
    write.shutdown().await
}
