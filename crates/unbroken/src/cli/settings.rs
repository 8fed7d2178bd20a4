//! What the typed words mean: durations, places, faults. Checked before anything is opened.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args::{DataArgs, LogArg};
use super::error::CliError;
use unbroken::config::{self, LogFormat};
use unbroken::place;
use unbroken_core::time::UnixMicros;
use unbroken_store::StoreReader;

/// Where a command's data is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The data directory: log, store, control socket.
    pub(crate) data_dir: PathBuf,
}

impl Place {
    /// From `--journal`, else from the configuration.
    pub(crate) fn of(args: &DataArgs) -> Result<Self, CliError> {
        let data_dir = match (&args.journal, &args.config) {
            (Some(dir), _) => data_dir_of(dir),
            (None, Some(file)) => config::load(file)?.data_dir,
            (None, None) => {
                let file = Path::new("unbroken.toml");
                if !file.exists() {
                    return Err(CliError::NoPlace);
                }
                config::load(file)?.data_dir
            }
        };
        if data_dir.is_dir() { Ok(Self { data_dir }) } else { Err(CliError::NoData(data_dir)) }
    }
}

impl Place {
    /// Opens the store for reading.
    pub(crate) fn store(&self) -> Result<StoreReader, CliError> {
        let path = place::store_path(&self.data_dir);
        if path.exists() {
            Ok(StoreReader::open(&path)?)
        } else {
            Err(CliError::NoStore(self.data_dir.clone()))
        }
    }
}

/// Who is at the keyboard, as the operating system names them: for the record, not for security.
pub(crate) fn operator() -> String {
    let named = |name| std::env::var(name).ok().filter(|who| !who.is_empty());
    let who = ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(named);
    who.unwrap_or_else(|| "unknown".to_owned())
}

/// People name the data directory or, as often, the log's own directory in it.
fn data_dir_of(dir: &Path) -> PathBuf {
    let inner = dir.file_name().is_some_and(|name| name == "journal");
    match dir.parent() {
        Some(parent) if inner && !dir.join("journal").is_dir() => {
            if parent.as_os_str().is_empty() {
                PathBuf::from(".")
            } else {
                parent.to_owned()
            }
        }
        _ => dir.to_owned(),
    }
}

/// `60s`, `2m`, `1h 30m`, `500ms`.
pub(crate) fn duration(option: &'static str, text: &str) -> Result<Duration, CliError> {
    let wrong = || CliError::Duration { option, text: text.to_owned() };
    let signed: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
    let duration = Duration::try_from(signed).map_err(|_| wrong())?;
    if duration.is_zero() { Err(wrong()) } else { Ok(duration) }
}

/// A time as people write it: with an offset from UTC, or a date, which stands for its beginning in
/// UTC.
pub(crate) fn moment(option: &'static str, text: &str) -> Result<UnixMicros, CliError> {
    let date = || {
        // A time without an offset would be read as its date alone.
        let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        let date: jiff::civil::Date = plain.then(|| text.parse().ok())??;
        jiff::tz::TimeZone::UTC.to_timestamp(date.to_datetime(jiff::civil::Time::midnight())).ok()
    };
    let exact: Option<jiff::Timestamp> = text.parse().ok();
    let time = exact.or_else(date);
    let time = time.ok_or_else(|| CliError::Moment { option, text: text.to_owned() })?;
    Ok(UnixMicros(time.as_microsecond()))
}

/// The directory that was named, if it is empty or new; else a fresh one among the temporary files.
pub(crate) fn fresh_dir(named: Option<&Path>, prefix: &str) -> Result<PathBuf, CliError> {
    let dir = match named {
        Some(dir) => dir.to_owned(),
        None => std::env::temp_dir().join(format!("{prefix}-{:08x}", fastrand::u32(..))),
    };
    let is_empty = match std::fs::read_dir(&dir) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(source) => return Err(CliError::Io { what: "reading the data directory", source }),
    };
    if !is_empty {
        return Err(CliError::NotEmpty(dir));
    }
    std::path::absolute(&dir)
        .map_err(|source| CliError::Io { what: "naming the data directory", source })
}

impl From<LogArg> for LogFormat {
    fn from(arg: LogArg) -> Self {
        match arg {
            LogArg::Human => Self::Human,
            LogArg::Json => Self::Json,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::{data_dir_of, duration, moment};

    #[test]
    fn durations_are_read_as_people_write_them() {
        let read = |text| duration("--duration", text).ok();
        assert_eq!(read("60s"), Some(Duration::from_secs(60)));
        assert_eq!(read("2m"), Some(Duration::from_secs(120)));
        assert_eq!(read("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(read("1h 30m"), Some(Duration::from_secs(5_400)));
        assert_eq!(read("60"), None);
        assert_eq!(read("-5s"), None);
        assert_eq!(read("0s"), None);
    }

    #[test]
    fn times_have_an_offset_or_are_dates() {
        let read = |text| moment("--from", text).ok().map(|at| at.0 / 1_000_000);
        assert_eq!(read("2026-11-24"), Some(1_795_478_400));
        assert_eq!(read("2026-11-24T06:00:00Z"), Some(1_795_500_000));
        assert_eq!(read("2026-11-24T07:00:00+01:00"), Some(1_795_500_000));
        assert_eq!(read("2026-11-24T06:00:00"), None);
        assert_eq!(read("yesterday"), None);
    }

    #[test]
    fn the_log_s_own_directory_stands_for_the_data_directory() {
        assert_eq!(data_dir_of(Path::new("/d/journal")), Path::new("/d"));
        assert_eq!(data_dir_of(Path::new("journal")), Path::new("."));
        assert_eq!(data_dir_of(Path::new("/d")), Path::new("/d"));
    }
}
