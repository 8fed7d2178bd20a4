//! What analytics tell of conversations: facts, not the events that were missed.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use unbroken_core::connector::{Fact, Failure, HistoryPage};
use unbroken_core::ids::{Key, Label};
use unbroken_core::machine::Past;
use unbroken_core::time::UnixMicros;

use crate::genesys::client::{Client, fatal, read, retry};
use crate::secret::Secret;
use crate::transport::Method;

const QUERY: &str = "/api/v2/analytics/conversations/details/query";

/// Conversations of one page. More are often said to be refused; not published.
const PAGE_SIZE: u64 = 100;

/// Whose conversations count.
pub(super) struct Wanted<'a> {
    pub(super) users: &'a [Key],
    pub(super) queues: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Query {
    interval: String,
    order: &'static str,
    order_by: &'static str,
    paging: Paging,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Paging {
    page_size: u64,
    page_number: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    #[serde(borrow, default)]
    conversations: Vec<Conversation<'a>>,
    total_hits: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Conversation<'a> {
    conversation_id: String,
    conversation_end: Option<String>,
    #[serde(borrow, default)]
    participants: Vec<Participant<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Participant<'a> {
    participant_id: String,
    user_id: Option<String>,
    purpose: Option<String>,
    #[serde(borrow, default)]
    sessions: Vec<Session<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Session<'a> {
    session_id: String,
    media_type: Option<String>,
    direction: Option<String>,
    #[serde(borrow, default)]
    segments: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Segment {
    segment_start: String,
    segment_end: Option<String>,
    segment_type: Option<String>,
    queue_id: Option<String>,
}

/// What is kept of a fact: who it is about, and the vendor's segment as it is.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Kept<'a> {
    conversation_id: &'a str,
    participant_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    session_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    media_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<&'a str>,
    segment: &'a RawValue,
}

/// Asks for a page. The vendor matches conversations by the day on which they began, so it is asked
/// from before the gap, and what lies outside is left out by the machine.
///
/// # Errors
/// The failure as the machine understands it.
pub(super) async fn ask(
    client: &Client,
    what: &Past,
    wanted: &Wanted<'_>,
    token: Option<&Secret>,
) -> Result<HistoryPage, Failure> {
    let page = what.page.as_ref().map_or(Some(1), |page| page.as_str().parse().ok());
    let page: u64 = page.ok_or_else(|| fatal("history: the page is none of ours"))?;
    let query = Query {
        interval: format!("{}/{}", iso(what.since)?, iso(what.to)?),
        order: "asc",
        order_by: "conversationStart",
        paging: Paging { page_size: PAGE_SIZE, page_number: page },
    };
    let body = serde_json::to_string(&query).map_err(|error| fatal(error.to_string()))?;
    let answer = client.call(Method::Post, QUERY.to_owned(), Some(body), token).await?;
    let answer: Answer<'_> = read(&answer, "conversations")?;
    page_of(answer, page, what, wanted)
}

fn page_of(
    answer: Answer<'_>,
    page: u64,
    what: &Past,
    wanted: &Wanted<'_>,
) -> Result<HistoryPage, Failure> {
    let hits = answer.conversations.len() as u64;
    let mut facts = Vec::new();
    for conversation in &answer.conversations {
        take(conversation, what, wanted, &mut facts)?;
    }
    // Whatever the total says: a page that is full may be followed by another.
    let next = (hits >= PAGE_SIZE).then(|| Label::new((page + 1).to_string()));
    Ok(HistoryPage { facts, hits, total: answer.total_hits, next, later_ms: None })
}

/// The facts of a conversation that reach into the interval: of a day's answer these are few.
fn take(
    conversation: &Conversation<'_>,
    what: &Past,
    wanted: &Wanted<'_>,
    facts: &mut Vec<Fact>,
) -> Result<(), Failure> {
    let id = &conversation.conversation_id;
    let mut is_ours = false;
    let mut found = Vec::new();
    for participant in &conversation.participants {
        is_ours |= participant.user_id.as_deref().is_some_and(|user| {
            wanted.users.binary_search_by(|key| key.as_str().cmp(user)).is_ok()
        });
        for session in &participant.sessions {
            for raw in &session.segments {
                let segment: Segment = serde_json::from_str(raw.get())
                    .map_err(|_| retry("answer is not understood: expected a segment"))?;
                is_ours |= segment.queue_id.as_ref().is_some_and(|id| wanted.queues.contains(id));
                let began_at = moment(&segment.segment_start)?;
                let ended_at = segment.segment_end.as_deref().map(moment).transpose()?;
                if began_at <= what.to && ended_at.is_none_or(|ended| ended >= what.from) {
                    let payload = payload(id, participant, session, raw)?;
                    let start = &segment.segment_start;
                    found.push(Fact {
                        id: Label::new(format!(
                            "{id}/{}/{}/{start}",
                            participant.participant_id, session.session_id
                        )),
                        key: id.as_str().into(),
                        kind: segment.segment_type.as_deref().map(Label::from),
                        began_at,
                        ended_at,
                        over: conversation.conversation_end.is_some(),
                        payload,
                    });
                }
            }
        }
    }
    if is_ours {
        facts.append(&mut found);
    }
    Ok(())
}

fn payload(
    conversation: &str,
    participant: &Participant<'_>,
    session: &Session<'_>,
    segment: &RawValue,
) -> Result<Bytes, Failure> {
    let kept = Kept {
        conversation_id: conversation,
        participant_id: &participant.participant_id,
        purpose: participant.purpose.as_deref(),
        user_id: participant.user_id.as_deref(),
        session_id: &session.session_id,
        media_type: session.media_type.as_deref(),
        direction: session.direction.as_deref(),
        segment,
    };
    let payload = serde_json::to_vec(&kept).map_err(|error| fatal(error.to_string()))?;
    Ok(Bytes::from(payload))
}

fn moment(text: &str) -> Result<UnixMicros, Failure> {
    let at = text.parse::<jiff::Timestamp>().map(|at| UnixMicros(at.as_microsecond()));
    at.map_err(|_| retry("answer is not understood: expected a segment's time"))
}

/// A moment, to the millisecond, as the vendor writes it.
pub(super) fn iso(at: UnixMicros) -> Result<String, Failure> {
    let at = jiff::Timestamp::from_microsecond(at.0).map_err(|error| fatal(error.to_string()))?;
    Ok(format!("{at:.3}"))
}

/// The queues among topics.
pub(super) fn queues_of(topics: &[String]) -> Vec<String> {
    let queue = |topic: &String| {
        let id = topic.strip_prefix("v2.routing.queues.")?.strip_suffix(".conversations")?;
        Some(id.to_owned())
    };
    topics.iter().filter_map(queue).collect::<BTreeSet<String>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = r#"{"conversations":[{"conversationId":"c","participants":[
        {"participantId":"p","userId":"u","purpose":"agent","sessions":[{"sessionId":"s",
         "mediaType":"voice","segments":[
           {"segmentStart":"2026-11-26T01:00:00.000Z","segmentEnd":"2026-11-26T01:00:05.000Z",
            "segmentType":"alert","queueId":"q"},
           {"segmentStart":"2026-11-26T01:00:05.000Z","segmentType":"interact"}]}]}]}],
        "totalHits":7}"#;

    fn past(from: &str, to: &str) -> Past {
        let at = |text: &str| moment(&format!("2026-11-26T{text}Z")).unwrap();
        Past { from: at(from), to: at(to), since: at("00:00:00"), page: None }
    }

    fn read_for(users: &[&str], queues: &[&str]) -> HistoryPage {
        read_of(&past("01:00:01", "02:00:00"), users, queues)
    }

    fn read_of(what: &Past, users: &[&str], queues: &[&str]) -> HistoryPage {
        let answer: Answer<'_> = serde_json::from_str(ANSWER).unwrap();
        let users: Vec<Key> = users.iter().map(|user| (*user).into()).collect();
        let queues: Vec<String> = queues.iter().map(|queue| (*queue).to_owned()).collect();
        page_of(answer, 1, what, &Wanted { users: &users, queues: &queues }).unwrap()
    }

    #[test]
    fn only_what_reaches_into_the_interval_is_taken() {
        let starts = |what: &Past| -> Vec<i64> {
            let page = read_of(what, &["u"], &[]);
            assert_eq!(page.hits, 1);
            page.facts.iter().map(|fact| fact.began_at.0 / 1_000_000 % 60).collect()
        };
        assert_eq!(starts(&past("01:00:01", "01:00:02")), [0]);
        assert_eq!(starts(&past("01:00:05", "01:00:05")), [0, 5]);
        assert_eq!(starts(&past("01:00:06", "02:00:00")), [5]);
        assert_eq!(starts(&past("00:00:00", "00:59:59")), [0; 0]);
    }

    #[test]
    fn a_fact_is_a_segment() {
        let page = read_for(&["u"], &[]);
        assert_eq!((page.hits, page.total, page.next), (1, Some(7), None));
        let ids: Vec<&str> = page.facts.iter().map(|fact| fact.id.as_str()).collect();
        assert_eq!(ids, ["c/p/s/2026-11-26T01:00:00.000Z", "c/p/s/2026-11-26T01:00:05.000Z"]);
        assert_eq!(page.facts[0].key.as_str(), "c");
        assert_eq!(page.facts[0].kind, Some("alert".into()));
        assert!(page.facts[0].ended_at.is_some() && page.facts[1].ended_at.is_none());
        let kept: serde_json::Value = serde_json::from_slice(&page.facts[1].payload).unwrap();
        assert_eq!(kept["userId"], "u");
        assert_eq!(kept["segment"]["segmentType"], "interact");
    }

    #[test]
    fn only_conversations_of_whom_is_recorded_count() {
        assert_eq!(read_for(&[], &["q"]).facts.len(), 2);
        assert_eq!(read_for(&["v"], &["r"]).facts.len(), 0);
        assert_eq!(read_for(&["v"], &[]).hits, 1, "for the vendor it is one of its total");
        assert!(read_for(&[], &[]).facts.is_empty(), "a stream whose agents are all gone");
    }

    #[test]
    fn a_full_page_may_be_followed_by_another() {
        let one = r#"{"conversationId":"c"}"#;
        let many = vec![one; usize::try_from(PAGE_SIZE).unwrap()].join(",");
        let text = format!(r#"{{"conversations":[{many}],"totalHits":3}}"#);
        let answer: Answer<'_> = serde_json::from_str(&text).unwrap();
        let wanted = Wanted { users: &[], queues: &[] };
        let page = page_of(answer, 4, &past("01:00:00", "02:00:00"), &wanted).unwrap();
        assert_eq!(page.next, Some("5".into()));
    }

    #[test]
    fn moments_are_written_as_the_vendor_writes_them() {
        assert_eq!(iso(UnixMicros(1_700_000_000_250_999)).unwrap(), "2023-11-14T22:13:20.250Z");
        assert_eq!(iso(UnixMicros(1_700_000_000_000_000)).unwrap(), "2023-11-14T22:13:20.000Z");
    }

    #[test]
    fn queues_are_known_by_their_topics() {
        let topics = ["v2.routing.queues.q.conversations", "v2.users.u.conversations"];
        assert_eq!(queues_of(&topics.map(str::to_owned)), ["q"]);
    }
}
