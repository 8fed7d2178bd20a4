//! A request without its host.

use std::fmt;

/// HTTP methods. A profile may use `GET` and `POST`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `GET`.
    Get,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
    /// `HEAD`.
    Head,
    /// `DELETE`.
    Delete,
}

/// A header to send.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// The value holds a secret: it is shown nowhere and not indexed by HTTP/2.
    pub secret: bool,
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = if self.secret { "[secret]" } else { &self.value };
        write!(f, "{}: {value}", self.name)
    }
}

/// A request (or a handshake) at an origin that is not named here.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// The method; a handshake's is `GET`.
    pub method: Method,
    /// Path and query, beginning with `/`. May hold a secret: only the path is ever shown.
    pub path_and_query: String,
    /// Headers.
    pub headers: Vec<Header>,
    /// JSON body.
    pub body: Option<String>,
}

impl Request {
    /// The path alone: fit for logs and errors.
    pub fn path(&self) -> &str {
        self.path_and_query.split('?').next().unwrap_or_default()
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} {:?}", self.method, self.path(), self.headers)
    }
}
