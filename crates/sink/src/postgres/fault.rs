//! What an error of a PostgreSQL server means to a sink.

use tokio_postgres::Error;
use tokio_postgres::error::DbError;

use crate::{Blocked, SinkError};

/// As a sink says it. `doing` is what was asked of the server.
pub(super) fn fault(doing: &'static str) -> impl FnOnce(Error) -> SinkError {
    move |error| match error.as_db_error() {
        Some(told) => of_server(doing, told),
        None => SinkError::unreachable(doing)(error),
    }
}

/// By SQLSTATE ("PostgreSQL Error Codes", appendix A of its documentation). The server's message is
/// told and its details are not: they quote rows.
fn of_server(doing: &'static str, told: &DbError) -> SinkError {
    let code = told.code().code();
    let what = format!("{} (SQLSTATE {code})", told.message());
    match (code.get(..2).unwrap_or_default(), code) {
        // A value that its column does not take; a row of which an index or a limit is too small.
        ("22" | "54", _) | (_, "23514") => SinkError::Refused { offset: None, why: reason(told) },
        // It goes away, is full, holds a lock, or follows another one: that may pass.
        ("08" | "40" | "53" | "55" | "57" | "58", _) | (_, "25006") => {
            SinkError::unreachable(doing)(what)
        }
        (class, _) => SinkError::Blocked(Blocked {
            what: format!("PostgreSQL refuses {doing}: {what}"),
            todo: todo(class).to_owned(),
            source: None,
        }),
    }
}

/// Messages of these classes may quote a value: the name of the error stands for them.
fn reason(told: &DbError) -> String {
    let code = told.code().code();
    let why = match code {
        "22021" => "a text holds the character U+0000, or bytes that are no UTF-8",
        "22008" => "a time is outside of PostgreSQL's calendar",
        "54000" => "a value is too long for an index of its table",
        "23514" => "a check constraint of its table is not met",
        _ => "a value is not taken by its column",
    };
    match told.column().or(told.constraint()) {
        Some(name) => format!("{why} (SQLSTATE {code}, {name})"),
        None => format!("{why} (SQLSTATE {code})"),
    }
}

fn todo(class: &str) -> &'static str {
    match class {
        "28" => "look at the user, the password, and the server's pg_hba.conf",
        "3D" => "create the database, or name another one in `url`",
        "42" => {
            "grant the user what is missing, or put back what was changed: columns that were added \
             must have a default, and ours must keep their types"
        }
        "23" => "columns and constraints that were added must accept what this sink writes",
        _ => "look at the server's log",
    }
}
