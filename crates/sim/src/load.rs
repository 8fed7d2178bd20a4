//! What is asked of the vendor, second by second.

use serde::Serialize;

/// What was asked of the vendor within one second, answered or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Load {
    /// Connections that arrived, also those that were turned away at once.
    pub connections: u64,
    /// WebSocket handshakes.
    pub handshakes: u64,
    /// Requests for the baseline.
    pub rest_calls: u64,
    /// Requests for a token.
    pub token_calls: u64,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Connection,
    Handshake,
    Rest,
    Token,
}

/// One entry for each second since the vendor began.
#[derive(Debug, Default)]
pub(crate) struct Counter(Vec<Load>);

impl Counter {
    pub(crate) fn count(&mut self, now_ms: u64, call: Call) {
        let second = usize::try_from(now_ms / 1_000).unwrap_or(usize::MAX);
        if self.0.len() <= second {
            self.0.resize(second + 1, Load::default());
        }
        let load = &mut self.0[second];
        match call {
            Call::Connection => load.connections += 1,
            Call::Handshake => load.handshakes += 1,
            Call::Rest => load.rest_calls += 1,
            Call::Token => load.token_calls += 1,
        }
    }

    /// All seconds up to now, quiet ones included.
    pub(crate) fn series(&self, now_ms: u64) -> Vec<Load> {
        let mut series = self.0.clone();
        let second = usize::try_from(now_ms / 1_000).unwrap_or(usize::MAX);
        series.resize(series.len().max(second + 1), Load::default());
        series
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_second_has_its_own_counts_and_quiet_ones_have_none() {
        let mut counter = Counter::default();
        for (now_ms, call) in [
            (10, Call::Connection),
            (999, Call::Handshake),
            (2_000, Call::Rest),
            (2_001, Call::Rest),
            (2_500, Call::Token),
        ] {
            counter.count(now_ms, call);
        }
        let first = Load { connections: 1, handshakes: 1, ..Load::default() };
        let third = Load { rest_calls: 2, token_calls: 1, ..Load::default() };
        assert_eq!(counter.series(3_999), [first, Load::default(), third, Load::default()]);
    }
}
