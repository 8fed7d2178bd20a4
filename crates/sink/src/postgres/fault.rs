//! What an error of a PostgreSQL server means to a sink.

use tokio_postgres::Error;
use tokio_postgres::error::DbError;

use crate::{Blocked, SinkError};

/// What is being done when rows are written: only then a row can be at fault.
pub(super) const BATCH: &str = "committing a batch";

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
    let class = code.get(..2).unwrap_or_default();
    // Of others nobody knows what they quote, and of what a user's trigger says under any of them.
    let is_own = told.routine() != Some("exec_stmt_raise");
    let what = match class {
        "08" | "23" | "25" | "28" | "3D" | "3F" | "40" | "42" | "53" | "55" | "57" if is_own => {
            format!("{} (SQLSTATE {code})", told.message())
        }
        _ => format!("SQLSTATE {code}"),
    };
    match (class, code) {
        // A value that its column does not take; a row of which an index or a limit is too small.
        ("22" | "54", _) if doing == BATCH => {
            SinkError::Refused { offset: None, why: reason(told) }
        }
        // It goes away, is full, holds a lock, follows another one, or is a pooler's: it may pass.
        ("08" | "25" | "26" | "40" | "53" | "55" | "57" | "58", _) | (_, "42P05") => {
            SinkError::unreachable(doing)(what)
        }
        (class, _) => SinkError::Blocked(Blocked {
            what: format!("PostgreSQL refuses what is asked of it while {doing}: {what}"),
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
