//! Units on their way to the log: joined as far as they can be, and counted until they are durable.

use unbroken_core::ids::AppendId;
use unbroken_core::record::Append;

use super::flight::{Flow, InFlight};

/// See the module.
#[derive(Debug)]
pub struct Outbox {
    flight: InFlight,
    /// Units of this turn, joined: one hand-over costs the log the same for one event and for many.
    pending: Option<Append>,
}

impl Outbox {
    /// Empty; reading is to stop when more than so many bytes are not durable.
    pub fn new(in_flight_bytes_max: usize) -> Self {
        Self { flight: InFlight::new(in_flight_bytes_max), pending: None }
    }

    /// Takes in a unit. With whether reading should change comes what the log is to have at once:
    /// what waited and cannot be joined with it.
    pub fn push(&mut self, append: Append) -> (Option<Append>, Flow) {
        let flow = self.flight.handed_over(&append);
        let Some(pending) = &mut self.pending else {
            self.pending = Some(append);
            return (None, flow);
        };
        match pending.join(append) {
            Ok(()) => (None, flow),
            Err(other) => (self.pending.replace(other), flow),
        }
    }

    /// What the log is to have before anything is waited for.
    pub fn take(&mut self) -> Option<Append> {
        self.pending.take()
    }

    /// Every unit up to `id` is durable.
    pub fn durable(&mut self, id: AppendId) -> Flow {
        self.flight.durable(id)
    }
}

#[cfg(test)]
mod tests {
    use unbroken_core::ids::StreamId;
    use unbroken_core::position::{Epoch, Position};
    use unbroken_core::record::{Body, Mark, Record};
    use unbroken_core::time::UnixMicros;

    use super::*;

    fn unit(id: u64, stream: &str) -> Append {
        let position = Position { epoch: Epoch(0), sequence: id };
        let body = Body::Progress { position, bookmark: None };
        let stream = StreamId::from(stream);
        let record = Record { stream: stream.clone(), received_at: UnixMicros(0), body };
        let mark = Some(Mark { stream, position });
        Append { id: AppendId(id), records: vec![record], mark }
    }

    #[test]
    fn units_are_joined_until_another_stream_moves_and_none_is_forgotten() {
        let mut outbox = Outbox::new(usize::MAX);
        assert_eq!(outbox.push(unit(1, "a/one")), (None, Flow::Keep));
        assert_eq!(outbox.push(unit(2, "a/one")), (None, Flow::Keep));
        let (full, flow) = outbox.push(unit(3, "a/two"));
        let full = full.expect("what was joined");
        assert_eq!((full.id, full.records.len(), flow), (AppendId(2), 2, Flow::Keep));
        assert_eq!(outbox.take(), Some(unit(3, "a/two")));
        assert_eq!(outbox.take(), None);
    }

    #[test]
    fn what_waits_for_the_disk_stops_reading_although_it_was_handed_over() {
        let mut outbox = Outbox::new(1);
        assert_eq!(outbox.push(unit(1, "a/one")).1, Flow::Stop);
        outbox.take();
        assert_eq!(outbox.push(unit(2, "a/one")).1, Flow::Keep);
        assert_eq!(outbox.durable(AppendId(1)), Flow::Keep);
        assert_eq!(outbox.durable(AppendId(2)), Flow::Resume);
    }
}
