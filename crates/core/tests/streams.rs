//! One machine with streams of several kinds: they share the token and the budget, and each
//! recovers by what it can do itself.

use std::collections::BTreeMap;

use unbroken_core::connector::{
    Ack, Capabilities, Connections, Decoded, Item, Page, Paging, SnapshotKind,
};
use unbroken_core::ids::{ConnId, RequestId, StreamId};
use unbroken_core::machine::{
    Allowance, Budget, Config, Fetch, Input, Machine, Now, Output, Phase, Report, Start, Timing,
};
use unbroken_core::time::{Millis, UnixMicros};

fn now(ms: u64) -> Now {
    Now { at: Millis(ms), wall: UnixMicros(ms.cast_signed() * 1_000) }
}

fn capabilities(snapshot: SnapshotKind) -> Capabilities {
    Capabilities {
        ack: Ack::Plain,
        connections: Connections::Many,
        snapshot,
        paging: Paging::Keyed,
        token_needed: false,
        ..Capabilities::default()
    }
}

fn machine(budget: Budget) -> Machine {
    let streams = ["a/states", "a/calls"].map(StreamId::from).to_vec();
    let special = BTreeMap::from([(streams[1].clone(), capabilities(SnapshotKind::None))]);
    Machine::new(Config {
        streams,
        capabilities: capabilities(SnapshotKind::Unpositioned),
        special,
        timing: Timing::default(),
        start: Start::Initial,
        budget,
        seed: 1,
    })
}

/// What the machine says until it waits.
fn tell(machine: &mut Machine, at: u64, input: Input) -> Vec<Output> {
    machine.handle_input(now(at), input);
    let mut said = Vec::new();
    loop {
        match machine.poll_output() {
            Output::Wait { .. } => return said,
            output => said.push(output),
        }
    }
}

fn opened(said: &[Output]) -> Vec<(ConnId, StreamId)> {
    let open = |output: &Output| match output {
        Output::Open { conn, stream, .. } => Some((*conn, stream.clone())),
        _ => None,
    };
    said.iter().filter_map(open).collect()
}

fn asked(said: &[Output]) -> Vec<(RequestId, StreamId)> {
    let fetch = |output: &Output| match output {
        Output::FetchPage { request, stream, what: Fetch::First, .. } => {
            Some((*request, stream.clone()))
        }
        _ => None,
    };
    said.iter().filter_map(fetch).collect()
}

fn phase(machine: &Machine, stream: &str) -> Option<Phase> {
    machine.phase(&stream.into()).cloned()
}

const LIVE: Option<Phase> = Some(Phase::Live { handover: false });

#[test]
fn each_stream_recovers_by_what_it_can_do() {
    let mut machine = machine(Budget::unlimited());
    let said = tell(&mut machine, 0, Input::Restored { streams: Vec::new(), next_offset: 0 });
    let conns = opened(&said);
    assert_eq!(conns.len(), 2, "each has a socket of its own");
    let ack = || Decoded { items: vec![Item::Ack { position: None }], ..Decoded::default() };
    let mut requests = Vec::new();
    for (conn, _) in &conns {
        tell(&mut machine, 1, Input::Opened { conn: *conn });
        let said = tell(&mut machine, 2, Input::Frame { conn: *conn, decoded: ack() });
        requests.extend(asked(&said));
    }
    assert_eq!(phase(&machine, "a/calls"), LIVE, "there is no snapshot to wait for");
    assert_ne!(phase(&machine, "a/states"), LIVE);
    let [(request, stream)] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!(*stream, "a/states".into());
    tell(&mut machine, 3, Input::Page { request: *request, page: Page::default() });
    assert_eq!(phase(&machine, "a/states"), LIVE);
}

#[test]
fn a_handshake_takes_its_requests_from_the_budget_they_share() {
    let budget = Budget {
        requests_per_minute: 60,
        requests_burst: 5,
        requests_per_handshake: 4,
        ..Budget::unlimited()
    };
    let mut machine = machine(budget);
    let said = tell(&mut machine, 0, Input::Restored { streams: Vec::new(), next_offset: 0 });
    assert_eq!(opened(&said).len(), 1, "one request is left, and the second needs four");
    let waits = |output: &Output| match output {
        Output::Report(Report::OverBudget { allowance, until, .. }) => Some((*allowance, until.0)),
        _ => None,
    };
    let waits: Vec<_> = said.iter().filter_map(waits).collect();
    let [(Allowance::Handshakes, until)] = waits[..] else { panic!("{waits:?}") };
    assert!((3_000..=4_000).contains(&until), "three more seconds, and a spread: {until}");
    let said = tell(&mut machine, until, Input::Tick);
    assert_eq!(opened(&said).len(), 1);
}
