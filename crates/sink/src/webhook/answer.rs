//! What an endpoint's answer means.

use std::time::Duration;

use crate::SinkError;

/// What is read of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostAnswer {
    /// HTTP's.
    pub status: u16,
    /// How long it asks to be left alone.
    pub retry_after: Option<Duration>,
}

/// What it means for what was posted.
#[derive(Debug)]
pub(super) enum Verdict {
    Taken,
    /// It may take fewer events at once.
    TooLarge,
    /// Something that was posted is none of what it takes.
    Refused(u16),
    /// Something else, about the endpoint itself.
    Fault(SinkError),
}

pub(super) fn verdict(answer: PostAnswer) -> Verdict {
    let PostAnswer { status, retry_after } = answer;
    match status {
        200..300 => Verdict::Taken,
        413 => Verdict::TooLarge,
        400 | 422 => Verdict::Refused(status),
        408 | 409 | 425 | 429 | 500..600 => Verdict::Fault(match retry_after {
            Some(after) => SinkError::Busy { what: said(status), after },
            None => SinkError::unreachable("posting")(said(status)),
        }),
        _ => Verdict::Fault(SinkError::blocked(said(status), todo(status))),
    }
}

/// As everything that is told of an answer: its body may hold anything.
pub(super) fn said(status: u16) -> String {
    format!("endpoint answers HTTP {status}")
}

fn todo(status: u16) -> &'static str {
    match status {
        300..=399 => "redirects are not followed: name the URL that answers",
        401 | 403 => {
            "look at the secret, and at the clock of both machines: the receiver does not accept \
             the signature, or what it wants beside it"
        }
        404 | 405 => "is the `url` right? Ask whoever runs it",
        410 => "the endpoint is there no more: name another `url`, or take the sink away",
        415 => "the receiver must take application/cloudevents-batch+json",
        _ => "ask whoever runs the endpoint what it wants",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_means_one_thing() {
        let of = |status, retry_after| verdict(PostAnswer { status, retry_after });
        assert!([200, 202, 204].iter().all(|it| matches!(of(*it, None), Verdict::Taken)));
        assert!(matches!(of(413, None), Verdict::TooLarge));
        assert!([400, 422].iter().all(|it| matches!(of(*it, None), Verdict::Refused(_))));
        for status in [408, 409, 425, 429, 500, 502, 503, 599] {
            let fault = of(status, None);
            let is_so = matches!(fault, Verdict::Fault(SinkError::Unreachable { .. }));
            assert!(is_so, "{status}: {fault:?}");
            let after = Duration::from_secs(7);
            let fault = of(status, Some(after));
            let waits = |it: &Verdict| match it {
                Verdict::Fault(SinkError::Busy { after, .. }) => Some(*after),
                _ => None,
            };
            assert_eq!(waits(&fault), Some(after), "{status}: {fault:?}");
        }
        for status in [101, 301, 307, 401, 403, 404, 405, 410, 415, 418, 600] {
            let Verdict::Fault(fault @ SinkError::Blocked(_)) = of(status, None) else {
                panic!("{status} needs a person");
            };
            assert!(!fault.todo().is_empty() && fault.to_string().contains(&status.to_string()));
        }
    }
}
