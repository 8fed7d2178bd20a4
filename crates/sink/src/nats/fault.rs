//! What an error of JetStream means to a sink.

use serde_json::Value;

use crate::SinkError;

/// What the server has against what was asked of it, by its numbers
/// (<https://github.com/nats-io/nats-server/blob/main/server/errors.json>).
#[derive(Clone, Debug)]
pub(super) struct Denied {
    number: u64,
    description: String,
}

impl Denied {
    /// An answer, if it is not one of these.
    pub(super) fn of(answer: Value) -> Result<Value, Self> {
        let Some(error) = answer.get("error") else { return Ok(answer) };
        let number = error["err_code"].as_u64().unwrap_or_default();
        let description = error["description"].as_str().unwrap_or_default().to_owned();
        Err(Self { number, description })
    }

    pub(super) fn has_no_stream(&self) -> bool {
        self.number == 10059
    }

    pub(super) fn has_no_message(&self) -> bool {
        self.number == 10037
    }

    /// Somebody has made a stream of that name meanwhile, not quite as we would.
    pub(super) fn has_another_stream(&self) -> bool {
        self.number == 10058
    }

    /// The last message of the subject, or of the stream, is another one.
    pub(super) fn is_overtaken(&self) -> bool {
        matches!(self.number, 10070 | 10071 | 10164)
    }

    /// As a sink says it. `doing` is what was asked of the server.
    pub(super) fn fault(self, doing: &'static str) -> SinkError {
        let Self { number, description } = self;
        let told = format!("{description} (error {number})");
        let todo = match number {
            // Insufficient resources, limits of the account, of the stream and of the disk.
            10002 | 10023 | 10028 | 10047 | 10077 | 10122 => {
                "make room: raise the limits of the stream or of the account, or delete what is old"
            }
            // Of streams, of what a stream must say, and of this kind of storage.
            10027 | 10113 | 10120 => {
                "make the stream by hand, as docs/guides/sinks.md says, with the `max_bytes` that \
                 the account asks for, or raise the account's limits"
            }
            10065 => "name another `prefix`, or as `stream` the one that has these subjects",
            10060 | 10109 | 10111 | 10166 | 10174 => {
                "put the stream's configuration back: it must accept atomic batches of our subjects"
            }
            10199 => "set `batch_messages_max` to the server's limit: 1000, unless it was changed",
            // The first also where one of them is down: it is asked again, seldom.
            10005 | 10074 => "set `replicas` to no more than there are servers with room",
            10035 | 10039 | 10076 => "enable JetStream on the server, also for the account",
            10052 | 10056 | 10066 | 10110 => "look at the stream's name and configuration",
            // It has no leader, is starting, is busy, or gave the batch up: it may pass.
            _ => return SinkError::unreachable(doing)(told),
        };
        SinkError::blocked(format!("NATS refuses what is asked of it while {doing}: {told}"), todo)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Denied;
    use crate::SinkError;

    /// By the server's own list.
    #[test]
    fn what_does_not_pass_by_itself_is_said_with_what_to_do() {
        for (number, todo) in [
            (10023, Some("make room")),
            (10027, Some("raise the account's limits")),
            (10113, Some("`max_bytes`")),
            (10120, Some("make the stream by hand")),
            (10005, Some("`replicas`")),
            (10074, Some("`replicas`")),
            // A consumer is offline, a stream is to be moved and scaled: none of ours.
            (10119, None),
            (10123, None),
            // It has no leader yet.
            (10008, None),
        ] {
            let answer = json!({ "error": { "err_code": number, "description": "why" } });
            let fault = Denied::of(answer).unwrap_err().fault("trying");
            match todo {
                Some(todo) => assert!(fault.todo().contains(todo), "{number}: {fault:?}"),
                None => assert!(matches!(fault, SinkError::Unreachable { .. }), "{number}"),
            }
        }
    }
}
