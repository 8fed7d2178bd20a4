//! Reads a capture through a profile.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use unbroken_core::connector::{Connector, Decoded, Event, Failure, Item};
use unbroken_core::ids::{Key, Label};
use unbroken_core::machine::Fetch;

use crate::capture::findings::{Findings, Misread, Positions};
use crate::capture::hint;
use crate::capture::line::{Line, Text};
use crate::generic::{Generic, Reply, shape};

/// Kinds of misreadings that are told apart; more are counted with the last.
const MISREAD_MAX: usize = 32;

/// What the profile makes of one source's lines.
pub fn replay(lines: &[Line], source: &str, connector: &Generic) -> Findings {
    let mut replay = Replay::new(connector);
    replay.findings.source = source.to_owned();
    for (number, line) in (1..).zip(lines) {
        replay.number = number;
        replay.line(line, source);
    }
    replay.finish()
}

struct Replay<'a> {
    connector: &'a Generic,
    findings: Findings,
    keys: BTreeSet<Key>,
    /// The last position of each connection.
    last: BTreeMap<u64, u64>,
    number: u64,
}

impl<'a> Replay<'a> {
    fn new(connector: &'a Generic) -> Self {
        Self {
            connector,
            findings: Findings::default(),
            keys: BTreeSet::new(),
            last: BTreeMap::new(),
            number: 0,
        }
    }

    fn line(&mut self, line: &Line, wanted: &str) {
        match line {
            Line::Frame { source, conn, text, .. } if source == wanted => {
                self.findings.frames += 1;
                match text.bytes() {
                    Some(frame) => self.frame(*conn, &frame),
                    None => self.withheld(text),
                }
            }
            Line::Page { source, what, cursor, status, headers, body, .. } if source == wanted => {
                let what = match (what.as_str(), cursor) {
                    ("head", _) => Fetch::Head,
                    ("next", Some(cursor)) => Fetch::Next(Label::new(cursor.as_str())),
                    _ => Fetch::First,
                };
                match body.bytes() {
                    _ if !(200..300).contains(status) => {
                        *self.findings.pages.refused.entry(*status).or_default() += 1;
                    }
                    Some(body) => self.page(&what, *status, headers, &body),
                    None => self.withheld(body),
                }
            }
            Line::End { why, .. } => self.findings.ended = Some(why.clone()),
            _ => {}
        }
    }

    fn withheld(&mut self, text: &Text) {
        self.findings.withheld += 1;
        if let Text::Shape { shape } = text {
            let what = "not understood when it was captured, and kept as its shape".to_owned();
            self.misread(what, shape.clone(), None);
        }
    }

    fn frame(&mut self, conn: u64, frame: &Bytes) {
        let decoded = self.connector.decode(frame);
        let Decoded { subscription, epoch, items } = decoded;
        self.findings.subscription_named += u64::from(subscription.is_some());
        self.findings.epoch_named += u64::from(epoch.is_some());
        if items.is_empty() {
            self.count("sign of life");
        }
        for item in items {
            self.item(conn, frame, item);
        }
    }

    fn item(&mut self, conn: u64, frame: &Bytes, item: Item) {
        match item {
            Item::Event(event) => self.event(conn, event),
            Item::Ack { position: Some(_) } => self.count("confirmation with position"),
            Item::Ack { position: None } => self.count("confirmation"),
            Item::Dark { .. } => self.count("confirmation of a part"),
            Item::Heartbeat { .. } => self.count("heartbeat with position"),
            Item::Bookmark { .. } => self.count("bookmark"),
            Item::More => self.count("frame that goes on"),
            Item::Refusal(_) => self.count("refusal"),
            Item::Closing { .. } => self.count("closing"),
            Item::Unknown => {
                self.count("unknown");
                let text = String::from_utf8_lossy(frame);
                let hint = hint::of_unknown(&text, self.connector.profile());
                self.misread("frame that no rule names".to_owned(), shape(&text), hint);
            }
            Item::Poison { reason, bytes } => {
                self.count("poison");
                let text = String::from_utf8_lossy(&bytes);
                let hint = hint::of_poison(&text, &reason);
                self.misread(reason.to_string(), shape(&text), hint);
            }
            Item::Unread { .. } => self.count("poison"),
            Item::Withheld { reason, shape, .. } => {
                self.count("poison");
                let shape = String::from_utf8_lossy(&shape).into_owned();
                self.misread(reason.to_string(), shape, None);
            }
        }
    }

    fn event(&mut self, conn: u64, event: Event) {
        self.count(if event.deleted { "deletion" } else { "event" });
        let fields = &self.connector.profile().frames.event;
        let optional = [
            ("id", fields.id.is_some(), event.event_id.is_some()),
            ("kind", fields.kind.is_some(), event.kind.is_some()),
            ("time", fields.time.is_some(), event.occurred_at.is_some()),
        ];
        for (name, _, found) in optional.into_iter().filter(|(_, wanted, _)| *wanted) {
            let (there, of) = self.findings.optional.entry(name).or_default();
            *there += u64::from(found);
            *of += 1;
        }
        self.keys.insert(event.key);
        let Some(at) = event.sequence else { return };
        let fresh = Positions { min: at, max: at, ..Positions::default() };
        let positions = self.findings.positions.get_or_insert(fresh);
        positions.min = positions.min.min(at);
        positions.max = positions.max.max(at);
        if let Some(last) = self.last.insert(conn, at) {
            positions.falls += u64::from(at <= last);
            positions.holes += u64::from(at.checked_sub(1).is_some_and(|before| before > last));
        }
    }

    fn page(&mut self, what: &Fetch, status: u16, headers: &[(String, String)], body: &Bytes) {
        let header = |name: &str| {
            headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.clone())
        };
        match self.connector.page_of(what, Reply { status, body, header: &header }, &[]) {
            Ok(page) => {
                let pages = &mut self.findings.pages;
                match what {
                    Fetch::Head => pages.heads += 1,
                    Fetch::First | Fetch::Next(_) => pages.pages += 1,
                }
                pages.rows += page.rows.len() as u64;
                if let Some(tag) = page.tag {
                    let (min, max) = pages.tags.unwrap_or((tag, tag));
                    pages.tags = Some((min.min(tag), max.max(tag)));
                }
            }
            Err(Failure { what, .. }) => {
                let text = String::from_utf8_lossy(body);
                let hint = hint::of_page(&text, what.as_str(), self.connector.profile());
                self.misread(what.to_string(), shape(&text), hint);
            }
        }
    }

    fn count(&mut self, kind: &'static str) {
        *self.findings.kinds.entry(kind).or_default() += 1;
    }

    fn misread(&mut self, what: String, shape: String, hint: Option<String>) {
        let known = self.findings.misread.iter().position(|m| m.what == what && m.shape == shape);
        let full = self.findings.misread.len().checked_sub(MISREAD_MAX);
        let known = known.or(full.and(self.findings.misread.len().checked_sub(1)));
        match known.and_then(|at| self.findings.misread.get_mut(at)) {
            Some(misread) => misread.count += 1,
            None => {
                let line = self.number;
                self.findings.misread.push(Misread { what, count: 1, line, shape, hint });
            }
        }
    }

    fn finish(mut self) -> Findings {
        let findings = &mut self.findings;
        findings.keys = self.keys.len() as u64;
        let any = findings.frames + findings.pages.pages + findings.pages.heads > 0;
        findings.understood = any && findings.misread.is_empty();
        self.findings
    }
}
