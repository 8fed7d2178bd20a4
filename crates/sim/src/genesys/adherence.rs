//! Adherence by REST: of some users, of a management unit, of a team.

use super::hub::State;
use super::refusal::{bad_request, not_found};
use crate::server::http::{Request, Response};
use crate::truth::TruthPage;

/// Most users in one request, by the SDK's own text.
const USERS_MAX: usize = 100;

/// Downloads that are kept: a client fetches each at once.
const DOWNLOADS_MAX: usize = 64;

impl State {
    /// Answers `GET …/workforcemanagement/adherence?userId=…`: a bare array. Users that there are
    /// not, or that are of no unit any more, are left out.
    pub(super) fn adherence_of(&mut self, request: &Request) -> Response {
        let asked = request.query.iter().filter(|(key, _)| key == "userId");
        let ids: Vec<&str> =
            asked.flat_map(|(_, value)| value.split(',')).filter(|id| !id.is_empty()).collect();
        if !(1..=USERS_MAX).contains(&ids.len()) {
            return bad_request("The number of user ids must be between 1 and 100");
        }
        let mut agents: Vec<usize> =
            ids.iter().filter_map(|id| self.world.roster.agent_of(id)).collect();
        agents.sort_unstable();
        agents.dedup();
        Response::new(200, self.rows(&agents))
    }

    /// Answers the listings of a unit and of a team: `{entities,downloadUrl}`, where a large one is
    /// downloaded.
    pub(super) fn adherence_listing(
        &mut self,
        kind: &str,
        id: &str,
        request: &Request,
        base: &str,
    ) -> Response {
        let roster = &self.world.roster;
        let agents: Option<Vec<usize>> = if kind == "teams" {
            roster.team_of(id).map(|team| roster.in_team(team).collect())
        } else {
            roster.unit_of(id).map(|unit| roster.in_unit(unit).collect())
        };
        let Some(agents) = agents else { return not_found("The requested resource") };
        let is_forced = request.query.iter().any(|(key, value)| {
            key == "forceDownloadService" && value.eq_ignore_ascii_case("true")
        });
        let is_large = agents.len() > self.settings.listing_rows_max;
        let listing = format!("{{\"entities\":{}}}", self.rows(&agents));
        if !(self.fault_on_listing() || is_forced || is_large) {
            return Response::new(200, listing);
        }
        let url = self.keep_download(base, listing);
        Response::new(200, format!("{{\"downloadUrl\":\"{url}\"}}"))
    }

    /// The rows as an array, noted in the ledger.
    fn rows(&mut self, agents: &[usize]) -> String {
        let as_of = self.fault_on_rows();
        let rows: Vec<&[u8]> = agents
            .iter()
            .filter_map(|agent| self.world.row(*agent, as_of))
            .map(|row| row.as_ref())
            .collect();
        let text = format!("[{}]", String::from_utf8_lossy(&rows.join(&b',')));
        let count = rows.len() as u64;
        let keys: Vec<String> = agents
            .iter()
            .map(|agent| format!("adherence/{}", self.world.roster.agents[*agent].id))
            .collect();
        let page = TruthPage {
            served_us: self.clock.wall_us(),
            offset: 0,
            rows: count,
            total: count,
            as_of,
            sequence: None,
            first_agent: keys.first().cloned(),
            last_agent: keys.last().cloned(),
            agents: Some(keys),
        };
        self.world.recorder.page(page);
        text
    }

    /// Keeps a text to be fetched; returns its address.
    pub(super) fn keep_download(&mut self, base: &str, text: String) -> String {
        if self.downloads.len() >= DOWNLOADS_MAX {
            self.downloads.pop_front();
        }
        let id = format!("{:032x}", self.secrets.u128(..));
        let url = format!("{base}/downloads/{id}");
        self.downloads.push_back((id, text));
        url
    }

    /// Answers a download.
    pub(super) fn download(&self, id: &str) -> Response {
        match self.downloads.iter().find(|(kept, _)| kept == id) {
            Some((_, text)) => Response::new(200, text.clone()),
            None => not_found("The download"),
        }
    }
}
