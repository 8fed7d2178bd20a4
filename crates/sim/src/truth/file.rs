//! The ledger as a file: one JSON object a line, each with one member that says what it is.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::ledger::{
    Truth, TruthEvent, TruthFact, TruthHistoryPage, TruthPage, TruthRow, TruthSubscription,
};
use crate::SimError;
use crate::settings::{Body, Numbering, Settings};

#[derive(Serialize, Deserialize)]
struct Head {
    seed: u64,
    numbering: Numbering,
    body: Body,
    latency_ms: u64,
}

#[derive(Deserialize)]
struct EventLine<'a> {
    index: u64,
    wall_us: i64,
    epoch: u32,
    sequence: Option<u64>,
    agent: &'a str,
    deleted: bool,
    #[serde(borrow)]
    body: &'a RawValue,
    /// Left out where the baseline writes the body's bytes.
    #[serde(borrow, default)]
    row: Option<&'a RawValue>,
    #[serde(default)]
    rowless: bool,
}

#[derive(Deserialize)]
struct FactLine {
    number: usize,
    fact: TruthFact,
}

#[derive(Deserialize)]
struct SubscriptionLine {
    number: usize,
    subscription: TruthSubscription,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line<'a> {
    Head(Head),
    Epoch(String),
    #[serde(borrow)]
    Event(EventLine<'a>),
    Subscription(SubscriptionLine),
    Page(TruthPage),
    Fact(FactLine),
    HistoryPage(TruthHistoryPage),
}

pub(super) fn write_head(out: &mut impl Write, settings: &Settings) -> io::Result<()> {
    let head = Head {
        seed: settings.seed,
        numbering: settings.numbering,
        body: settings.body,
        latency_ms: settings.latency_ms,
    };
    write_line(out, "head", &head)
}

pub(super) fn write_epoch(out: &mut impl Write, name: &str) -> io::Result<()> {
    write_line(out, "epoch", &name)
}

pub(super) fn write_event(out: &mut impl Write, event: &TruthEvent) -> io::Result<()> {
    write!(
        out,
        "{{\"event\":{{\"index\":{},\"wall_us\":{},\"epoch\":{},\"sequence\":",
        event.index, event.wall_us, event.epoch
    )?;
    match event.sequence {
        Some(sequence) => write!(out, "{sequence}")?,
        None => out.write_all(b"null")?,
    }
    let (agent, deleted) = (&event.agent, event.deleted);
    write!(out, ",\"agent\":\"{agent}\",\"deleted\":{deleted},\"body\":")?;
    out.write_all(&event.body)?;
    match &event.row {
        TruthRow::Body => {}
        TruthRow::Other(row) => {
            out.write_all(b",\"row\":")?;
            out.write_all(row)?;
        }
        TruthRow::Absent => out.write_all(b",\"rowless\":true")?,
    }
    out.write_all(b"}}\n")
}

pub(super) fn write_subscription(
    out: &mut impl Write,
    number: usize,
    subscription: &TruthSubscription,
) -> io::Result<()> {
    #[derive(Serialize)]
    struct Borrowed<'a> {
        number: usize,
        subscription: &'a TruthSubscription,
    }
    write_line(out, "subscription", &Borrowed { number, subscription })
}

pub(super) fn write_fact(out: &mut impl Write, number: usize, fact: &TruthFact) -> io::Result<()> {
    #[derive(Serialize)]
    struct Borrowed<'a> {
        number: usize,
        fact: &'a TruthFact,
    }
    write_line(out, "fact", &Borrowed { number, fact })
}

pub(super) fn write_history_page(out: &mut impl Write, page: &TruthHistoryPage) -> io::Result<()> {
    write_line(out, "history_page", page)
}

pub(super) fn write_page(out: &mut impl Write, page: &TruthPage) -> io::Result<()> {
    write_line(out, "page", page)
}

fn write_line(out: &mut impl Write, kind: &str, value: &impl Serialize) -> io::Result<()> {
    write!(out, "{{\"{kind}\":")?;
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"}\n")
}

pub(super) fn load(path: &Path) -> Result<Truth, SimError> {
    let text = std::fs::read_to_string(path).map_err(|source| SimError::LedgerFile {
        path: path.to_path_buf(),
        action: "read",
        source,
    })?;
    let mut truth = Truth {
        seed: 0,
        numbering: Numbering::None,
        body: Body::State,
        latency_ms: 0,
        epochs: Vec::new(),
        events: Vec::new(),
        subscriptions: Vec::new(),
        pages: Vec::new(),
        facts: Vec::new(),
        history_pages: Vec::new(),
    };
    let mut subscriptions = BTreeMap::new();
    let mut facts = BTreeMap::new();
    let mut agents: BTreeMap<String, Arc<str>> = BTreeMap::new();
    // What stands behind the last line feed was never finished.
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    for (number, line) in whole.lines().enumerate() {
        let line = serde_json::from_str(line).map_err(|source| SimError::LedgerLine {
            path: path.to_path_buf(),
            line: number + 1,
            source,
        })?;
        match line {
            Line::Head(head) => {
                truth.seed = head.seed;
                truth.numbering = head.numbering;
                truth.body = head.body;
                truth.latency_ms = head.latency_ms;
            }
            Line::Epoch(name) => truth.epochs.push(name),
            Line::Event(event) => truth.events.push(read_event(&event, &mut agents)),
            Line::Subscription(line) => {
                subscriptions.insert(line.number, line.subscription);
            }
            Line::Page(page) => truth.pages.push(page),
            Line::Fact(line) => {
                facts.insert(line.number, line.fact);
            }
            Line::HistoryPage(page) => truth.history_pages.push(page),
        }
    }
    truth.subscriptions = subscriptions.into_values().collect();
    truth.facts = facts.into_values().collect();
    Ok(truth)
}

fn read_event(line: &EventLine<'_>, agents: &mut BTreeMap<String, Arc<str>>) -> TruthEvent {
    let agent = agents.entry(line.agent.to_owned()).or_insert_with(|| line.agent.into());
    TruthEvent {
        index: line.index,
        wall_us: line.wall_us,
        epoch: line.epoch,
        sequence: line.sequence,
        agent: Arc::clone(agent),
        deleted: line.deleted,
        body: Bytes::copy_from_slice(line.body.get().as_bytes()),
        row: match line.row {
            Some(row) => TruthRow::Other(Bytes::copy_from_slice(row.get().as_bytes())),
            None if line.rowless => TruthRow::Absent,
            None => TruthRow::Body,
        },
    }
}
