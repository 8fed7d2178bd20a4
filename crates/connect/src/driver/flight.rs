//! What has been handed to the log and is not durable yet.

use std::collections::VecDeque;

use unbroken_core::ids::AppendId;
use unbroken_core::record::{Append, Record};

/// Bytes counted for a record beside its payload: its header in the log and its fields in memory.
const RECORD_BYTES: usize = 256;

/// Counts the bytes between socket and disk.
#[derive(Debug)]
pub(super) struct InFlight {
    units: VecDeque<(AppendId, usize)>,
    bytes: usize,
    bytes_max: usize,
    stopped: bool,
}

/// Whether reading should change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Stay as it is.
    Keep,
    /// Stop: the log is behind.
    Stop,
    /// Resume: it has caught up to half.
    Resume,
}

impl Flow {
    /// If reading changes: whether it goes on from now.
    pub fn turn(self) -> Option<bool> {
        match self {
            Self::Keep => None,
            Self::Stop => Some(false),
            Self::Resume => Some(true),
        }
    }
}

impl InFlight {
    /// Nothing in flight; `bytes_max` may be.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { units: VecDeque::new(), bytes: 0, bytes_max, stopped: false }
    }

    /// A unit was handed over.
    pub(super) fn handed_over(&mut self, append: &Append) -> Flow {
        let bytes = append.records.iter().map(record_bytes).sum();
        self.units.push_back((append.id, bytes));
        self.bytes += bytes;
        if self.stopped || self.bytes <= self.bytes_max {
            return Flow::Keep;
        }
        self.stopped = true;
        Flow::Stop
    }

    /// Every unit up to `id` is durable.
    pub(super) fn durable(&mut self, id: AppendId) -> Flow {
        while let Some((_, bytes)) = self.units.pop_front_if(|(unit, _)| *unit <= id) {
            self.bytes -= bytes;
        }
        if !self.stopped || self.bytes > self.bytes_max / 2 {
            return Flow::Keep;
        }
        self.stopped = false;
        Flow::Resume
    }
}

fn record_bytes(record: &Record) -> usize {
    RECORD_BYTES + record.body.payload_len()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use unbroken_core::ids::StreamId;
    use unbroken_core::record::{Body, Quarantined};
    use unbroken_core::time::UnixMicros;

    use super::*;

    fn append(id: u64, bytes: usize) -> Append {
        let body = Body::Quarantined(Quarantined {
            conn: None,
            reason: "x".into(),
            length: 0,
            digest: 0,
            bytes: Bytes::from(vec![0; bytes]),
        });
        let record = Record { stream: StreamId::from("a/b"), received_at: UnixMicros(0), body };
        Append { id: AppendId(id), records: vec![record], mark: None }
    }

    #[test]
    fn reading_stops_when_full_and_resumes_at_half() {
        let mut flight = InFlight::new(4 * (RECORD_BYTES + 100));
        for id in 1..=4 {
            assert_eq!(flight.handed_over(&append(id, 100)), Flow::Keep);
        }
        assert_eq!(flight.handed_over(&append(5, 100)), Flow::Stop);
        assert_eq!(flight.handed_over(&append(6, 100)), Flow::Keep);
        assert_eq!(flight.durable(AppendId(3)), Flow::Keep);
        assert_eq!(flight.durable(AppendId(4)), Flow::Resume);
        assert_eq!(flight.durable(AppendId(6)), Flow::Keep);
        assert_eq!(flight.bytes, 0);
    }

    #[test]
    fn answers_are_cumulative_and_repeating_one_changes_nothing() {
        let mut flight = InFlight::new(usize::MAX);
        for id in 1..=3 {
            flight.handed_over(&append(id, id as usize));
        }
        flight.durable(AppendId(2));
        flight.durable(AppendId(2));
        assert_eq!(flight.bytes, RECORD_BYTES + 3);
    }

    #[test]
    fn one_unit_above_the_bound_stops_and_its_own_answer_resumes() {
        let mut flight = InFlight::new(10);
        assert_eq!(flight.handed_over(&append(1, 100)), Flow::Stop);
        assert_eq!(flight.durable(AppendId(1)), Flow::Resume);
    }
}
