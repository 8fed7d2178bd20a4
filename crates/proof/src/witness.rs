//! What is seen of the machine from outside, input by input: the trace, the coverage, and the
//! invariants that can be checked at once.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::hash::{Hash, Hasher};

use unbroken_core::fold::StreamFold;
use unbroken_core::ids::{AppendId, Key, SnapshotId, StreamId};
use unbroken_core::machine::{Input, Machine, Message, Now, Output, Phase, Report, Rung};
use unbroken_core::position::{Epoch, Position};
use unbroken_core::record::{Append, Body, Change, Effect, Origin};
use xxhash_rust::xxh3::Xxh3;

use crate::coverage::{Coverage, Kind, State};
use crate::setting::STREAM;
use crate::violation::Violation;

/// See the module. It outlives the processes of a simulation.
pub(crate) struct Witness {
    trace: Xxh3,
    /// Every input and output in words, for whoever looks into one history.
    story: Option<String>,
    pub(crate) coverage: Coverage,
    pub(crate) recoveries: u64,
    /// The first thing that was wrong.
    pub(crate) violation: Option<Violation>,
    stream: StreamId,
    phase: Option<State>,
    /// The stream has been Live, and left it.
    has_left_live: bool,
    /// What the last attempt asks for; `None`: not by a resume.
    resumes: bool,
    /// Highest position that is durable, by the marks of units that the log has answered for.
    durable: Option<Position>,
    /// Marks of units that it has not.
    under_way: Vec<(AppendId, Position)>,
    /// The last event of each numbering, as it was handed over.
    last_events: BTreeMap<Epoch, u64>,
    /// The version of what state shows of each key.
    versions: BTreeMap<Key, Position>,
    /// Keys that left state for good.
    pub(crate) forgotten: u64,
    staged: Option<(SnapshotId, Vec<(Key, Position)>)>,
}

impl Witness {
    pub(crate) fn new() -> Self {
        Self {
            trace: Xxh3::new(),
            story: None,
            coverage: Coverage::default(),
            recoveries: 0,
            violation: None,
            stream: StreamId::from(STREAM),
            phase: None,
            has_left_live: false,
            resumes: false,
            durable: None,
            under_way: Vec::new(),
            last_events: BTreeMap::new(),
            versions: BTreeMap::new(),
            forgotten: 0,
            staged: None,
        }
    }

    /// From now on everything is told in words.
    pub(crate) fn tell_story(&mut self) {
        self.story = Some(String::new());
    }

    /// What was told.
    pub(crate) fn take_story(&mut self) -> Option<String> {
        self.story.take()
    }

    /// A line of the story.
    pub(crate) fn say(&mut self, now: Now, line: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            // Writing to a text cannot fail.
            let _ = writeln!(story, "{:>8} {}", now.at.0, line());
        }
    }

    /// The present phase; `None` without a process.
    pub(crate) fn state(&self) -> Option<State> {
        self.phase
    }

    /// Whether the stream is Live.
    pub(crate) fn is_live(&self) -> bool {
        self.phase == Some(State::Live)
    }

    /// Goes into the trace.
    pub(crate) fn note(&mut self, what: &impl Hash) {
        what.hash(&mut self.trace);
    }

    /// What the trace has come to.
    pub(crate) fn trace(&self) -> u64 {
        self.trace.finish()
    }

    /// The first thing that is wrong counts.
    pub(crate) fn blame(&mut self, what: &'static str, detail: String) {
        self.violation.get_or_insert(Violation { what: what.to_owned(), detail });
    }

    /// A process begins with what the log holds. `last_events` are the last of each numbering in
    /// it.
    pub(crate) fn restored(
        &mut self,
        fold: Option<&StreamFold>,
        last_events: BTreeMap<Epoch, u64>,
    ) {
        self.durable = fold.and_then(|fold| fold.position);
        self.under_way.clear();
        self.staged = None;
        self.last_events = last_events;
        let keys = fold.into_iter().flat_map(|fold| fold.keys.iter());
        self.versions =
            keys.filter_map(|(key, state)| Some((key.clone(), state.version?))).collect();
    }

    /// A process is over.
    pub(crate) fn ended(&mut self) {
        if let Some(State::Live | State::HandingOver) = self.phase.take() {
            self.has_left_live = true;
        }
    }

    pub(crate) fn input(&mut self, now: Now, machine: &Machine, input: &Input) {
        self.note(&(now, input));
        self.say(now, || format!("--> {input:?}"));
        let phase = machine.phase(&self.stream).map_or(State::Idle, State::of);
        self.coverage.count(phase, Kind::of(input));
        if let Input::Appended { append } = input {
            let durable = self.under_way.partition_point(|(unit, _)| unit <= append);
            if let Some((_, position)) = self.under_way.drain(..durable).next_back() {
                self.durable = Some(position);
            }
        }
    }

    pub(crate) fn output(&mut self, now: Now, output: &Output) {
        if let Output::Wait { .. } = output {
            return self.note(output);
        }
        self.note(&(now.at, output));
        self.say(now, || format!("<-- {output:?}"));
        match output {
            Output::Append(append) => self.append(append),
            Output::Send { message: Message::Subscribe { after: Some(after) }, .. } => {
                let asked = after.sequence();
                let durable = self.durable.map(|position| position.sequence);
                if self.resumes && asked > durable {
                    let what = format!("asked after {asked:?}, durable is {durable:?}");
                    self.blame("ResumeFromDurable", what);
                }
            }
            Output::Report(Report::Rung { rung, .. }) => self.resumes = *rung == Rung::Resume,
            Output::Report(Report::Phase { phase, .. }) => self.turned(phase),
            _ => {}
        }
    }

    fn turned(&mut self, phase: &Phase) {
        let is_live = |state: State| matches!(state, State::Live | State::HandingOver);
        let (before, after) = (self.phase, State::of(phase));
        if before.is_some_and(is_live) && !is_live(after) {
            self.has_left_live = true;
        }
        if is_live(after) && std::mem::take(&mut self.has_left_live) {
            self.recoveries += 1;
        }
        self.phase = Some(after);
    }

    fn append(&mut self, append: &Append) {
        if let Some(mark) = &append.mark {
            self.under_way.push((append.id, mark.position));
        }
        for record in &append.records {
            match &record.body {
                Body::Change(change) => self.change(change),
                Body::SnapshotBegin(begin) => self.staged = Some((begin.snapshot, Vec::new())),
                Body::SnapshotItem { change, .. } => {
                    if let (Some((_, items)), Some(at)) = (&mut self.staged, change.position) {
                        items.push((change.key.clone(), at));
                    }
                }
                Body::SnapshotEnd(_) => {
                    for (key, at) in self.staged.take().map(|(_, items)| items).unwrap_or_default()
                    {
                        self.show(&key, at);
                    }
                }
                Body::SnapshotAbort { .. } => self.staged = None,
                // Its version stays here: what comes late must not bring the key back.
                Body::Forgotten { .. } => self.forgotten += 1,
                _ => {}
            }
        }
    }

    fn change(&mut self, change: &Change) {
        let Some(at) = change.position else { return };
        if matches!(change.origin, Origin::Live | Origin::Replay) {
            let before = self.last_events.insert(at.epoch, at.sequence);
            if before.is_some_and(|before| before >= at.sequence) {
                let what = format!("{at:?} was handed over behind {before:?}");
                self.blame("AtMostOnce", what);
            }
        }
        if change.effect == Effect::State {
            self.show(&change.key, at);
        }
    }

    /// State shows this of a key from now on.
    fn show(&mut self, key: &Key, at: Position) {
        let before = self.versions.insert(key.clone(), at);
        let is_older =
            |before: &Position| before.epoch == at.epoch && before.sequence > at.sequence;
        if let Some(before) = before.filter(is_older) {
            self.blame("NoTimeTravel", format!("a key went from {before:?} to {at:?}"));
        }
    }
}

impl std::fmt::Debug for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Witness").field("phase", &self.phase).finish_non_exhaustive()
    }
}
