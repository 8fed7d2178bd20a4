//! What a release must not contain: the points at which the proof build can be made to die.

use std::process::Command;

/// How they are aimed at, and one of each kind.
const MARKERS: [&[u8]; 3] = [b"UNBROKEN_CRASH_AT", b"segment-removal-synced", b"rebuild-settled"];

/// Both builds are looked at: in the proof build this shows that the search finds what is there.
#[test]
fn the_proof_build_has_crash_points_and_no_other_has() {
    let binary = std::fs::read(env!("CARGO_BIN_EXE_unbroken")).expect("the binary");
    for marker in MARKERS {
        let found = memchr::memmem::find(&binary, marker).is_some();
        assert_eq!(found, cfg!(feature = "proof"), "{}", String::from_utf8_lossy(marker));
    }
}

/// Where tests are built, the sinks have crash points. A release is built of the program alone.
#[test]
fn the_program_alone_has_no_crash_points_of_sinks() {
    let with = |whole: &[&str]| {
        let tree = ["tree", "--locked", "--offline", "--prefix", "none", "-f", "{p} [{f}]"];
        let told = Command::new(env!("CARGO")).args(tree).args(whole).output().expect("cargo");
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
        let text = String::from_utf8(told.stdout).expect("text");
        let sinks: Vec<&str> =
            text.lines().filter(|line| line.starts_with("unbroken-sink ")).collect();
        assert!(!sinks.is_empty(), "{text}");
        sinks.iter().any(|line| line.contains("proof"))
    };
    assert!(!with(&["-p", "unbroken", "-e", "normal"]));
    assert!(with(&["--workspace", "-e", "normal,dev"]), "they are looked for");
}
