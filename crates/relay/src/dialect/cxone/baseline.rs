//! The baseline: what is current of every agent, page by page.

use serde::Serialize;
use unbroken_core::time::UnixMicros;

use super::frame::{self, Adherence};
use crate::dialect::sequence::Numbers;

/// Most rows of a page.
const ROWS_MAX: usize = 10_000;

/// One agent.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Its id.
    pub(crate) key: String,
    /// The adherence object, as the vendor wrote it.
    pub(crate) payload: Vec<u8>,
}

/// What was current at one moment: all pages that a client asks for are of the same.
#[derive(Clone, Debug)]
pub(crate) struct Baseline {
    /// Everything below is in it.
    next: u64,
    made_at: UnixMicros,
    /// By id.
    rows: Vec<Row>,
}

/// Which part of it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Rows that are passed over.
    pub(crate) offset: usize,
    /// Rows that are wanted at most.
    pub(crate) limit: usize,
}

impl Part {
    /// Of the query's `offset` and `limit`: both may be left out.
    pub(crate) fn new(offset: Option<usize>, limit: Option<usize>) -> Self {
        let limit = limit.unwrap_or(ROWS_MAX).clamp(1, ROWS_MAX);
        Self { offset: offset.unwrap_or(0), limit }
    }
}

impl Baseline {
    /// Of these rows; everything below `next` is in them.
    pub(crate) fn new(mut rows: Vec<Row>, next: u64, made_at: UnixMicros) -> Self {
        rows.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        Self { next, made_at, rows }
    }

    /// When it was made.
    pub(crate) fn made_at(&self) -> UnixMicros {
        self.made_at
    }

    /// A page as JSON. Its `sequenceId` is the one to subscribe with.
    pub(crate) fn page(&self, epoch: &str, part: Part) -> String {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Page<'a> {
            sequence_id: u64,
            epoch: &'a str,
            total: usize,
            offset: usize,
            limit: usize,
            generated_at: String,
            schedules: Vec<Schedule<'a>>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Schedule<'a> {
            agent_id: &'a str,
            adherence: Adherence<'a>,
        }
        fn schedule(row: &Row) -> Schedule<'_> {
            let adherence = frame::adherence(&row.key, &row.payload);
            Schedule { agent_id: &row.key, adherence }
        }
        let rows = self.rows.iter().skip(part.offset).take(part.limit);
        frame::text(&Page {
            sequence_id: Numbers::of(epoch).of_reader(self.next),
            epoch,
            total: self.rows.len(),
            offset: part.offset,
            limit: part.limit,
            generated_at: frame::moment(self.made_at),
            schedules: rows.map(schedule).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn baseline(keys: &[&str]) -> Baseline {
        let row = |key: &&str| Row {
            key: (*key).to_owned(),
            payload: format!("{{\"agentId\":\"{key}\",\"state\":\"Busy\"}}").into_bytes(),
        };
        Baseline::new(keys.iter().map(row).collect(), 101, UnixMicros(0))
    }

    fn page(baseline: &Baseline, offset: Option<usize>, limit: Option<usize>) -> Value {
        serde_json::from_str(&baseline.page("j1", Part::new(offset, limit))).unwrap()
    }

    #[test]
    fn rows_are_ordered_and_carry_the_vendor_s_object() {
        let whole = page(&baseline(&["b", "a"]), None, None);
        assert_eq!(
            whole,
            json!({
                "sequenceId": Numbers::of("j1").of_offset(100), "epoch": "j1", "total": 2,
                "offset": 0, "limit": ROWS_MAX, "generatedAt": "1970-01-01T00:00:00Z",
                "schedules": [
                    { "agentId": "a", "adherence": { "agentId": "a", "state": "Busy" } },
                    { "agentId": "b", "adherence": { "agentId": "b", "state": "Busy" } },
                ],
            })
        );
    }

    #[test]
    fn pages_are_parts_of_one_whole() {
        let baseline = baseline(&["a", "b", "c"]);
        let agents = |page: &Value| -> Vec<String> {
            let rows = page["schedules"].as_array().unwrap();
            rows.iter().map(|row| row["agentId"].as_str().unwrap().to_owned()).collect()
        };
        let pages = [0, 2, 4].map(|offset| page(&baseline, Some(offset), Some(2)));
        assert_eq!(agents(&pages[0]), ["a", "b"]);
        assert_eq!(agents(&pages[1]), ["c"]);
        assert_eq!(agents(&pages[2]), [] as [String; 0]);
        assert!(pages.iter().all(|page| page["total"] == 3));
        assert_eq!(agents(&page(&baseline, None, Some(0))), ["a"]);
    }
}
