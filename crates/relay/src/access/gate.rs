//! The tokens that are good right now. Both files are looked at again when they have changed, so a
//! token that is made or revoked needs no restart.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use secrecy::ExposeSecret as _;
use tracing::{error, info};
use unbroken_render::wall_now;

use super::caller::{Caller, Identity, Permit, Scope};
use super::ledger::{Ledger, TokenLine};
use super::private::read_admin_token;
use super::secret::Digest;

/// How often the files are looked at, at most.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// See the module.
#[derive(Debug)]
pub(crate) struct Gate {
    admin_file: PathBuf,
    ledger_file: PathBuf,
    per_token_max: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    looked_at: Option<Instant>,
    seen: [Option<Stamp>; 2],
    tokens: Vec<Known>,
    counts: BTreeMap<Option<Digest>, Arc<AtomicUsize>>,
}

/// A file as it was read: what changes when it is written anew.
type Stamp = (u64, u64, i64, i64);

#[derive(Debug)]
struct Known {
    digest: Digest,
    scope: Scope,
    expires_us: Option<i64>,
}

impl Gate {
    pub(crate) fn new(admin_file: PathBuf, ledger_file: PathBuf, per_token_max: usize) -> Self {
        Self { admin_file, ledger_file, per_token_max, state: Mutex::default() }
    }

    /// Who brings this token.
    pub(crate) fn by_token(&self, token: &str) -> Option<Caller> {
        self.by_digest(Digest::of(token), false)
    }

    /// Whose session stands for this token. It may read, whatever the token: a browser sends a
    /// cookie to every port of its host, and whoever listens there can send it to us.
    pub(crate) fn by_session(&self, token: Digest) -> Option<Caller> {
        self.by_digest(token, true)
    }

    fn by_digest(&self, digest: Digest, by_cookie: bool) -> Option<Caller> {
        let state = self.current();
        let now_us = wall_now().0;
        // All are compared, whichever it is.
        let known = state.tokens.iter().fold(None, |found, known| {
            if known.digest.matches(&digest) { Some(known) } else { found }
        })?;
        let is_good = known.expires_us.is_none_or(|expires_us| now_us < expires_us);
        let scope = if by_cookie { Scope::Read } else { known.scope };
        let caller = Caller { identity: Identity::Token(digest), scope, by_cookie };
        is_good.then_some(caller)
    }

    /// Whether a caller may still go on.
    pub(crate) fn is_good(&self, caller: &Caller) -> bool {
        match caller.identity {
            Identity::Socket => true,
            Identity::Token(digest) => self.by_digest(digest, caller.by_cookie).is_some(),
        }
    }

    /// Counts what a caller has under way; `None`: there is no room for more.
    pub(crate) fn permit(&self, caller: &Caller) -> Option<Permit> {
        let digest = match caller.identity {
            Identity::Socket => None,
            Identity::Token(digest) => Some(digest),
        };
        let count = Arc::clone(self.lock().counts.entry(digest).or_default());
        Permit::take(&count, self.per_token_max)
    }

    fn current(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        if state.looked_at.is_none_or(|at| at.elapsed() >= LOOK_EVERY) {
            state.looked_at = Some(Instant::now());
            let seen = [stamp(&self.admin_file), stamp(&self.ledger_file)];
            if seen != state.seen {
                state.seen = seen;
                state.tokens = self.read();
                let tokens = &state.tokens;
                let known: Vec<_> = tokens.iter().map(|known| Some(known.digest)).collect();
                state.counts.retain(|digest, _| digest.is_none() || known.contains(digest));
                info!(count = known.len(), "relay's tokens read");
            }
        }
        state
    }

    /// A file that cannot be read has no token that is good.
    fn read(&self) -> Vec<Known> {
        let mut tokens = Vec::new();
        match read_admin_token(&self.admin_file) {
            Ok(Some(token)) => tokens.push(Known {
                digest: Digest::of(token.expose_secret()),
                scope: Scope::Admin,
                expires_us: None,
            }),
            Ok(None) => error!("relay's token file holds no token"),
            Err(error) => error!(%error, "relay's token file cannot be read"),
        }
        match Ledger::read(&self.ledger_file) {
            Ok(ledger) => tokens.extend(ledger.tokens().iter().filter_map(known)),
            Err(error) => {
                error!(%error, "relay's token list cannot be read: no token of it is good")
            }
        }
        tokens
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn known(line: &TokenLine) -> Option<Known> {
    Some(Known { digest: line.digest()?, scope: line.scope, expires_us: line.expires_us })
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.ino(), metadata.size(), metadata.mtime(), metadata.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use unbroken_render::wall_now;

    use super::{Gate, Identity, Scope};
    use crate::access::{Ledger, ensure_admin_token};

    #[test]
    fn tokens_come_and_go_without_a_restart() {
        let dir = tempfile::tempdir().expect("a directory");
        let (admin, list) = (dir.path().join("relay.token"), dir.path().join("relay-tokens.json"));
        ensure_admin_token(&admin).expect("it is made");
        let gate = Gate::new(admin.clone(), list.clone(), 2);
        let first = std::fs::read_to_string(&admin).expect("it is there");
        let caller = gate.by_token(first.trim()).expect("it is good");
        assert_eq!(caller.scope, Scope::Admin);
        let Identity::Token(digest) = caller.identity else { panic!("{caller:?}") };
        assert_eq!(gate.by_session(digest).map(|caller| caller.scope), Some(Scope::Read));

        let mut ledger = Ledger::default();
        let now_us = wall_now().0;
        let issued = ledger.add("a", Scope::Read, now_us, None).expect("a token");
        let late = ledger.add("b", Scope::Read, now_us - 2, Some(now_us - 1)).expect("a token");
        ledger.write(&list).expect("it is written");
        gate.lock().looked_at = None;
        let read = gate.by_token(issued.expose()).expect("it is good");
        assert_eq!(read.scope, Scope::Read);
        assert!(gate.by_token(late.expose()).is_none(), "it has expired");
        assert!(gate.by_token("ubk_nobody").is_none());

        ledger.revoke("a").expect("it is there");
        ledger.write(&list).expect("it is written");
        gate.lock().looked_at = None;
        assert!(!gate.is_good(&read), "it was revoked");
    }

    #[test]
    fn one_token_has_so_much_under_way_and_no_more() {
        let dir = tempfile::tempdir().expect("a directory");
        let admin = dir.path().join("relay.token");
        ensure_admin_token(&admin).expect("it is made");
        let token = std::fs::read_to_string(&admin).expect("it is there");
        let gate = Gate::new(admin, dir.path().join("none"), 2);
        let caller = gate.by_token(token.trim()).expect("it is good");
        let (one, two) = (gate.permit(&caller), gate.permit(&caller));
        assert!(one.is_some() && two.is_some() && gate.permit(&caller).is_none());
        drop(one);
        assert!(gate.permit(&caller).is_some());
    }
}
