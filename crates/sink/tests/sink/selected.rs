//! A sink that is to have some keys alone, and parts of their payloads.

use std::sync::Arc;

use serde_json::Value;
use unbroken_core::record::{Body, Record};
use unbroken_sink::{Fields, PumpConfig, Selection, StartAt, Where};

use crate::house::{House, quick};
use crate::overtaken;
use crate::postgres::{Database, any};
use crate::redshift::Cluster;
use crate::shelf::Shelf;
use crate::staleness::Tables;

/// Of some keys the number of each event, and not what else it says.
fn some(keys: &[&str]) -> PumpConfig {
    let key = keys.iter().map(|key| (*key).to_owned()).collect();
    let mut config = quick();
    config.selection = Arc::new(Selection::from(&Where { key, ..Where::default() }));
    let fields = serde_json::from_value::<Fields>(serde_json::json!(["/n"]));
    config.fields = fields.expect("a pointer");
    config
}

fn is_cut(record: &Record) -> bool {
    let Body::Change(change) = &record.body else { return false };
    let payload: Value = serde_json::from_slice(&change.payload).expect("JSON");
    let members = payload.as_object().expect("an object");
    change.key.as_str() == "agent-3" && members.keys().eq(["n"])
}

/// What it begins with, what it is given behind a lapse, and what comes.
#[tokio::test]
async fn state_is_of_those_keys_and_fields_alone_also_behind_a_lapse() {
    let (shelf, mut house) = (Shelf::default(), House::with(overtaken::small()));
    let mut config = some(&["agent-3"]);
    config.start = StartAt::State;
    config.cut.records_max = 3;
    // Once with its image as the beginning, once with that of a lapse.
    // The last of them is of that key: for what is not, a checkpoint waits.
    for (round, events) in [3_000, 2_996].into_iter().enumerate() {
        house.events(events);
        let (image, _) = house.reader.newest_image().expect("a log").expect("an image");
        let oldest = house.reader.oldest_offset().expect("a log");
        house.drain(shelf.clone(), config.clone()).await.stop().await;
        let mut held = shelf.held();
        assert_eq!(held.lapses.len(), round);
        assert!(held.entries.iter().all(|(_, record)| is_cut(record)), "{:?}", held.entries);
        let given = if round == 0 { image } else { oldest };
        let first = (0..given).rev().find(|offset| offset % 7 == 3).expect("one");
        let log = (given..house.end_offset()).filter(|offset| offset % 7 == 3);
        // Behind a lapse only what was not written again.
        let expected: Vec<u64> = (round == 0).then_some(first).into_iter().chain(log).collect();
        let offsets: Vec<u64> = held.entries.drain(..).map(|(offset, _)| offset).collect();
        assert_eq!(offsets, expected);
    }
}

/// As if the log had no other keys.
async fn tables_have_some_keys_as_if_there_were_no_others<T: Tables>(all: T, few: T) {
    let (mut house, mut rng, mut open) = (House::new(), fastrand::Rng::with_seed(5), None);
    for n in 0..2_000 {
        house.append([any(&mut rng, n, &mut open)]);
    }
    house.drain(all.sink(), quick()).await.stop().await;
    let keys = ["agent-3", "agent-5", "agent-17", "agent-30"];
    house.drain(few.sink(), some(&keys)).await.stop().await;
    for table in ["events", "state"] {
        let of = |it: &T, wanted: &str| {
            let what = format!(
                "SELECT key, log_offset, {} FROM {table} WHERE {wanted} ORDER BY 2",
                if table == "state" { "present" } else { "deleted" }
            );
            it.rows(&what)
        };
        let wanted = format!("key IN ('{}')", keys.join("', '"));
        let expected = of(&all, &wanted);
        assert!(expected.len() > 3, "{expected:?}");
        assert_eq!(of(&few, "true"), expected, "{table}");
        let told = few.rows(&format!(
            "SELECT count(*) FROM {table} WHERE CAST(payload AS text) LIKE '%text%'"
        ));
        assert_eq!(told, ["0"], "{table}");
    }
}

#[tokio::test]
async fn a_database_has_some_keys_as_if_there_were_no_others() {
    tables_have_some_keys_as_if_there_were_no_others(Database::new(), Database::new()).await;
}

#[tokio::test]
async fn a_cluster_has_some_keys_as_if_there_were_no_others() {
    tables_have_some_keys_as_if_there_were_no_others(Cluster::new(), Cluster::new()).await;
}
