//! Kinds of sources.

use unbroken_core::connector::{Ack, Numbering, Replay, SnapshotKind};
use unbroken_core::machine::Budget as Purse;

use crate::world::{self, OnOld, Rules};

/// Delays that end no world by themselves, and small bounds.
pub fn small(mut rules: Rules) -> Rules {
    rules.timing.backoff_ms = 0;
    rules.timing.audit_ms = 36_000_000;
    rules.timing.idle_ms = 36_000_000;
    rules.timing.ping_ms = 36_000_000;
    rules.timing.snapshot_unit_items = 1;
    rules.timing.snapshot_tries_max = 2;
    rules.budget = Purse::unlimited();
    rules
}

/// Contiguous numbers, replay or refusal, a plain confirmation.
pub fn contiguous() -> Rules {
    small(world::contiguous())
}

/// The same, with a vendor that begins where it can, without a word.
pub fn clamping(rules: Rules) -> Rules {
    Rules { on_old: OnOld::Clamp, ..rules }
}

/// A confirmation that names where the subscription begins.
pub fn telling(mut rules: Rules) -> Rules {
    rules.caps.ack = Ack::WithPosition;
    rules
}

/// Numbers with holes.
pub fn increasing() -> Rules {
    let mut rules = contiguous();
    rules.caps.position = Numbering::Increasing;
    rules
}

/// A subscription begins now.
pub fn live_only(mut rules: Rules) -> Rules {
    rules.caps.replay = Replay::None;
    rules
}

/// Positions that can only be compared; the confirmation says where the subscription begins.
pub fn opaque() -> Rules {
    let mut rules = telling(contiguous());
    rules.caps.position = Numbering::Opaque;
    rules.caps.epoch_named = false;
    rules
}

/// No positions at all; the vendor says when an event happened.
pub fn unpositioned() -> Rules {
    let mut rules = live_only(contiguous());
    rules.caps.position = Numbering::None;
    rules.caps.snapshot = SnapshotKind::Unpositioned;
    rules.caps.epoch_named = false;
    rules.times = true;
    rules
}

/// Nothing names the numbering. Rows of the ledger are read by their times.
pub fn nameless(mut rules: Rules) -> Rules {
    rules.caps.epoch_named = false;
    rules.times = true;
    rules
}

/// The snapshot comes from a cache: its answers may be this old, and no older.
pub fn cached(mut rules: Rules) -> Rules {
    rules.caps.snapshot_staleness_ms_max = 1_000;
    rules
}

/// Tombstones are forgotten in sight: silence ends a socket, and is ended by a ping.
pub fn forgetting(mut rules: Rules) -> Rules {
    rules.timing.backpressure_ms = 1_000;
    rules.timing.idle_ms = 20_000;
    rules.timing.ping_ms = 15_000;
    rules
}

/// The vendor is asked for its head often enough to find a mute subscription.
pub fn audited(mut rules: Rules) -> Rules {
    rules.timing.audit_ms = 60_000;
    rules
}
