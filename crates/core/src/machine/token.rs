//! The access token: versioned, one request at a time, renewed before it expires.

use crate::connector::{Class, Failure};
use crate::ids::TokenVersion;
use crate::machine::Output;
use crate::machine::budget::Allowance;
use crate::machine::context::{Cx, Shared};
use crate::machine::mutant::Mutant;
use crate::machine::timer::{Timer, TimerTable};
use crate::time::Millis;

/// The region that all streams of a source share.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Token {
    granted: Option<Granted>,
    asking: Option<TokenVersion>,
    last: TokenVersion,
    /// The vendor accepted the present version at least once.
    accepted: bool,
    /// The present version was asked for because the one before was refused.
    after_refusal: bool,
    failures: u32,
    pub(super) timers: TimerTable,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Granted {
    version: TokenVersion,
    expires_at: Option<Millis>,
}

/// What a refused token means for the attempt that used it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Try again with the token that is there or on its way.
    Retry,
    /// A fresh token was refused too: a person has to grant the scope or mend the credentials.
    Blocked,
}

impl Token {
    /// The version to use now, or `None` after asking for one.
    pub(super) fn usable(cx: &mut Cx<'_>) -> Option<TokenVersion> {
        let now = cx.now.at;
        let granted = cx.shared.token.granted;
        if let Some(granted) = granted.filter(|g| g.expires_at.is_none_or(|at| at > now)) {
            return Some(granted.version);
        }
        Self::ask(cx);
        None
    }

    /// Asks for the next version, unless it is being asked for; when the budget has room for it.
    pub(super) fn ask(cx: &mut Cx<'_>) {
        if cx.shared.token.asking.is_some() {
            return;
        }
        let ready_at = cx.token_ready_at();
        if ready_at > cx.now.at {
            return cx.shared.token.timers.set(Timer::Renew, ready_at);
        }
        cx.spend(Allowance::Requests);
        let deadline = cx.now.at + cx.timing().token_ms;
        let token = &mut cx.shared.token;
        token.last = token.last.next();
        token.asking = Some(token.last);
        token.timers.stop(Timer::Renew);
        token.timers.set(Timer::Token, deadline);
        let version = token.last;
        cx.emit(Output::Authorize { version });
    }

    /// Takes a granted token. False if it is not the one that is awaited.
    pub(super) fn handle_ready(
        cx: &mut Cx<'_>,
        version: TokenVersion,
        expires_at: Option<Millis>,
    ) -> bool {
        if cx.shared.token.asking != Some(version) {
            return false;
        }
        let now = cx.now.at;
        let renew_at = expires_at.map(|at| {
            let life = at.since(now);
            let percent = cx.timing().token_renew_percent.saturating_sub(cx.shared.jitter.up_to(5));
            now + life * percent / 100
        });
        let token = &mut cx.shared.token;
        token.granted = Some(Granted { version, expires_at });
        token.asking = None;
        token.accepted = false;
        token.failures = 0;
        token.timers.stop(Timer::Token);
        if let Some(at) = renew_at {
            token.timers.set(Timer::Renew, at);
        }
        true
    }

    /// Takes a refusal (or a lapse) of a token request. False if it is not the awaited one. A
    /// renewal is tried again while the present token lives.
    pub(super) fn handle_refused(
        cx: &mut Cx<'_>,
        version: TokenVersion,
        failure: &Failure,
    ) -> bool {
        if cx.shared.token.asking != Some(version) {
            return false;
        }
        let now = cx.now.at;
        let after_ms = match failure.class {
            Class::Retry { after_ms } => after_ms.unwrap_or(0),
            _ => 0,
        };
        cx.shared.purse.hold_tokens(now + after_ms);
        let timing = &cx.config.timing;
        let delay_ms = match is_final(failure) {
            true => timing.blocked_ms,
            false => {
                let Shared { jitter, token, .. } = &mut *cx.shared;
                let (first_ms, max_ms) = (timing.backoff_ms, timing.backoff_ms_max);
                after_ms + jitter.delay_ms(token.failures, first_ms, max_ms)
            }
        };
        let token = &mut cx.shared.token;
        token.asking = None;
        token.failures += 1;
        token.timers.stop(Timer::Token);
        if token.granted.is_some() {
            token.timers.set(Timer::Renew, now + delay_ms);
        }
        true
    }

    /// The version held may not do what is needed, and never will: what a token may do is decided
    /// when it is given. The next use asks for another.
    pub(super) fn forget(cx: &mut Cx<'_>) {
        cx.shared.token.granted = None;
        cx.shared.token.timers.stop(Timer::Renew);
    }

    /// The version that is being asked for.
    pub(super) fn asking(&self) -> Option<TokenVersion> {
        self.asking
    }

    /// The vendor accepted a version: a later refusal of it is a revocation, not a lack of rights.
    pub(super) fn handle_accepted(&mut self, version: Option<TokenVersion>) {
        if version.is_some() && self.granted.map(|g| g.version) == version {
            self.accepted = true;
            self.after_refusal = false;
        }
    }

    /// The vendor refused a version.
    pub(super) fn handle_unauthorized(cx: &mut Cx<'_>, version: Option<TokenVersion>) -> Verdict {
        let blamed = cx.mutated(Mutant::OldTokenBlamed);
        let token = &mut cx.shared.token;
        let current = token.granted.map(|g| g.version);
        if version.is_none() || current != version && !blamed {
            return if version.is_none() { Verdict::Blocked } else { Verdict::Retry };
        }
        if token.after_refusal && !token.accepted {
            token.granted = None;
            token.after_refusal = false;
            return Verdict::Blocked;
        }
        token.granted = None;
        token.after_refusal = true;
        Verdict::Retry
    }
}

/// Whether a refused token request can succeed when repeated.
pub(super) fn is_final(failure: &Failure) -> bool {
    matches!(failure.class, Class::Reauthorize | Class::Fatal)
}
