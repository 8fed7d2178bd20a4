//! The driver with the product's own machine: from the first question to a restart.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use unbroken_connect::{Log, Source, drive};
use unbroken_core::fold::Fold;
use unbroken_core::machine::{Halt, Input, Machine, Now, Phase, Report};
use unbroken_core::record::{Append, Body, GapCause, GapClosed, Origin, Record};

use crate::vendor::{Vendor, answer, nothing, page, time};

/// A log in memory: everything is durable at once, unless it is told to be slow.
#[derive(Clone)]
struct MemoryLog {
    held: Arc<Mutex<(Vec<Record>, Fold)>>,
    answers: mpsc::Sender<Input>,
    /// Answers that are held back; `None`: none is.
    late: Arc<Mutex<Option<Vec<Input>>>>,
}

impl MemoryLog {
    fn answer(&self, input: Input) {
        match &mut *self.late.lock().unwrap() {
            Some(late) => late.push(input),
            None => self.answers.try_send(input).unwrap(),
        }
    }

    fn be_slow(&self) {
        *self.late.lock().unwrap() = Some(Vec::new());
    }

    fn be_quick(&self) {
        let late = self.late.lock().unwrap().take();
        late.into_iter().flatten().for_each(|input| self.answer(input));
    }
}

impl Log for MemoryLog {
    fn submit(&self, append: Append) {
        let (records, fold) = &mut *self.held.lock().unwrap();
        for record in append.records {
            fold.apply(records.len() as u64, &record);
            records.push(record);
        }
        if let Some(mark) = &append.mark {
            fold.mark(mark);
        }
        self.answer(Input::Appended { append: append.id });
    }
}

struct Running {
    log: MemoryLog,
    reports: Arc<Mutex<Vec<(Now, Report)>>>,
    task: JoinHandle<Halt>,
}

impl Running {
    fn start(source: Source, earlier: Option<(Vec<Record>, Fold)>) -> Self {
        let (answers, inputs) = mpsc::channel(100_000);
        let (records, fold) = earlier.unwrap_or_else(|| (Vec::new(), Fold::new(true)));
        let streams = fold.streams.iter().map(|(id, fold)| (id.clone(), fold.clone())).collect();
        let next_offset = records.len() as u64;
        answers.try_send(Input::Restored { streams, next_offset }).unwrap();
        let held = Arc::new(Mutex::new((records, fold)));
        let log = MemoryLog { held, answers, late: Arc::default() };
        let machine = Machine::new(source.machine_config(7));
        let reports = Arc::<Mutex<Vec<(Now, Report)>>>::default();
        let kept = Arc::clone(&reports);
        let keep = move |now: Now, report: Report| kept.lock().unwrap().push((now, report));
        let task = tokio::spawn(drive(source, machine, log.clone(), inputs, keep));
        Self { log, reports, task }
    }

    fn is_live(&self) -> bool {
        let live = |(_, report): &(Now, Report)| match report {
            Report::Phase { phase, .. } => matches!(phase, Phase::Live { .. }),
            _ => false,
        };
        self.reports.lock().unwrap().iter().any(live)
    }

    async fn until_live(&self) {
        let live = async {
            while !self.is_live() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let came = tokio::time::timeout(Duration::from_secs(20), live).await;
        assert!(came.is_ok(), "{:?}", self.reports.lock().unwrap());
    }

    fn bodies(&self) -> Vec<Body> {
        self.log.held.lock().unwrap().0.iter().map(|record| record.body.clone()).collect()
    }

    /// `agent:state` of every event that came by polling.
    fn events(&self) -> Vec<String> {
        let bodies = self.bodies();
        let changes = bodies.iter().filter_map(|body| match body {
            Body::Change(change) if matches!(change.origin, Origin::Live | Origin::Replay) => {
                Some(format!("{}:{}", change.key, change.kind.as_ref()?))
            }
            _ => None,
        });
        changes.collect()
    }

    fn outages(&self) -> Vec<GapClosed> {
        let rows = self.bodies().into_iter().filter_map(|body| match body {
            Body::GapClosed(row) if row.cause != GapCause::Start => Some(row),
            _ => None,
        });
        rows.collect()
    }

    fn state(&self, agent: &str) -> String {
        let held = self.log.held.lock().unwrap();
        let stream = held.1.streams.values().next().unwrap();
        let state = stream.keys.get(&agent.into()).unwrap();
        String::from_utf8(state.payload.to_vec()).unwrap()
    }

    async fn until_events(&self, count: usize) -> Vec<String> {
        let enough = async {
            while self.events().len() < count {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let came = tokio::time::timeout(Duration::from_secs(20), enough).await;
        assert!(came.is_ok(), "{:?}", self.events());
        self.events()
    }

    async fn stop(self) -> (Vec<Record>, Fold) {
        self.log.answers.send(Input::Shutdown).await.unwrap();
        let halt = tokio::time::timeout(Duration::from_secs(5), self.task).await.unwrap().unwrap();
        assert_eq!(halt, Halt::Stopped);
        let held = self.log.held.lock().unwrap();
        (held.0.clone(), held.1.clone())
    }
}

/// The snapshot: agent 1 is available, agent 2 on a call.
fn everybody() -> Vec<u8> {
    page(&[(1, "Available", 1), (2, "InboundContact", 2)], 30, 2)
}

async fn until_done(vendor: &Vendor) {
    let done = async {
        while !vendor.is_done() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), done).await.unwrap();
}

#[tokio::test]
async fn what_changes_between_answers_is_one_event_each_and_what_is_shown_again_none() {
    let overlap = [(1, "Available", 1), (2, "LoggedOut", 31)];
    let vendor = Vendor::start([
        everybody(),
        page(&overlap, 40, 2),
        page(&overlap, 45, 2),
        page(&[(2, "Available", 46)], 50, 1),
        page(&[(2, "LoggedOut", 51), (1, "Dialer", 51)], 55, 2),
    ])
    .await;
    let running = Running::start(vendor.source(), None);
    let events = running.until_events(4).await;
    assert_eq!(events, ["2:LoggedOut", "2:Available", "2:LoggedOut", "1:Dialer"]);
    until_done(&vendor).await;
    assert_eq!(vendor.asked()[0], ("-".to_owned(), 0), "the snapshot is of everybody");
    assert_eq!(vendor.asked()[1], (time(20), 0), "the first question is from its place");
    assert!(running.state("1").contains("Dialer"));
    assert_eq!(running.outages(), []);
    running.stop().await;
}

#[tokio::test]
async fn an_answer_that_is_lost_is_asked_for_again_and_costs_no_ledger_row() {
    let vendor = Vendor::start([
        everybody(),
        page(&[(1, "Dialer", 31)], 40, 1),
        Vec::new(),
        answer("503 Down", "", ""),
        page(&[(1, "LoggedOut", 41)], 50, 1),
    ])
    .await;
    let running = Running::start(vendor.source(), None);
    assert_eq!(running.until_events(2).await, ["1:Dialer", "1:LoggedOut"]);
    let asked = vendor.asked();
    assert_eq!(asked[2..5], [(time(30), 0), (time(30), 0), (time(30), 0)], "{asked:?}");
    assert_eq!(running.outages(), []);
    running.stop().await;
}

#[tokio::test]
async fn a_lost_second_page_stores_the_first_once_and_moves_no_place() {
    let (a, b, c) = ((1, "Dialer", 31), (2, "LoggedOut", 31), (3, "LoggedIn", 32));
    let vendor = Vendor::start([
        everybody(),
        page(&[a, b], 40, 3),
        Vec::new(),
        page(&[a, (2, "Available", 41)], 45, 3),
        page(&[c], 45, 3),
    ])
    .await;
    let running = Running::start(vendor.source(), None);
    let events = running.until_events(4).await;
    assert_eq!(events, ["1:Dialer", "2:LoggedOut", "2:Available", "3:LoggedIn"]);
    assert_eq!(vendor.asked()[3], (time(20), 0), "from the place before the torn answer");
    assert_eq!(running.outages(), []);
    running.stop().await;
}

#[tokio::test]
async fn nothing_is_asked_on_before_the_last_answer_is_durable() {
    let vendor = Vendor::start([everybody()]).await;
    let running = Running::start(vendor.source(), None);
    running.until_live().await;
    running.log.be_slow();
    vendor.say([page(&[(1, "Dialer", 31)], 40, 1)]);
    running.until_events(1).await;
    let asked = vendor.asked().len();
    // Time for many questions. A death now loses nothing that a question has acknowledged.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(vendor.asked().len(), asked, "{:?}", vendor.asked());
    vendor.say([page(&[(1, "LoggedOut", 41)], 50, 1)]);
    running.log.be_quick();
    assert_eq!(running.until_events(2).await, ["1:Dialer", "1:LoggedOut"]);
    running.stop().await;
}

#[tokio::test]
async fn a_restart_asks_from_the_place_on_disk_and_stores_nothing_twice() {
    let (a, b) = ((1, "Dialer", 31), (2, "LoggedOut", 31));
    let vendor = Vendor::start([everybody(), page(&[a, b], 40, 2)]).await;
    let running = Running::start(vendor.source(), None);
    running.until_events(2).await;
    let earlier = running.stop().await;
    let before = vendor.asked().len();
    // Twice: a question of the first run may still be on its way.
    vendor.say([page(&[a, (2, "Available", 42)], 50, 2), page(&[a, (2, "Available", 42)], 50, 2)]);
    let running = Running::start(vendor.source(), Some(earlier));
    let events = running.until_events(3).await;
    assert_eq!(events, ["1:Dialer", "2:LoggedOut", "2:Available"]);
    let asked = vendor.asked().split_off(before);
    assert!(asked.contains(&(time(30), 0)), "from the place on disk: {asked:?}");
    assert!(!asked.iter().any(|(since, _)| since == "-"), "no snapshot is needed: {asked:?}");
    assert_eq!(running.outages(), []);
    running.stop().await;
}

#[tokio::test]
async fn a_place_that_is_refused_leads_to_everybody_s_state_and_a_row() {
    let vendor = Vendor::start([
        everybody(),
        page(&[(1, "Dialer", 31)], 40, 1),
        answer("400 Bad", "icStatusDescription: updatedSince is too old\r\n", ""),
        answer("400 Bad", "icStatusDescription: updatedSince is too old\r\n", ""),
        page(&[(1, "LoggedOut", 50), (2, "InboundContact", 2)], 60, 2),
        page(&[(2, "Available", 61)], 65, 1),
    ])
    .await;
    let running = Running::start(vendor.source(), None);
    assert_eq!(running.until_events(2).await, ["1:Dialer", "2:Available"]);
    assert!(running.state("1").contains("LoggedOut"));
    let rows = running.outages();
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0].cause, GapCause::Refused);
    running.stop().await;
}

#[tokio::test]
async fn a_tenant_without_agents_is_live_and_its_first_agent_is_an_event() {
    let vendor = Vendor::start([]).await;
    let source = vendor.source_with("timing = { audit_ms = 20, grace_ms = 20 }");
    let running = Running::start(source, None);
    running.until_live().await;
    let audited = async {
        while vendor.asked().iter().filter(|(since, _)| since == "-").count() < 4 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), audited).await.unwrap();
    vendor.say([page(&[(1, "LoggedIn", 35)], 40, 1)]);
    assert_eq!(running.until_events(1).await, ["1:LoggedIn"]);
    assert!(running.state("1").contains("LoggedIn"));
    let asked = vendor.asked();
    let begin = "1970-01-01T00:00:00.000Z";
    assert_eq!(asked[..2], [("-".into(), 0), (begin.into(), 0)], "everybody, then from the begin");
    assert_eq!(running.outages(), []);
    running.stop().await;
}

#[tokio::test]
async fn who_is_told_to_come_later_waits_where_everybody_can_see_it() {
    let later = answer("429 Slow", "Retry-After: 1\r\n", "");
    let vendor = Vendor::start([everybody(), nothing(), later.clone()]).await;
    let running = Running::start(vendor.source(), None);
    running.until_live().await;
    vendor.say([page(&[(1, "Dialer", 31)], 40, 1)]);
    assert_eq!(running.until_events(1).await, ["1:Dialer"]);
    let reports = running.reports.lock().unwrap().clone();
    let waits = reports.iter().find_map(|(now, report)| match report {
        Report::Phase { phase: Phase::Waiting { until, why }, .. } => {
            Some((until.since(now.at), why.to_string()))
        }
        _ => None,
    });
    let (for_ms, why) = waits.unwrap();
    assert!(for_ms >= 1_000 && why.contains("HTTP 429"), "{for_ms} ms: {why}");
    running.stop().await;
}
