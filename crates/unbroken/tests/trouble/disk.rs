//! A disk that is full in the middle of a commit: a clean stop, and a clean start when there is
//! room again. The limit on the size of a file stands in for the disk: the system refuses the write
//! in the same place, and it needs no rights.

use std::process::Command;

use unbroken_sim::Settings;

use crate::house::{House, Simulated};

/// A shell that refuses to write files beyond `kib`, and becomes the service.
fn limited(house: &House, kib: u32) -> Command {
    let mut command = Command::new("sh");
    house.prepare(&mut command);
    // Ignored, the signal becomes an error of the write: EFBIG.
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" run", kib * 2);
    command.args(["-c", &script, env!("CARGO_BIN_EXE_unbroken")]);
    command
}

#[test]
fn a_full_disk_stops_the_service_cleanly_and_nothing_is_lost() {
    let settings = Settings { rate: 5_000.0, ..Simulated::settings() };
    let simulated = Simulated::start(settings);
    let house = House::new(&simulated.config(""));
    house.write("secret", &simulated.vendor.credentials.client_secret);

    // The log writes 4 MiB of zeros ahead: they fit, the next ones do not.
    let service = house.start(limited(&house, 6 * 1024));
    let (code, log) = service.wait();
    assert_eq!(code, Some(2), "{log}");
    for words in [
        "error: journal cannot write\n",
        "no space left to write\n",
        "hint: free space or lower `retain_bytes_max`, then start again: everything acknowledged \
         is kept\n",
    ] {
        assert!(log.contains(words), "{words}\n{log}");
    }
    let recorded = records(&house);
    assert!(recorded > 100, "it stopped in the middle, after {recorded} records");

    let mut service = house.serve();
    service.wait_phase("live");
    assert_eq!(service.stop().0, Some(0));
    assert!(records(&house) > recorded);
    let verified = house.run(&["verify", "--json"]);
    assert_eq!(verified.status.code(), Some(0), "{}", String::from_utf8_lossy(&verified.stdout));
    let gaps = house.run(&["gaps", "--format", "ndjson"]);
    let gaps = String::from_utf8_lossy(&gaps.stdout).into_owned();
    let lost: Vec<&str> = gaps.lines().filter(|row| !row.contains("\"start\"")).collect();
    assert!(lost.is_empty(), "the vendor kept everything, so nothing is missing: {gaps}");
}

/// How far the log has come.
fn records(house: &House) -> usize {
    let output = house.run(&["events", "--format", "ndjson"]);
    assert_eq!(output.status.code(), Some(0), "{}", house.said(&output));
    String::from_utf8_lossy(&output.stdout).lines().count()
}
