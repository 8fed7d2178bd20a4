//! One fault's story: from the moment it struck to the moment nothing of it was left.
//!
//! A fault has recovered when, after it fired and ended, the stream is live again (or never left
//! live) and has stored an event that was emitted after it fired.

use unbroken_core::time::UnixMicros;

use super::narrate::Narration;

/// See the module.
#[derive(Debug)]
pub(super) struct Episode {
    /// The vendor's number of this fault.
    pub(super) id: u64,
    /// The fault's name.
    pub(super) fault: String,
    /// When its scenario began.
    pub(super) injected_at: UnixMicros,
    /// When it was first seen on the wire.
    pub(super) fired_at: Option<UnixMicros>,
    /// When the vendor was itself again.
    pub(super) ended_at: Option<UnixMicros>,
    /// What happened meanwhile.
    pub(super) narration: Narration,
    /// Whether the stream left live since it fired, or was not live then.
    left_live: bool,
    live_again_at: Option<UnixMicros>,
    stored_after: bool,
}

impl Episode {
    /// A scenario has begun.
    pub(super) fn new(id: u64, fault: &str, injected_at: UnixMicros) -> Self {
        Self {
            id,
            fault: fault.to_owned(),
            injected_at,
            fired_at: None,
            ended_at: None,
            narration: Narration::default(),
            left_live: false,
            live_again_at: None,
            stored_after: false,
        }
    }

    /// It was seen on the wire.
    pub(super) fn fired(&mut self, at: UnixMicros, live: bool) {
        if self.fired_at.is_none() {
            self.fired_at = Some(at);
            self.left_live = !live;
        }
    }

    /// The vendor is itself again.
    pub(super) fn ended(&mut self, at: UnixMicros) {
        self.ended_at = Some(at);
    }

    /// The stream became live, or left live.
    pub(super) fn live_changed(&mut self, at: UnixMicros, live: bool) {
        if self.fired_at.is_none() {
            return;
        }
        if live {
            self.live_again_at = self.left_live.then_some(at);
        } else {
            self.left_live = true;
            self.live_again_at = None;
        }
    }

    /// An event emitted at `emitted_at` is durable.
    pub(super) fn stored(&mut self, emitted_at: UnixMicros) {
        if self.fired_at.is_some_and(|fired| emitted_at > fired) {
            self.stored_after = true;
        }
    }

    /// Milliseconds from firing to the live that lasts; 0 if live was never left. `None`: not yet.
    pub(super) fn recovery_ms(&self) -> Option<u64> {
        let fired = self.fired_at?;
        self.ended_at?;
        if !self.stored_after {
            return None;
        }
        if !self.left_live {
            return Some(0);
        }
        self.live_again_at.map(|live| u64::try_from((live.0 - fired.0) / 1_000).unwrap_or(0))
    }

    /// Whether live was never left.
    pub(super) fn stayed_live(&self) -> bool {
        !self.left_live
    }
}

#[cfg(test)]
mod tests {
    use unbroken_core::time::UnixMicros;

    use super::Episode;

    const fn ms(ms: i64) -> UnixMicros {
        UnixMicros(ms * 1_000)
    }

    fn fired() -> Episode {
        let mut episode = Episode::new(1, "clean-close", ms(0));
        episode.fired(ms(10), true);
        episode
    }

    #[test]
    fn recovery_counts_from_firing_to_the_live_that_lasts() {
        let mut episode = fired();
        episode.live_changed(ms(11), false);
        episode.live_changed(ms(50), true);
        episode.live_changed(ms(60), false);
        episode.ended(ms(70));
        episode.live_changed(ms(94), true);
        episode.stored(ms(95));
        assert_eq!(episode.recovery_ms(), Some(84));
    }

    #[test]
    fn nothing_has_recovered_before_the_fault_has_ended() {
        let mut episode = fired();
        episode.live_changed(ms(11), false);
        episode.live_changed(ms(50), true);
        episode.stored(ms(51));
        assert_eq!(episode.recovery_ms(), None);
        episode.ended(ms(70));
        assert_eq!(episode.recovery_ms(), Some(40));
    }

    #[test]
    fn live_without_a_later_event_stored_is_not_recovered() {
        let mut episode = fired();
        episode.ended(ms(20));
        episode.stored(ms(9));
        assert_eq!(episode.recovery_ms(), None);
        episode.stored(ms(21));
        assert_eq!((episode.recovery_ms(), episode.stayed_live()), (Some(0), true));
    }

    #[test]
    fn a_fault_that_strikes_in_an_outage_waits_for_live() {
        let mut episode = Episode::new(1, "handshake-refused-stale", ms(0));
        episode.fired(ms(10), false);
        episode.ended(ms(12));
        episode.stored(ms(13));
        assert_eq!(episode.recovery_ms(), None);
        episode.live_changed(ms(30), true);
        assert_eq!(episode.recovery_ms(), Some(20));
    }
}
