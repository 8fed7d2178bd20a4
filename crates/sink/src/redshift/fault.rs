//! What an error of the server means to the sink.

use tokio_postgres::Error;
use tokio_postgres::error::DbError;

use crate::{Blocked, SinkError};

/// What is being done when rows are written: only then a row can be at fault.
pub(super) const BATCH: &str = "committing a batch";

/// As a sink says it. `doing` is what was asked of the server; of its message nothing is told in
/// which one of the secrets is.
pub(super) fn fault(doing: &'static str, secrets: &[String], error: Error) -> SinkError {
    match error.as_db_error() {
        Some(told) => of_server(doing, secrets, told),
        None => SinkError::unreachable(doing)(error),
    }
}

/// By SQLSTATE, of which Redshift has those of PostgreSQL 8.0, and `XX000` for much that is its
/// own: a transaction that another one is in the way of, an object that cannot be read, a row that
/// COPY does not take. But for that, what is its own may pass. Details are not told: they quote
/// rows.
fn of_server(doing: &'static str, secrets: &[String], told: &DbError) -> SinkError {
    let (code, message) = (told.code().code(), told.message());
    let class = code.get(..2).unwrap_or_default();
    let is_told = ["08", "25", "28", "3D", "3F", "40", "42", "53", "55", "57", "58", "XX"];
    let is_secret = secrets.iter().any(|secret| message.contains(secret.as_str()));
    let what = match is_told.contains(&class) && !is_secret {
        true => format!("{message} (SQLSTATE {code})"),
        false => format!("SQLSTATE {code}"),
    };
    match class {
        // A value that its column does not take, where the sink itself saw nothing wrong with it.
        "22" if doing == BATCH => SinkError::Refused { offset: None, why: what },
        "XX" if doing == BATCH && is_of_row(told) => SinkError::Refused { offset: None, why: what },
        "08" | "25" | "26" | "40" | "53" | "55" | "57" | "58" | "XX" => {
            SinkError::unreachable(doing)(what)
        }
        class => SinkError::Blocked(Blocked {
            what: format!("Redshift refuses what is asked of it while {doing}: {what}"),
            todo: todo(class).to_owned(),
            source: None,
        }),
    }
}

/// What COPY says where a file was read and a value in it is not taken: of a row of text first, of
/// Parquet the second. Where it is said differs, and details are looked at and not told.
const OF_ROW: [&str; 2] = ["Load into table", "length of the data column"];

/// Whether COPY has something against a row, and not against the place that it reads.
fn is_of_row(told: &DbError) -> bool {
    let said = [Some(told.message()), told.detail()];
    said.into_iter().flatten().any(|said| OF_ROW.iter().any(|words| said.contains(words)))
}

fn todo(class: &str) -> &'static str {
    match class {
        "28" => "look at the user, the password, and who may reach the cluster",
        "3D" => "create the database, or name another one in `url`",
        "42" => {
            "grant the user what is missing, or put back what was changed: columns that were added \
             must have a default, and ours must keep their types"
        }
        "23" => "columns that were added must be nullable or have a default",
        _ => "look at `sys_query_history` and `sys_load_error_detail` of the cluster",
    }
}

/// Whether somebody else has made the same thing meanwhile.
pub(super) fn is_made_twice(error: &Error) -> bool {
    let told = error.as_db_error().map(|told| told.code().code().to_owned());
    told.is_some_and(|code| {
        ["23505", "42P06", "42P07", "42710", "40001", "40P01", "XX000"].contains(&code.as_str())
    })
}
