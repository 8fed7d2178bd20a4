//! What the vendor knows, and the answers it makes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Notify;

use super::fault::PollFault;
use super::play::Play;
use crate::cxone::token::Tokens;
use crate::server::http::{Request, Response};
use crate::settings::Settings;
use crate::vendor::Credentials;
use crate::world::{Clock, World, iso_micros};
use crate::{Numbering, SimError};

/// How far behind a replica is, and for how long a change is withheld at most, in microseconds:
/// less than the overlap that clients are told to ask with.
const BEHIND_US: i64 = 500_000;
/// How far before `updatedSince` rows are shown again, in microseconds.
const REPEATED_US: i64 = 5_000_000;
/// Most rows of a page while pages shift; fewer of a small tenant, whose answers must have pages.
const SMALL_PAGE: u64 = 7;
/// A fault that is played and that nobody sees is given up after so long, in microseconds.
const UNSEEN_US_MAX: i64 = 3_000_000;
/// A poll was answered by the rules so recently, in milliseconds: the client is at work.
const RECENT_MS: u64 = 500;
/// How many agents go, and how many come.
const AGENTS_CHANGED: usize = 2;
/// What a wrong total is off by.
const TOTAL_OFF: u64 = 7;

/// A fault in force.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) fault: PollFault,
    pub(crate) began_us: i64,
    /// When it was first seen on the wire.
    pub(crate) fired_ms: Option<u64>,
    pub(crate) count: u64,
    /// The place that stands still.
    place_us: i64,
}

/// The vendor's state, behind one lock.
pub(crate) struct States {
    pub(crate) clock: Clock,
    pub(crate) world: World,
    pub(crate) tokens: Tokens,
    pub(crate) active: Option<Active>,
    /// Faults that come by themselves.
    pub(crate) play: Option<Play>,
    pub(crate) fired: BTreeMap<PollFault, u64>,
    /// When a poll was last answered by the rules.
    pub(crate) answered_ms: Option<u64>,
    /// States that a client has certainly read in an answer to a poll.
    pub(crate) read: BTreeSet<u64>,
    /// By agent: the newest state that any answer showed.
    newest: BTreeMap<u32, u64>,
    /// Whose agents these are.
    pub(crate) tenant_id: String,
    /// Where they are served; `None` while they are being moved.
    pub(crate) api: Option<SocketAddr>,
    /// They are to be moved.
    pub(crate) moving: Arc<Notify>,
}

/// An answer, and the states that it shows.
pub(crate) struct Answer {
    pub(crate) response: Response,
    pub(crate) shown: Vec<u64>,
}

impl From<Response> for Answer {
    fn from(response: Response) -> Self {
        Self { response, shown: Vec::new() }
    }
}

impl States {
    pub(crate) fn new(settings: Settings, credentials: Credentials) -> Result<Self, SimError> {
        let settings = Settings { numbering: Numbering::None, churn_ms: 0, ..settings };
        let seed = settings.seed;
        let (life_ms, scopes) = (settings.token_life_ms, settings.scopes.clone());
        let clock = Clock::new();
        Ok(Self {
            world: World::new(Arc::new(settings), clock.clone())?,
            clock,
            tokens: Tokens::new(credentials, life_ms, scopes, fastrand::Rng::new()),
            active: None,
            play: None,
            fired: BTreeMap::new(),
            answered_ms: None,
            read: BTreeSet::new(),
            newest: BTreeMap::new(),
            tenant_id: format!("00000000-0000-4000-8000-{:012x}", seed & 0xffff_ffff_ffff),
            api: None,
            moving: Arc::default(),
        })
    }

    pub(crate) fn is_active(&self, fault: PollFault) -> bool {
        self.active.as_ref().is_some_and(|active| active.fault == fault)
    }

    /// Puts a fault in force.
    pub(crate) fn begin(&mut self, fault: PollFault) {
        let began_us = self.clock.wall_us();
        if matches!(fault, PollFault::TokenRevoked | PollFault::TokenDown) {
            self.tokens.revoke_all();
        }
        if fault == PollFault::AgentsChange {
            self.world.replace_agents(AGENTS_CHANGED);
        }
        if fault == PollFault::TenantMoved {
            self.api = None;
            self.moving.notify_one();
        }
        self.active =
            Some(Active { fault, began_us, fired_ms: None, count: 0, place_us: began_us });
    }

    /// The fault in force was seen on the wire.
    pub(crate) fn fire(&mut self, fault: PollFault) {
        let now_ms = self.clock.now_ms();
        let Some(active) = self.active.as_mut().filter(|active| active.fault == fault) else {
            return;
        };
        active.count += 1;
        if active.fired_ms.is_none() {
            active.fired_ms = Some(now_ms);
            *self.fired.entry(fault).or_default() += 1;
        }
    }

    /// Ends a fault whose time is over. True: none is in force.
    pub(crate) fn tick(&mut self) -> bool {
        self.world.tick();
        let now_ms = self.clock.now_ms();
        let is_over = self.active.as_ref().is_some_and(|active| {
            active.fired_ms.is_some_and(|fired| now_ms >= fired + active.fault.window_ms())
        });
        if is_over {
            self.active = None;
        }
        self.play_on(now_ms);
        self.active.is_none()
    }

    /// Whether the published rules are in force, and a poll was answered by them a moment ago.
    pub(crate) fn is_calm(&self) -> bool {
        let now_ms = self.clock.now_ms();
        let is_recent = |at: u64| now_ms.saturating_sub(at) < RECENT_MS;
        self.active.is_none() && self.answered_ms.is_some_and(is_recent)
    }

    fn play_on(&mut self, now_ms: u64) {
        let (is_calm, now_us) = (self.is_calm(), self.clock.wall_us());
        let Some(play) = &mut self.play else { return };
        if let Some(fault) = is_calm.then(|| play.next(now_ms)).flatten() {
            return self.begin(fault);
        }
        if !is_calm {
            play.wait(now_ms);
        }
        let is_unseen = |active: &mut Active| {
            active.fired_ms.is_none() && now_us - active.began_us > UNSEEN_US_MAX
        };
        self.active.take_if(is_unseen);
    }

    /// Answers `GET …/agents/states`.
    pub(crate) fn states(&mut self, request: &Request) -> Answer {
        let value = |name: &str| request.query.iter().find(|(key, _)| key == name);
        let since = value("updatedSince").map(|(_, text)| time_us(text));
        if since == Some(None) {
            return refusal(400, "updatedSince is no time").into();
        }
        let since_us = since.flatten();
        if since_us.is_some() && self.is_active(PollFault::PlaceRefused) {
            self.fire(PollFault::PlaceRefused);
            return refusal(400, "updatedSince is out of range").into();
        }
        let skip = request.query_number("skip").unwrap_or(0);
        let top = request.query_number("top").unwrap_or(100).clamp(1, 1_000);
        let is_poll = since_us.is_some();
        if is_poll && self.is_active(PollFault::SilentAnswers) {
            self.fire(PollFault::SilentAnswers);
            return Response::new(204, String::new()).into();
        }
        let top = if is_poll { self.shift(skip, top) } else { top };
        let rows = self.rows(since_us);
        let now_us = self.clock.wall_us();
        if !is_poll && skip == 0 {
            self.fire(PollFault::AgentsChange);
        }
        if rows.is_empty() && skip == 0 {
            return Response::new(204, String::new()).into();
        }
        let first = usize::try_from(skip).unwrap_or(usize::MAX);
        let page: Vec<(u32, u64)> = rows
            .iter()
            .skip(first)
            .take(usize::try_from(top).unwrap_or(usize::MAX))
            .copied()
            .collect();
        let mut total = rows.len() as u64;
        if is_poll && self.is_active(PollFault::WrongTotal) {
            self.fire(PollFault::WrongTotal);
            total += TOTAL_OFF;
        }
        let place_us = self.place(now_us);
        let text = self.text(&page, total, place_us);
        self.answered_ms = Some(self.clock.now_ms());
        let shown = if is_poll { self.note(&page) } else { Vec::new() };
        Answer { response: Response::new(200, text), shown }
    }

    /// The states shown that a client must have: none that is older than one it was shown.
    fn note(&mut self, page: &[(u32, u64)]) -> Vec<u64> {
        let mut shown = Vec::new();
        for (slot, index) in page {
            let newest = self.newest.entry(*slot).or_insert(*index);
            if *index >= *newest {
                *newest = *index;
                shown.push(*index);
            }
        }
        shown
    }

    /// Lets an agent of the first page change while pages shift; the size of a page.
    fn shift(&mut self, skip: u64, top: u64) -> u64 {
        if !self.is_active(PollFault::ShiftedPages) {
            return top;
        }
        if skip > 0 && self.active.as_ref().is_some_and(|active| active.count == 0) {
            self.world.burst(5);
            self.fire(PollFault::ShiftedPages);
        }
        let agents = self.world.last_events(self.world.len()).count() as u64;
        (agents / 3).clamp(1, SMALL_PAGE)
    }

    fn place(&mut self, now_us: i64) -> i64 {
        let is_fresh = self.is_active(PollFault::PlaceStandsStill);
        let Some(active) = self.active.as_ref().filter(|_| is_fresh) else { return now_us };
        let place_us = active.place_us;
        self.fire(PollFault::PlaceStandsStill);
        place_us
    }

    /// (slot, index of the state) of each agent that changed since then, in order of time.
    fn rows(&mut self, since_us: Option<i64>) -> Vec<(u32, u64)> {
        let now_us = self.clock.wall_us();
        let mut since_us = since_us;
        let mut as_of = self.world.len();
        let mut late_as_of = as_of;
        let active =
            self.active.as_ref().map(|active| (active.fault, active.count, active.began_us));
        match active.filter(|_| since_us.is_some()) {
            Some((fault @ PollFault::LaggingReplica, count, _)) => {
                if count % 2 == 0 {
                    as_of = self.world.as_of(now_us - BEHIND_US);
                    late_as_of = as_of;
                }
                self.fire(fault);
            }
            Some((fault @ PollFault::LateStates, _, began_us)) => {
                late_as_of = self.world.as_of(began_us.max(now_us - BEHIND_US));
                if late_as_of < as_of {
                    self.fire(fault);
                }
            }
            Some((fault @ PollFault::RepeatedStates, _, _)) => {
                since_us = since_us.map(|since_us| since_us - REPEATED_US);
                self.fire(fault);
            }
            _ => {}
        }
        // A replica lags in what it says of agents, not in who they are.
        let here: BTreeSet<u32> =
            self.world.last_events(self.world.len()).map(|(slot, _)| slot).collect();
        let present = self.world.last_events(as_of).filter(|(slot, _)| here.contains(slot));
        let late: BTreeMap<u32, u64> = self.world.last_events(late_as_of).collect();
        let mut rows: Vec<(u32, u64)> = present
            .filter_map(|(slot, last)| match slot % 3 {
                0 => late.get(&slot).map(|last| (slot, *last)),
                _ => Some((slot, last)),
            })
            .filter(|(_, last)| {
                let wall_us = self.world.events[*last as usize].wall_us;
                since_us.is_none_or(|since_us| wall_us > since_us)
            })
            .collect();
        rows.sort_unstable_by_key(|(_, last)| *last);
        rows
    }

    fn text(&self, page: &[(u32, u64)], total: u64, place_us: i64) -> String {
        let mut text = format!("{{\"totalRecords\":{total},\"lastPollTime\":\"");
        iso_micros(place_us, &mut text);
        text.push_str("\",\"agentStates\":[");
        for (at, (_, index)) in page.iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            text.push_str(&self.row(*index));
        }
        text.push_str("]}");
        text
    }

    fn row(&self, index: u64) -> String {
        let event = &self.world.events[index as usize];
        let body = event.body();
        let body = String::from_utf8_lossy(&body);
        let part = |name: &str| {
            let begin = body.find(name).map_or(body.len(), |at| at + name.len());
            body[begin..].split('"').next().unwrap_or_default().to_owned()
        };
        let (state, activity) = (part("\"state\":\""), part("\"activity\":\""));
        let mut at = String::new();
        iso_micros(event.wall_us, &mut at);
        let id = self.agent(event.agent);
        let mut row = String::new();
        let _ = write!(
            row,
            "{{\"agentId\":{id},\"agentStateName\":\"{state}\",\"outStateDescription\":\
             \"{activity}\",\"isActive\":true,\"startDate\":\"{at}\",\"lastUpdateTime\":\"{at}\"}}"
        );
        row
    }

    /// The agent's number.
    fn agent(&self, slot: u32) -> u32 {
        let id = &self.world.roster.agent(slot).id;
        id.rsplit('-').next().and_then(|digits| digits.parse().ok()).unwrap_or(slot)
    }

    /// Every state ever, with its row; none where the agent was removed.
    pub(crate) fn all(&self) -> Vec<(u64, i64, String, Option<Bytes>)> {
        let count = self.world.len();
        (0..count)
            .map(|index| {
                let event = &self.world.events[index as usize];
                let agent = self.agent(event.agent).to_string();
                let row = (!event.deleted).then(|| Bytes::from(self.row(index)));
                (index, event.wall_us, agent, row)
            })
            .collect()
    }
}

/// An error as this vendor tells it.
pub(crate) fn refusal(status: u16, why: &str) -> Response {
    Response::new(status, String::new()).with_header("icStatusDescription", why)
}

/// Microseconds since 1970 of `2026-11-25T10:00:05.25Z`.
fn time_us(text: &str) -> Option<i64> {
    let text = text.strip_suffix('Z')?;
    let (date, time) = text.split_once('T')?;
    let mut date = date.splitn(3, '-').map(str::parse::<i64>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    let mut time = time.splitn(3, ':');
    let (hour, minute) = (time.next()?.parse::<i64>().ok()?, time.next()?.parse::<i64>().ok()?);
    let (second, fraction) = time.next()?.split_once('.').unwrap_or(("0", "0"));
    let second: i64 = second.parse().ok()?;
    let micros: i64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    // Days since 1970 by years that begin on 1 March.
    let shifted = if month > 2 { year } else { year - 1 };
    let (era, of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    Some(seconds * 1_000_000 + micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_reads_back() {
        for wall_us in [0, 951_827_696_789_012, 1_795_000_000_000_001, 1_709_164_800_000_000] {
            let mut text = String::new();
            iso_micros(wall_us, &mut text);
            assert_eq!(time_us(&text), Some(wall_us), "{text}");
        }
        assert_eq!(time_us("1970-01-01T00:00:01.5Z"), Some(1_500_000));
        assert_eq!(time_us("yesterday"), None);
    }
}
