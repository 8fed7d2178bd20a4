//! What every part of the machine works with: configuration, the moment, what the streams share,
//! and where outputs go.

use std::collections::VecDeque;

use crate::backoff::Jitter;
use crate::connector::Capabilities;
use crate::ids::{AppendId, ConnId, RequestId, StreamId};
use crate::machine::budget::{Allowance, Purse, Urgency};
use crate::machine::mutant::Mutant;
use crate::machine::token::Token;
use crate::machine::{Budget, Config, Now, Output, Report, Timing};
use crate::time::Millis;

/// What the streams of one source share.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Shared {
    pub(super) token: Token,
    pub(super) purse: Purse,
    pub(super) jitter: Jitter,
    pub(super) last_append: AppendId,
    pub(super) appended: AppendId,
    pub(super) last_request: RequestId,
    pub(super) last_conn: ConnId,
    /// Counts records. Starts at the log's next offset, so that it orders them after everything
    /// restored; the journal gives the real offsets.
    pub(super) clock: u64,
    #[cfg(feature = "proof")]
    pub(super) mutant: Option<Mutant>,
}

impl Shared {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            token: Token::default(),
            purse: Purse::default(),
            jitter: Jitter::new(seed),
            last_append: AppendId(0),
            appended: AppendId(0),
            last_request: RequestId(0),
            last_conn: ConnId(0),
            clock: 0,
            #[cfg(feature = "proof")]
            mutant: None,
        }
    }
}

/// One input's surroundings.
pub(super) struct Cx<'a> {
    pub(super) config: &'a Config,
    /// Of the stream whose turn it is.
    caps: &'a Capabilities,
    pub(super) now: Now,
    pub(super) shared: &'a mut Shared,
    pub(super) out: &'a mut VecDeque<Output>,
}

impl<'a> Cx<'a> {
    pub(super) fn new(
        config: &'a Config,
        now: Now,
        shared: &'a mut Shared,
        out: &'a mut VecDeque<Output>,
    ) -> Self {
        Self { config, caps: &config.capabilities, now, shared, out }
    }

    /// It is this stream's turn.
    pub(super) fn turn_to(&mut self, stream: &StreamId) {
        self.caps = self.config.capabilities_of(stream);
    }

    pub(super) fn caps(&self) -> &'a Capabilities {
        self.caps
    }

    pub(super) fn timing(&self) -> &Timing {
        &self.config.timing
    }

    pub(super) fn budget(&self) -> &Budget {
        &self.config.budget
    }

    /// The earliest moment at which the vendor may be asked; now, if that has passed.
    pub(super) fn ready_at(&self, allowance: Allowance, urgency: Urgency) -> Millis {
        if self.mutated(Mutant::BudgetIgnored) {
            return self.now.at;
        }
        let urgency = match self.mutated(Mutant::AuditSpendsAll) {
            true => Urgency::Recovery,
            false => urgency,
        };
        self.shared.purse.ready_at(self.budget(), allowance, urgency).max(self.now.at)
    }

    /// The earliest moment at which an access token may be asked for; now, if that has passed.
    pub(super) fn token_ready_at(&self) -> Millis {
        self.shared.purse.token_ready_at(self.budget()).max(self.now.at)
    }

    /// The vendor is asked now.
    pub(super) fn spend(&mut self, allowance: Allowance) {
        self.shared.purse.take(&self.config.budget, allowance, self.now.at);
    }

    /// The vendor said when to come again. Where opening a socket takes requests, it may have been
    /// one of those that was answered so.
    pub(super) fn hold(&mut self, allowance: Allowance, after_ms: Option<u64>) {
        let Some(after_ms) = after_ms.filter(|_| !self.mutated(Mutant::RetryAfterIgnored)) else {
            return;
        };
        let until = self.now.at + after_ms;
        self.shared.purse.hold(allowance, until);
        if allowance == Allowance::Handshakes && self.budget().requests_per_handshake > 0 {
            self.shared.purse.hold(Allowance::Requests, until);
        }
    }

    /// Whether a guard was taken out on purpose: never, outside the proof build.
    #[cfg(feature = "proof")]
    pub(super) fn mutated(&self, mutant: Mutant) -> bool {
        self.shared.mutant == Some(mutant)
    }

    /// Whether a guard was taken out on purpose: never, outside the proof build.
    #[cfg(not(feature = "proof"))]
    #[expect(clippy::unused_self, reason = "same signature as in the proof build")]
    pub(super) fn mutated(&self, _mutant: Mutant) -> bool {
        false
    }

    pub(super) fn emit(&mut self, output: Output) {
        self.out.push_back(output);
    }

    pub(super) fn report(&mut self, report: Report) {
        self.emit(Output::Report(report));
    }

    pub(super) fn next_request(&mut self) -> RequestId {
        self.shared.last_request = self.shared.last_request.next();
        self.shared.last_request
    }

    pub(super) fn next_conn(&mut self) -> ConnId {
        self.shared.last_conn = self.shared.last_conn.next();
        self.shared.last_conn
    }
}
