//! Follows the faults and the recovery side by side, and makes a line of each fault that is over.

use std::collections::BTreeMap;
use std::time::Duration;

use unbroken_core::ids::StreamId;
use unbroken_core::machine::{Phase, Report};
use unbroken_core::time::UnixMicros;
use unbroken_sim::{Fault, FaultNews, Stage};

use super::episode::Episode;
use super::tally::Tally;

/// A recovery that takes longer is not waited for before the next fault, so that the play goes on;
/// it is still told when it comes.
const PATIENCE: Duration = Duration::from_secs(12);

/// See the module.
#[derive(Debug)]
pub(super) struct Story {
    began_at: UnixMicros,
    /// Which streams there are, and which of them are live.
    streams: BTreeMap<StreamId, bool>,
    /// Since when all are.
    live_since: Option<UnixMicros>,
    episodes: Vec<Episode>,
    /// The figures.
    pub(super) tally: Tally,
    lines: Vec<Line>,
    /// Faults that were asked for and have not begun.
    expected: usize,
    /// The figures of the pairs, where faults are played in pairs.
    pub(super) pairs: Option<Tally>,
    /// Pairs that are not over.
    acts: Vec<Pair>,
}

/// Faults that are in force together.
#[derive(Debug)]
struct Pair {
    name: String,
    ids: Vec<u64>,
    unfired: usize,
    unrecovered: usize,
    recovery_ms: u64,
}

/// A fault that is over.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Milliseconds since the beginning, when the fault fired.
    pub(super) at_ms: u64,
    /// Its name.
    pub(super) fault: String,
    /// What became of it.
    pub(super) text: String,
}

impl Story {
    pub(super) fn new(
        began_at: UnixMicros,
        streams: impl IntoIterator<Item = StreamId>,
        tally: Tally,
        pairs: Option<Tally>,
    ) -> Self {
        Self {
            began_at,
            streams: streams.into_iter().map(|stream| (stream, false)).collect(),
            live_since: None,
            episodes: Vec::new(),
            tally,
            lines: Vec::new(),
            expected: 0,
            pairs,
            acts: Vec::new(),
        }
    }

    /// Since the story began.
    pub(super) fn elapsed(&self, now: UnixMicros) -> Duration {
        Duration::from_micros(u64::try_from(now.0 - self.began_at.0).unwrap_or(0))
    }

    /// Faults were asked for, to be in force together.
    pub(super) fn expected(&mut self, act: &[Fault], ids: &[u64]) {
        self.expected += ids.len();
        let Some(pairs) = &mut self.pairs else { return };
        let name = act.iter().map(|fault| fault.name()).collect::<Vec<_>>().join("+");
        pairs.injected(&name);
        let (unfired, unrecovered) = (ids.len(), ids.len());
        self.acts.push(Pair { name, ids: ids.to_vec(), unfired, unrecovered, recovery_ms: 0 });
    }

    /// The vendor tells of a fault.
    pub(super) fn news(&mut self, news: &FaultNews) {
        let at = UnixMicros(news.at_us);
        let live = self.live_since.is_some();
        match news.stage {
            Stage::Injected => {
                self.expected = self.expected.saturating_sub(1);
                self.tally.injected(news.fault.name());
                self.episodes.push(Episode::new(news.id, news.fault.name(), at));
            }
            Stage::Fired => {
                self.tally.fired(news.fault.name());
                self.with(news.id, |episode| episode.fired(at, live));
                self.note_fired(news.id);
            }
            Stage::Ended => self.with(news.id, |episode| episode.ended(at)),
            Stage::Missed => self.episodes.retain(|episode| episode.id != news.id),
        }
        self.settle();
    }

    /// A machine tells of a recovery.
    pub(super) fn reported(&mut self, at: UnixMicros, report: &Report) {
        for episode in &mut self.episodes {
            episode.narration.add(report);
        }
        if let Report::Phase { stream, phase } = report {
            self.streams.insert(stream.clone(), matches!(phase, Phase::Live { .. }));
            let live = self.streams.values().all(|live| *live);
            if live != self.live_since.is_some() {
                self.live_since = live.then_some(at);
                for episode in &mut self.episodes {
                    episode.live_changed(at, live);
                }
            }
        }
        self.settle();
    }

    /// Events up to this one, by the vendor's clock, are durable.
    pub(super) fn stored(&mut self, emitted_at: UnixMicros) {
        for episode in &mut self.episodes {
            episode.stored(emitted_at);
        }
        self.settle();
    }

    /// The lines of the faults that are over since the last call.
    pub(super) fn take_lines(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.lines)
    }

    /// Since when all streams are live, if they are.
    pub(super) fn live_since(&self) -> Option<UnixMicros> {
        self.live_since
    }

    /// Faults that are not over, and not given up waiting for.
    pub(super) fn open(&self, now: UnixMicros) -> usize {
        let patience = i64::try_from(PATIENCE.as_micros()).unwrap_or(i64::MAX);
        let open = self.episodes.iter().filter(|e| now.0 - e.injected_at.0 < patience).count();
        open + self.expected
    }

    /// Faults that are not over.
    pub(super) fn open_in_all(&self) -> usize {
        self.episodes.len()
    }

    fn with(&mut self, id: u64, change: impl FnOnce(&mut Episode)) {
        if let Some(episode) = self.episodes.iter_mut().find(|episode| episode.id == id) {
            change(episode);
        }
    }

    fn note_fired(&mut self, id: u64) {
        let Some(pair) = self.acts.iter_mut().find(|pair| pair.ids.contains(&id)) else { return };
        pair.unfired -= 1;
        if pair.unfired == 0
            && let Some(pairs) = &mut self.pairs
        {
            pairs.fired(&pair.name);
        }
    }

    /// A pair has recovered when both of its faults have.
    fn note_recovered(&mut self, id: u64, recovery_ms: u64) {
        let Some(at) = self.acts.iter().position(|pair| pair.ids.contains(&id)) else { return };
        let pair = &mut self.acts[at];
        pair.unrecovered -= 1;
        pair.recovery_ms = pair.recovery_ms.max(recovery_ms);
        if pair.unrecovered == 0 {
            let pair = self.acts.swap_remove(at);
            if let Some(pairs) = &mut self.pairs {
                pairs.recovered(&pair.name, pair.recovery_ms);
            }
        }
    }

    /// Tells of every episode that is over.
    fn settle(&mut self) {
        let live = self.live_since.is_some();
        let mut index = 0;
        while let Some(episode) = self.episodes.get(index) {
            let Some(recovery_ms) = episode.recovery_ms().filter(|_| live) else {
                index += 1;
                continue;
            };
            let episode = self.episodes.remove(index);
            self.tally.recovered(&episode.fault, recovery_ms);
            self.note_recovered(episode.id, recovery_ms);
            let at = episode.fired_at.unwrap_or(episode.injected_at);
            self.lines.push(Line {
                at_ms: u64::try_from((at.0 - self.began_at.0) / 1_000).unwrap_or(0),
                text: episode.narration.tell(recovery_ms, episode.stayed_live()),
                fault: episode.fault,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use unbroken_core::connector::{Class, Failure};
    use unbroken_core::ids::ConnId;
    use unbroken_core::machine::{Phase, Report};
    use unbroken_core::time::UnixMicros;
    use unbroken_sim::{Fault, FaultNews, Stage};

    use super::{Line, Story};
    use crate::cli::demo::tally::Tally;

    fn news(stage: Stage, at_ms: i64) -> FaultNews {
        FaultNews { id: 7, fault: Fault::CleanClose, stage, at_us: at_ms * 1_000 }
    }

    fn phase(phase: Phase) -> Report {
        Report::Phase { stream: "demo/adherence".into(), phase }
    }

    const fn ms(ms: i64) -> UnixMicros {
        UnixMicros(ms * 1_000)
    }

    #[test]
    fn a_fault_is_one_line_once_it_is_over() {
        let tally = Tally::new(["clean-close".to_owned()]);
        let mut story = Story::new(ms(0), ["demo/adherence".into()], tally, None);
        story.reported(ms(5), &phase(Phase::Live { handover: false }));
        story.news(&news(Stage::Injected, 100));
        story.news(&news(Stage::Fired, 110));
        let what = "closed by the vendor (1012)".into();
        let failure = Failure { class: Class::Retry { after_ms: None }, code: Some(1012), what };
        story.reported(
            ms(111),
            &Report::Lost { stream: "demo/adherence".into(), conn: ConnId(1), failure },
        );
        story.reported(ms(112), &phase(Phase::Connecting));
        story.news(&news(Stage::Ended, 113));
        story.reported(ms(194), &phase(Phase::Live { handover: false }));
        assert_eq!((story.take_lines(), story.open(ms(200))), (Vec::new(), 1));
        story.stored(ms(195));
        let line = Line {
            at_ms: 110,
            fault: "clean-close".to_owned(),
            text: "closed by the vendor (1012) → live again after 84 ms, nothing lost".to_owned(),
        };
        assert_eq!((story.take_lines(), story.open(ms(200))), (vec![line], 0));
        assert!(story.tally.outstanding().is_empty());
    }

    #[test]
    fn a_source_is_live_when_all_of_its_streams_are() {
        let streams = ["demo/adherence".into(), "demo/presence".into()];
        let mut story = Story::new(ms(0), streams, Tally::default(), None);
        let of = |stream: &str, phase| Report::Phase { stream: stream.into(), phase };
        let live = Phase::Live { handover: false };
        story.reported(ms(5), &of("demo/adherence", live.clone()));
        assert_eq!(story.live_since(), None);
        story.reported(ms(7), &of("demo/presence", live));
        assert_eq!(story.live_since(), Some(ms(7)));
        story.reported(ms(9), &of("demo/adherence", Phase::Connecting));
        assert_eq!(story.live_since(), None);
    }

    #[test]
    fn a_pair_has_recovered_when_both_of_its_faults_have() {
        let streams = ["demo/adherence".into()];
        let mut story = Story::new(ms(0), streams, Tally::default(), Some(Tally::default()));
        story.reported(ms(5), &phase(Phase::Live { handover: false }));
        story.expected(&[Fault::CleanClose, Fault::Duplicates], &[7, 8]);
        let other = |stage, at_ms: i64| FaultNews {
            id: 8,
            fault: Fault::Duplicates,
            stage,
            at_us: at_ms * 1_000,
        };
        for told in [
            news(Stage::Injected, 10),
            news(Stage::Fired, 11),
            news(Stage::Ended, 12),
            other(Stage::Injected, 13),
        ] {
            story.news(&told);
        }
        story.stored(ms(20));
        let figures = |story: &Story| story.pairs.as_ref().unwrap().totals();
        assert_eq!((story.take_lines().len(), figures(&story)), (1, (1, 0, 0)));
        story.news(&other(Stage::Fired, 21));
        story.news(&other(Stage::Ended, 22));
        story.stored(ms(30));
        assert_eq!((story.take_lines().len(), figures(&story)), (1, (1, 1, 1)));
        assert!(story.pairs.unwrap().outstanding().is_empty());
    }
}
