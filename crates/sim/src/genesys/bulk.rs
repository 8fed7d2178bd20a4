//! The historical adherence bulk job: asked for, polled, downloaded.

use serde::{Deserialize, Serialize};

use super::hub::State;
use super::refusal::{bad_request, not_found};
use super::stamp::{iso, moment};
use super::wire;
use crate::server::http::{Request, Response};

/// Jobs that are kept.
const JOBS_MAX: usize = 64;

/// A job under way or done.
#[derive(Debug)]
pub(super) struct Job {
    id: String,
    done_ms: u64,
    items: Vec<Item>,
    /// Where the results are, once they are made.
    urls: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BulkQuery {
    items: Vec<ItemWish>,
    #[serde(default)]
    time_zone: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ItemWish {
    management_unit_id: String,
    start_date: String,
    end_date: String,
    #[serde(default)]
    user_ids: Option<Vec<String>>,
}

#[derive(Debug)]
struct Item {
    unit: usize,
    from_us: i64,
    to_us: i64,
    agents: Vec<usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JobView<'a> {
    job: JobReference<'a>,
    download_urls: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JobReference<'a> {
    id: &'a str,
    status: &'static str,
    self_uri: String,
}

/// `WfmHistoricalAdherenceBulkResult`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BulkResult {
    start_date: String,
    end_date: String,
    management_unit_id: String,
    user_results: Vec<UserResult>,
    lookup_id_to_secondary_presence_id: std::collections::BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UserResult {
    user_id: String,
    adherence_percentage: f64,
    conformance_percentage: f64,
    impact: &'static str,
    exception_info: Vec<Stretch>,
    actuals: Vec<Actual>,
    day_metrics: [(); 0],
}

/// A stretch out of adherence.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stretch {
    start_offset_seconds: i64,
    end_offset_seconds: i64,
    scheduled_activity_category: String,
    actual_activity_category: String,
    system_presence: String,
    impact: String,
}

/// What an agent did, and how long.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Actual {
    actual_activity_category: String,
    start_offset_seconds: i64,
    end_offset_seconds: i64,
}

/// What the job looks at in an adherence event.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    scheduled_activity_category: String,
    actual_activity_category: String,
    system_presence: String,
    adherence_state: String,
    impact: String,
}

impl State {
    /// Answers `POST …/adherence/historical/bulk`.
    pub(super) fn begin_job(&mut self, request: &Request) -> Response {
        let Ok(query) = serde_json::from_slice::<BulkQuery>(&request.body) else {
            return bad_request("The query is not understood");
        };
        if query.items.is_empty() || query.time_zone.as_deref().is_none_or(str::is_empty) {
            return bad_request("The query needs items and a time zone");
        }
        let mut items = Vec::new();
        for wish in query.items {
            let times = moment(&wish.start_date).zip(moment(&wish.end_date));
            let Some((from_us, to_us)) = times.filter(|(from_us, to_us)| from_us < to_us) else {
                return bad_request("The dates are not understood");
            };
            let roster = &self.world.roster;
            let Some(unit) = roster.unit_of(&wish.management_unit_id) else {
                return not_found("The management unit");
            };
            let is_asked = |agent: &usize| {
                let id = &roster.agents[*agent].id;
                wish.user_ids.as_ref().is_none_or(|ids| ids.contains(id))
            };
            let agents = roster.in_unit(unit).filter(is_asked).collect();
            items.push(Item { unit, from_us, to_us, agents });
        }
        if self.jobs.len() >= JOBS_MAX {
            self.jobs.pop_front();
        }
        let id = super::roster::uuid(&mut self.secrets);
        let done_ms = self.clock.now_ms() + self.settings.job_ms;
        let view = wire::answer(&view(&id, false, &[]));
        self.jobs.push_back(Job { id, done_ms, items, urls: Vec::new() });
        Response::new(202, view)
    }

    /// Answers `GET …/adherence/historical/bulk/jobs/{id}`.
    pub(super) fn look_at_job(&mut self, id: &str, base: &str) -> Response {
        let now_ms = self.clock.now_ms();
        let Some(at) = self.jobs.iter().position(|job| job.id == id) else {
            return not_found("The job");
        };
        let Some(mut job) = self.jobs.remove(at) else { return not_found("The job") };
        let is_done = now_ms >= job.done_ms;
        if is_done && job.urls.is_empty() {
            for item in &job.items {
                let text = wire::answer(&self.result(item));
                job.urls.push(self.keep_download(base, text));
            }
        }
        let view = wire::answer(&view(id, is_done, &job.urls));
        self.jobs.insert(at, job);
        Response::new(200, view)
    }

    fn result(&self, item: &Item) -> BulkResult {
        BulkResult {
            start_date: iso(item.from_us),
            end_date: iso(item.to_us),
            management_unit_id: self.world.roster.units[item.unit].id.clone(),
            user_results: item.agents.iter().map(|agent| self.of_agent(*agent, item)).collect(),
            lookup_id_to_secondary_presence_id: std::collections::BTreeMap::new(),
        }
    }

    /// The agent's stretches within the item's time, as far as it is over.
    fn of_agent(&self, agent: usize, item: &Item) -> UserResult {
        let to_us = item.to_us.min(self.clock.wall_us());
        let of = &self.world.roster.agents[agent];
        let events: Vec<(i64, Option<Shown>)> = of
            .events
            .iter()
            .filter_map(|at| self.world.events.get(usize::try_from(*at).ok()?))
            .map(|event| {
                let shown = serde_json::from_slice(&event.body).ok();
                (event.wall_us, shown.filter(|_| !event.is_removal))
            })
            .collect();
        let mut result = UserResult {
            user_id: of.id.clone(),
            adherence_percentage: 100.0,
            conformance_percentage: 100.0,
            impact: "Neutral",
            exception_info: Vec::new(),
            actuals: Vec::new(),
            day_metrics: [],
        };
        let (mut covered_us, mut out_us) = (0, 0);
        for (at, (begin_us, shown)) in events.iter().enumerate() {
            let next_us = events.get(at + 1).map_or(to_us, |(next_us, _)| *next_us);
            let (begin_us, end_us) = ((*begin_us).max(item.from_us), next_us.min(to_us));
            let Some(shown) = shown.as_ref().filter(|_| begin_us < end_us) else { continue };
            covered_us += end_us - begin_us;
            if shown.adherence_state == "OutOfAdherence" {
                out_us += end_us - begin_us;
            }
            let offset = |at_us: i64| (at_us - item.from_us) / 1_000_000;
            result.add(shown, offset(begin_us), offset(end_us));
        }
        if covered_us > 0 {
            let percentage = 100.0 - 100.0 * out_us as f64 / covered_us as f64;
            result.adherence_percentage = (percentage * 100.0).round() / 100.0;
            result.conformance_percentage = result.adherence_percentage;
        }
        result
    }
}

impl UserResult {
    /// A stretch of one state; neighbours of one activity are one.
    fn add(&mut self, shown: &Shown, start_offset_seconds: i64, end_offset_seconds: i64) {
        if shown.adherence_state == "OutOfAdherence" {
            self.exception_info.push(Stretch {
                start_offset_seconds,
                end_offset_seconds,
                scheduled_activity_category: shown.scheduled_activity_category.clone(),
                actual_activity_category: shown.actual_activity_category.clone(),
                system_presence: shown.system_presence.clone(),
                impact: shown.impact.clone(),
            });
        }
        match self.actuals.last_mut() {
            Some(last) if last.actual_activity_category == shown.actual_activity_category => {
                last.end_offset_seconds = end_offset_seconds;
            }
            _ => self.actuals.push(Actual {
                actual_activity_category: shown.actual_activity_category.clone(),
                start_offset_seconds,
                end_offset_seconds,
            }),
        }
    }
}

fn view<'a>(id: &'a str, is_done: bool, urls: &'a [String]) -> JobView<'a> {
    JobView {
        job: JobReference {
            id,
            status: if is_done { "Complete" } else { "Processing" },
            self_uri: format!("/api/v2/workforcemanagement/adherence/historical/bulk/jobs/{id}"),
        },
        download_urls: urls,
    }
}
