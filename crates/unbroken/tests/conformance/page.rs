//! The report for people: whole, and in need of nothing else.

use std::fs;
use std::process::Command;

use tempfile::tempdir;

use crate::clients::conformance;

#[test]
fn the_report_is_one_well_formed_file_that_says_what_the_table_says() {
    let dir = tempdir().expect("a temporary directory");
    let file = dir.path().join("report.html");
    let arguments = ["--html", file.to_str().expect("a text"), "--scenario", "half-open"];
    let arguments = [&arguments[..], &["--scenario", "dropped-frames", "--seed", "7"]].concat();
    let output = conformance(&arguments, "honest");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "it looks for no holes\n{said}");
    let html = fs::read_to_string(&file).expect("the report was written");
    for outside in ["src=", "<link", "<script", "@import", "url(", "http://", "https://"] {
        assert!(!html.contains(outside), "{outside}");
    }
    for name in ["half-open", "dropped-frames"] {
        assert!(html.contains(&format!("<section class=\"scenario\" id=\"{name}\">")), "{name}");
        assert!(html.contains(&format!("<a href=\"#{name}\">")), "{name}");
    }
    assert_eq!(html.matches("<svg").count(), 2, "a drawing for each");
    assert!(html.contains("missing without a word"), "{said}");
    assert!(html.contains("prefers-color-scheme: dark"));
    let parse = "import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])";
    let parsed = Command::new("python3").args(["-c", parse]).arg(&file).output().expect("Python");
    assert!(parsed.status.success(), "{}", String::from_utf8_lossy(&parsed.stderr));
}

#[test]
fn a_report_that_cannot_be_written_is_an_error() {
    let output = conformance(&["--html", "/nowhere/report.html", "--scenario", "calm"], "honest");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("writing the report failed"));
}
