//! `unbroken profile`, and the mistakes that people make with captures and field rules.

use std::fs;

use tempfile::tempdir;

use crate::golden::check;

const SOURCE: &str = concat!(
    r#"{"kind":"source","version":1,"program":"unbroken","source":"cx","#,
    r#""profile":"cxone","changed":false,"keyed":false}"#,
    "\n"
);

/// A frame of a capture.
fn frame(text: &str) -> String {
    let text = serde_json::Value::from(text);
    format!(
        r#"{{"kind":"frame","at":"2026-11-24T06:00:00Z","source":"cx","conn":1,"text":{text}}}"#
    ) + "\n"
}

#[test]
fn embedded_profiles_are_listed_and_shown() {
    let dir = tempdir().expect("a temporary directory");
    check("profile_list", dir.path(), &["profile", "list"]);
    check("profile_show_unknown", dir.path(), &["profile", "show", "cxnoe"]);
    check("help_profile_test", dir.path(), &["profile", "test", "--help"]);
}

#[test]
fn a_capture_is_read_offline_and_what_is_strange_is_shown_by_its_shape() {
    let dir = tempdir().expect("a temporary directory");
    let event = r#"{"type":"event","subscriptionId":"s","epoch":"e","sequenceId":7,
        "timestamp":"2026-11-24T06:00:00Z","adherence":{"agentId":"a","state":"Break"}}"#;
    let end = r#"{"kind":"end","at":"2026-11-24T06:00:01Z","why":"stopped","lines":2}"#;
    let good = format!("{SOURCE}{}{end}\n", frame(event));
    fs::write(dir.path().join("good.ndjson"), good).expect("a file");
    check("profile_test_understood", dir.path(), &["profile", "test", "good.ndjson"]);
    let renamed = event.replace("sequenceId", "sequence_id");
    let nested = format!(r#"{{"v":2,"msg":{event}}}"#);
    let bad = format!("{SOURCE}{}{}{}", frame(&renamed), frame(&nested), frame("hunter2"));
    fs::write(dir.path().join("bad.ndjson"), bad).expect("a file");
    check("profile_test_strange", dir.path(), &["profile", "test", "bad.ndjson"]);
    let arguments = ["profile", "test", "bad.ndjson", "--json"];
    check("profile_test_strange_json", dir.path(), &arguments);
}

#[test]
fn what_is_no_capture_or_no_profile_is_said() {
    let dir = tempdir().expect("a temporary directory");
    fs::write(dir.path().join("c.ndjson"), SOURCE).expect("a file");
    fs::write(dir.path().join("none.ndjson"), "{\"hello\":1}\n").expect("a file");
    let changed = SOURCE.replace("\"changed\":false", "\"changed\":true");
    fs::write(dir.path().join("changed.ndjson"), changed).expect("a file");
    check("profile_test_nothing", dir.path(), &["profile", "test", "c.ndjson"]);
    check("profile_test_no_file", dir.path(), &["profile", "test", "missing.ndjson"]);
    check("profile_test_no_capture", dir.path(), &["profile", "test", "none.ndjson"]);
    check("profile_test_changed", dir.path(), &["profile", "test", "changed.ndjson"]);
    let unknown = ["profile", "test", "c.ndjson", "--profile", "cxnoe"];
    check("profile_test_unknown_profile", dir.path(), &unknown);
    let missing = ["profile", "test", "c.ndjson", "--profile", "mine.toml"];
    check("profile_test_no_profile", dir.path(), &missing);
    let source = ["profile", "test", "c.ndjson", "--source", "other"];
    check("profile_test_no_source", dir.path(), &source);
}

#[test]
fn a_capture_is_not_written_over() {
    let dir = tempdir().expect("a temporary directory");
    let config = "data_dir = \"data\"\n[[source]]\nname = \"etcd\"\nprofile = \"etcd\"\n\
        api = \"http://127.0.0.1:2379\"\nstream = \"ws://127.0.0.1:2379\"\n";
    fs::write(dir.path().join("unbroken.toml"), config).expect("a file");
    fs::write(dir.path().join("c.ndjson"), "precious").expect("a file");
    check("record_exists", dir.path(), &["run", "--record", "c.ndjson"]);
    assert!(!dir.path().join("data").exists(), "nothing was opened");
    let fields = |fields: &str| {
        let text = format!("{config}[source.fields]\n{fields}\n");
        fs::write(dir.path().join("unbroken.toml"), text).expect("a file");
    };
    fields("hash = [\"/state\"]");
    check("fields_no_key", dir.path(), &["run"]);
    fields("hash = [\"/state\"]\nhash_key_file = \"hash.key\"");
    check("fields_key_missing", dir.path(), &["run"]);
    fields("drop = [\"state\"]");
    check("fields_no_pointer", dir.path(), &["run"]);
}
