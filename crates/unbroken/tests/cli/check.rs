//! `unbroken check` against the simulated vendor, and against everything that can be wrong on the
//! way to it.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Output;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::{TempDir, tempdir};
use tokio::runtime::Runtime;
use unbroken_sim::{Fault, Numbering, Settings, Vendor};

use crate::golden::{compare, run, transcript};

/// The simulated vendor and a directory with a configuration for it.
struct World {
    _runtime: Runtime,
    vendor: Vendor,
    dir: TempDir,
    listen: &'static str,
}

impl World {
    fn new(settings: Settings) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let settings = Settings { agents: 20, rate: 100.0, staleness_ms: 0, ..settings };
        let vendor = runtime.block_on(Vendor::start(settings)).expect("a vendor");
        let world =
            Self { _runtime: runtime, vendor, dir: tempdir().expect("a directory"), listen: "1s" };
        world.configure(&world.vendor.http_url, "", "");
        world
    }

    /// Writes the configuration: where the API is, what else stands in `[[source]]`, and what is
    /// laid over the profile.
    fn configure(&self, api: &str, source: &str, profile: &str) {
        let Vendor { http_url, ws_url, credentials, .. } = &self.vendor;
        let text = format!(
            r#"data_dir = "data"

[[source]]
name = "cx"
api = "{api}"
stream = "{ws_url}"
timing = {{ preset = "demo", connect_ms = 5000, subscribe_ms = 5000, idle_ms = 2000 }}
{source}

[source.profile]
extends = "cxone"
{profile}

[source.auth]
grant = "client_credentials"
url = "{http_url}/token"
client_id = "{}"
client_secret = {{ file = "secret" }}
"#,
            credentials.client_id
        );
        fs::write(self.dir.path().join("unbroken.toml"), text).expect("a file");
        fs::write(self.dir.path().join("secret"), &credentials.client_secret).expect("a file");
    }

    fn change(&self, from: &str, to: &str) {
        let path = self.dir.path().join("unbroken.toml");
        let text = fs::read_to_string(&path).expect("it was written");
        assert!(text.contains(from), "{text}");
        fs::write(path, text.replace(from, to)).expect("a file");
    }

    fn check(&self, more: &[&str]) -> Output {
        let args: Vec<&str> = ["check", "--for", self.listen].iter().chain(more).copied().collect();
        run(self.dir.path(), &args)
    }

    /// Compares all that was said with a golden file; numbers and times are left out.
    fn golden(&self, name: &str, more: &[&str]) {
        let output = self.check(more);
        let text = transcript(self.dir.path(), &["check"], &output);
        compare(name, &text.lines().map(plain).collect::<String>());
    }

    /// What `--json` says of the one source.
    fn found(&self) -> Value {
        let output = self.check(&["--json"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let object: Value = serde_json::from_str(&text).unwrap_or_else(|_| {
            panic!("{text}{}", String::from_utf8_lossy(&output.stderr));
        });
        let found = object["sources"][0].clone();
        assert_eq!(output.status.code(), Some(i32::from(found["well"] != true)), "{found}");
        found
    }

    /// The one step that fails, with whom it lies and what is said; what needs it is skipped.
    fn failing(&self, step: &str, lies_with: &str, what: &str, hint: &str, skipped: &[&str]) {
        let found = self.found();
        let steps = found["steps"].as_array().expect("steps");
        let failed: Vec<_> = steps.iter().filter(|step| step["outcome"] == "failed").collect();
        let [failed] = failed[..] else { panic!("one step fails: {found:#}") };
        assert_eq!((&failed["step"], &failed["lies_with"]), (&step.into(), &lies_with.into()));
        let said = |key: &str| failed[key].as_str().unwrap_or_default().to_owned();
        assert!(said("what").contains(what), "{failed:#}");
        assert!(said("hint").contains(hint), "{failed:#}");
        for name in skipped {
            let of = steps.iter().filter(|step| step["step"] == *name);
            assert!(of.clone().count() > 0, "{name}");
            assert!(of.clone().all(|step| step["outcome"] == "skipped"), "{name}: {found:#}");
        }
        assert!(!found.to_string().contains(&self.vendor.credentials.client_secret));
    }

    /// The declarations that are found wrong.
    fn wrong(&self) -> Vec<String> {
        let found = self.found();
        let all = found["mismatches"].as_array().expect("a list").iter();
        let wrong = all.filter(|mismatch| mismatch["wrong"] == true);
        wrong.map(|mismatch| mismatch["key"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

/// A line without its time, and with `N` for numbers that are not the vendor's words.
fn plain(line: &str) -> String {
    let mut line = line.to_owned();
    if let Some(at) = line.rfind(" (").filter(|_| line.ends_with("s)")) {
        line.truncate(at);
    }
    let mut shown = String::new();
    for part in line.split_inclusive(|c: char| !c.is_ascii_digit()) {
        let digits = part.trim_end_matches(|c: char| !c.is_ascii_digit());
        let keep =
            digits.is_empty() || shown.ends_with("HTTP ") || shown.ends_with("exit code: Some(");
        shown.push_str(if keep { digits } else { "N" });
        shown.push_str(&part[digits.len()..]);
    }
    // An epoch's name has letters and digits.
    let words: Vec<&str> = shown.split(' ').collect();
    let named = |at: usize| at > 0 && words[at - 1] == "epoch";
    let words = words.iter().enumerate().map(|(at, word)| if named(at) { "E" } else { word });
    words.collect::<Vec<_>>().join(" ") + "\n"
}

fn contiguous() -> Settings {
    Settings { ack_position: true, ..Settings::default() }
}

#[test]
fn a_source_that_does_what_it_declares_is_well_and_the_record_is_not_touched() {
    let world = World::new(contiguous());
    world.golden("check_well", &["--probe-second"]);
    assert!(!world.dir.path().join("data").exists());
}

#[test]
fn the_guide_names_every_step_in_its_order() {
    let world = World::new(contiguous());
    let output = world.check(&["--json", "--probe-second"]);
    let object: Value = serde_json::from_slice(&output.stdout).expect("an object");
    let steps = object["sources"][0]["steps"].as_array().expect("steps").iter();
    let taken: Vec<&str> = steps.filter_map(|step| step["step"].as_str()).collect();
    let guide = include_str!("../../../../docs/guides/check.md");
    let rows = guide.lines().skip_while(|line| !line.starts_with("| step |"));
    let rows = rows.take_while(|line| line.starts_with('|'));
    let named = rows.filter_map(|row| row.strip_prefix("| `")?.split('`').next());
    // There is no proxy on the way to this machine, and its hosts are configured.
    let elsewhere = ["proxy", "discovery"];
    assert_eq!(taken, named.filter(|name| !elsewhere.contains(name)).collect::<Vec<_>>());
}

#[test]
fn a_missing_scope_is_named_with_what_to_do() {
    let scopes = vec!["wfm:adherence:read".to_owned()];
    let world = World::new(Settings { scopes, ..contiguous() });
    world.golden("check_missing_scope", &[]);
    let skipped = ["head", "snapshot"];
    world.failing("scope", "configuration", "HTTP 403", "administrator", &skipped);
    world.change("client_id =", "scope = \"wfm:schedule:read\"\nclient_id =");
    let skipped = ["scope", "head", "snapshot", "handshake", "frames", "farewell"];
    world.failing("token", "configuration", "invalid_scope", "wfm:schedule:read", &skipped);
}

#[test]
fn every_place_where_the_way_can_end_is_told_apart() {
    let world = World::new(contiguous());
    let address = world.vendor.address.to_string();
    let all = ["token", "scope", "head", "snapshot", "handshake", "subscription", "farewell"];
    world.change(&format!("http://{address}"), "https://nothing.invalid");
    world.change(&format!("ws://{address}"), "wss://nothing.invalid");
    world.failing("dns", "configuration", "nothing.invalid", "name", &all);

    let closed = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = closed.local_addr().expect("an address").port();
    drop(closed);
    world.change("nothing.invalid", &format!("127.0.0.1:{port}"));
    world.failing("tcp", "network", "connection refused", &port.to_string(), &all);

    world.configure(&world.vendor.http_url, "", "");
    fs::write(world.dir.path().join("secret"), "another").expect("a file");
    world.failing("token", "configuration", "invalid_client", "[source.auth]", &all[1..]);
}

#[test]
fn a_certificate_of_another_authority_is_told_and_a_good_one_described() {
    let world = World::new(Settings { tls: true, ..contiguous() });
    let other = World::new(Settings { tls: true, ..contiguous() });
    let trust = |world: &World| {
        let pem = world.vendor.ca_pem.as_deref().expect("it speaks TLS");
        fs::write(self::path(&world.dir, "ca.pem"), pem).expect("a file");
        world.vendor.ca_pem.clone().unwrap_or_default()
    };
    let (ours, theirs) = (trust(&world), trust(&other));
    world.configure(&world.vendor.http_url, "ca_file = \"ca.pem\"", "");
    world.golden("check_tls", &[]);
    fs::write(path(&world.dir, "ca.pem"), theirs).expect("a file");
    let skipped = ["token", "snapshot", "handshake"];
    world.failing("tls", "configuration", "not trusted", "ca_file", &skipped);
    fs::write(path(&world.dir, "ca.pem"), ours).expect("a file");
}

fn path(dir: &TempDir, name: &str) -> std::path::PathBuf {
    let dir: &Path = dir.path();
    dir.join(name)
}

/// Answers every request on a port of its own with this, until the test's process ends.
fn answering(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
            let mut request = [0; 4096];
            // A check of the way connects and says nothing.
            if stream.read(&mut request).is_ok_and(|bytes| bytes > 0) {
                let _ = stream.write_all(answer.as_bytes());
            }
        }
    });
    format!("http://{address}")
}

#[test]
fn an_answer_that_is_no_answer_is_told_by_what_it_is() {
    let world = World::new(contiguous());
    let page = answering(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 19\r\nConnection: \
         close\r\n\r\n<html>Log in</html>",
    );
    world.configure(&page, "", "");
    world.failing("head", "configuration", "web page instead of JSON", "`api`", &["snapshot"]);
    let other = answering(
        "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nConnection: close\r\n\r\n{\"other\": 1}",
    );
    world.configure(&other, "", "");
    world.failing("head", "profile", "64-bit position", "pointers", &["snapshot"]);
    let none =
        answering("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    world.configure(&none, "", "");
    world.failing("head", "profile", "404", "no such path", &["snapshot"]);
    let down = answering("HTTP/1.1 503 Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    world.configure(&down, "", "");
    world.failing("head", "vendor", "503", "later", &["snapshot"]);
}

#[test]
fn a_subscription_that_is_refused_is_told_with_the_message_to_look_at() {
    let world = World::new(contiguous());
    let subscribe = "[source.profile.messages.subscribe]\nafter_all = '{\"action\":\"listen\"}'";
    world.configure(&world.vendor.http_url, "", subscribe);
    let skipped = ["frames", "audit", "farewell", "replay"];
    world.failing("subscription", "profile", "", "messages.subscribe", &skipped);
}

#[test]
fn a_socket_that_falls_silent_is_found() {
    let mut world = World::new(contiguous());
    // Long enough for the silence that the timing allows.
    world.listen = "5s";
    world.vendor.inject(Fault::HalfOpen).expect("it applies");
    let skipped = ["audit", "farewell", "replay"];
    world.failing("frames", "vendor", "although it was pinged", "reconnect", &skipped);
}

#[test]
fn what_the_source_declares_and_does_not_do_is_named() {
    let world = World::new(Settings { ack_position: false, ..Settings::default() });
    assert_eq!(world.wrong(), ["ack"]);
    let world = World::new(Settings { numbering: Numbering::Increasing, ..contiguous() });
    let wrong = world.wrong();
    assert!(wrong.contains(&"position".to_owned()), "{wrong:?}");
}

#[test]
fn a_source_without_positions_is_checked_as_far_as_it_goes() {
    let world = World::new(Settings { numbering: Numbering::None, ..Settings::default() });
    let capabilities = "[source.profile.capabilities]\nposition = \"none\"\nack = \"plain\"\n\
                        snapshot = \"unpositioned\"\nrest_first = false";
    world.configure(&world.vendor.http_url, "", capabilities);
    let found = world.found();
    assert_eq!(found["well"], true, "{found:#}");
}

#[test]
fn a_source_that_is_not_there_is_named() {
    let world = World::new(contiguous());
    let output = world.check(&["--source", "xc"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("no source called `xc`") && said.contains("known: cx"), "{said}");
}
