//! Why a client's reading ended, as a problem.

use tracing::error;

use crate::app::App;
use crate::feed::{CursorError, FeedError, Tail};
use crate::http::Problem;
use crate::http::problem::{
    CURSOR_AHEAD, CURSOR_EXPIRED, CURSOR_INVALID, JOURNAL_CHANGED, READ_FAILED, STOPPING,
    TOKEN_ENDED,
};

/// Of a cursor that cannot be gone on from.
pub(super) fn of_cursor(problem: &CursorError) -> Problem {
    let detail = problem.to_string();
    match problem {
        CursorError::Invalid => Problem::new(&CURSOR_INVALID, detail),
        CursorError::Expired { oldest } => {
            Problem::new(&CURSOR_EXPIRED, detail).with("oldest", oldest.to_string())
        }
        CursorError::JournalChanged { oldest } => {
            Problem::new(&JOURNAL_CHANGED, detail).with("oldest", oldest.to_string())
        }
        CursorError::Ahead { latest } => {
            Problem::new(&CURSOR_AHEAD, detail).with("latest", latest.to_string())
        }
        CursorError::Journal(error) => {
            error!(%error, "relay cannot read the log");
            Problem::new(&READ_FAILED, detail)
        }
    }
}

/// Of a reading that ended by itself.
pub(super) fn of_feed(failure: &FeedError) -> Problem {
    let detail = failure.to_string();
    match failure {
        FeedError::Expired { oldest } => {
            Problem::new(&CURSOR_EXPIRED, detail).with("oldest", oldest.to_string())
        }
        FeedError::Journal(error) => {
            error!(%error, "relay cannot read the log");
            Problem::new(&READ_FAILED, detail)
        }
        FeedError::Stopped => Problem::new(&STOPPING, detail),
    }
}

/// The same, with the cursor to go on from.
pub(super) fn of_tail(app: &App, tail: &Tail, failure: &FeedError) -> Problem {
    with_cursor(app, tail.position(), of_feed(failure))
}

/// Of a token that was revoked, or has expired, while its client was reading: everything below
/// `sent` was sent to it.
pub(super) fn of_token(app: &App, sent: Option<u64>) -> Problem {
    let problem = Problem::new(&TOKEN_ENDED, "the token was revoked, or has expired");
    match sent {
        Some(sent) => with_cursor(app, sent, problem),
        None => problem,
    }
}

fn with_cursor(app: &App, next: u64, problem: Problem) -> Problem {
    problem.with("cursor", app.feed.cursor(next).to_string())
}
