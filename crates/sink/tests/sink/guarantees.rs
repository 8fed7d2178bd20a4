//! The table of `docs/reference/guarantees.md`: what each sink promises, in its own words, and the
//! server on which the trials were played when the table was written (`make guarantees`).

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use unbroken_sink::Sink;

use crate::files::Folder;
use crate::jetstream_server;
use crate::nats::Channel;
use crate::object_store::python;
use crate::postgres::Database;
use crate::redshift::Cluster;
use crate::shelf::Target;
use crate::tables::Files;
use crate::webhook::Endpoint;

const HEAD: &str = "| target | guarantee | trials played on |\n| --- | --- | --- |\n";

/// Which are whatever the machine has. Of the others the version is pinned here.
const OF_THE_MACHINE: [&str; 3] = ["Linux", "PostgreSQL", "pgbouncer"];

/// Without the versions that differ from one machine to another.
fn without_version(row: &str) -> String {
    let words: Vec<&str> = row.split(' ').collect();
    let is_kept = |at: &usize| *at == 0 || !OF_THE_MACHINE.contains(&words[at - 1]);
    (0..words.len()).filter(is_kept).map(|at| words[at]).collect::<Vec<_>>().join(" ")
}

fn version_of(program: &str, arguments: &[&str]) -> String {
    let told = Command::new(program).args(arguments).output().expect("it is installed");
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    text.split_whitespace().nth(1).expect("a version").to_owned()
}

fn moto_version() -> String {
    let asked = ["-c", "import moto; print(moto.__version__)"];
    let told = python().args(asked).output().expect("python3");
    String::from_utf8_lossy(&told.stdout).trim().to_owned()
}

fn rows() -> Vec<String> {
    let database = Database::new();
    let [server] = &database.query("SHOW server_version")[..] else { return Vec::new() };
    let server = server.split(' ').next().unwrap_or_default();
    let pooler = version_of("/usr/sbin/pgbouncer", &["--version"]);
    let kernel = version_of("uname", &["-sr"]);
    let kernel = kernel.split('-').next().unwrap_or_default();
    let row = |target: &str, sink: &dyn Fn() -> String, on: &str| {
        format!("| `{target}` | {} | {on} |", sink())
    };
    vec![
        row("ndjson", &|| Folder::new().sink().guarantee().to_string(), &format!("Linux {kernel}")),
        row(
            "nats",
            &|| Channel::new().sink().guarantee().to_string(),
            &format!("nats-server {}", jetstream_server::version()),
        ),
        row(
            "parquet",
            &|| Files::new().sink().guarantee().to_string(),
            &format!("Linux {kernel}, and the S3 server of moto {}", moto_version()),
        ),
        row(
            "postgres",
            &|| database.sink().guarantee().to_string(),
            &format!("PostgreSQL {server}, and through pgbouncer {pooler}"),
        ),
        row(
            "redshift",
            &|| Cluster::new().sink().guarantee().to_string(),
            &format!(
                "a stand-in alone, never Redshift itself: PostgreSQL {server}, and the S3 server \
                 of moto {}",
                moto_version()
            ),
        ),
        row(
            "webhook",
            &|| Endpoint::new().sink().guarantee().to_string(),
            "a listener that loses answers",
        ),
    ]
}

#[test]
fn the_page_says_what_the_sinks_say() {
    let page = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/guarantees.md");
    let text = fs::read_to_string(&page).expect("the page");
    let (before, rest) = text.split_once(HEAD).expect("a table");
    let table: String = rest
        .lines()
        .take_while(|line| line.starts_with('|'))
        .fold(String::new(), |table, line| table + line + "\n");
    let rows = rows();
    if std::env::var_os("UPDATE_TABLE").is_some() {
        let after = &rest[table.len()..];
        fs::write(page, format!("{before}{HEAD}{}\n{after}", rows.join("\n"))).expect("room");
        return;
    }
    let guide = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides/sinks.md");
    let guide = fs::read_to_string(guide).expect("the guide");
    for row in &rows {
        // The first two columns; the guide may say more of a guarantee.
        let begins = row.splitn(4, '|').take(3).collect::<Vec<_>>().join("|");
        let is_told = |line: &str| line.starts_with(begins.trim_end());
        assert!(guide.lines().any(is_told), "the guide has no row of {begins}");
    }
    let told: Vec<String> = table.lines().map(without_version).collect();
    let expected: Vec<String> = rows.iter().map(|row| without_version(row)).collect();
    assert_eq!(told, expected, "make guarantees");
}
