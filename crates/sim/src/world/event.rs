//! One event, written once and sent many times.

use std::fmt::Write;

use bytes::Bytes;

use super::clock::iso_micros;
use super::life::Moment;

/// An event as the world keeps it: all of its frame but the subscription id, which comes first.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) wall_us: i64,
    pub(crate) epoch: u32,
    /// 0 where there is no numbering.
    pub(crate) sequence: u64,
    pub(crate) agent: u32,
    pub(crate) deleted: bool,
    /// The vendor's clock was behind when it was made.
    pub(crate) is_set_back: bool,
    /// From `"epoch":` (or `"resource":`) to the closing brace.
    tail: Bytes,
    body_at: u32,
}

/// What goes into a new event.
pub(super) struct Fact<'a> {
    pub(super) wall_us: i64,
    /// The time by the vendor's clock.
    pub(super) told_us: i64,
    /// Name and index of the epoch, and the position; `None` without a numbering.
    pub(super) position: Option<(&'a str, u64)>,
    pub(super) epoch: u32,
    pub(super) slot: u32,
    pub(super) agent: &'a str,
    /// `None`: the agent is gone.
    pub(super) moment: Option<Moment>,
}

impl Event {
    pub(super) fn write(fact: &Fact<'_>) -> Self {
        let mut tail = String::with_capacity(320);
        if let Some((epoch, sequence)) = fact.position {
            let _ = write!(tail, "\"epoch\":\"{epoch}\",\"sequenceId\":{sequence},");
        }
        tail.push_str("\"resource\":\"adherence\",\"timestamp\":\"");
        iso_micros(fact.told_us, &mut tail);
        tail.push_str("\",\"adherence\":");
        let body_at = tail.len();
        write_body(fact, &mut tail);
        tail.push('}');
        Self {
            wall_us: fact.wall_us,
            epoch: fact.epoch,
            sequence: fact.position.map_or(0, |(_, sequence)| sequence),
            agent: fact.slot,
            deleted: fact.moment.is_none(),
            is_set_back: fact.told_us < fact.wall_us,
            tail: Bytes::from(tail),
            body_at: u32::try_from(body_at).unwrap_or(0),
        }
    }

    /// The adherence object.
    pub(crate) fn body(&self) -> Bytes {
        self.tail.slice(self.body_at as usize..self.tail.len() - 1)
    }

    /// The frame's text up to the subscription id, and from behind it.
    pub(crate) fn frame_parts(&self) -> (&'static str, &[u8]) {
        let kind = if self.deleted { "removed" } else { "event" };
        (kind, &self.tail)
    }
}

fn write_body(fact: &Fact<'_>, out: &mut String) {
    let _ = write!(out, "{{\"agentId\":\"{}\"", fact.agent);
    if let Some(moment) = fact.moment {
        let _ = write!(
            out,
            ",\"state\":\"{}\",\"activity\":\"{}\",\"scheduledActivity\":\"{}\",\"since\":\"",
            moment.state,
            moment.activity.name(),
            moment.scheduled.name()
        );
        iso_micros(fact.told_us, out);
        let _ = write!(out, "\",\"inAdherence\":{}", moment.is_in_adherence());
    }
    out.push('}');
}
