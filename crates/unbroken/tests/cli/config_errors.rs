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
    let with = |line: &str| format!("data_dir = \"d\"\n{SOURCE}{line}\n");
    let cxone = unbroken::config::CXONE;
    check_config("config_wrong_type", &cxone.replace("profile = \"cxone\"", "profile = 7"));
    check_config("config_wrong_delay", &with("timing = { idle_ms = \"7s\" }"));
    check_config("config_wrong_bound", &with("limits = { body_bytes_max = -1 }"));
    check_config("config_wrong_list", &with("agents = \"anna\""));
    check_config("config_wrong_size", &with("limits = { frame_bytes_max = \"16M\" }"));
    check_config("config_not_toml", "data_dir = \n");
    check_config("config_no_data_dir", SOURCE);
}

#[test]
fn a_secret_in_the_wrong_place_is_not_repeated() {
    let misplaced = format!("data_dir = \"d\"\n{SOURCE}auth = \"hunter2\"\n");
    check_config("config_secret_misplaced", &misplaced);
    let two = format!(
        "data_dir = \"d\"\n{SOURCE}[source.auth]\ngrant = \"token\"\n\
         token = {{ env = \"TOKEN\", file = \"token\" }}\n"
    );
    check_config("config_secret_twice", &two);
}

#[test]
fn a_relay_that_others_could_reach_or_that_has_no_limit_is_refused() {
    let with = |line: &str| format!("data_dir = \"d\"\n[relay]\n{line}\n{SOURCE}");
    check_config("config_relay_open", &with("listen = \"0.0.0.0:8470\""));
    check_config("config_relay_half_tls", &with("tls_cert = \"cert.pem\""));
    check_config("config_relay_no_limit", &with("connections_max = 0"));
    check_config("config_relay_address", &with("listen = \"localhost\""));
    check_config("config_relay_unknown", &with("listn = \"127.0.0.1:0\""));
}

#[test]
fn an_address_that_cannot_be_meant_is_refused() {
    for (name, api) in [
        ("config_url_nonsense", "api.example.com"),
        ("config_url_scheme", "ftp://api.example.com"),
        ("config_url_path", "https://api.example.com/v2"),
        ("config_url_password", "https://me:hunter2@api.example.com"),
    ] {
        check_config(
            name,
            &format!("data_dir = \"d\"\n{}", SOURCE.replace("http://127.0.0.1:2379", api)),
        );
    }
    let stream = SOURCE.replace("ws://127.0.0.1:2379", "ws://etcd.example.com:2379");
    check_config("config_plaintext_stream", &format!("data_dir = \"d\"\n{stream}"));
    for (name, proxy) in [
        ("config_proxy_scheme", "socks5://me:hunter2@proxy.example:1080"),
        ("config_proxy_nonsense", "proxy.example"),
    ] {
        check_config(name, &format!("data_dir = \"d\"\n{SOURCE}proxy = \"{proxy}\"\n"));
    }
}

#[test]
fn files_that_a_source_names_must_be_what_they_are_named_for() {
    let source =
        |more: &str| format!("data_dir = \"d\"\n{SOURCE}{more}\n").replace("http:", "https:");
    check_config("config_certificate_alone", &source("client_certificate_file = \"us.pem\""));
    let both = "client_certificate_file = \"us.pem\"\nclient_key_file = \"us.key\"";
    check_config("config_certificate_missing", &source(both));
    check_config("config_ca_missing", &source("ca_file = \"ca.pem\""));
    check_config("config_agents_missing", &source("agents_file = \"agents\""));
}

#[test]
fn a_profile_that_cannot_work_is_refused() {
    let over = |keys: &str| {
        let profile = format!("profile = {{ extends = \"etcd\", {keys} }}");
        format!("data_dir = \"d\"\n{}", SOURCE.replace("profile = \"etcd\"", &profile))
    };
    check_config("profile_unknown_key", &over("frmaes = {}"));
    let path = "snapshot = { request = { path = \"/v3/{{ positon }}\" } }";
    check_config("profile_template_of_nothing", &over(path));
    let file = SOURCE.replace("profile = \"etcd\"", "profile = { file = \"mine.toml\" }");
    check_config("profile_file_missing", &format!("data_dir = \"d\"\n{file}"));
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let cxone = unbroken::config::CXONE;
    check_config("config_no_source", "data_dir = \"d\"\n");
    check_config("config_same_name", &format!("data_dir = \"d\"\n{SOURCE}{SOURCE}"));
    let bus = |name: &str, prefix: &str| {
        let nats = format!("nats = {{ url = \"nats://localhost\", prefix = \"{prefix}\" }}");
        format!("[[sink]]\nname = \"{name}\"\n{nats}\n")
    };
    let buses = format!("{}{}", bus("all", "record"), bus("eu", "record.eu"));
    let tables = "[[sink]]\nname = \"tables\"\nwhere = { kind = [\"change\"] }\n\
        postgres = { url = \"postgresql://u@127.0.0.1/d\" }\n";
    check_config("config_sink_kinds", &format!("data_dir = \"d\"\n{SOURCE}{tables}"));
    let files = tables.replace("change", "chnge").replace("postgres = { url =", "ndjson = { dir =");
    check_config("config_sink_kind_unknown", &format!("data_dir = \"d\"\n{SOURCE}{files}"));
    check_config("config_sinks_overlap", &format!("data_dir = \"d\"\n{SOURCE}{buses}"));
    check_config("config_plaintext", &cxone.replace("https://api-na1", "http://api-na1"));
    check_config("config_empty_data_dir", &format!("data_dir = \"\"\n{SOURCE}"));
    check_config("config_unknown_profile", &cxone.replace("\"cxone\"", "\"cxoen\""));
}

#[test]
fn init_prints_what_run_accepts() {
    let dir = tempdir().expect("a temporary directory");
    for kind in ["cxone", "cxone-poll", "genesys", "etcd"] {
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
