//! An agent's adherence in one form, whichever of the vendor's two it is told in.
//!
//! A client keeps what it was told by REST and by notifications under one set of names, of its own
//! choice. What it holds is compared with the truth in this form; it is read here and nowhere else.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Something named by its id.
#[derive(Deserialize)]
struct Named {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Code {
    id: Option<String>,
    #[serde(default)]
    secondary_presences: Vec<Named>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Reminder {
    activity_category: Option<String>,
    start_date: Option<String>,
}

/// Both forms: where they name the same differently, either has one of two fields.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    user: Named,
    management_unit_id: Option<String>,
    management_unit: Option<Named>,
    business_unit_id: Option<String>,
    business_unit: Option<Named>,
    team: Option<Named>,
    adherence_change_time: Option<String>,
    time_of_adherence_change: Option<String>,
    scheduled_activity_code: Option<Code>,
    routing_status: Option<String>,
    #[serde(default)]
    active_queues: Vec<Named>,
    #[serde(flatten)]
    shared: Shared,
}

/// What both forms have under the same names.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shared {
    adherence_state: String,
    scheduled_activity_category: Option<String>,
    system_presence: Option<String>,
    organization_secondary_presence_id: Option<String>,
    actual_activity_category: Option<String>,
    is_out_of_office: Option<bool>,
    impact: Option<String>,
    presence_update_time: Option<String>,
    active_queues_modified_time: Option<String>,
    removed_from_management_unit: Option<bool>,
    suppress_on_time_reminder: Option<bool>,
    #[serde(default)]
    next_activity_reminders: Vec<Reminder>,
}

#[derive(Serialize)]
struct Normal {
    user: String,
    unit: Option<String>,
    business_unit: Option<String>,
    team: Option<String>,
    since: Option<String>,
    code: Option<String>,
    code_presences: Vec<String>,
    routing: Option<String>,
    queues: Vec<String>,
    shared: Shared,
}

fn ids(named: Vec<Named>) -> Vec<String> {
    named.into_iter().map(|one| one.id).collect()
}

/// The object in one form, to be compared for equality; `None`: it is no agent's adherence.
pub(crate) fn normal(object: &[u8]) -> Option<Bytes> {
    let told: Told = serde_json::from_slice(object).ok()?;
    let either = |id: Option<String>, named: Option<Named>| id.or(named.map(|named| named.id));
    let (code, code_presences) = match told.scheduled_activity_code {
        Some(code) => (code.id, ids(code.secondary_presences)),
        None => (None, Vec::new()),
    };
    // What an agent's routing is who is offline, REST has no value for.
    let is_offline = told.shared.system_presence.as_deref() == Some("Offline");
    let routing = told.routing_status.filter(|status| status != "__EMPTY__" && !is_offline);
    let normal = Normal {
        user: told.user.id,
        unit: either(told.management_unit_id, told.management_unit),
        business_unit: either(told.business_unit_id, told.business_unit),
        team: told.team.map(|team| team.id),
        since: told.adherence_change_time.or(told.time_of_adherence_change),
        code,
        code_presences,
        routing,
        queues: ids(told.active_queues),
        shared: told.shared,
    };
    serde_json::to_vec(&normal).ok().map(Bytes::from)
}
