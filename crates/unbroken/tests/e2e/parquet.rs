//! The record in files of Parquet, in a directory and in an object store, while the service is
//! killed at random, and the road to the store is cut.
//!
//! A few kills; `make sink-kills SINK=parquet N=200` plays more of them, under load. Both sides are
//! compared row for row, and a hash of each is printed.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use crate::kills::{Kills, are_the_same};
use crate::object_store::{Bucket, python, script};
use crate::road::Road;
use crate::service::World;
use crate::tables::{canonical, records};

/// Kills the service, or cuts the road, so often; then says what the files hold.
fn play(target: &str, road: Option<&Road>, stored: impl FnOnce(&World) -> Vec<String>) -> String {
    let world = World::of(Kills::rate());
    fs::write(world.path("agents"), "").expect("a file");
    let sink = "[[sink]]\nname = \"tables\"\nlinger_ms = 5\nbatch_records_max = 200\n";
    world.configure(&format!("{sink}parquet = {target}\n"));
    let mut kills = Kills::asked_for();
    kills.play(&world, world.run(&[]), |rng| {
        let Some(road) = road.filter(|_| rng.bool()) else { return false };
        road.close();
        sleep(Duration::from_millis(rng.u64(0..300)));
        road.open();
        true
    });
    let logged = records(&world).into_iter().map(|(_, _, row)| row).collect();
    are_the_same([("log", logged), ("files", stored(&world))], kills.count)
}

#[test]
fn files_hold_what_the_log_holds_through_kills_of_the_service() {
    let told = play("{ dir = \"tables\" }", None, |world| {
        let mut python = python();
        let told = python.arg(script("rows.py")).arg(world.path("tables")).output();
        let told = told.expect("python3");
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
        let text = String::from_utf8(told.stdout).expect("text");
        text.lines().map(canonical).collect()
    });
    println!("{told}");
}

#[test]
fn an_object_store_holds_what_the_log_holds_through_kills_and_cuts() {
    let bucket = Bucket::new();
    let server = bucket.endpoint.strip_prefix("http://").expect("in clear");
    let road = Road::to(server.parse().expect("an address"));
    let endpoint = format!("http://{}", road.at());
    // The server takes any secret: that of the vendor will do, which is in a file.
    let secret = "aws_secret_access_key";
    let options: Vec<String> = Bucket::options_by(&endpoint)
        .into_iter()
        .filter(|(key, _)| key != secret)
        .map(|(key, value)| format!("{key} = \"{value}\""))
        .collect();
    let (url, options) = (format!("s3://{}/out", bucket.name), options.join(", "));
    let secrets = format!("{secret} = {{ file = \"secret\" }}");
    let target =
        format!("{{ url = \"{url}\", options = {{ {options} }}, secrets = {{ {secrets} }} }}");
    let told = play(&target, Some(&road), |_| bucket.ask("rows").lines().map(canonical).collect());
    println!("{told}");
}
