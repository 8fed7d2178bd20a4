//! The driver with the product's own machine against the real server.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;
use unbroken_connect::{Log, drive};
use unbroken_core::fold::{Fold, StreamFold};
use unbroken_core::ids::{AppendId, StreamId};
use unbroken_core::machine::{Halt, Input, Machine, Now, Phase, Report};
use unbroken_core::record::{Append, Body, Origin, Record};
use unbroken_core::time::UnixMicros;

use crate::server::Etcd;
use crate::source;

/// A log in memory: everything is durable at once, unless it is held up.
#[derive(Clone)]
struct MemoryLog {
    records: Arc<Mutex<Vec<Record>>>,
    fold: Arc<Mutex<Fold>>,
    answers: mpsc::Sender<Input>,
    /// While held up: the last unit that is not answered yet.
    held_up: Arc<Mutex<Option<AppendId>>>,
}

impl MemoryLog {
    fn hold_up(&self) {
        *self.held_up.lock().unwrap() = Some(AppendId(0));
    }

    fn catch_up(&self) {
        if let Some(append) = self.held_up.lock().unwrap().take() {
            self.answers.try_send(Input::Appended { append }).unwrap();
        }
    }
}

impl Log for MemoryLog {
    fn submit(&self, append: Append) {
        let mut records = self.records.lock().unwrap();
        let mut fold = self.fold.lock().unwrap();
        for record in append.records {
            fold.apply(records.len() as u64, &record);
            records.push(record);
        }
        if let Some(mark) = &append.mark {
            fold.mark(mark);
        }
        match &mut *self.held_up.lock().unwrap() {
            Some(last) => *last = append.id,
            None => self.answers.try_send(Input::Appended { append: append.id }).unwrap(),
        }
    }
}

struct Running {
    log: MemoryLog,
    stream: StreamId,
    reports: mpsc::UnboundedReceiver<Report>,
    task: tokio::task::JoinHandle<Halt>,
}

impl Running {
    /// Starts a source on what an earlier run has left.
    fn start(etcd: &Etcd, earlier: Option<(Vec<Record>, Fold)>) -> Self {
        let source = source(etcd, "");
        let stream = source.stream().clone();
        let (answers, inputs) = mpsc::channel(100_000);
        let (records, fold) = earlier.unwrap_or_else(|| (Vec::new(), Fold::new(true)));
        let held = fold.streams.iter().map(|(id, fold)| (id.clone(), fold.clone())).collect();
        let restored = Input::Restored { streams: held, next_offset: records.len() as u64 };
        answers.try_send(restored).unwrap();
        let log = MemoryLog {
            records: Arc::new(Mutex::new(records)),
            fold: Arc::new(Mutex::new(fold)),
            answers,
            held_up: Arc::new(Mutex::new(None)),
        };
        let (send, reports) = mpsc::unbounded_channel();
        let machine = Machine::new(source.machine_config(7));
        let report = move |_: Now, report| {
            send.send(report).ok();
        };
        let task = tokio::spawn(drive(source, machine, log.clone(), inputs, report));
        Self { log, stream, reports, task }
    }

    async fn until_live(&mut self) -> Vec<Report> {
        let mut told = Vec::new();
        let wait = async {
            while let Some(report) = self.reports.recv().await {
                let live = matches!(report, Report::Phase { phase: Phase::Live { .. }, .. });
                told.push(report);
                if live {
                    return;
                }
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(30), wait).await;
        assert!(waited.is_ok(), "{told:#?}");
        told
    }

    async fn until_held(&self, key: &str, value: &str) {
        until(|| self.state().get(key).map(String::as_str) == Some(value)).await;
    }

    fn fold(&self) -> StreamFold {
        self.log.fold.lock().unwrap().streams.get(&self.stream).cloned().unwrap_or_default()
    }

    fn state(&self) -> BTreeMap<String, String> {
        let fold = self.fold();
        let present = fold.keys.iter().filter(|(_, state)| state.present);
        present
            .map(|(key, state)| {
                (key.to_string(), String::from_utf8_lossy(&state.payload).into_owned())
            })
            .collect()
    }

    /// Key and value of every event of the stream, in order.
    fn events(&self) -> Vec<(String, String)> {
        let records = self.log.records.lock().unwrap();
        let changes = records.iter().filter_map(|record| match &record.body {
            Body::Change(change) if matches!(change.origin, Origin::Live | Origin::Replay) => {
                let value = String::from_utf8_lossy(&change.payload).into_owned();
                Some((change.key.to_string(), value))
            }
            _ => None,
        });
        changes.collect()
    }

    /// Stops it and returns what it has left.
    async fn stop(self) -> (Vec<Record>, Fold) {
        self.log.answers.send(Input::Shutdown).await.unwrap();
        let halt = tokio::time::timeout(Duration::from_secs(5), self.task).await.unwrap().unwrap();
        assert_eq!(halt, Halt::Stopped);
        let records = self.log.records.lock().unwrap().clone();
        (records, self.log.fold.lock().unwrap().clone())
    }
}

async fn until(holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.unwrap();
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn what_changed_while_we_were_away_is_in_the_log_once() {
    let etcd = Etcd::start().await;
    etcd.put("agents/a", "1").await;
    let mut running = Running::start(&etcd, None);
    running.until_live().await;
    assert_eq!(running.state(), pairs(&[("agents/a", "1")]).into_iter().collect());
    etcd.put("agents/a", "2").await;
    etcd.put_all(&[("agents/b", "3"), ("agents/c", "4")]).await;
    running.until_held("agents/c", "4").await;
    let left = running.stop().await;

    etcd.put("agents/a", "5").await;
    etcd.delete("agents/b").await;
    let mut running = Running::start(&etcd, Some(left));
    let told = running.until_live().await;
    running.until_held("agents/a", "5").await;
    assert_eq!(
        running.events(),
        pairs(&[
            ("agents/a", "2"),
            ("agents/b", "3"),
            ("agents/c", "4"),
            ("agents/a", "5"),
            ("agents/b", "")
        ]),
        "{told:#?}"
    );
    let expected = pairs(&[("agents/a", "5"), ("agents/c", "4")]).into_iter().collect();
    assert_eq!(running.state(), expected);
    assert!(running.fold().open_gaps.is_empty());
    running.stop().await;
}

#[tokio::test]
async fn what_was_compacted_while_we_were_away_is_a_ledger_row() {
    let etcd = Etcd::start().await;
    let mut running = Running::start(&etcd, None);
    running.until_live().await;
    etcd.put("agents/a", "1").await;
    etcd.put("agents/b", "2").await;
    running.until_held("agents/b", "2").await;
    let left = running.stop().await;

    etcd.put("agents/a", "lost").await;
    let compacted = etcd.delete("agents/b").await;
    etcd.put("agents/c", "kept").await;
    etcd.compact(compacted).await;
    let mut running = Running::start(&etcd, Some(left));
    let told = running.until_live().await;
    let expected: BTreeMap<_, _> =
        pairs(&[("agents/a", "lost"), ("agents/c", "kept")]).into_iter().collect();
    running.until_held("agents/c", "kept").await;
    assert_eq!(running.state(), expected, "{told:#?}");
    assert_eq!(
        running.events(),
        pairs(&[("agents/a", "1"), ("agents/b", "2"), ("agents/c", "kept")]),
        "{told:#?}"
    );
    let (records, _) = running.stop().await;
    let row = records.iter().rev().find_map(|record| match &record.body {
        Body::GapClosed(row) => Some(row.clone()),
        _ => None,
    });
    let row = row.unwrap();
    let through = row.through.map(|position| position.sequence);
    assert_eq!((through, row.reconciled), (Some(compacted), true), "{row:?}");
    assert!(row.wall_from > UnixMicros(0));
}

#[tokio::test]
async fn a_log_that_falls_behind_stops_the_reading_and_nothing_is_lost() {
    let etcd = Etcd::start().await;
    let mut running = Running::start(&etcd, None);
    running.until_live().await;
    running.log.hold_up();
    let value = "x".repeat(1024);
    for n in 0..100 {
        etcd.put(&format!("agents/{n}"), &value).await;
    }
    // The bound is 8 KiB: it is passed by one event, and after that nothing is read.
    until(|| running.events().len() >= 6).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(running.events().len() < 90, "{} events were read", running.events().len());
    running.log.catch_up();
    until(|| running.events().len() == 100).await;
    let expected: Vec<_> = (0..100).map(|n| (format!("agents/{n}"), value.clone())).collect();
    assert_eq!(running.events(), expected);
    running.stop().await;
}
