//! Fields that a user does not want kept are nowhere in what is kept.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::service::World;

const RULES: &str = "
[source.fields]
drop = [\"/scheduledActivity\", \"/activity\"]
hash = [\"/state\"]
hash_key_file = \"hash.key\"
";

/// Every file below a directory, as bytes.
fn contents(dir: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(contents(&path));
        } else if path.is_file() {
            all.extend(fs::read(&path).expect("a file"));
        }
    }
    all
}

fn holds(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle.as_bytes())
}

/// Runs with these rules until there are some events; what is in the data directory then, and in
/// the capture and the log.
fn recorded(rules: &str) -> (Vec<u8>, String, String) {
    let world = World::new();
    fs::write(world.path("agents"), "").expect("a file");
    let path = world.path("unbroken.toml");
    let config = fs::read_to_string(&path).expect("it is there");
    fs::write(&path, config + rules).expect("a file");
    let key = world.path("hash.key");
    fs::write(&key, "0123456789abcdef0123456789abcdef\n").expect("a file");
    fs::set_permissions(&key, Permissions::from_mode(0o600)).expect("its mode");
    let service = world.run(&["--log", "json", "--record", "capture.ndjson"]);
    service.wait_live();
    service.wait_status("recording", |status| {
        status["sources"][0]["streams"][0]["events"].as_u64() > Some(100)
    });
    service.signal("TERM");
    let (code, log, _) = service.wait();
    assert_eq!(code, Some(0), "{log}");
    let verified = world.command(&["verify", "--json"]);
    assert_eq!(verified.status.code(), Some(0), "{}", String::from_utf8_lossy(&verified.stdout));
    let capture = fs::read_to_string(world.path("capture.ndjson")).expect("a capture");
    let secret = &world.vendor().credentials.client_secret;
    assert!(!capture.contains(secret.as_str()) && !capture.contains("Bearer"), "no credentials");
    (contents(&world.path("data")), capture, log)
}

#[test]
fn a_dropped_or_hashed_value_is_nowhere_in_the_data_directory() {
    let (data, capture, log) = recorded("");
    for value in ["OnQueue", "OffShift", "Available"] {
        assert!(holds(&data, value) && capture.contains(value), "without rules {value} is kept");
    }
    assert!(!log.contains("OnQueue"));
    let (data, capture, log) = recorded(RULES);
    for value in ["OnQueue", "OffShift", "Available", "OutboundBusy"] {
        assert!(!holds(&data, value), "{value} is in the data directory");
        assert!(!log.contains(value), "{value} is in the log");
    }
    for value in ["OnQueue", "OffShift", "Available", "OutboundBusy"] {
        assert!(!capture.contains(value), "{value} is in the capture");
    }
    // printf Available | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
    let hash = "14ce7c11016221eac919de91fca9f5211d3493d36624e810affb8d1b609eb3e1";
    assert!(
        holds(&data, hash),
        "equal values have equal hashes, which anybody with the key can make"
    );
}
