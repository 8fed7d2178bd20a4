//! What an error of SQLite means to a sink.

use std::path::Path;

use rusqlite::{Error, ErrorCode};

use crate::{Blocked, SinkError};

/// As a sink says it: a disk that is full or busy may pass, a file that makes no sense does not.
pub(super) fn failed(path: &Path, doing: &'static str) -> impl FnOnce(Error) -> SinkError {
    let path = path.to_owned();
    move |error| {
        if is_damage(&error) {
            damaged(&path, Some(error))
        } else {
            SinkError::unreachable(doing)(error)
        }
    }
}

/// SQLite cannot make sense of the file, or we cannot of what it holds.
fn is_damage(error: &Error) -> bool {
    match error {
        Error::SqliteFailure(failure, _) => matches!(
            failure.code,
            ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::SchemaChanged
                | ErrorCode::TypeMismatch
                | ErrorCode::ConstraintViolation
                | ErrorCode::Unknown
        ),
        Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::InvalidColumnType(..)
        | Error::Utf8Error(..) => true,
        _ => false,
    }
}

pub(super) fn damaged(path: &Path, source: Option<Error>) -> SinkError {
    SinkError::Blocked(Blocked {
        what: format!("{} is damaged", path.display()),
        todo: "restore it, or move it away: its sinks then begin anew, as `start` says, and its \
               dead letters are gone"
            .to_owned(),
        source: source.map(Into::into),
    })
}

pub(super) fn foreign(path: &Path) -> SinkError {
    let what = format!("{} is another program's database", path.display());
    SinkError::blocked(what, "move it away: the name is that of this service's own file")
}

pub(super) fn other_version(path: &Path, found: i64, known: i64) -> SinkError {
    let what = format!("{} has version {found}, and this release {known}", path.display());
    SinkError::blocked(what, "use the release that wrote it")
}

/// Opened again, it is seen what the new file holds.
pub(super) fn replaced(path: &Path) -> SinkError {
    let what = format!("{} was replaced under the sink", path.display());
    SinkError::unreachable("looking at its checkpoint")(what)
}

pub(super) fn gone(path: &Path) -> SinkError {
    let what = format!("{} holds no checkpoint of this sink any more", path.display());
    SinkError::blocked(
        what,
        "restore it; or restart the service: the sink then begins anew, as `start` says",
    )
}
