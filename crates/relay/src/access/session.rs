//! A browser's sessions: a cookie in place of the token, so that no script of the page has it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::secret::{Digest, random_text};

/// The cookie's name.
pub(crate) const COOKIE: &str = "unbroken_session";

/// A working day; then the token is asked for again.
pub(crate) const LIFE: Duration = Duration::from_secs(12 * 60 * 60);

/// Sessions at the same time; the oldest goes.
const SESSIONS_MAX: usize = 1024;

#[derive(Debug)]
struct Session {
    cookie: Digest,
    token: Digest,
    ends: Instant,
}

/// All sessions. They end with the process, with their token, and by themselves.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<VecDeque<Session>>);

impl Sessions {
    /// Begins a session for a token; gives the cookie's value.
    pub(crate) fn begin(&self, token: Digest) -> Option<String> {
        let value = random_text()?;
        let session = Session { cookie: Digest::of(&value), token, ends: Instant::now() + LIFE };
        let mut sessions = self.lock();
        if sessions.len() >= SESSIONS_MAX {
            sessions.pop_front();
        }
        sessions.push_back(session);
        Some(value)
    }

    /// The token that a cookie stands for.
    pub(crate) fn token(&self, cookie: &str) -> Option<Digest> {
        let (wanted, now) = (Digest::of(cookie), Instant::now());
        let mut sessions = self.lock();
        sessions.retain(|session| session.ends > now);
        let found = sessions.iter().find(|session| session.cookie.matches(&wanted));
        found.map(|session| session.token)
    }

    /// Ends a session, if it is one.
    pub(crate) fn end(&self, cookie: &str) {
        let wanted = Digest::of(cookie);
        self.lock().retain(|session| !session.cookie.matches(&wanted));
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
