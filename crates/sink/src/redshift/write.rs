//! A plan into its tables, as statements: those of the rows that were loaded, and those of values.

use std::collections::BTreeMap;
use std::ops::Range;

use unbroken_core::ids::{Key, SnapshotId, StreamId};
use unbroken_core::record::{GapClosed, GapOpened, Record};
use unbroken_core::time::UnixMicros;
use unbroken_render::words;

use super::literal::{or_null, text, time};
use crate::sql::{Fate, GapLine, Plan, Step, signed, split};

/// Rows of values in one statement: a statement has 16 MB at the most.
const VALUES_MAX: usize = 1_000;

const COLUMNS: &str = "log, log_offset, stream, key, epoch, position, ordinal, event_id, kind, \
    origin, effect, deleted, occurred_at, received_at, snapshot_id, payload, payload_bytes, \
    kept_at";

const STATE: &str = "stream, key, log, log_offset, epoch, position, present, occurred_at, \
    received_at, payload, payload_bytes, kept_at";

const GAP: &str = "log, stream, gap, cause, outcome, after_epoch, after_position, through_epoch, \
    through_position, wall_from, wall_to, reconciled";

/// Where a batch is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tables {
    /// The number of the log.
    pub(super) log: i16,
    /// Rows may be there already: those of a state image.
    pub(super) may_be_there: bool,
}

impl Tables {
    /// What brings the rows of `incoming` into the tables.
    pub(super) fn rows(self, plan: &Plan<'_>) -> Vec<String> {
        let mut all = Vec::new();
        for (number, step) in plan.steps.iter().enumerate() {
            self.step(number, step, &mut all);
        }
        for (table, is_wanted) in
            [("events", !plan.events.is_empty()), ("staged", !plan.staged.is_empty())]
        {
            all.extend(is_wanted.then(|| self.moved(table, COLUMNS, &self.row())));
        }
        let columns = "log, log_offset, stream, record, received_at, data, kept_at";
        let values = format!(
            "{}, incoming.log_offset, incoming.stream, incoming.record, \
             CAST(incoming.received_at AS timestamptz), incoming.data, incoming.kept_at",
            self.log
        );
        let is_wanted = !plan.ledger.is_empty();
        all.extend(is_wanted.then(|| self.moved("ledger", columns, &values)));
        all
    }

    /// A loaded row as one of `events`.
    fn row(self) -> String {
        let plain = "log_offset, stream, key, epoch, position, ordinal, event_id, kind, origin, \
            effect, deleted";
        let plain: Vec<String> =
            plain.split(", ").map(|column| format!("incoming.{column}")).collect();
        format!(
            "{}, {}, CAST(incoming.occurred_at AS timestamptz), \
             CAST(incoming.received_at AS timestamptz), incoming.snapshot_id, incoming.payload, \
             incoming.payload_bytes, incoming.kept_at",
            self.log,
            plain.join(", ")
        )
    }

    fn moved(self, table: &str, columns: &str, values: &str) -> String {
        let (join, absent) = match self.may_be_there {
            true => (self.join(table, "incoming"), " AND there.log IS NULL"),
            false => (String::new(), ""),
        };
        format!(
            "INSERT INTO {table} ({columns}) SELECT {values} FROM incoming{join} \
             WHERE incoming.place = '{table}'{absent}"
        )
    }

    /// With the row of the same offset.
    fn join(self, table: &str, rows: &str) -> String {
        format!(
            " LEFT JOIN {table} AS there ON there.log = {} \
             AND there.log_offset = {rows}.log_offset",
            self.log
        )
    }

    fn step(self, number: usize, step: &Step<'_>, all: &mut Vec<String>) {
        for (stream, fate) in &step.brackets {
            let stream = text(stream.as_str());
            if let Fate::Published(snapshot) = fate {
                self.publish(&stream, *snapshot, all);
            }
            all.push(format!("DELETE FROM staged WHERE stream = {stream}"));
        }
        let of_step = format!("incoming.step = {number}");
        if !step.forgotten.is_empty() {
            all.push(format!(
                "DELETE FROM state USING incoming WHERE {of_step} \
                 AND incoming.record = 'forgotten' AND {}",
                same_key("state", "incoming")
            ));
        }
        if !step.writes.is_empty() {
            let of_step = format!("{of_step} AND incoming.record <> 'forgotten'");
            let log = self.log;
            all.push(format!(
                "DELETE FROM state USING incoming WHERE {of_step} AND {} \
                 AND (state.log < {log} \
                     OR (state.log = {log} AND state.log_offset < incoming.log_offset))",
                same_key("state", "incoming")
            ));
            all.push(format!(
                "INSERT INTO state ({STATE}) SELECT incoming.stream, incoming.key, {log}, \
                 incoming.log_offset, incoming.epoch, incoming.position, NOT incoming.deleted, \
                 CAST(incoming.occurred_at AS timestamptz), \
                 CAST(incoming.received_at AS timestamptz), {} \
                 FROM incoming LEFT JOIN state AS there ON {} \
                 WHERE {of_step} AND there.key IS NULL",
                value("incoming"),
                same_key("there", "incoming")
            ));
        }
    }

    /// The items that earlier batches have staged: into the history, and the last of each key into
    /// the state, unless something later is there.
    fn publish(self, stream: &str, snapshot: SnapshotId, all: &mut Vec<String>) {
        let of_bracket =
            format!("staged.stream = {stream} AND staged.snapshot_id = {}", signed(snapshot.0));
        let columns: Vec<String> =
            COLUMNS.split(", ").map(|column| format!("staged.{column}")).collect();
        all.push(format!(
            "INSERT INTO events ({COLUMNS}) SELECT {} FROM staged{} WHERE {of_bracket} \
             AND there.log IS NULL",
            columns.join(", "),
            self.join("events", "staged")
        ));
        all.push(format!(
            "DELETE FROM state USING staged WHERE {of_bracket} AND {} \
             AND (state.log < staged.log \
                 OR (state.log = staged.log AND state.log_offset < staged.log_offset))",
            same_key("state", "staged")
        ));
        all.push(format!(
            "INSERT INTO state ({STATE}) SELECT latest.stream, latest.key, latest.log, \
             latest.log_offset, latest.epoch, latest.position, NOT latest.deleted, \
             latest.occurred_at, latest.received_at, {} \
             FROM (SELECT {}, ROW_NUMBER() OVER (PARTITION BY staged.key, LENGTH(staged.key) \
                 ORDER BY staged.log_offset DESC) AS place FROM staged WHERE {of_bracket}) \
             AS latest LEFT JOIN state AS there ON {} \
             WHERE latest.place = 1 AND there.key IS NULL",
            value("latest"),
            columns.join(", "),
            same_key("there", "latest")
        ));
    }

    /// Rows of the ledger, in order; the last close of each wins, and an opening makes one that is
    /// not there.
    pub(super) fn gaps<'a>(
        self,
        lines: impl Iterator<Item = (&'a StreamId, GapLine<'a>)>,
    ) -> Vec<String> {
        let (mut opened, mut closed) = (BTreeMap::new(), BTreeMap::new());
        for (stream, line) in lines {
            match line {
                GapLine::Opened(gap) => {
                    opened.entry((stream, gap.gap)).or_insert_with(|| self.opened(stream, gap));
                }
                GapLine::Closed(gap) => {
                    closed.insert((stream, gap.gap), self.closed(stream, gap));
                }
            }
        }
        opened.retain(|gap, _| !closed.contains_key(gap));
        let mut all = Vec::new();
        self.put_gaps(&closed, true, &mut all);
        self.put_gaps(&opened, false, &mut all);
        all
    }

    fn put_gaps(
        self,
        gaps: &BTreeMap<(&StreamId, unbroken_core::ids::GapId), String>,
        replace: bool,
        all: &mut Vec<String>,
    ) {
        let gaps: Vec<_> = gaps.iter().collect();
        for gaps in gaps.chunks(VALUES_MAX) {
            let rows: Vec<&str> = gaps.iter().map(|(_, row)| row.as_str()).collect();
            all.push(format!("CREATE TEMP TABLE lines ({LINES})"));
            all.push(format!("INSERT INTO lines ({GAP}) VALUES {}", rows.join(", ")));
            let same = "gaps.log = lines.log AND gaps.stream = lines.stream \
                AND gaps.gap = lines.gap";
            if replace {
                all.push(format!("DELETE FROM gaps USING lines WHERE {same}"));
            }
            let columns: Vec<String> =
                GAP.split(", ").map(|column| format!("lines.{column}")).collect();
            all.push(format!(
                "INSERT INTO gaps ({GAP}) SELECT {} FROM lines LEFT JOIN gaps ON {same} \
                 WHERE gaps.gap IS NULL",
                columns.join(", ")
            ));
            all.push("DROP TABLE lines".to_owned());
        }
    }

    fn opened(self, stream: &StreamId, gap: &GapOpened) -> String {
        let (epoch, position) = split(gap.after);
        let number = |number: Option<i64>| or_null(number, |number| number.to_string());
        format!(
            "({}, {}, {}, '{}', NULL, {}, {}, NULL, NULL, {}, NULL, NULL)",
            self.log,
            text(stream.as_str()),
            signed(gap.gap.0),
            words::cause(gap.cause),
            number(epoch),
            number(position),
            time(gap.wall_from)
        )
    }

    fn closed(self, stream: &StreamId, gap: &GapClosed) -> String {
        let [(after_epoch, after), (through_epoch, through)] = [gap.after, gap.through].map(split);
        let number = |number: Option<i64>| or_null(number, |number| number.to_string());
        format!(
            "({}, {}, {}, '{}', '{}', {}, {}, {}, {}, {}, {}, {})",
            self.log,
            text(stream.as_str()),
            signed(gap.gap.0),
            words::cause(gap.cause),
            words::outcome(gap.outcome),
            number(after_epoch),
            number(after),
            number(through_epoch),
            number(through),
            time(gap.wall_from),
            time(gap.wall_to),
            gap.reconciled
        )
    }

    /// Those of records that are given again, as somebody has set the checkpoint back: what is
    /// refused again is put aside again.
    pub(super) fn forget_letters(self, again: Range<u64>) -> String {
        let [from, to] = [again.start, again.end].map(signed);
        format!(
            "DELETE FROM dead_letters \
             WHERE log = {} AND log_offset >= {from} AND log_offset < {to}",
            self.log
        )
    }

    /// Records that were put aside, each with its reason and the URL of its event.
    pub(super) fn letters<'a>(
        self,
        letters: impl Iterator<Item = (u64, &'a str, String)>,
        at: UnixMicros,
    ) -> Vec<String> {
        let mut all = Vec::new();
        for (offset, why, kept_at) in letters {
            let (log, offset, why) = (self.log, signed(offset), text(&why_of(why)));
            all.push(format!(
                "DELETE FROM dead_letters WHERE log = {log} AND log_offset = {offset}"
            ));
            all.push(format!(
                "INSERT INTO dead_letters (log, log_offset, why, kept_at, parked_at) \
                 VALUES ({log}, {offset}, {why}, {}, {})",
                text(&kept_at),
                time(at)
            ));
        }
        all
    }

    /// The value of a key that was written before an offset is not the last one any more.
    pub(super) fn doubt(self, record: &Record, key: &Key, offset: u64) -> String {
        let (since, key, log) = (time(record.received_at), text(key.as_str()), self.log);
        let offset = signed(offset);
        format!(
            "UPDATE state SET doubted_since = LEAST(COALESCE(doubted_since, {since}), {since}) \
             WHERE stream = {} AND key = {key} AND LENGTH(key) = LENGTH({key}) \
             AND (log < {log} OR (log = {log} AND log_offset < {offset}))",
            text(record.stream.as_str())
        )
    }
}

/// Blanks at the end of a text make no difference to Redshift where texts are compared, and do
/// where they are counted.
fn same_key(one: &str, other: &str) -> String {
    format!(
        "{one}.stream = {other}.stream AND {one}.key = {other}.key \
         AND LENGTH({one}.key) = LENGTH({other}.key)"
    )
}

const LINES: &str = "log smallint, stream varchar(256), gap bigint, cause varchar(64), \
    outcome varchar(64), after_epoch bigint, after_position bigint, through_epoch bigint, \
    through_position bigint, wall_from timestamptz, wall_to timestamptz, reconciled boolean";

/// A value in state, which a key that was deleted has none of.
fn value(rows: &str) -> String {
    let columns = ["payload", "payload_bytes", "kept_at"];
    let values = columns.map(|it| format!("CASE WHEN NOT {rows}.deleted THEN {rows}.{it} END"));
    values.join(", ")
}

/// What the column has room for.
fn why_of(why: &str) -> String {
    why.chars().take(256).collect()
}
