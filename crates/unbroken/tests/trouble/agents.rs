//! Lists of agents as people make them.

use crate::house::{House, Simulated};

fn agents(simulated: &Simulated) -> Vec<String> {
    let events = simulated.vendor.truth().events;
    let mut agents: Vec<String> = events.iter().map(|event| event.agent.to_string()).collect();
    agents.sort();
    agents.dedup();
    assert!(!agents.is_empty(), "the vendor begins with an event of each agent");
    agents
}

fn house(simulated: &Simulated, agents: &str) -> House {
    let house = House::new(&simulated.config("agents_file = \"agents\""));
    house.write("secret", &simulated.vendor.credentials.client_secret);
    house.write("agents", agents);
    house
}

/// The keys of the last subscription that the vendor saw.
fn asked(simulated: &Simulated) -> Option<usize> {
    let truth = simulated.vendor.truth();
    truth.subscriptions.last()?.agents.as_ref().map(|agents| agents.len())
}

#[test]
fn an_agent_that_is_listed_twice_is_asked_for_once() {
    let simulated = Simulated::start(Simulated::settings());
    let some = agents(&simulated)[..3].join("\n");
    let house = house(&simulated, &format!("{some}\n{some}\n\n  # nobody\n{some}\n"));
    let mut service = house.serve();
    service.wait_phase("live");
    assert_eq!(asked(&simulated), Some(3));
    assert_eq!(service.stop().0, Some(0));
}

#[test]
fn an_agents_file_that_lists_nobody_is_told_to_mean_everybody() {
    let simulated = Simulated::start(Simulated::settings());
    let house = house(&simulated, "# to be filled in\n");
    let mut service = house.serve();
    service.wait_phase("live");
    assert_eq!(asked(&simulated), None);
    let (code, log) = service.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("agents file lists nobody: the subscription is for everybody"), "{log}");
}

#[test]
fn an_agents_file_that_cannot_be_read_is_refused_at_the_start() {
    let simulated = Simulated::start(Simulated::settings());
    let house = house(&simulated, "");
    std::fs::remove_file(house.path("agents")).expect("it was there");
    let output = house.run(&["run"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        house.said(&output),
        "error: source cannot be used\n  \
         caused by: source cx cannot read its keys\n  \
         caused by: agents file agents cannot be read\n  \
         caused by: No such file or directory (os error 2)\n  \
         hint: `agents_file` names a text file with one agent a line\n"
    );
}

/// Far more than any tenant has. Whether the vendor takes them in one message is the vendor's to
/// say; that it may be the reason must be told.
#[test]
fn a_hundred_thousand_agents_are_sent_whole_and_a_refusal_has_a_likely_reason() {
    let simulated = Simulated::start(Simulated::settings());
    let mut all = agents(&simulated);
    all.extend((0..100_000).map(|number| format!("nobody-{number:06}")));
    let house = house(&simulated, &all.join("\n"));
    let service = house.serve();
    service.wait_log("many agents: a vendor that cannot take");
    service.wait_log("connection lost");
    let (code, log) = service.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains(&format!("agents={}", all.len())), "{log}");
}
