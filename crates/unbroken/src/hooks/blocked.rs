//! Which streams are blocked, as it was last told.

use std::collections::BTreeMap;

use unbroken_core::ids::StreamId;
use unbroken_core::machine::{Blocked, Phase, Report};
use unbroken_core::time::UnixMicros;

use super::notice::Notice;

#[derive(Debug, Default)]
pub(super) struct BlockedStreams(BTreeMap<StreamId, Blocked>);

impl BlockedStreams {
    /// What is news in a report, if anything. A blocked stream tries again by itself now and then
    /// and is blocked again, which is none; it is helped when it is live.
    pub(super) fn note(&mut self, at: UnixMicros, report: &Report) -> Option<Notice> {
        let Report::Phase { stream, phase } = report else { return None };
        match phase {
            Phase::Blocked { why } => {
                let known = self.0.insert(stream.clone(), why.clone());
                let is_news = known.as_ref() != Some(why);
                is_news.then(|| Notice::of_blocked(at, stream.as_str(), why))
            }
            Phase::Live { .. } => {
                self.0.remove(stream).map(|_| Notice::of_unblocked(at, stream.as_str()))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_stays_blocked_is_told_once_and_once_when_it_is_live() {
        let mut streams = BlockedStreams::default();
        let mut told = |stream: &str, phase: Phase| {
            let report = Report::Phase { stream: stream.into(), phase };
            streams.note(UnixMicros(0), &report).map(|notice| notice.event())
        };
        let live = || Phase::Live { handover: false };
        let no_way = || Phase::Blocked { why: Blocked::NoWay };
        let lacking = |lacks| Phase::Blocked { why: Blocked::MassDelete { lacks, of: 9 } };
        assert_eq!(told("a/s", live()), None);
        assert_eq!(told("a/s", no_way()), Some("blocked"));
        assert_eq!(told("a/s", Phase::Connecting), None);
        assert_eq!(told("a/s", no_way()), None);
        assert_eq!(told("b/s", no_way()), Some("blocked"), "another stream");
        assert_eq!(told("a/s", lacking(3)), Some("blocked"), "another reason");
        assert_eq!(told("a/s", live()), Some("unblocked"));
        assert_eq!(told("a/s", live()), None);
        assert_eq!(told("a/s", lacking(3)), Some("blocked"));
    }
}
