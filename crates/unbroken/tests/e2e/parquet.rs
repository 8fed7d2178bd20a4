//! The record in files of Parquet, in a directory and in an object store, while the service and the
//! store are killed at random, and the road between them is cut.
//!
//! A few kills; `make sink-kills SINK=parquet N=200` plays more of them, under load. Both sides are
//! compared row for row, and a hash of each is printed.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use fastrand::Rng;

use crate::kills::{Kills, are_the_same};
use crate::mortal::Mortal;
use crate::object_store::{Bucket, python, script};
use crate::road::Road;
use crate::service::World;
use crate::tables::{canonical, records};

/// Something fails elsewhere, or else the service is killed, so often; then it is said what the
/// files hold.
fn play(
    target: &str,
    elsewhere: impl FnMut(&mut Rng) -> bool,
    stored: impl FnOnce(&World) -> Vec<String>,
) -> String {
    let world = World::of(Kills::rate());
    fs::write(world.path("agents"), "").expect("a file");
    let sink = "[[sink]]\nname = \"tables\"\nlinger_ms = 5\nbatch_records_max = 200\n";
    world.configure(&format!("{sink}parquet = {target}\n"));
    let mut kills = Kills::asked_for();
    kills.play(&world, world.run(&[]), elsewhere);
    let logged = records(&world).into_iter().map(|(_, _, row)| row).collect();
    are_the_same([("log", logged), ("files", stored(&world))], kills.count)
}

#[test]
fn files_hold_what_the_log_holds_through_kills_of_the_service() {
    let told = play(
        "{ dir = \"tables\" }",
        |_| false,
        |world| {
            // What `export` writes are the same rows in the same columns.
            fs::create_dir_all(world.path("all/day=2026-01-01")).expect("a directory");
            let export = ["export", "--format", "parquet", "-o", "all/day=2026-01-01/all.parquet"];
            assert!(world.command(&export).status.success());
            let [sink, export] = ["tables", "all"].map(|dir| rows(world, dir));
            assert!(sink == export, "{} and {} rows", sink.len(), export.len());
            sink
        },
    );
    println!("{told}");
}

fn rows(world: &World, dir: &str) -> Vec<String> {
    let told = python().arg(script("rows.py")).arg(world.path(dir)).output().expect("python3");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let text = String::from_utf8(told.stdout).expect("text");
    text.lines().map(canonical).collect()
}

#[test]
fn an_object_store_holds_what_the_log_holds_through_kills_and_cuts() {
    let mut server = Mortal::start("s3.py");
    let bucket = Bucket::of(format!("http://{}", server.address()));
    let road = Road::to(server.address());
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
    let elsewhere = |rng: &mut Rng| {
        let what = rng.u32(0..3);
        match what {
            0 => return false,
            1 => road.close(),
            _ => server.kill(),
        }
        sleep(Duration::from_millis(rng.u64(0..300)));
        if what == 1 {
            road.open()
        } else {
            server.start_again()
        }
        true
    };
    let stored = |_: &World| bucket.ask("rows").lines().map(canonical).collect();
    let told = play(&target, elsewhere, stored);
    println!("{told}");
}
