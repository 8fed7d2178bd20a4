//! The record behind a stand-in for Amazon Redshift, while the service, the server behind the
//! stand-in and the object store are killed at random, and connections are cut at random
//! statements.
//!
//! A few kills; `make sink-kills SINK=redshift N=50` plays more of them, under load. Both sides are
//! compared row for row, and a hash of each is printed.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use crate::kills::{Kills, are_the_same};
use crate::mortal::Mortal;
use crate::object_store::Bucket;
use crate::service::World;
use crate::stand_in::StandIn;
use crate::tables::{canonical, exported};

/// What COPY is given, and the stand-in looks for.
const SECRET: &str = "copy-s3cr3t";

/// As a configuration names it.
pub(crate) fn target(stand_in: &StandIn) -> String {
    let options = stand_in.bucket.options().into_iter();
    let options = options.filter(|(key, _)| key != "aws_secret_access_key");
    let options: Vec<String> = options.map(|(key, value)| format!("{key} = \"{value}\"")).collect();
    let secrets = "secrets = { aws_secret_access_key = { file = \"copy-secret\" } }";
    format!(
        "{{ url = \"{}\", stage = \"s3://{}/out\", options = {{ {} }}, {secrets} }}",
        stand_in.url(),
        stand_in.bucket.name,
        options.join(", ")
    )
}

#[test]
fn tables_behind_a_stand_in_hold_what_the_log_holds_through_kills_and_cuts() {
    let (world, mut store) = (World::of(Kills::rate()), Mortal::start("s3.py"));
    let mut stand_in = StandIn::with(Bucket::of(format!("http://{}", store.address())));
    fs::write(world.path("agents"), "").expect("a file");
    fs::write(world.path("copy-secret"), SECRET).expect("a file");
    let sink = "[[sink]]\nname = \"tables\"\nlinger_ms = 5\nbatch_records_max = 500\n";
    world.configure(&format!("{sink}redshift = {}\n", target(&stand_in)));
    let mut kills = Kills::asked_for();
    let told = kills.play(&world, world.run(&[]), |rng| match rng.u32(0..4) {
        0 => {
            stand_in.server.kill();
            sleep(Duration::from_millis(rng.u64(0..300)));
            stand_in.server.start_again();
            true
        }
        1 => {
            let when = if rng.bool() { "before" } else { "after" };
            stand_in.cut(rng.u32(0..30), when);
            true
        }
        2 => {
            store.kill();
            sleep(Duration::from_millis(rng.u64(0..300)));
            store.start_again();
            true
        }
        _ => false,
    });
    assert!(!told.contains(SECRET), "keys are told nobody");
    let (logged, stored) = (exported(&world), stored(&stand_in));
    println!("{}", are_the_same([("log", logged), ("tables", stored)], kills.count));
}

/// Of every record its offset, its kind, and what the vendor or the ledger says.
fn stored(stand_in: &StandIn) -> Vec<String> {
    let rows = stand_in.server.query(
        "SELECT log_offset || ' ' || record || ' ' || said FROM ( \
             SELECT log_offset, 'change' AS record, payload AS said FROM unbroken.events \
             WHERE snapshot_id IS NULL UNION ALL \
             SELECT log_offset, 'snapshot_item', payload FROM unbroken.events \
             WHERE snapshot_id IS NOT NULL UNION ALL \
             SELECT log_offset, 'snapshot_item', payload FROM unbroken.staged UNION ALL \
             SELECT log_offset, record, data FROM unbroken.ledger \
         ) AS every ORDER BY log_offset",
    );
    rows.iter().map(|row| canonical(row)).collect()
}
