//! The lines of a capture.

use std::io::BufRead;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Version of the format. A newer one is refused.
pub const CAPTURE_VERSION: u32 = 1;

/// One line: a JSON object, told apart by `kind`. Times are RFC 3339.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Line {
    /// The first line of each source.
    Source {
        /// Version of the format.
        version: u32,
        /// Which program wrote it.
        program: String,
        /// The source.
        source: String,
        /// The embedded profile that the source's own began from, where it did.
        profile: Option<String>,
        /// The user has changed something in it.
        changed: bool,
        /// The subscription names keys.
        keyed: bool,
    },
    /// A handshake was accepted or refused.
    Handshake {
        /// When.
        at: String,
        /// The source.
        source: String,
        /// The path asked for, without its query.
        path: String,
        /// What was answered: `accepted`, or why not.
        answer: String,
    },
    /// A page or the head was asked for and answered.
    Page {
        /// When.
        at: String,
        /// The source.
        source: String,
        /// `head`, `first` or `next`.
        what: String,
        /// How the page was asked for, in the profile's own words (with `next`).
        cursor: Option<String>,
        /// The path asked for, without its query.
        path: String,
        /// The status.
        status: u16,
        /// The headers that the profile reads.
        headers: Vec<(String, String)>,
        /// The body.
        body: Text,
    },
    /// A message was sent.
    Sent {
        /// When.
        at: String,
        /// The source.
        source: String,
        /// The connection.
        conn: u64,
        /// The message.
        text: Text,
    },
    /// A frame came.
    Frame {
        /// When.
        at: String,
        /// The source.
        source: String,
        /// The connection.
        conn: u64,
        /// The frame.
        text: Text,
    },
    /// A connection ended.
    Closed {
        /// When.
        at: String,
        /// The source.
        source: String,
        /// The connection.
        conn: u64,
        /// The close code.
        code: Option<u16>,
        /// A few words.
        why: String,
    },
    /// The capture is complete up to here and ends here.
    End {
        /// When.
        at: String,
        /// `stopped`, or `full`: what came later was not captured.
        why: String,
        /// Lines before this one.
        lines: u64,
    },
}

/// Bytes as they came, or what may be shown of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Text {
    /// Text, byte for byte but for what was redacted.
    Plain(String),
    /// Bytes that are no UTF-8.
    Base64 {
        /// The bytes.
        base64: String,
    },
    /// Names and kinds alone: the profile does not understand the text, and the user's field rules
    /// cannot find their fields in it.
    Shape {
        /// The shape, itself a JSON text.
        shape: String,
    },
}

impl Text {
    /// Of bytes that may be shown as they are.
    pub fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Plain(text.to_owned()),
            Err(_) => Self::Base64 { base64: STANDARD.encode(bytes) },
        }
    }

    /// The bytes; of a shape there are none.
    pub fn bytes(&self) -> Option<Bytes> {
        match self {
            Self::Plain(text) => Some(Bytes::copy_from_slice(text.as_bytes())),
            Self::Base64 { base64 } => STANDARD.decode(base64).ok().map(Bytes::from),
            Self::Shape { .. } => None,
        }
    }
}

/// Why a capture cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error("capture cannot be read")]
    Io(#[from] std::io::Error),
    /// A line is none.
    #[error("capture has a line {line} that is none")]
    Line {
        /// Its number, from 1.
        line: u64,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// It was written by a newer release.
    #[error("capture has version {found}, which is newer than {CAPTURE_VERSION}")]
    Newer {
        /// Its version.
        found: u32,
    },
    /// It does not begin with a source.
    #[error("capture does not begin with a source")]
    NoSource,
}

impl ReadError {
    /// What a person can do.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Io(_) => None,
            Self::Line { .. } | Self::NoSource => {
                Some("`unbroken run --record FILE` writes a capture")
            }
            Self::Newer { .. } => Some("use the release that wrote it, or a newer one"),
        }
    }
}

/// Reads a whole capture. A last line that was cut off by a crash is passed over.
///
/// # Errors
/// See [`ReadError`].
pub fn read_lines(mut reader: impl BufRead) -> Result<Vec<Line>, ReadError> {
    let mut lines = Vec::new();
    let mut text = String::new();
    for number in 1.. {
        text.clear();
        if reader.read_line(&mut text)? == 0 {
            break;
        }
        let line = match serde_json::from_str(&text) {
            Ok(line) => line,
            Err(_) if !text.ends_with('\n') && number > 1 => break,
            Err(source) => return Err(ReadError::Line { line: number, source }),
        };
        match &line {
            Line::Source { version, .. } if *version > CAPTURE_VERSION => {
                return Err(ReadError::Newer { found: *version });
            }
            Line::Source { .. } => {}
            _ if number == 1 => return Err(ReadError::NoSource),
            _ => {}
        }
        lines.push(line);
    }
    match lines.is_empty() {
        true => Err(ReadError::NoSource),
        false => Ok(lines),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = concat!(
        r#"{"kind":"source","version":1,"program":"unbroken","source":"a","#,
        r#""profile":"cxone","changed":false,"keyed":false}"#
    );

    #[test]
    fn a_cut_off_last_line_is_passed_over_and_any_other_is_an_error() {
        let end = r#"{"kind":"end","at":"2026-01-01T00:00:00Z","why":"stopped","lines":1}"#;
        let whole = format!("{SOURCE}\n{end}\n");
        assert_eq!(read_lines(whole.as_bytes()).unwrap().len(), 2);
        assert_eq!(read_lines(&whole.as_bytes()[..whole.len() - 5]).unwrap().len(), 1);
        let torn = format!("{SOURCE}\n{{\"kind\":\n{end}\n");
        let error = read_lines(torn.as_bytes()).unwrap_err();
        assert!(matches!(error, ReadError::Line { line: 2, .. }), "{error:?}");
    }

    #[test]
    fn what_is_no_capture_is_refused() {
        for text in ["", "hello\n", "{\"kind\":\"end\",\"at\":\"\",\"why\":\"\",\"lines\":0}\n"] {
            let error = read_lines(text.as_bytes()).unwrap_err();
            assert!(error.hint().is_some(), "{error:?}");
        }
        let newer = SOURCE.replace("\"version\":1", "\"version\":2");
        let error = read_lines(newer.as_bytes()).unwrap_err();
        assert!(matches!(error, ReadError::Newer { found: 2 }), "{error:?}");
    }

    #[test]
    fn bytes_come_back_as_they_were() {
        for bytes in [b"{\"a\":1}".as_slice(), b"\xff\x00", b""] {
            let text = Text::of(bytes);
            let json = serde_json::to_string(&text).unwrap();
            let read: Text = serde_json::from_str(&json).unwrap();
            assert_eq!(read.bytes().unwrap(), bytes);
        }
    }
}
