//! Every operation of the API.

use unbroken_render::RECORD_KINDS;

use super::operation::{Form, Method, Operation, Outcome, Parameter, Right};
use super::problem::{
    BODY_INVALID, BODY_TOO_LARGE, CURSOR_AHEAD, CURSOR_EXPIRED, CURSOR_INVALID, FORBIDDEN,
    JOURNAL_CHANGED, Kind, NOT_FOUND, READ_FAILED, RESYNC_REFUSED, SOURCE_UNKNOWN, STALE, STOPPING,
    STORE_STALE, STORE_UNAVAILABLE, UNAUTHORIZED, UPGRADE_REQUIRED,
};
use crate::access::Scope;
use crate::api::{
    description, events, gaps, health, metrics, page, problems, resync, session, sources, sse,
    state, websocket,
};

const JSON: &str = "application/json";

const fn one(name: &'static str, form: Form, about: &'static str) -> Parameter {
    Parameter { name, form, repeats: false, about }
}

const fn some(name: &'static str, form: Form, about: &'static str) -> Parameter {
    Parameter { name, form, repeats: true, about }
}

const fn ok(media: &'static str, schema: &'static str, about: &'static str) -> Outcome {
    Outcome { status: 200, content: Some((media, schema)), about }
}

const SOURCE: &[Parameter] =
    &[one("source", Form::Text, "A source's name, or `source/stream`; default: all.")];

const KEYS: &[Parameter] = &[
    some("key", Form::Text, "Only about this key; may be given several times."),
    one("key_prefix", Form::Text, "Only about keys that begin so."),
];

const PLACE: &[Parameter] = &[
    one(
        "after",
        Form::Cursor,
        "Where an earlier answer ended: its cursor; or `latest`, or `oldest` (the default).",
    ),
    one(
        "from",
        Form::Words(&["state"]),
        "State first, exact at a cursor, then the events after it; `after` is not looked at.",
    ),
    some("kind", Form::Words(&RECORD_KINDS), "Only records of this kind; several times: of these."),
];

const PAGE: &[Parameter] = &[
    one("limit", Form::Whole(1, 10_000), "Most events in the answer; default 1000."),
    one("wait", Form::Whole(0, 60_000), "Milliseconds to wait while there is no event; default 0."),
];

const STATE: &[Parameter] = &[
    one(
        "status",
        Form::Words(&["live", "stale", "all"]),
        "Only values that are current, or stale.",
    ),
    one("tombstones", Form::Words(&["true", "false"]), "Also keys that are gone; default false."),
];

const OPEN: &[Parameter] =
    &[one("open", Form::Words(&["true", "false"]), "Only rows that are open; default false.")];

const LAST_EVENT_ID: (&str, &str) =
    ("Last-Event-ID", "The cursor of the last event that was received; wins over `after`.");

const CURSOR_PROBLEMS: &[&Kind] = &[
    &CURSOR_INVALID,
    &CURSOR_AHEAD,
    &CURSOR_EXPIRED,
    &JOURNAL_CHANGED,
    &READ_FAILED,
    &STORE_UNAVAILABLE,
    &STOPPING,
];

const READ: Right = Right::Scope(Scope::Read);

/// See the module.
pub(crate) static OPERATIONS: &[Operation] = &[
    Operation {
        id: "readSources",
        method: Method::Get,
        path: "/v1/sources",
        about: "How the sources and their streams do.",
        right: READ,
        parameters: &[],
        headers: &[],
        body: None,
        outcomes: &[ok(JSON, "Sources", "The sources.")],
        problems: &[],
        act: sources::answer,
    },
    Operation {
        id: "readState",
        method: Method::Get,
        path: "/v1/state",
        about: "The present value of each key, exact at the cursor that is told with it: begin to \
                read events there, and nothing is missing and nothing comes twice. While a \
                snapshot stays open for more than a second, the cursor is where it begins, and the \
                rows may be newer.",
        right: READ,
        parameters: &[SOURCE, KEYS, STATE],
        headers: &[("If-None-Match", "The ETag of an earlier answer.")],
        body: None,
        outcomes: &[
            ok(JSON, "State", "The state."),
            Outcome { status: 304, content: None, about: "It is as it was." },
        ],
        problems: &[&STORE_UNAVAILABLE],
        act: state::answer,
    },
    Operation {
        id: "readEvents",
        method: Method::Get,
        path: "/v1/events",
        about: "A page of events after a cursor; with `wait`, a long poll.",
        right: READ,
        parameters: &[PLACE, SOURCE, KEYS, PAGE],
        headers: &[],
        body: None,
        outcomes: &[ok(JSON, "Events", "The events, and the cursor to go on from.")],
        problems: CURSOR_PROBLEMS,
        act: events::answer,
    },
    Operation {
        id: "streamEvents",
        method: Method::Get,
        path: "/v1/events/stream",
        about: "Events as Server-Sent Events, from a cursor on and as they come.",
        right: READ,
        parameters: &[PLACE, SOURCE, KEYS],
        headers: &[LAST_EVENT_ID],
        body: None,
        outcomes: &[ok("text/event-stream", "EventStream", "The stream; it does not end.")],
        problems: CURSOR_PROBLEMS,
        act: sse::answer,
    },
    Operation {
        id: "openSocket",
        method: Method::Get,
        path: "/v1/ws",
        about: "Events over a WebSocket: the client says what it wants in its first message.",
        right: READ,
        parameters: &[],
        headers: &[],
        body: None,
        outcomes: &[Outcome { status: 101, content: None, about: "The WebSocket is open." }],
        problems: &[&UPGRADE_REQUIRED],
        act: websocket::answer,
    },
    Operation {
        id: "readGaps",
        method: Method::Get,
        path: "/v1/gaps",
        about: "The ledger of what the vendor lost or may have lost.",
        right: READ,
        parameters: &[SOURCE, OPEN],
        headers: &[],
        body: None,
        outcomes: &[ok(JSON, "Gaps", "The rows of the ledger.")],
        problems: &[&STORE_UNAVAILABLE],
        act: gaps::answer,
    },
    Operation {
        id: "resync",
        method: Method::Post,
        path: "/v1/sources/{source}/resync",
        about: "Asks for a fresh snapshot of a source (or of `source/stream`, with the slash as \
                %2F), of all keys or of some.",
        right: Right::Scope(Scope::Admin),
        parameters: &[],
        headers: &[],
        body: Some(("Resync", true)),
        outcomes: &[Outcome {
            status: 202,
            content: Some((JSON, "Resyncing")),
            about: "It will be taken; of the streams of these sources.",
        }],
        problems: &[&FORBIDDEN, &SOURCE_UNKNOWN, &RESYNC_REFUSED, &BODY_INVALID, &BODY_TOO_LARGE],
        act: resync::answer,
    },
    Operation {
        id: "beginSession",
        method: Method::Post,
        path: "/v1/session",
        about: "Takes a token for a cookie, for a browser's page of this service.",
        right: Right::Anybody,
        parameters: &[],
        headers: &[],
        body: Some(("Login", false)),
        outcomes: &[Outcome { status: 204, content: None, about: "The cookie is set." }],
        problems: &[&UNAUTHORIZED, &BODY_INVALID, &BODY_TOO_LARGE],
        act: session::begin,
    },
    Operation {
        id: "endSession",
        method: Method::Delete,
        path: "/v1/session",
        about: "Ends the browser's session.",
        right: Right::Anybody,
        parameters: &[],
        headers: &[],
        body: None,
        outcomes: &[Outcome { status: 204, content: None, about: "The cookie is good no more." }],
        problems: &[],
        act: session::end,
    },
    Operation {
        id: "readMetrics",
        method: Method::Get,
        path: "/metrics",
        about: "Figures for Prometheus.",
        right: READ,
        parameters: &[],
        headers: &[],
        body: None,
        outcomes: &[ok("text/plain", "Text", "Prometheus text format 0.0.4.")],
        problems: &[],
        act: metrics::answer,
    },
    Operation {
        id: "readHealth",
        method: Method::Get,
        path: "/healthz",
        about: "Whether the process answers.",
        right: Right::Anybody,
        parameters: &[],
        headers: &[],
        body: None,
        outcomes: &[ok(JSON, "Health", "It does.")],
        problems: &[],
        act: health::alive,
    },
    Operation {
        id: "readReadiness",
        method: Method::Get,
        path: "/readyz",
        about: "Whether the data is current: every stream is live, or paused by a person, and the \
                store keeps up with the log. Names are told to callers with a token.",
        right: Right::Anybody,
        parameters: &[],
        headers: &[],
        body: None,
        outcomes: &[ok(JSON, "Ready", "It is.")],
        problems: &[&STALE, &STORE_STALE],
        act: health::ready,
    },
    Operation {
        id: "readProblem",
        method: Method::Get,
        path: "/problems/{name}",
        about: "Explains a kind of problem.",
        right: Right::Anybody,
        parameters: &[],
        headers: &[],
        body: None,
        outcomes: &[ok(JSON, "ProblemKind", "The explanation.")],
        problems: &[&NOT_FOUND],
        act: problems::answer,
    },
    Operation {
        id: "readDescription",
        method: Method::Get,
        path: "/openapi.json",
        about: "This description.",
        right: Right::Anybody,
        parameters: &[],
        headers: &[],
        body: None,
        outcomes: &[ok(JSON, "Description", "OpenAPI 3.1.")],
        problems: &[],
        act: description::answer,
    },
    Operation {
        id: "readPage",
        method: Method::Get,
        path: "/",
        about: "The live page.",
        right: Right::Anybody,
        parameters: &[],
        headers: &[],
        body: None,
        outcomes: &[ok("text/html", "Text", "The page; its data needs a token.")],
        problems: &[],
        act: page::index,
    },
    Operation {
        id: "readPageFile",
        method: Method::Get,
        path: "/page/{file}",
        about: "A file of the live page.",
        right: Right::Anybody,
        parameters: &[],
        headers: &[],
        body: None,
        outcomes: &[ok("*/*", "Text", "The file.")],
        problems: &[&NOT_FOUND],
        act: page::file,
    },
];

/// The operation of this id.
#[cfg(test)]
pub(crate) fn operation(id: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.id == id)
}
