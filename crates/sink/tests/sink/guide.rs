//! The guide's questions in SQL, asked as they stand there, but for the place and the day.

use unbroken_core::ids::GapId;
use unbroken_core::record::{
    Body, Change, GapCause, GapClosed, GapOpened, GapOutcome, Origin, digest,
};
use unbroken_core::time::UnixMicros;
use unbroken_sink::redshift_server;

use crate::house::{House, change, config};
use crate::postgres::Database;
use crate::redshift::Cluster;
use crate::shelf::Target;
use crate::tables::{Files, duckdb};

/// What stands below a heading, without remarks.
fn questions(heading: &str) -> Vec<String> {
    let guide = include_str!("../../../../docs/guides/sinks.md");
    let (_, section) = guide.split_once(&format!("\n## `{heading}`")).expect("a heading");
    let section = section.split("\n## ").next().unwrap_or_default();
    let mut parts = section.split("```");
    parts.next();
    let blocks: Vec<&str> = parts.step_by(2).filter_map(|it| it.strip_prefix("sql\n")).collect();
    let text = blocks.concat();
    let is_remark = |line: &&str| line.trim_start().starts_with("--");
    let text: Vec<&str> = text.lines().filter(|line| !is_remark(line)).collect();
    let questions = text.join("\n");
    let questions = questions.split(';').map(str::trim).filter(|question| !question.is_empty());
    questions.map(str::to_owned).collect()
}

/// In some state since a second of 1970.
fn is_in(key: &str, state: Option<&str>, second: i64) -> Body {
    let payload = state.map_or(String::new(), |state| format!("{{\"state\":\"{state}\"}}"));
    Body::Change(Change {
        key: key.into(),
        deleted: state.is_none(),
        occurred_at: Some(UnixMicros(second * 1_000_000)),
        digest: digest(payload.as_bytes()),
        payload: payload.into(),
        ..change(0, Origin::Live)
    })
}

#[tokio::test]
async fn files_say_how_long_each_agent_was_in_which_state() {
    let (files, mut house) = (Files::new(), House::new());
    house.append([
        is_in("anna", Some("Busy"), 10),
        is_in("ben", Some("Idle"), 5),
        is_in("anna", Some("Idle"), 25),
        is_in("anna", Some("Busy"), 30),
        is_in("anna", None, 70),
        is_in("anna", Some("Busy"), 500),
    ]);
    house.drain(files.sink(), config()).await.stop().await;
    let questions = questions("parquet");
    let [question, _] = &questions[..] else { panic!("{questions:?}") };
    let question = question
        .replace("s3://wfm-lake/unbroken", &files.dir().display().to_string())
        .replace("current_date", "DATE '1970-01-01'");
    assert_eq!(duckdb(&question), ["anna|Busy|55", "anna|Idle|5"]);
}

/// Two intervals of one day that the vendor has lost, and one that was repaired.
fn write(house: &mut House) {
    house.append([is_in("anna", Some("Busy"), 10), is_in("ben", None, 5)]);
    for (gap, second) in [(1, 100), (2, 200), (3, 300)] {
        let opened = GapOpened {
            gap: GapId(gap),
            after: None,
            wall_from: UnixMicros(second * 1_000_000),
            cause: GapCause::Refused,
        };
        let outcome = if gap == 3 { GapOutcome::Repaired } else { GapOutcome::Unrecoverable };
        let closed = GapClosed {
            gap: opened.gap,
            outcome,
            after: None,
            through: None,
            wall_from: opened.wall_from,
            wall_to: UnixMicros((second + 60) * 1_000_000),
            cause: opened.cause,
            closed_by: None,
            reconciled: true,
        };
        house.append([Body::GapOpened(opened), Body::GapClosed(closed)]);
    }
}

#[tokio::test]
async fn tables_say_who_is_in_which_state_and_what_is_lost() {
    let (database, mut house) = (Database::new(), House::new());
    write(&mut house);
    house.drain(database.sink(), config()).await.stop().await;
    let questions = questions("postgres");
    let [state, lost] = &questions[..] else { panic!("{questions:?}") };
    let ask = |question: &str| {
        let question = question.replace("unbroken.", "\"Un \"\"broken\"\"\".");
        database.query(&format!("SET timezone TO 'UTC'; {question}")).split_off(1)
    };
    let told = ask(state);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("anna|Busy|1970-01-01 00:00:10"), "{told:?}");
    let told = ask(lost);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("1970-01-01 00:00:00") && told[0].ends_with("|2|00:02:00"));
}

/// Read as Redshift reads it. Its function is one of PostgreSQL's that takes another type.
#[tokio::test]
async fn a_cluster_says_who_is_in_which_state() {
    let (cluster, mut house) = (Cluster::new(), House::new());
    write(&mut house);
    house.drain(cluster.sink(), config()).await.stop().await;
    cluster.query(
        "CREATE FUNCTION public.json_extract_path_text(varchar, varchar) RETURNS varchar \
         LANGUAGE sql AS 'SELECT $1::json ->> $2'; SELECT 1",
    );
    let questions = questions("redshift");
    let [question] = &questions[..] else { panic!("{questions:?}") };
    let server = redshift_server(&cluster.0.url()).expect("a URL");
    let connected = server.connect(tokio_postgres::NoTls).await.expect("it listens");
    let (client, connection) = connected;
    tokio::spawn(connection);
    let told = client.simple_query(question).await.expect("an answer");
    let rows = told.iter().filter_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => Some((row.get(0), row.get(1))),
        _ => None,
    });
    assert_eq!(rows.collect::<Vec<_>>(), [(Some("anna"), Some("Busy"))]);
}
