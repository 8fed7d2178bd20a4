//! How a source begins.

use serde::Deserialize;
use serde::de::{Deserializer, Error};
use toml::{Table, Value};
use unbroken_core::bookmark::{After, BOOKMARK_BYTES_MAX, Bookmark};
use unbroken_core::connector::{Capabilities, Numbering};
use unbroken_core::ids::Label;
use unbroken_core::machine::{Start, Unsuited};

use crate::generic::PositionFormat;

/// `start = "initial"`, `"when_needed"`, `"never"`, or `{ from = "4711", epoch = "…" }`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StartChoice {
    /// See [`Start::Initial`].
    #[default]
    Initial,
    /// See [`Start::WhenNeeded`].
    WhenNeeded,
    /// See [`Start::Never`].
    Never,
    /// See [`Start::From`]. What the text means depends on the source.
    From {
        /// The position as the vendor writes it: where it writes hexadecimal digits, they are such.
        from: String,
        /// The vendor's name of the numbering.
        epoch: Option<String>,
    },
}

/// Why a source cannot begin like this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The source cannot.
    #[error(transparent)]
    Unsuited(Unsuited),
    /// Not a whole number, where positions are numbers.
    #[error("`{0}` is not a position: positions are whole numbers")]
    NotANumber(String),
    /// Empty, or longer than a bookmark can be.
    #[error("a position has from 1 to {BOOKMARK_BYTES_MAX} bytes")]
    Length,
}

impl StartError {
    /// What a person can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unsuited(_) => "use `start = \"initial\"`: this vendor cannot be asked for more",
            Self::NotANumber(_) => "write it as 4711, or as 0x1267",
            Self::Length => "write it as the vendor does",
        }
    }
}

/// A whole number, decimal or with `0x` in base 16.
pub fn read_sequence(text: &str) -> Option<u64> {
    let text = text.trim();
    let (digits, radix) = match text.strip_prefix("0x") {
        Some(hex) => (hex, 16),
        None => (text, 10),
    };
    let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain.then(|| u64::from_str_radix(digits, radix).ok())?
}

impl StartChoice {
    /// What it means for a source that can do this.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn meant(&self, caps: &Capabilities, format: PositionFormat) -> Result<Start, StartError> {
        let (from, epoch) = match self {
            Self::Initial => return Ok(Start::Initial),
            Self::WhenNeeded => return Ok(Start::WhenNeeded),
            Self::Never => return Ok(Start::Never),
            Self::From { from, epoch } => (from, epoch),
        };
        let after = if caps.position == Numbering::Opaque {
            After::Bookmark(Bookmark::new(from.as_bytes()).ok_or(StartError::Length)?)
        } else {
            let sequence = match format {
                PositionFormat::Hex if !from.starts_with("0x") => {
                    read_sequence(&format!("0x{from}"))
                }
                PositionFormat::Hex | PositionFormat::Decimal => read_sequence(from),
            };
            After::Sequence(sequence.ok_or_else(|| StartError::NotANumber(from.clone()))?)
        };
        let start = Start::From { after, epoch: epoch.as_deref().map(Label::from) };
        start.suits(caps).map_err(StartError::Unsuited)?;
        Ok(start)
    }
}

impl<'de> Deserialize<'de> for StartChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const MODES: &[&str] = &["initial", "when_needed", "never"];
        let mut table: Table = match Value::deserialize(deserializer)? {
            Value::String(mode) => {
                return match mode.as_str() {
                    "initial" => Ok(Self::Initial),
                    "when_needed" => Ok(Self::WhenNeeded),
                    "never" => Ok(Self::Never),
                    other => Err(D::Error::unknown_variant(other, MODES)),
                };
            }
            Value::Table(table) => table,
            _ => return Err(D::Error::custom("start is a mode's name or `{ from = \"…\" }`")),
        };
        let from = match table.remove("from") {
            Some(Value::String(text)) => text,
            Some(Value::Integer(number)) if number >= 0 => number.to_string(),
            Some(_) => return Err(D::Error::custom("start.from is a text or a whole number")),
            None => return Err(D::Error::missing_field("from")),
        };
        let epoch = match table.remove("epoch") {
            Some(Value::String(text)) => Some(text),
            Some(_) => return Err(D::Error::custom("start.epoch is a text")),
            None => None,
        };
        match table.keys().next() {
            Some(key) => Err(D::Error::unknown_field(key, &["from", "epoch"])),
            None => Ok(Self::From { from, epoch }),
        }
    }
}

#[cfg(test)]
mod tests {
    use unbroken_core::connector::Replay;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Holder {
        start: StartChoice,
    }

    fn read(text: &str) -> Result<StartChoice, String> {
        let holder = toml::from_str::<Holder>(text).map_err(|error| error.message().to_owned());
        holder.map(|holder| holder.start)
    }

    fn from(from: &str, epoch: Option<&str>) -> StartChoice {
        StartChoice::From { from: from.to_owned(), epoch: epoch.map(ToOwned::to_owned) }
    }

    #[test]
    fn a_start_is_a_word_or_a_position() {
        assert_eq!(read("start = \"initial\""), Ok(StartChoice::Initial));
        assert_eq!(read("start = \"when_needed\""), Ok(StartChoice::WhenNeeded));
        assert_eq!(read("start = \"never\""), Ok(StartChoice::Never));
        assert_eq!(read("start = { from = 7 }"), Ok(from("7", None)));
        let text = "start = { from = \"a1\", epoch = \"e\" }";
        assert_eq!(read(text), Ok(from("a1", Some("e"))));
    }

    #[test]
    fn what_is_misspelt_is_an_error() {
        for (text, part) in [
            ("start = \"newer\"", "unknown variant `newer`"),
            ("start = { from = 1, epoc = \"e\" }", "unknown field `epoc`"),
            ("start = { epoch = \"e\" }", "missing field `from`"),
            ("start = { from = -1 }", "start.from is a text or a whole number"),
            ("start = 3", "start is a mode's name"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn a_position_is_read_as_the_source_means_it() {
        let mut caps = Capabilities {
            position: Numbering::Increasing,
            replay: Replay::FromPosition,
            ..Capabilities::default()
        };
        let after = |text: &str, caps: &Capabilities| match from(text, None)
            .meant(caps, PositionFormat::Decimal)
        {
            Ok(Start::From { after, .. }) => Ok(after),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error),
        };
        assert_eq!(after("4711", &caps), Ok(After::Sequence(4711)));
        assert_eq!(after("0x1267", &caps), Ok(After::Sequence(4711)));
        assert_eq!(after("1.5", &caps), Err(StartError::NotANumber("1.5".into())));
        assert_eq!(after("+5", &caps), Err(StartError::NotANumber("+5".into())));
        let hex = |text| from(text, None).meant(&caps, PositionFormat::Hex);
        assert_eq!(hex("1267"), from("4711", None).meant(&caps, PositionFormat::Decimal));
        assert_eq!(hex("0x1267"), hex("1267"));
        caps.position = Numbering::Opaque;
        let text = Bookmark::new(b"0x1267").map(After::Bookmark);
        assert_eq!(after("0x1267", &caps).ok(), text);
        assert_eq!(after("", &caps), Err(StartError::Length));
        caps.replay = Replay::None;
        assert_eq!(after("x", &caps), Err(StartError::Unsuited(Unsuited::NoReplay)));
    }
}
