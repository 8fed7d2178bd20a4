//! What a hook is told.

use serde_json::{Value, json};
use unbroken_core::machine::Blocked;
use unbroken_core::record::{Body, Record};
use unbroken_core::time::UnixMicros;

use crate::render::{record_fields, wall};
use crate::{policy, words};

/// One thing that happened. Holds no payload and no secret: a row of the ledger has neither, and a
/// failure's words never do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Notice {
    event: &'static str,
    stream: String,
    at: UnixMicros,
    about: Value,
    /// How many notices before this one were not told.
    pub(super) missed: u64,
}

impl Notice {
    /// Of a record of the ledger, if it is one.
    pub(super) fn of_row(record: &Record) -> Option<Self> {
        let (event, cause) = match &record.body {
            Body::GapOpened(gap) => ("gap_opened", gap.cause),
            Body::GapClosed(gap) => ("gap_closed", gap.cause),
            _ => return None,
        };
        let mut about = record_fields(&record.body);
        about["plainly"] = json!(words::cause_plainly(cause));
        let stream = record.stream.to_string();
        Some(Self { event, stream, at: record.received_at, about, missed: 0 })
    }

    /// A stream is blocked.
    pub(super) fn of_blocked(at: UnixMicros, stream: &str, why: &Blocked) -> Self {
        let todo = policy::of_blocked(why).todo;
        let about = json!({ "why": words::blocked(why), "todo": todo });
        Self { event: "blocked", stream: stream.to_owned(), at, about, missed: 0 }
    }

    /// It is live again.
    pub(super) fn of_unblocked(at: UnixMicros, stream: &str) -> Self {
        Self { event: "unblocked", stream: stream.to_owned(), at, about: json!({}), missed: 0 }
    }

    /// One JSON object.
    pub(super) fn json(&self) -> Value {
        let mut object = json!({
            "event": self.event,
            "at": wall(self.at),
            "source": self.source(),
            "stream": self.stream,
            "missed": self.missed,
        });
        if let (Value::Object(object), Value::Object(about)) = (&mut object, &self.about) {
            object.extend(about.clone());
        }
        object
    }

    /// The same as environment variables, for scripts that read no JSON.
    pub(super) fn variables(&self) -> Vec<(&'static str, String)> {
        let mut variables = vec![
            ("UNBROKEN_EVENT", self.event.to_owned()),
            ("UNBROKEN_SOURCE", self.source().to_owned()),
            ("UNBROKEN_STREAM", self.stream.clone()),
        ];
        for (name, key) in [
            ("UNBROKEN_GAP", "gap"),
            ("UNBROKEN_CAUSE", "cause"),
            ("UNBROKEN_OUTCOME", "outcome"),
            ("UNBROKEN_WHY", "why"),
        ] {
            match &self.about[key] {
                Value::String(text) => variables.push((name, text.clone())),
                Value::Number(number) => variables.push((name, number.to_string())),
                _ => {}
            }
        }
        variables
    }

    pub(super) fn event(&self) -> &'static str {
        self.event
    }

    pub(super) fn stream(&self) -> &str {
        &self.stream
    }

    fn source(&self) -> &str {
        self.stream.split('/').next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use unbroken_core::ids::GapId;
    use unbroken_core::position::{Epoch, Position};
    use unbroken_core::record::{Body, GapCause, GapClosed, GapOutcome, Record};
    use unbroken_core::time::UnixMicros;

    use super::Notice;

    /// 2026-11-24T06:00:00Z.
    const BEGIN: i64 = 1_795_500_000_000_000;

    #[test]
    fn the_notice_of_a_row_is_the_one_in_the_guide() {
        let at = |second: i64| UnixMicros(BEGIN + second * 1_000_000);
        let place = |sequence| Some(Position::new(Epoch(1), sequence));
        let body = Body::GapClosed(GapClosed {
            gap: GapId(1),
            outcome: GapOutcome::Unrecoverable,
            after: place(102),
            through: place(110),
            wall_from: at(102),
            wall_to: at(111),
            cause: GapCause::Refused,
            closed_by: None,
            reconciled: true,
        });
        let record = Record { stream: "cx/adherence".into(), received_at: at(111), body };
        let notice = Notice::of_row(&record).expect("it is a row of the ledger");
        let guide = include_str!("../../../../docs/guides/hooks.md");
        let example = guide.split("```json").nth(1).and_then(|rest| rest.split("```").next());
        let example: Value = serde_json::from_str(example.unwrap_or_default()).expect("an object");
        assert_eq!(notice.json(), example);
        let variables = notice.variables();
        assert!(variables.contains(&("UNBROKEN_OUTCOME", "unrecoverable".to_owned())));
        assert!(variables.contains(&("UNBROKEN_GAP", "1".to_owned())));
        for (name, _) in variables {
            assert!(guide.contains(name), "{name}");
        }
    }
}
