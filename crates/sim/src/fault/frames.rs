//! Single frames that are not what the rules say.

use bytes::BytesMut;

use super::Fault;
use crate::cxone::hub::State;
use crate::server::websocket::{Opcode, put_fragments, put_frame};

/// Bent frames that make a scenario: enough to meet them at different stages of a recovery, few
/// enough for one to succeed.
const BENDS_MAX: u32 = 3;
/// Frames of an unknown kind, fragmented ones and repeated ones that make a scenario: they call for
/// no recovery.
const HARMLESS_MAX: u32 = 60;
/// One frame in so many is bent.
const ONE_IN: u8 = 20;
/// One in so many, where it is harmless.
const ONE_IN_HARMLESS: u8 = 4;
/// How deep JSON is nested: far more than parsers follow, little enough for one frame.
const DEPTH: usize = 10_000;

/// What became of an event's frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bent {
    /// It goes out as it is.
    Not,
    /// It was written, as far as the client can read it.
    Written,
    /// Something was written that is not the event.
    Garbled,
    /// Nothing was written.
    Dropped,
}

impl State {
    /// Writes an event's frame in a bent form if a fault wants it so; what goes between the frames
    /// is written too. `begins`: it is the first that its subscription serves.
    pub(crate) fn bend_frame(
        &mut self,
        index: u64,
        begins: bool,
        text: &[u8],
        out: &mut BytesMut,
    ) -> Bent {
        let mut bent = Bent::Not;
        for fault in self.faults.in_force() {
            let spared = begins && self.withholds(fault);
            if bent == Bent::Not && fault.bends_frames() && !spared && self.takes(fault, index) {
                bent = self.write_bent(fault, text, out);
                let count = self.faults.fire(fault);
                let is_harmless = self.is_harmless(fault);
                let count_max = if is_harmless { HARMLESS_MAX } else { BENDS_MAX };
                if count >= count_max {
                    self.faults.finish(fault);
                }
            }
        }
        bent
    }

    /// Whether the fault bends this frame.
    fn takes(&mut self, fault: Fault, index: u64) -> bool {
        let one_in = if self.is_harmless(fault) { ONE_IN_HARMLESS } else { ONE_IN };
        let is_hit = self.faults.rng.u8(0..one_in) == 0;
        let is_stubborn = self.faults.rng.bool();
        let was_withheld = self.was_withheld(index);
        let Some(active) = self.faults.active_as(fault) else { return false };
        let can_stick = active.is_second_form && garbles(fault);
        match active.event {
            // The one event that does not get through; others do.
            Some(event) if can_stick => event == index,
            // Whoever asks for it again gets it.
            None if was_withheld => false,
            None if is_hit => {
                if can_stick && is_stubborn && active.count == 0 {
                    active.event = Some(index);
                }
                true
            }
            _ => false,
        }
    }

    /// Whether events that the fault takes leave no trace. The first event of a subscription whose
    /// confirmation names no position is none for it: the stream would begin later than it was
    /// asked to, which is another fault.
    fn withholds(&self, fault: Fault) -> bool {
        !self.settings.ack_position && fault == Fault::DroppedFrames
    }

    /// Whether the event was left out, or could not be read, on some subscription.
    fn was_withheld(&self, index: u64) -> bool {
        let mut subscriptions = self.world.recorder.subscriptions.iter();
        subscriptions
            .any(|served| served.dropped.contains(&index) || served.garbled.contains(&index))
    }

    /// Whether nothing is withheld and nothing needs to be recovered.
    fn is_harmless(&mut self, fault: Fault) -> bool {
        match fault {
            Fault::Duplicates | Fault::Fragmentation => true,
            Fault::UnknownFrames => {
                self.faults.active_as(fault).is_some_and(|active| !active.is_second_form)
            }
            _ => false,
        }
    }

    fn write_bent(&mut self, fault: Fault, text: &[u8], out: &mut BytesMut) -> Bent {
        let second = self.faults.active_as(fault).is_some_and(|active| active.is_second_form);
        match (fault, second) {
            (Fault::Duplicates, _) => {
                put_frame(Opcode::Text, text, out);
                put_frame(Opcode::Text, text, out);
                Bent::Written
            }
            (Fault::DroppedFrames, _) => Bent::Dropped,
            (Fault::Fragmentation, _) => {
                let cuts =
                    [self.faults.rng.usize(0..text.len()), self.faults.rng.usize(0..text.len())];
                put_fragments(text, cuts, out);
                Bent::Written
            }
            (Fault::BinaryFrames, true) => {
                put_frame(Opcode::Binary, text, out);
                Bent::Written
            }
            (Fault::BinaryFrames, false) => {
                let mut noise = [0; 64];
                self.faults.rng.fill(&mut noise);
                put_frame(Opcode::Binary, &noise, out);
                Bent::Not
            }
            (Fault::NestedFrames, true) => {
                put_frame(Opcode::Text, &with_member(text, &nested(DEPTH)), out);
                Bent::Garbled
            }
            (Fault::NestedFrames, false) => {
                put_frame(Opcode::Text, nested(DEPTH).as_bytes(), out);
                Bent::Not
            }
            (Fault::UnknownFrames, true) => {
                put_frame(Opcode::Text, &renamed(text), out);
                Bent::Dropped
            }
            (Fault::UnknownFrames, false) => {
                put_frame(
                    Opcode::Text,
                    b"{\"type\":\"promotion\",\"text\":\"now with more\"}",
                    out,
                );
                Bent::Not
            }
            (Fault::InvalidUtf8, second) => {
                let mut bytes = if second { text.to_vec() } else { b"{\"type\":\"x\"}".to_vec() };
                let middle = bytes.len() / 2;
                bytes[middle] = 0xff;
                put_frame(Opcode::Text, &bytes, out);
                if second { Bent::Garbled } else { Bent::Not }
            }
            (Fault::OversizedFrames, second) => {
                let padding = format!("\"{}\"", "x".repeat(self.settings.oversized_bytes));
                let around = if second { text } else { b"{}" };
                put_frame(Opcode::Text, &with_member(around, &padding), out);
                if second { Bent::Garbled } else { Bent::Not }
            }
            (_, true) => {
                put_frame(Opcode::Text, &text[..text.len() / 2], out);
                Bent::Garbled
            }
            (_, false) => {
                put_frame(Opcode::Text, b"{\"type\":\"event\",\"subscr", out);
                Bent::Not
            }
        }
    }
}

/// Whether it can keep an event from being read.
fn garbles(fault: Fault) -> bool {
    matches!(
        fault,
        Fault::MalformedFrames | Fault::OversizedFrames | Fault::NestedFrames | Fault::InvalidUtf8
    )
}

/// The object with one more member, at its beginning.
fn with_member(object: &[u8], value: &str) -> Vec<u8> {
    let comma = if object.len() > 2 { "," } else { "" };
    let mut text = format!("{{\"extension\":{value}{comma}").into_bytes();
    text.extend_from_slice(object.get(1..).unwrap_or_default());
    text
}

fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

/// The same frame under a type that the rules do not know.
fn renamed(text: &[u8]) -> Vec<u8> {
    let rest = text.splitn(2, |byte| *byte == b',').nth(1).unwrap_or_default();
    [b"{\"type\":\"state.v2\",", rest].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_or_renamed_leaves_the_rest_as_it_was() {
        let text = b"{\"type\":\"event\",\"sequenceId\":7}";
        let renamed: serde_json::Value = serde_json::from_slice(&renamed(text)).unwrap();
        assert_eq!(renamed, serde_json::json!({"type": "state.v2", "sequenceId": 7}));
        let more: serde_json::Value = serde_json::from_slice(&with_member(text, "[[]]")).unwrap();
        assert_eq!(
            (&more["sequenceId"], &more["extension"]),
            (&7.into(), &serde_json::json!([[]]))
        );
        let alone: serde_json::Value = serde_json::from_slice(&with_member(b"{}", "1")).unwrap();
        assert_eq!(alone, serde_json::json!({"extension": 1}));
    }
}
