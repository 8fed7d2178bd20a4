//! Every mistake in a configuration is found before anything is opened: exit code 2, the file, the
//! line, and what to do.

use std::fs;

use tempfile::tempdir;

use crate::golden::{check, run};

const SOURCE: &str = r#"[[source]]
name = "etcd"
profile = "etcd"
api = "http://127.0.0.1:2379"
stream = "ws://127.0.0.1:2379"
"#;

fn check_config(name: &str, text: &str) {
    let dir = tempdir().expect("a temporary directory");
    fs::write(dir.path().join("unbroken.toml"), text).expect("a file");
    check(name, dir.path(), &["run"]);
    let left = fs::read_dir(dir.path()).expect("a directory").count();
    assert_eq!(left, 1, "{name}: something was opened");
}

#[test]
fn a_missing_file_says_how_to_make_one() {
    let dir = tempdir().expect("a temporary directory");
    check("config_missing", dir.path(), &["run"]);
    check("config_missing_named", dir.path(), &["run", "-c", "other.toml"]);
}

#[test]
fn an_unknown_key_names_its_line_and_the_nearest_right_key() {
    let cxone = unbroken::config::CXONE;
    check_config("config_unknown_top", &cxone.replace("data_dir", "data_dri"));
    check_config("config_unknown_source", &cxone.replace("profile =", "profil ="));
    check_config("config_unknown_journal", &cxone.replace("retain_bytes_max", "retain_byts_max"));
    check_config("config_unknown_log", &cxone.replace("format =", "fromat ="));
    check_config("config_unknown_auth", &cxone.replace("key_secret", "key_secrte"));
}

#[test]
fn a_value_of_the_wrong_kind_names_its_line() {
    let cxone = unbroken::config::CXONE;
    check_config("config_wrong_type", &cxone.replace("profile = \"cxone\"", "profile = 7"));
    check_config("config_not_toml", "data_dir = \n");
    check_config("config_no_data_dir", SOURCE);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let cxone = unbroken::config::CXONE;
    check_config("config_no_source", "data_dir = \"d\"\n");
    check_config("config_same_name", &format!("data_dir = \"d\"\n{SOURCE}{SOURCE}"));
    check_config("config_plaintext", &cxone.replace("https://api-na1", "http://api-na1"));
    check_config("config_empty_data_dir", &format!("data_dir = \"\"\n{SOURCE}"));
    check_config("config_unknown_profile", &cxone.replace("\"cxone\"", "\"cxoen\""));
}

#[test]
fn init_prints_what_run_accepts() {
    let dir = tempdir().expect("a temporary directory");
    for kind in ["cxone", "etcd"] {
        let output = run(dir.path(), &["init", kind]);
        let text = String::from_utf8(output.stdout).expect("text");
        let path = dir.path().join("unbroken.toml");
        let config = unbroken::config::parse(&path, &text).expect("init's own output");
        assert_eq!(config.sources.len(), 1);
        let effective =
            text.lines().filter(|l| !l.trim().is_empty() && !l.starts_with('#')).count();
        assert!(effective <= 24, "{kind}: {effective} effective lines");
    }
}
