//! The file `journal`: which journal this is and how it is written. Text, for a person to read.

use crate::local::home::Home;
use crate::{FORMAT, JournalError, JournalId};

const NAME: &str = "journal";
const TITLE: &str = "unbroken journal";

/// `None`: there is no journal, or its making was cut short before it held anything.
pub(crate) fn read(home: &Home) -> Result<Option<JournalId>, JournalError> {
    let Some(bytes) = home.read(NAME)? else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes);
    let corrupt = |what: &str| JournalError::Corrupt {
        path: home.path(NAME),
        position: 0,
        offset: 0,
        what: what.into(),
    };
    let mut lines = text.lines();
    if lines.next() != Some(TITLE) {
        return Err(corrupt("not the file of a journal"));
    }
    let mut value =
        |name: &str| lines.next().and_then(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let format: u32 =
        value("format").and_then(|text| text.parse().ok()).ok_or_else(|| corrupt("no format"))?;
    if format > FORMAT {
        let path = home.path(NAME);
        return Err(JournalError::NewerFormat { path, found: format, known: FORMAT });
    }
    let id = value("id").and_then(|text| text.parse().ok()).ok_or_else(|| corrupt("no id"))?;
    if text != render(id, format) {
        return Err(corrupt("the file does not fit its checksum"));
    }
    Ok(Some(id))
}

pub(crate) fn write(home: &Home, id: JournalId) -> Result<(), JournalError> {
    home.install(NAME, &[render(id, FORMAT).as_bytes()]).map(drop)
}

fn render(id: JournalId, format: u32) -> String {
    let text = format!("{TITLE}\nformat {format}\nid {id}\n");
    let crc = crc32c::crc32c(text.as_bytes());
    format!("{text}crc32c {crc:08x}\n")
}
