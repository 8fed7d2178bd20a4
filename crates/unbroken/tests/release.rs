//! What a release must not contain: the points at which the proof build can be made to die.

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
