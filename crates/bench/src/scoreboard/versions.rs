//! What the results were made with.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::course::Scoreboard;
use super::entrant::ENTRANTS;
use crate::Failure;

/// One line for each thing that has a version.
pub(super) fn versions(board: &Scoreboard) -> Result<Vec<String>, Failure> {
    let mut lines = vec![
        told(Command::new(&board.unbroken).arg("--version"))?,
        format!("Node {}", told(Command::new("node").arg("--version"))?),
        told(Command::new("python3").arg("--version"))?,
        told(Command::new("php").arg("--version"))?,
    ];
    for name in ENTRANTS.iter().map(|entrant| entrant.name) {
        lines.extend(pinned(&board.clients.join(name))?);
    }
    let guzzle =
        r#"require "GuzzleHttp/autoload.php"; echo GuzzleHttp\ClientInterface::MAJOR_VERSION;"#;
    lines.push(format!("Guzzle {}", told(Command::new("php").args(["-r", guzzle]))?));
    lines.sort();
    lines.dedup();
    Ok(lines)
}

/// The first line that a program prints, up to what is in brackets.
fn told(command: &mut Command) -> Result<String, Failure> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().next().unwrap_or_default();
    Ok(line.split(" (").next().unwrap_or_default().trim().to_owned())
}

/// What a client names as its own: `package.json`, and of `requirements.txt` what it imports.
fn pinned(folder: &Path) -> Result<Vec<String>, Failure> {
    let mut lines = Vec::new();
    if let Ok(text) = fs::read(folder.join("package.json")) {
        let package: serde_json::Value = serde_json::from_slice(&text)?;
        let wanted = package.get("dependencies").and_then(serde_json::Value::as_object);
        for (name, version) in wanted.into_iter().flatten() {
            lines.push(format!("{name} {}", version.as_str().unwrap_or_default()));
        }
    }
    if let Ok(text) = fs::read_to_string(folder.join("requirements.txt")) {
        let wanted = text.lines().filter_map(|line| line.split_once("=="));
        let named = wanted.filter(|(name, _)| ["httpx", "websockets"].contains(name));
        lines.extend(named.map(|(name, version)| format!("{name} {version}")));
    }
    Ok(lines)
}
