//! A known secret, a known token and a known password go through every fault at the loudest log
//! level; afterwards every byte that the service has left anywhere is searched for them.

use std::fs;
use std::path::Path;

use unbroken_sim::{Fault, Script, Settings};

use crate::house::{House, Simulated};
use crate::tunnel::Tunnel;

/// What must be nowhere.
struct Hidden {
    needles: Vec<(&'static str, String)>,
}

impl Hidden {
    fn search(&self, place: &str, bytes: &[u8]) {
        for (what, needle) in &self.needles {
            let found = bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
            assert!(!found, "{what} is in {place}");
        }
    }

    fn search_below(&self, dir: &Path) -> usize {
        let mut count = 0;
        for entry in fs::read_dir(dir).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                count += self.search_below(&path);
            } else if path.is_file() {
                self.search(&path.display().to_string(), &fs::read(&path).expect("a file"));
                count += 1;
            }
        }
        count
    }
}

/// Runs a service through the faults, asks it all that it answers, and searches all that is left.
fn searched(mut simulated: Simulated, house: &House, hidden: &Hidden) {
    let mut command = house.command(&["run"]);
    command.env("UNBROKEN_LOG", "trace");
    let mut service = house.start(command);
    service.wait_phase("live");
    let faults = Fault::all_for(simulated.vendor.numbering());
    let mut script = Script::all(1, faults, 8_000);
    (script.settle_ms, script.jitter_ms) = (50, 50);
    let Simulated { vendor, runtime } = &mut simulated;
    runtime.block_on(async {
        vendor.play(script);
        vendor.script_over().await;
        vendor.stop_faults();
    });
    for args in [
        &["status", "--json"][..],
        &["control", "metrics"],
        &["events", "--format", "ndjson"],
        &["gaps", "--format", "ndjson"],
        &["control", "resync", "--source", "nobody"],
    ] {
        let output = house.run(args);
        hidden.search(&format!("stdout of {args:?}"), &output.stdout);
        hidden.search(&format!("stderr of {args:?}"), &output.stderr);
    }
    let (code, log) = service.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("TRACE") || log.contains("DEBUG"), "the log is loud: {log}");
    hidden.search("the log", log.as_bytes());
    let files = hidden.search_below(&house.path("data"));
    assert!(files >= 4, "the log, the store and more were searched: {files} files");
    let counts = simulated.vendor.fault_counts();
    let fired = counts.values().filter(|counts| counts.fired > 0).count();
    assert!(fired >= 5, "{fired} kinds of faults fired: {counts:?}");
}

#[test]
fn a_secret_and_a_proxy_s_password_are_in_no_log_file_or_answer() {
    let simulated = Simulated::start(Settings { tls: true, ..Simulated::settings() });
    let secret = simulated.vendor.credentials.client_secret.clone();
    let client_id = &simulated.vendor.credentials.client_id;
    let encoded =
        |text: &str| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text);
    let (basic, proxy) = (encoded(&format!("{client_id}:{secret}")), encoded("me:pass-hunter2"));
    let tunnel = Tunnel::start(proxy.clone());
    let more = format!(
        "ca_file = \"ca.pem\"\nproxy = {{ url = \"http://127.0.0.1:{}\", username = \"me\", \
         password = {{ file = \"proxy\" }} }}",
        tunnel.port
    );
    let house = House::new(&simulated.config(&more));
    house.write("secret", &secret);
    house.write("proxy", "pass-hunter2\n");
    house.write("ca.pem", simulated.vendor.ca_pem.as_deref().expect("it has TLS"));
    let needles = vec![
        ("the secret", secret),
        ("the secret in base64", basic),
        ("the proxy's password", "pass-hunter2".to_owned()),
        ("the proxy's password in base64", proxy),
        ("a bearer", "Bearer ey".to_owned()),
        ("an authorization", "uthorization: B".to_owned()),
    ];
    searched(simulated, &house, &Hidden { needles });
    assert!(tunnel.opened() >= 3, "requests and sockets went through the proxy");
}

#[test]
fn a_token_is_in_no_log_file_or_answer() {
    let simulated = Simulated::start(Simulated::settings());
    let token = token(&simulated);
    let secret_line = simulated.config("");
    let (before, _) = secret_line.split_once("grant = ").expect("its last section");
    let house = House::new(&format!("{before}grant = \"token\"\ntoken = {{ file = \"token\" }}\n"));
    house.write("token", &token);
    // The vendor revokes it in one of the faults; another one takes its place, as a person would.
    let needles = vec![("the token", token)];
    let hidden = Hidden { needles };
    let mut service = house.start({
        let mut command = house.command(&["run"]);
        command.env("UNBROKEN_LOG", "trace");
        command
    });
    service.wait_phase("live");
    for fault in [Fault::CleanClose, Fault::TokenRevokedEarly] {
        simulated.vendor.inject(fault).expect("it applies");
    }
    service.wait_phase("blocked");
    hidden.search("the status", &house.run(&["status", "--json"]).stdout);
    let (code, log) = service.stop();
    assert_eq!(code, Some(0), "{log}");
    hidden.search("the log", log.as_bytes());
    assert!(hidden.search_below(&house.path("data")) >= 4);
}

/// Asks the vendor for a token.
fn token(simulated: &Simulated) -> String {
    let Simulated { vendor, runtime } = simulated;
    let (id, secret) = (&vendor.credentials.client_id, &vendor.credentials.client_secret);
    let request = reqwest::Client::new()
        .post(format!("{}/token", vendor.http_url))
        .basic_auth(id, Some(secret))
        .form(&[("grant_type", "client_credentials")]);
    runtime.block_on(async {
        let answer = request.send().await.expect("an answer");
        let answer: serde_json::Value = answer.json().await.expect("an object");
        answer["access_token"].as_str().expect("a token").to_owned()
    })
}
