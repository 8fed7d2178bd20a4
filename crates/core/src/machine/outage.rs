//! What is remembered from the loss of Live to the next Live.

use crate::machine::Rung;
use crate::position::Position;
use crate::record::GapCause;
use crate::time::Millis;

/// The memory of one outage. Forgotten on entering Live: a refusal of an old position says nothing
/// about the next outage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Outage {
    /// Attempts since Live.
    pub(super) attempts: u32,
    /// Sockets given up since a stable Live because of bytes that could not be understood.
    pub(super) asked_again: u32,
    /// The durable position was refused as too old.
    pub(super) refused: bool,
    /// The oldest position served, as a refusal said.
    pub(super) floor: Option<u64>,
    /// Subscribing before the durable position was refused: try the position itself.
    pub(super) no_anchor: bool,
    /// How often a position that the vendor had just issued was refused.
    pub(super) rebase_refusals: u8,
    /// Only a subscription without a position will do, and why.
    pub(super) overlap: Option<GapCause>,
    /// The head as REST said before the handshake.
    pub(super) head: Option<u64>,
    /// The head was read (or need not be).
    pub(super) head_known: bool,
    /// Since when the head that REST shows has been below what is held.
    pub(super) stale_since: Option<Millis>,
    /// Where the last hole was found, to tell a second one without progress.
    pub(super) hole_at: Option<Position>,
    /// Subscriptions that were accepted and closed by the vendor without an event. One may be a
    /// restart of the vendor's; so is it with those that stay open: the two are not added up.
    pub(super) closed_idle: u8,
    /// Subscriptions that stayed open and brought nothing although there was something.
    pub(super) mute: u8,
    /// The vendor names an epoch that is not the one held.
    pub(super) new_epoch: bool,
    /// The place in a numbering not installed yet that was refused last.
    pub(super) stash_refused: Option<u64>,
    /// The position held when the last attempt began.
    pub(super) tried_from: Option<Position>,
    /// What was tried last.
    pub(super) rung: Option<Rung>,
}

impl Outage {
    /// Whether the vendor was given up as one that serves from the position held.
    pub(super) fn descends(&self) -> bool {
        self.refused || self.overlap.is_some()
    }

    /// What was refused was an older position than the one held now.
    pub(super) fn forget_refusals(&mut self) {
        self.refused = false;
        self.overlap = None;
        self.floor = None;
        self.no_anchor = false;
    }

    /// The stream is in another numbering now: what was learnt of positions was of the old one.
    pub(super) fn enter_numbering(&mut self) {
        let Self { attempts, asked_again, rebase_refusals, rung, .. } = *self;
        *self = Self { attempts, asked_again, rebase_refusals, rung, ..Self::default() };
    }

    /// Why there is a hole, for the ledger.
    pub(super) fn cause(&self, otherwise: GapCause) -> GapCause {
        match self.overlap {
            _ if self.new_epoch => GapCause::EpochChanged,
            Some(cause) => cause,
            None if self.refused => GapCause::Refused,
            None => otherwise,
        }
    }
}
