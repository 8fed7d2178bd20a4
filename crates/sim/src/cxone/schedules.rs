//! The baseline.

use std::fmt::Write;

use super::hub::State;
use super::token::refusal;
use crate::server::http::{Request, Response};
use crate::settings::Body;
use crate::truth::TruthPage;
use crate::world::{Page, iso_micros};

/// The scope that the baseline needs.
pub(crate) const SCOPE: &str = "wfm:schedule:read";

impl State {
    /// Answers `GET /api/v2/wfm/schedules`.
    pub(crate) fn schedules(&mut self, request: &Request) -> Response {
        let now_ms = self.clock.now_ms();
        if let Err(denied) = self.tokens.check(request.bearer(), Some(SCOPE), now_ms) {
            self.fault_on_denied(denied);
            return denied.response();
        }
        if request.method != "GET" {
            return refusal(405, "method_not_allowed", "only GET");
        }
        let offset = request.query_number("offset").unwrap_or(0);
        let asked = request.query_number("limit").unwrap_or(u64::MAX).max(1);
        let limit = asked.min(u64::from(self.settings.page_limit.max(1)));
        let (as_of, limit) = self.fault_on_page(offset, limit);
        let mut page = self.world.page(as_of, offset, limit);
        self.fault_on_rows(&mut page, offset, limit);
        let mut text = self.page_text(&page, offset, limit);
        if !self.fault_on_text(&mut text) {
            self.note_page(&page, offset);
        }
        Response::new(200, text)
    }

    fn page_text(&self, page: &Page, offset: u64, limit: u64) -> String {
        let mut text = String::with_capacity(256 + page.rows.len() * 900);
        text.push('{');
        if let Some((epoch, sequence)) = self.place(Some(page.sequence)) {
            let sequence = sequence.unwrap_or(0);
            let _ = write!(text, "\"sequenceId\":{sequence},\"epoch\":\"{epoch}\",");
        }
        let _ = write!(
            text,
            "\"total\":{},\"offset\":{offset},\"limit\":{limit},\"generatedAt\":\"",
            page.total
        );
        iso_micros(self.generated_us(page), &mut text);
        text.push_str("\",\"schedules\":[");
        for (at, (slot, last)) in page.rows.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            let id = &self.world.roster.agent(*slot).id;
            let _ = write!(text, "{comma}{{\"agentId\":\"{id}\",{}", self.world.shift(*slot));
            if self.settings.body == Body::State {
                text.push_str(",\"adherence\":");
                text.push_str(&String::from_utf8_lossy(&self.world.events[*last as usize].body()));
            }
            text.push('}');
        }
        text.push_str("]}");
        text
    }

    /// When the page was true: now, unless it is older than the newest event.
    fn generated_us(&self, page: &Page) -> i64 {
        let last = page.as_of.saturating_sub(1);
        let last_us = self.world.events.get(last as usize).map_or(0, |event| event.wall_us);
        let is_now = page.as_of >= self.world.len();
        let made_us = if is_now { self.clock.wall_us() } else { last_us };
        made_us + self.world.told_offset_us
    }

    fn note_page(&mut self, page: &Page, offset: u64) {
        let name = |row: Option<&(u32, u32)>| {
            row.map(|(slot, _)| self.world.roster.agent(*slot).id.to_string())
        };
        let noted = TruthPage {
            served_us: self.clock.wall_us(),
            offset,
            rows: page.rows.len() as u64,
            total: page.total,
            as_of: page.as_of,
            sequence: self.settings.numbering.is_positioned().then_some(page.sequence),
            first_agent: name(page.rows.first()),
            last_agent: name(page.rows.last()),
            agents: None,
        };
        self.world.recorder.page(noted);
        self.fault_on_page_served();
    }
}
