//! Data directories that cannot be used.

use crate::house::{House, config};

const AUTH: &str = "grant = \"token\"\ntoken = \"t\"";

/// What `run` says of a data directory; it must not begin.
fn refused(house: &House, data_dir: &str) -> String {
    let text = config("http://127.0.0.1:9", "ws://127.0.0.1:9", "", AUTH);
    let text = text.replace("data_dir = \"data\"", &format!("data_dir = \"{data_dir}\""));
    house.write("unbroken.toml", &text);
    let output = house.run(&["run"]);
    let said = house.said(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    // Log lines may come first; what is asked here is what a person reads last.
    said[said.find("error:").expect("an error")..].to_owned()
}

#[test]
fn a_path_below_a_file_is_named() {
    let house = House::new("");
    house.write("file", "");
    assert_eq!(
        refused(&house, "file/data"),
        "error: data directory file/data cannot be made\n  \
         caused by: File exists (os error 17)\n  \
         hint: name a directory that the user who runs unbroken may write to\n"
    );
}

#[test]
fn a_file_system_that_takes_no_files_is_named() {
    let house = House::new("");
    let said = refused(&house, "/proc/unbroken-data");
    assert!(
        said.starts_with("error: data directory /proc/unbroken-data cannot be made\n"),
        "{said}"
    );
    assert!(said.ends_with("may write to\n"), "{said}");
}

#[test]
fn a_file_in_the_place_of_the_journal_is_named() {
    let house = House::new("");
    std::fs::create_dir(house.path("data")).expect("a directory");
    house.write("data/journal", "");
    let said = refused(&house, "data");
    assert!(said.starts_with("error: journal cannot be opened\n"), "{said}");
    assert!(said.contains("caused by: data/journal: create failed\n"), "{said}");
}
