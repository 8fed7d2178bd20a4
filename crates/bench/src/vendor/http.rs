//! The little HTTP that the dialect needs.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};

use crate::Failure;

/// A stream's head is short; more is no head.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// A request, without its body.
#[derive(Debug, Default)]
pub(super) struct Request {
    pub(super) path: String,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
}

impl Request {
    /// The next request; `None`: the connection has ended.
    pub(super) fn read(stream: &mut impl Read) -> Result<Option<Self>, Failure> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut byte) {
                Ok(0) => return Ok(None),
                Ok(_) => head.push(byte[0]),
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(None),
                Err(error) => return Err(error.into()),
            }
            if head.len() > HEAD_BYTES_MAX {
                return Err("a request's head is too long".into());
            }
        }
        let head = String::from_utf8(head)?;
        let mut lines = head.split("\r\n");
        let target = lines.next().and_then(|line| line.split(' ').nth(1)).ok_or("no target")?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let request = Self {
            path: path.to_owned(),
            query: query.split('&').filter_map(|part| part.split_once('=')).map(pair).collect(),
            headers: lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect(),
        };
        let length = request.header("content-length").map_or(Ok(0), str::parse)?;
        stream.take(length).read_to_end(&mut Vec::new())?;
        Ok(Some(request))
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub(super) fn number(&self, name: &str) -> Option<usize> {
        self.query.get(name)?.parse().ok()
    }
}

/// Answers with JSON; the connection stays open.
pub(super) fn answer(stream: &mut impl Write, status: u16, body: &str) -> Result<(), Failure> {
    let head = format!(
        "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())?;
    Ok(stream.flush()?)
}
