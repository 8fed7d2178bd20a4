//! What goes over the wire, with the vendor's names: written from its published models, shared with
//! no client.

use serde::{Deserialize, Serialize};

use super::conversation::{AGENT, CUSTOMER, Conversation, QUEUE, Stage};
use super::roster::{Agent, Roster};
use super::stamp::iso;

/// Something named by its id.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reference {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    self_uri: Option<String>,
}

impl Reference {
    fn bare(id: &str) -> Self {
        Self { id: id.to_owned(), name: None, self_uri: None }
    }

    fn named(id: &str, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..Self::bare(id) }
    }

    fn linked(id: &str, path: &str) -> Self {
        Self { self_uri: Some(format!("/api/v2/{path}/{id}")), ..Self::bare(id) }
    }
}

/// The code of a scheduled activity; by REST it has a name and an address.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ActivityCode {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'static str>,
    secondary_presences: Vec<Reference>,
}

/// What both forms of an agent's adherence have under the same names.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AdherenceCore {
    scheduled_activity_category: &'static str,
    scheduled_activity_code: ActivityCode,
    system_presence: &'static str,
    organization_secondary_presence_id: String,
    routing_status: &'static str,
    actual_activity_category: &'static str,
    is_out_of_office: bool,
    adherence_state: &'static str,
    impact: &'static str,
    presence_update_time: String,
    active_queues: Vec<Reference>,
    active_queues_modified_time: String,
    removed_from_management_unit: bool,
    suppress_on_time_reminder: bool,
    next_activity_reminders: Vec<Reminder>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Reminder {
    activity_category: &'static str,
    start_date: String,
}

/// `UserScheduleAdherenceUpdate`: the body of a notification.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AdherenceUpdate {
    user: Reference,
    management_unit_id: String,
    business_unit_id: String,
    team: Reference,
    adherence_change_time: String,
    #[serde(flatten)]
    core: AdherenceCore,
}

/// `UserScheduleAdherence`: a row of a REST answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AdherenceRow {
    id: String,
    name: String,
    user: Reference,
    business_unit: Reference,
    management_unit: Reference,
    team: Reference,
    time_of_adherence_change: String,
    #[serde(flatten)]
    core: AdherenceCore,
    self_uri: String,
}

/// The presence definition ids are one to each presence, for all accounts.
fn presence_id(presence: &str) -> String {
    let sum = presence.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(byte));
    format!("00000000-0000-4000-a000-{:012x}", sum & 0xffff_ffff_ffff)
}

fn core(agent: &Agent, roster: &Roster, by_rest: bool) -> AdherenceCore {
    let standing = &agent.standing;
    let queue = |queue: &usize| {
        let id = &roster.queues[*queue];
        if by_rest { Reference::linked(id, "routing/queues") } else { Reference::bare(id) }
    };
    let is_offline = standing.presence.name() == "Offline";
    AdherenceCore {
        scheduled_activity_category: standing.scheduled.name(),
        scheduled_activity_code: ActivityCode {
            id: (standing.scheduled as u8).to_string(),
            name: by_rest.then(|| standing.scheduled.name()),
            secondary_presences: Vec::new(),
        },
        system_presence: standing.presence.name(),
        organization_secondary_presence_id: presence_id(standing.presence.name()),
        // The REST model has no such value.
        routing_status: if is_offline && !by_rest { "OFFLINE" } else { standing.routing },
        actual_activity_category: standing.actual().name(),
        is_out_of_office: false,
        adherence_state: standing.adherence(),
        impact: standing.impact(),
        presence_update_time: iso(standing.presence_us),
        active_queues: standing.queues.iter().map(queue).collect(),
        active_queues_modified_time: iso(standing.queues_us),
        removed_from_management_unit: !agent.is_present,
        suppress_on_time_reminder: false,
        next_activity_reminders: vec![Reminder {
            activity_category: standing.scheduled.name(),
            start_date: iso(standing.queues_us),
        }],
    }
}

fn text(value: &impl Serialize) -> String {
    // Strings, numbers and lists cannot fail to be written.
    serde_json::to_string(value).unwrap_or_default()
}

/// The body of an adherence notification.
pub(super) fn adherence_update(agent: &Agent, roster: &Roster) -> String {
    let team = &roster.teams[agent.team];
    text(&AdherenceUpdate {
        user: Reference::bare(&agent.id),
        management_unit_id: roster.units[agent.unit].id.clone(),
        business_unit_id: roster.business_unit.clone(),
        team: Reference::named(&team.id, &team.name),
        adherence_change_time: iso(agent.standing.adherence_us),
        core: core(agent, roster, false),
    })
}

/// The same by REST.
pub(super) fn adherence_row(agent: &Agent, roster: &Roster) -> String {
    let unit = &roster.units[agent.unit].id;
    text(&AdherenceRow {
        id: agent.id.clone(),
        name: agent.name.clone(),
        user: Reference::linked(&agent.id, "users"),
        business_unit: Reference::linked(
            &roster.business_unit,
            "workforcemanagement/businessunits",
        ),
        management_unit: Reference::linked(unit, "workforcemanagement/managementunits"),
        team: Reference::linked(&roster.teams[agent.team].id, "teams"),
        time_of_adherence_change: iso(agent.standing.adherence_us),
        core: core(agent, roster, true),
        self_uri: format!("/api/v2/workforcemanagement/adherence?userId={}", agent.id),
    })
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PresenceDefinition {
    id: String,
    /// Upper case, as the directory has it.
    system_presence: String,
}

fn definition(agent: &Agent) -> PresenceDefinition {
    let name = agent.standing.presence.name();
    let upper = if name == "OnQueue" { "ON_QUEUE".to_owned() } else { name.to_uppercase() };
    PresenceDefinition { id: presence_id(name), system_presence: upper }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RoutingStatus {
    status: &'static str,
    start_time: String,
}

fn routing_status(agent: &Agent) -> RoutingStatus {
    let standing = &agent.standing;
    RoutingStatus { status: standing.routing, start_time: iso(standing.routing_us) }
}

/// The body of a presence notification.
pub(super) fn presence(agent: &Agent) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct UserPresence {
        source: &'static str,
        presence_definition: PresenceDefinition,
        primary: bool,
        message: &'static str,
        modified_date: String,
    }
    text(&UserPresence {
        source: "PURECLOUD",
        presence_definition: definition(agent),
        primary: true,
        message: "",
        modified_date: iso(agent.standing.presence_us),
    })
}

/// The body of a routing status notification.
pub(super) fn routing(agent: &Agent) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct UserRoutingStatus<'a> {
        id: &'a str,
        routing_status: RoutingStatus,
    }
    text(&UserRoutingStatus { id: &agent.id, routing_status: routing_status(agent) })
}

/// The body of an activity notification: presence, routing and queues together.
pub(super) fn activity(agent: &Agent, roster: &Roster) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Presence {
        presence_definition: PresenceDefinition,
        presence_message: &'static str,
        modified_date: String,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct OutOfOffice {
        active: bool,
        modified_date: String,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct AgentActivity<'a> {
        id: &'a str,
        routing_status: RoutingStatus,
        presence: Presence,
        out_of_office: OutOfOffice,
        active_queue_ids: Vec<&'a str>,
        date_active_queues_changed: String,
    }
    let standing = &agent.standing;
    text(&AgentActivity {
        id: &agent.id,
        routing_status: routing_status(agent),
        presence: Presence {
            presence_definition: definition(agent),
            presence_message: "",
            modified_date: iso(standing.presence_us),
        },
        out_of_office: OutOfOffice { active: false, modified_date: iso(standing.queues_us) },
        active_queue_ids: standing.queues.iter().map(|queue| &*roster.queues[*queue]).collect(),
        date_active_queues_changed: iso(standing.queues_us),
    })
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Call {
    id: String,
    state: &'static str,
    recording: bool,
    muted: bool,
    held: bool,
    direction: &'static str,
    provider: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    connected_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disconnected_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disconnect_type: Option<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Participant<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    connected_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    queue_id: &'a str,
    purpose: &'static str,
    wrapup_required: bool,
    calls: Vec<Call>,
}

/// The purposes of the three who take part, as notifications name them.
const PURPOSES: [&str; 3] = ["customer", "acd", "agent"];

fn participant<'a>(
    conversation: &'a Conversation,
    at: usize,
    roster: &'a Roster,
) -> Participant<'a> {
    let party = &conversation.parties[at];
    let state = match (party.ended_us, party.connected_us) {
        (Some(_), _) => "disconnected",
        (None, Some(_)) => "connected",
        (None, None) => "alerting",
    };
    Participant {
        id: &party.id,
        connected_time: party.connected_us.map(iso),
        end_time: party.ended_us.map(iso),
        user_id: (at == AGENT).then(|| roster.agents[conversation.agent].id.as_str()),
        queue_id: &roster.queues[conversation.queue],
        purpose: PURPOSES[at],
        wrapup_required: at == AGENT && conversation.stage == Stage::WrapUp,
        calls: vec![Call {
            id: party.session.clone(),
            state,
            recording: false,
            muted: false,
            held: at == CUSTOMER && conversation.stage == Stage::Held,
            direction: "inbound",
            provider: "Edge",
            connected_time: party.connected_us.map(iso),
            disconnected_time: party.ended_us.map(iso),
            disconnect_type: party.ended_us.map(|_| if at == QUEUE { "transfer" } else { "peer" }),
        }],
    }
}

/// The body of a conversation notification: the whole document each time.
pub(super) fn conversation(conversation: &Conversation, roster: &Roster) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Document<'a> {
        id: &'a str,
        max_participants: u8,
        participants: Vec<Participant<'a>>,
        recording_state: &'static str,
    }
    text(&Document {
        id: &conversation.id,
        max_participants: 12,
        participants: (0..3).map(|at| participant(conversation, at, roster)).collect(),
        recording_state: "none",
    })
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FactSegment<'a> {
    segment_start: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    segment_end: Option<String>,
    segment_type: &'static str,
    queue_id: &'a str,
    conference: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    disconnect_type: Option<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FactSession<'a> {
    session_id: &'a str,
    media_type: &'static str,
    direction: &'static str,
    provider: &'static str,
    ani: String,
    segments: Vec<FactSegment<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FactParticipant<'a> {
    participant_id: &'a str,
    purpose: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    sessions: Vec<FactSession<'a>>,
}

/// What analytics show of a conversation: what had happened by that moment.
pub(super) fn fact(conversation: &Conversation, roster: &Roster, as_of_us: i64) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Fact<'a> {
        conversation_id: &'a str,
        conversation_start: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        conversation_end: Option<String>,
        conversation_initiator: &'static str,
        originating_direction: &'static str,
        division_ids: [&'static str; 1],
        participants: Vec<FactParticipant<'a>>,
    }
    let by_then = |at_us: Option<i64>| at_us.filter(|at_us| *at_us <= as_of_us).map(iso);
    let queue_id = roster.queues[conversation.queue].as_str();
    let segments = |at: usize| {
        let of = move |segment: &&super::conversation::Segment| {
            segment.party == at && segment.start_us <= as_of_us
        };
        conversation.segments.iter().filter(of).map(move |segment| {
            let segment_end = by_then(segment.end_us);
            let is_last = segment_end.is_some() && segment.end_us == conversation.ended_us;
            FactSegment {
                segment_start: iso(segment.start_us),
                disconnect_type: is_last.then_some("peer"),
                segment_end,
                segment_type: segment.kind,
                queue_id,
                conference: false,
            }
        })
    };
    let participants = (0..3).map(|at| FactParticipant {
        participant_id: &conversation.parties[at].id,
        purpose: PURPOSES[at],
        user_id: (at == AGENT).then(|| roster.agents[conversation.agent].id.as_str()),
        sessions: vec![FactSession {
            session_id: &conversation.parties[at].session,
            media_type: "voice",
            direction: "inbound",
            provider: "Edge",
            ani: format!("tel:+1317{}", conversation.number),
            segments: segments(at).collect(),
        }],
    });
    text(&Fact {
        conversation_id: &conversation.id,
        conversation_start: iso(conversation.begun_us),
        conversation_end: by_then(conversation.ended_us),
        conversation_initiator: PURPOSES[CUSTOMER],
        originating_direction: "inbound",
        division_ids: ["00000000-0000-4000-a000-000000000001"],
        participants: participants.collect(),
    })
}

/// One topic as a client names it and as it is answered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChannelTopic {
    pub(super) id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) state: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rejection_reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) missing_permissions: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) self_uri: Option<String>,
}

/// A channel as it is answered.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChannelView {
    pub(super) connect_uri: String,
    pub(super) id: String,
    pub(super) expires: String,
}

/// `{"entities":[…]}`.
pub(super) fn listing(rows: &[impl Serialize]) -> String {
    #[derive(Serialize)]
    struct Listing<'a, T> {
        entities: &'a [T],
    }
    text(&Listing { entities: rows })
}

/// Any answer.
pub(super) fn answer(value: &impl Serialize) -> String {
    text(value)
}

/// `v2.system.socket_closing`, which needs no subscription.
pub(super) fn socket_closing() -> String {
    "{\"topicName\":\"v2.system.socket_closing\",\"version\":\"2\",\"eventBody\":{\"message\":\
     \"Websocket closing soon. Please reconnect.\"}}"
        .to_owned()
}

/// What the vendor tells of a channel itself. The body is its published model; the topic on which a
/// plain WebSocket hears it is not published.
pub(super) fn system(kind: &str, channel_id: &str, reason: &str) -> String {
    format!(
        "{{\"topicName\":\"v2.system.{kind}\",\"version\":\"2\",\"eventBody\":{{\
         \"channelId\":\"{channel_id}\",\"systemTopicType\":\"{kind}\",\"reason\":\"{reason}\"}}}}"
    )
}

/// `channel.metadata`.
pub(super) fn metadata(message: &str) -> String {
    format!("{{\"topicName\":\"channel.metadata\",\"eventBody\":{{\"message\":\"{message}\"}}}}")
}
