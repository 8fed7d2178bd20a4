//! Tokens are made and taken back while the service runs, and are in no log and no file but their
//! own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::house::{House, PATIENCE};

fn said(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Every file below a folder that holds one of these texts.
fn holding(dir: &Path, needles: &[&str], found: &mut Vec<String>) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            holding(&path, needles, found);
        } else if path.is_file() {
            let bytes = fs::read(&path).expect("a file");
            let holds = |needle: &&str| bytes.windows(needle.len()).any(|w| w == needle.as_bytes());
            if needles.iter().any(holds) {
                found.push(path.file_name().expect("a name").to_string_lossy().into_owned());
            }
        }
    }
}

#[test]
fn a_token_is_good_from_its_making_to_its_revocation_and_is_told_once() {
    let house = House::new("listen = \"127.0.0.1:0\"");
    let service = house.run();
    let token = said(&house.command(&["token", "add", "php", "--scope", "read"]));
    assert!(token.starts_with("ubk_") && token.len() == 47, "a token, and nothing else");
    let begun = Instant::now();
    let wait = |status: u16| {
        while service.ask_as(&token, "/v1/sources").status().as_u16() != status {
            assert!(begun.elapsed() < PATIENCE, "never {status}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    wait(200);
    let list = house.command(&["token", "list", "--format", "ndjson"]);
    let line: Value = serde_json::from_str(&said(&list)).expect("JSON");
    assert_eq!((&line["name"], &line["scope"]), (&"php".into(), &"read".into()));
    assert_eq!((&line["good"], &line["expires_at"]), (&true.into(), &Value::Null));
    let soon = said(&house.command(&["token", "add", "soon", "--expires", "1ms"]));
    assert_eq!(service.ask_as(&soon, "/v1/sources").status(), 401);
    let table = said(&house.command(&["token", "list"]));
    assert!(table.contains("soon") && !table.contains(&soon) && !table.contains(&token));
    said(&house.command(&["token", "revoke", "php"]));
    wait(401);

    // Also in an address, where it should not be.
    for path in ["/v1/state?access_token=", "/v1/events?key=", "/nowhere/"] {
        service.ask_as(&token, &format!("{path}{token}"));
    }
    let client = reqwest::blocking::Client::new();
    let login = serde_json::json!({ "token": service.token }).to_string();
    let answer = client.post(format!("{}/v1/session", service.url)).body(login).send();
    let answer = answer.expect("an answer");
    let cookie = answer.headers()["set-cookie"].to_str().expect("text");
    let cookie = cookie.split(['=', ';']).nth(1).expect("its value").to_owned();
    let admin = service.token.clone();
    assert_eq!(service.stop(), Some(0));
    let log = house.log();
    assert!(log.contains("DEBUG") || log.contains("TRACE"), "the log is loud");
    for (what, secret) in [("a token", &token), ("the first", &admin), ("a cookie", &cookie)] {
        assert!(!log.contains(secret.as_str()), "{what} is in the log");
    }
    let mut found = Vec::new();
    holding(&house.data(""), &[&token, &soon, &cookie], &mut found);
    assert_eq!(found, [] as [&str; 0], "only digests are kept");
    holding(&house.data(""), &[&admin], &mut found);
    assert_eq!(found, ["relay.token"]);
    for name in ["relay.token", "relay-tokens.json"] {
        let mode = fs::metadata(house.data(name)).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}
