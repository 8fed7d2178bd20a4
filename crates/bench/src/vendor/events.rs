//! The events, as WebSocket frames one behind the other.

use std::fmt::Write;

use jiff::{SignedDuration, Timestamp};

use crate::Failure;

/// The baseline's position; the first event has the next one. Ten digits: all frames are equally
/// long.
pub(crate) const FIRST_SEQUENCE: u64 = 2_000_000_000;
/// The name of the numbering.
pub(super) const EPOCH: &str = "bench-1";
/// After so many events one of them comes again: 1 % of what is sent.
const DUPLICATE_AFTER: usize = 100;
/// How far back the event lies that comes again.
const DUPLICATE_BACK: usize = 50;
/// Bytes of each event's text.
const EVENT_BYTES: usize = 430;
/// Neighbouring events are of different agents: prime to the number of agents.
const STRIDE: usize = 7_919;
const STATES: [&str; 4] = ["Available", "Unavailable", "InContact", "LoggedOut"];
const ACTIVITIES: [&str; 4] = ["Open", "Break", "Meeting", "Training"];

/// Frames of the events, in the order in which they are sent.
#[derive(Debug)]
pub(crate) struct Frames {
    pub(crate) bytes: Vec<u8>,
    /// Bytes of one frame, header included.
    pub(crate) frame_bytes: usize,
    distinct: usize,
}

/// Where in the order of sending the distinct event with this index stands.
pub(crate) fn frame_of(event: usize) -> usize {
    event + event / DUPLICATE_AFTER
}

/// Whose event it is.
pub(crate) fn agent_of(event: usize, agents: usize) -> usize {
    event.wrapping_mul(STRIDE) % agents
}

impl Frames {
    pub(crate) fn make(agents: usize, distinct: usize) -> Result<Self, Failure> {
        let frame_bytes = EVENT_BYTES + 4;
        let start = Timestamp::now();
        let mut bytes = Vec::with_capacity(frame_bytes * (frame_of(distinct) + 1));
        let mut text = String::with_capacity(EVENT_BYTES);
        for index in 0..distinct {
            put(&mut bytes, &mut text, index, agents, start)?;
            if (index + 1).is_multiple_of(DUPLICATE_AFTER) {
                let again = (index + 1).saturating_sub(DUPLICATE_BACK);
                put(&mut bytes, &mut text, again, agents, start)?;
            }
        }
        Ok(Self { bytes, frame_bytes, distinct })
    }

    /// The frames of the first so many distinct events, with the repetitions among them.
    pub(crate) fn first(&self, distinct: usize) -> Result<&[u8], Failure> {
        if distinct > self.distinct {
            return Err("more events are asked for than there are".into());
        }
        Ok(&self.bytes[..self.frame_bytes * frame_of(distinct)])
    }
}

fn put(
    bytes: &mut Vec<u8>,
    text: &mut String,
    index: usize,
    agents: usize,
    start: Timestamp,
) -> Result<(), Failure> {
    let at = start.checked_add(SignedDuration::from_micros(i64::try_from(index)?))?;
    let sequence = FIRST_SEQUENCE + 1 + index as u64;
    text.clear();
    write!(
        text,
        "{{\"type\":\"event\",\"subscriptionId\":\"sub-1\",\"epoch\":\"{EPOCH}\",\
         \"sequenceId\":{sequence},\"resource\":\"adherence\",\"timestamp\":\"{at:.6}\",\
         \"adherence\":"
    )?;
    put_adherence(text, agent_of(index, agents), index, at)?;
    text.push('}');
    if text.len() != EVENT_BYTES {
        return Err(format!("an event has {} bytes, not {EVENT_BYTES}", text.len()).into());
    }
    // One unmasked text frame: FIN and opcode, then the length in two bytes.
    bytes.extend_from_slice(&[0x81, 126]);
    bytes.extend_from_slice(&(EVENT_BYTES as u16).to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
    Ok(())
}

/// The agent's state, padded so that every event has the same length.
pub(super) fn put_adherence(
    text: &mut String,
    agent: usize,
    seed: usize,
    at: Timestamp,
) -> Result<(), Failure> {
    let (begin, state) = (text.len(), STATES[seed % STATES.len()]);
    let (activity, scheduled) =
        (ACTIVITIES[seed / 3 % ACTIVITIES.len()], ACTIVITIES[seed / 5 % ACTIVITIES.len()]);
    write!(
        text,
        "{{\"agentId\":\"agent-{agent:06}\",\"state\":\"{state}\",\"activity\":\"{activity}\",\
         \"scheduledActivity\":\"{scheduled}\",\"since\":\"{at:.6}\",\"inAdherence\":{},\
         \"note\":\"",
        seed.is_multiple_of(2)
    )?;
    /// What is left for the object when the frame's own fields are taken off.
    const ADHERENCE_BYTES: usize = 269;
    while text.len() - begin < ADHERENCE_BYTES - 2 {
        text.push('x');
    }
    text.push_str("\"}");
    Ok(())
}

/// One row of the baseline.
pub(super) fn put_row(text: &mut String, agent: usize, at: Timestamp) -> Result<(), Failure> {
    write!(
        text,
        "{{\"agentId\":\"agent-{agent:06}\",\"shift\":{{\"start\":\"08:00\",\"end\":\"16:00\"}},\
         \"adherence\":"
    )?;
    put_adherence(text, agent, agent, at)?;
    text.push('}');
    Ok(())
}
