//! What an operation is: one line of the table from which both the routes and the description of
//! the API are made, so that they cannot disagree.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;

use super::call::Call;
use super::problem::{Kind, Problem};
use crate::access::Scope;
use crate::app::App;

/// What comes of a call.
pub(crate) type Answer = Result<Response<Body>, Problem>;

/// A call being answered.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// A method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Delete,
}

impl Method {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

/// Who may call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// Anybody who reaches the listener.
    Anybody,
    /// Who has a token of this scope, or a higher one.
    Scope(Scope),
}

/// What a parameter's value may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Any text up to the length of an address.
    Text,
    /// A cursor, `oldest` or `latest`.
    Cursor,
    /// A whole number, from and to.
    Whole(u64, u64),
    /// One of these words.
    Words(&'static [&'static str]),
}

/// A parameter in the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    /// It may be given several times.
    pub(crate) repeats: bool,
    pub(crate) about: &'static str,
}

/// An answer that is no problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) status: u16,
    /// Its media type and the name of its schema; none: it has no content.
    pub(crate) content: Option<(&'static str, &'static str)>,
    pub(crate) about: &'static str,
}

/// See the module.
pub(crate) struct Operation {
    pub(crate) id: &'static str,
    pub(crate) method: Method,
    /// With `{name}` for a part that varies.
    pub(crate) path: &'static str,
    pub(crate) about: &'static str,
    pub(crate) right: Right,
    pub(crate) parameters: &'static [&'static [Parameter]],
    /// A header of the request that is read, with what it does.
    pub(crate) headers: &'static [(&'static str, &'static str)],
    /// The schema of the request's body, and whether it may be left out.
    pub(crate) body: Option<(&'static str, bool)>,
    pub(crate) outcomes: &'static [Outcome],
    /// Problems beside those that every operation may have.
    pub(crate) problems: &'static [&'static Kind],
    pub(crate) act: fn(Arc<App>, Call) -> Answering,
}

impl Operation {
    /// All parameters.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &'static Parameter> {
        self.parameters.iter().flat_map(|group| group.iter())
    }

    /// The parts of a path that vary, if the path is one of this operation's.
    pub(crate) fn matches(&self, path: &str) -> Option<Vec<String>> {
        let (mut pattern, mut parts) = (self.path.split('/'), path.split('/'));
        let mut found = Vec::new();
        loop {
            match (pattern.next(), parts.next()) {
                (None, None) => return Some(found),
                (Some(wanted), Some(part)) if wanted.starts_with('{') => {
                    let text = percent_encoding::percent_decode_str(part).decode_utf8().ok()?;
                    if text.is_empty() {
                        return None;
                    }
                    found.push(text.into_owned());
                }
                (Some(wanted), Some(part)) if wanted == part => {}
                _ => return None,
            }
        }
    }
}
