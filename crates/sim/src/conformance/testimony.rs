//! All that a client has said, in the terms of the verdict.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::Kind;
use super::canonical::canonical;
use super::line::{self, Event, Gap, Said};
use crate::verdict::{Evidence, FinalValue, LedgerRow, LiveInterval, Origin, Place, Stored};

/// Between a client's own receipt of an event and ours of its line lie its work and a pipe.
const TOLD_LATE_US: i64 = 250_000;

/// Most lines that are kept of those that were not understood.
const STRANGE_MAX: usize = 5;

/// The number of an epoch that a client does not name.
const UNNAMED: u32 = u32::MAX;

/// A line that was not understood.
#[derive(Clone, Debug)]
pub(super) struct Strange {
    pub(super) at_us: i64,
    pub(super) why: String,
}

/// What the client holds of a key.
#[derive(Debug)]
struct Held {
    /// `None`: it is gone.
    payload: Option<Bytes>,
    /// It may be old, as the client says.
    is_stale: bool,
}

/// How many events each feed has told at a moment.
#[derive(Clone, Debug)]
pub(super) struct Told(BTreeMap<String, u64>);

/// See the module.
#[derive(Debug)]
pub(super) struct Testimony {
    kind: Kind,
    stored: Vec<Stored>,
    epochs: Vec<String>,
    gaps: BTreeMap<(String, String), LedgerRow>,
    state: BTreeMap<String, Held>,
    live: Vec<LiveInterval>,
    live_since: BTreeMap<String, i64>,
    /// From a life's first line to its end.
    lives: Vec<(i64, i64)>,
    life_since: Option<i64>,
    tells_live: bool,
    /// Whether it ever said what it holds.
    pub(super) tells_state: bool,
    /// Lines that were not understood, and the first of them.
    pub(super) strange_count: u64,
    pub(super) strange: Vec<Strange>,
    /// Events told.
    pub(super) event_count: u64,
    /// The same, feed by feed.
    event_counts: BTreeMap<String, u64>,
    /// When the last line came, whatever it said.
    pub(super) last_line_us: Option<i64>,
    /// Of the last line that had one.
    pub(super) cursor: Option<String>,
}

impl Testimony {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            stored: Vec::new(),
            epochs: Vec::new(),
            gaps: BTreeMap::new(),
            state: BTreeMap::new(),
            live: Vec::new(),
            live_since: BTreeMap::new(),
            lives: Vec::new(),
            life_since: None,
            tells_live: false,
            tells_state: false,
            strange_count: 0,
            strange: Vec::new(),
            event_count: 0,
            event_counts: BTreeMap::new(),
            last_line_us: None,
            cursor: None,
        }
    }

    /// A line, without its end.
    pub(super) fn add(&mut self, at_us: i64, text: &str) {
        self.last_line_us = Some(at_us);
        self.life_since.get_or_insert(at_us);
        let line = match line::read(self.kind, text) {
            Ok(line) => line,
            Err(why) => return self.add_strange(at_us, why),
        };
        if line.cursor.is_some() {
            self.cursor = line.cursor;
        }
        match line.said {
            Said::Event(event) => self.add_event(at_us, line.stream, event),
            Said::State { key, value, is_stale } => {
                self.tells_state = true;
                let payload = value.as_ref().map(canonical);
                let stored = Stored {
                    key: key.clone(),
                    deleted: payload.is_none(),
                    payload: payload.clone().unwrap_or_default(),
                    origin: Origin::Snapshot,
                    is_state: true,
                    ..self.blank(at_us, line.stream)
                };
                self.stored.push(stored);
                self.state.insert(key, Held { payload, is_stale });
            }
            Said::Live(is_live) => {
                self.tells_live = true;
                if is_live {
                    self.live_since.entry(line.stream).or_insert(at_us);
                } else if let Some(from_us) = self.live_since.remove(&line.stream) {
                    self.live.push(LiveInterval { stream: line.stream, from_us, to_us: at_us });
                }
            }
            Said::Gap(gap) => self.add_gap(line.stream, gap),
        }
    }

    /// How many events each feed has told.
    pub(super) fn told(&self) -> Told {
        Told(self.event_counts.clone())
    }

    /// Whether so many events were told since then, and some by each feed that had told any.
    pub(super) fn is_telling_since(&self, then: &Told, count: u64) -> bool {
        let before = then.0.values().sum::<u64>();
        let goes_on = |(stream, told): (&String, &u64)| {
            self.event_counts.get(stream).is_some_and(|now| now > told)
        };
        self.event_count >= before + count && then.0.iter().all(goes_on)
    }

    /// A line that is not kept for what it would say.
    pub(super) fn add_strange(&mut self, at_us: i64, why: String) {
        self.strange_count += 1;
        if self.strange.len() < STRANGE_MAX {
            self.strange.push(Strange { at_us, why });
        }
    }

    /// The client's process is gone: it says nothing any more, and nothing is live.
    pub(super) fn died(&mut self, at_us: i64) {
        for (stream, from_us) in std::mem::take(&mut self.live_since) {
            self.live.push(LiveInterval { stream, from_us, to_us: at_us });
        }
        if let Some(since_us) = self.life_since.take() {
            self.lives.push((since_us, at_us));
        }
    }

    /// Everything so far, as of now.
    pub(super) fn evidence(&self, now_us: i64) -> Evidence {
        let numbered = self.epochs.iter().enumerate();
        Evidence {
            stored: self.stored.clone(),
            ledger: self.gaps.values().cloned().collect(),
            live: self.live_until(now_us),
            state: self.state.iter().map(value_of).collect(),
            epoch_names: numbered.map(|(at, name)| (number(at), name.clone())).collect(),
            // A client that is killed before it tells anything is to be seen, not excused.
            deaths: Vec::new(),
            repairs: Vec::new(),
            told_late_us: TOLD_LATE_US,
        }
    }

    /// A client that never says whether it is live is taken to be, as long as it runs.
    fn live_until(&self, now_us: i64) -> Vec<LiveInterval> {
        if self.tells_live {
            let open = self.live_since.iter().map(|(stream, from_us)| LiveInterval {
                stream: stream.clone(),
                from_us: *from_us,
                to_us: now_us,
            });
            return self.live.iter().cloned().chain(open).collect();
        }
        let streams: BTreeSet<&String> = self.stored.iter().map(|stored| &stored.stream).collect();
        let lives = || self.lives.iter().copied().chain(self.life_since.map(|from| (from, now_us)));
        let interval = |stream: &String, (from_us, to_us)| LiveInterval {
            stream: stream.clone(),
            from_us,
            to_us,
        };
        streams.iter().flat_map(|stream| lives().map(move |life| interval(stream, life))).collect()
    }

    fn add_event(&mut self, at_us: i64, stream: String, event: Event) {
        self.event_count += 1;
        *self.event_counts.entry(stream.clone()).or_default() += 1;
        let epoch = event.epoch.map_or(UNNAMED, |name| self.epoch(name));
        let stored = Stored {
            epoch,
            sequence: event.sequence,
            key: event.key,
            deleted: event.is_removal,
            payload: canonical(&event.object),
            ..self.blank(at_us, stream)
        };
        self.stored.push(stored);
    }

    fn add_gap(&mut self, stream: String, gap: Gap) {
        let mut place = |place: Option<(Option<String>, u64)>| {
            let (name, sequence) = place?;
            // A position without a name is one of the numbering that the client is in.
            let last = || self.epochs.len().checked_sub(1).map_or(UNNAMED, number);
            let epoch = match name {
                Some(name) => self.epoch(name),
                None => last(),
            };
            Some(Place { epoch, sequence })
        };
        let row = LedgerRow {
            after: place(gap.after),
            through: place(gap.through),
            stream: stream.clone(),
            wall_from_us: gap.from_us,
            wall_to_us: gap.to_us,
            outcome: gap.outcome,
            cause: gap.cause,
        };
        self.gaps.insert((stream, gap.id), row);
    }

    fn epoch(&mut self, name: String) -> u32 {
        let known = self.epochs.iter().position(|known| *known == name);
        number(known.unwrap_or_else(|| {
            self.epochs.push(name);
            self.epochs.len() - 1
        }))
    }

    fn blank(&self, at_us: i64, stream: String) -> Stored {
        Stored {
            stream,
            epoch: UNNAMED,
            epoch_name: None,
            sequence: None,
            key: String::new(),
            ordinal: 0,
            deleted: false,
            payload: Bytes::new(),
            origin: Origin::Live,
            is_state: false,
            occurred_us: None,
            received_us: at_us,
            offset: self.stored.len() as u64,
        }
    }
}

fn value_of((key, held): (&String, &Held)) -> FinalValue {
    FinalValue { key: key.clone(), payload: held.payload.clone(), is_marked_stale: held.is_stale }
}

fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(UNNAMED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(lines: &[&str]) -> Testimony {
        let mut testimony = Testimony::new(Kind::Cxone);
        for (at, line) in (1..).zip(lines) {
            testimony.add(at * 1_000, line);
        }
        testimony
    }

    #[test]
    fn epochs_are_numbered_as_they_come_and_a_gap_without_a_name_is_in_the_last() {
        let evidence = heard(&[
            r#"{"event":{"epoch":"a","sequenceId":1,"adherence":{"agentId":"x"}}}"#,
            r#"{"event":{"epoch":"b","sequenceId":2,"adherence":{"agentId":"x"}}}"#,
            r#"{"gap":{"id":1,"outcome":"unproven","from":1,"to":2,"after":1,"through":
                {"epoch":"a","sequenceId":9}}}"#,
        ])
        .evidence(9_000);
        let epochs: Vec<u32> = evidence.stored.iter().map(|stored| stored.epoch).collect();
        assert_eq!(epochs, [0, 1]);
        assert_eq!(evidence.ledger[0].after, Some(Place { epoch: 1, sequence: 1 }));
        assert_eq!(evidence.ledger[0].through, Some(Place { epoch: 0, sequence: 9 }));
        assert_eq!(evidence.epoch_names, [(0, "a".to_owned()), (1, "b".to_owned())]);
    }

    #[test]
    fn the_last_line_of_a_gap_and_of_a_key_counts() {
        let evidence = heard(&[
            r#"{"gap":{"id":"g","outcome":"open","from":1}}"#,
            r#"{"state":{"key":"x","value":{"agentId":"x","n":1}}}"#,
            r#"{"gap":{"id":"g","outcome":"repaired","from":1,"to":3}}"#,
            r#"{"state":{"key":"x","value":null,"stale":true}}"#,
        ])
        .evidence(9_000);
        assert_eq!(evidence.ledger.len(), 1);
        assert_eq!(evidence.ledger[0].wall_to_us, Some(3_999));
        assert_eq!(evidence.state.len(), 1);
        let state = &evidence.state[0];
        assert!(state.payload.is_none() && state.is_marked_stale);
        assert_eq!(evidence.stored.iter().filter(|stored| stored.is_state).count(), 2);
    }

    #[test]
    fn who_never_says_live_is_live_while_it_runs_and_who_says_it_only_then() {
        let event = r#"{"event":{"epoch":"a","sequenceId":1,"adherence":{"agentId":"x"}}}"#;
        let spans = |testimony: &Testimony| -> Vec<(i64, i64)> {
            let live = testimony.evidence(9_000).live;
            live.iter().map(|live| (live.from_us, live.to_us)).collect()
        };
        let mut silent = heard(&[event]);
        silent.died(3_000);
        silent.add(5_000, event);
        assert_eq!(spans(&silent), [(1_000, 3_000), (5_000, 9_000)]);
        let told = heard(&[event, r#"{"live":true}"#, r#"{"live":false}"#, r#"{"live":true}"#]);
        assert_eq!(spans(&told), [(2_000, 3_000), (4_000, 9_000)]);
    }

    #[test]
    fn the_cursor_of_the_last_line_that_has_one_is_kept() {
        let testimony = heard(&[r#"{"live":true,"cursor":"c1"}"#, "noise", r#"{"live":true}"#]);
        assert_eq!(testimony.cursor.as_deref(), Some("c1"));
        assert_eq!((testimony.strange_count, testimony.event_count), (1, 0));
    }

    #[test]
    fn a_client_is_back_when_each_of_its_feeds_is() {
        let event = |stream: &str, at: u64| {
            format!(
                r#"{{"event":{{"epoch":"a","sequenceId":{at},"adherence":{{"agentId":"x"}}}},
                    "stream":"{stream}"}}"#
            )
        };
        let mut testimony = heard(&[&event("one", 1), &event("two", 2)]);
        let then = testimony.told();
        assert!(!testimony.is_telling_since(&then, 1));
        for at in 3..6 {
            testimony.add(9_000, &event("one", at));
        }
        assert!(!testimony.is_telling_since(&then, 2));
        testimony.add(9_000, &event("two", 6));
        assert!(testimony.is_telling_since(&then, 4));
        assert!(!testimony.is_telling_since(&then, 5));
    }
}
