//! `POST /api/v2/analytics/conversations/details/query`.

use std::cmp::Reverse;

use serde::Deserialize;
use serde_json::Value;

use super::conversation::Conversation;
use super::hub::State;
use super::refusal::bad_request;
use super::roster::Roster;
use super::stamp;
use super::wire;
use crate::server::http::{Request, Response};
use crate::truth::TruthHistoryPage;

/// Rows of a page that names no size, and the most that one can have. The second is often said and
/// not published.
const PAGE_SIZE: u64 = 25;
const PAGE_SIZE_MAX: u64 = 100;
/// Longest interval, in microseconds: 31 days, often said and not published.
const SPAN_US_MAX: i64 = 31 * 86_400_000_000;

/// What is asked for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Query {
    interval: String,
    #[serde(default)]
    order: Order,
    #[serde(default)]
    order_by: OrderBy,
    #[serde(default)]
    paging: Option<Paging>,
    #[serde(default)]
    conversation_filters: Vec<Value>,
    #[serde(default)]
    segment_filters: Vec<Value>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    #[default]
    Asc,
    Desc,
    Unordered,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum OrderBy {
    #[default]
    ConversationStart,
    ConversationEnd,
    SegmentStart,
    SegmentEnd,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Paging {
    #[serde(default)]
    page_size: Option<u64>,
    #[serde(default)]
    page_number: Option<u64>,
}

impl State {
    /// Answers a query for conversations. The interval matches those that *began* on a day that it
    /// touches, and what is shown of them lags behind.
    pub(super) fn history(&mut self, request: &Request) -> Response {
        let query: Query = match serde_json::from_slice(&request.body) {
            Ok(query) => query,
            Err(_) => return bad_request("The query is not understood"),
        };
        let Some((from_us, to_us)) = stamp::interval(&query.interval) else {
            return bad_request("The interval is not understood");
        };
        if to_us - from_us > SPAN_US_MAX {
            return bad_request("The interval is longer than 31 days");
        }
        if !query.conversation_filters.is_empty() || !query.segment_filters.is_empty() {
            return bad_request("This simulator takes no filters");
        }
        let size = query.paging.as_ref().and_then(|paging| paging.page_size).unwrap_or(PAGE_SIZE);
        let number = query.paging.as_ref().and_then(|paging| paging.page_number).unwrap_or(1);
        if !(1..=PAGE_SIZE_MAX).contains(&size) || number == 0 {
            return bad_request("The page must be from 1 on, its size between 1 and 100");
        }
        let as_of_us = self.history_as_of();
        let matching = self.matching(from_us, to_us, as_of_us, &query);
        let total = matching.len() as u64;
        let first = usize::try_from((number - 1).saturating_mul(size)).unwrap_or(usize::MAX);
        let count = usize::try_from(size).unwrap_or(usize::MAX);
        let mut page: Vec<usize> = matching.into_iter().skip(first).take(count).collect();
        let total_told = self.fault_on_history(&mut page, total);
        let of = |at: &usize| &self.world.conversations[*at];
        let rows: Vec<String> =
            page.iter().map(|at| shown(of(at), &self.world.roster, as_of_us)).collect();
        let conversations = page.iter().map(|at| of(at).id.clone()).collect();
        self.world.recorder.history_page(TruthHistoryPage {
            served_us: self.clock.wall_us(),
            interval: query.interval,
            page_number: number,
            conversations,
            total_told,
            total,
        });
        Response::new(200, answer_of(&rows, total_told))
    }

    /// What had happened by then is shown now.
    fn history_as_of(&mut self) -> i64 {
        let lag_ms = self.fault_on_history_lag();
        self.clock.wall_us() - i64::try_from(lag_ms).unwrap_or(i64::MAX / 2_000) * 1_000
    }

    /// Those that began on a day of the interval, in the order asked for.
    fn matching(&mut self, from_us: i64, to_us: i64, as_of_us: i64, query: &Query) -> Vec<usize> {
        let day_us = i64::try_from(self.settings.day_ms.max(1)).unwrap_or(i64::MAX / 1_000) * 1_000;
        let days = from_us.div_euclid(day_us)..=(to_us - 1).div_euclid(day_us);
        let all = self.world.conversations.iter().enumerate();
        let mut matching: Vec<usize> = all
            .filter(|(_, one)| one.begun_us <= as_of_us)
            .filter(|(_, one)| days.contains(&one.begun_us.div_euclid(day_us)))
            .map(|(at, _)| at)
            .collect();
        let key = |at: &usize| {
            let one = &self.world.conversations[*at];
            (moment(one, query.order_by, as_of_us), *at)
        };
        match query.order {
            Order::Asc => matching.sort_by_key(key),
            Order::Desc => matching.sort_by_key(|at| Reverse(key(at))),
            Order::Unordered => matching.sort_by_key(|at| {
                // No order that means anything, but one that does not change between two pages.
                at.wrapping_mul(0x9e37_79b9).rotate_left(7) % 8_191
            }),
        }
        matching
    }
}

/// A conversation as analytics show it. Days of them are asked for again and again, and most of
/// them are over.
fn shown(one: &Conversation, roster: &Roster, as_of_us: i64) -> String {
    let tell = || wire::fact(one, roster, as_of_us);
    if one.is_past(as_of_us) { one.told.get_or_init(tell).clone() } else { tell() }
}

/// By what a conversation is ordered; what has not ended comes last.
fn moment(one: &Conversation, by: OrderBy, as_of_us: i64) -> i64 {
    let shown = |at_us: Option<i64>| at_us.filter(|at_us| *at_us <= as_of_us).unwrap_or(i64::MAX);
    let segments = || one.segments.iter().filter(|segment| segment.start_us <= as_of_us);
    match by {
        OrderBy::ConversationStart => one.begun_us,
        OrderBy::ConversationEnd => shown(one.ended_us),
        OrderBy::SegmentStart => {
            segments().map(|segment| segment.start_us).min().unwrap_or(one.begun_us)
        }
        OrderBy::SegmentEnd => {
            segments().map(|segment| shown(segment.end_us)).min().unwrap_or(i64::MAX)
        }
    }
}

fn answer_of(rows: &[String], total: u64) -> String {
    // A page behind the last has no conversations at all, not even an empty list.
    if rows.is_empty() {
        return format!("{{\"totalHits\":{total}}}");
    }
    format!("{{\"conversations\":[{}],\"totalHits\":{total}}}", rows.join(","))
}
