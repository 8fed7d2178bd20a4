//! Opening, creating and recognising the file.

use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::fault::{failed, foreign, gone, other_version};
use crate::SinkError;

/// The layout that this release writes; a file of another version is refused.
const VERSION: i64 = 1;

/// Marks the file as Unbroken's ("UNBS"), in SQLite's header field for that purpose.
const APPLICATION_ID: i64 = 0x554e_4253;

const SCHEMA: &str = include_str!("schema.sql");

/// How long another process is waited for: each holds the file for the moment of one transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

const OPENING: &str = "opening sinks.db";

/// For writing; made, readable by its owner alone, if it is not there.
pub(super) fn open(path: &Path) -> Result<Connection, SinkError> {
    create_private(path).map_err(SinkError::unreachable(OPENING))?;
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let fault = || failed(path, OPENING);
    keep_safe(&connection, path)?;
    // Two sinks may be the first at once.
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate);
    let tx = tx.map_err(fault())?;
    let count = "SELECT count(*) FROM sqlite_schema";
    let tables: i64 = tx.query_row(count, [], |row| row.get(0)).map_err(fault())?;
    if tables == 0 {
        tx.execute_batch(SCHEMA).map_err(fault())?;
        tx.pragma_update(None, "application_id", APPLICATION_ID).map_err(fault())?;
        tx.pragma_update(None, "user_version", VERSION).map_err(fault())?;
    }
    tx.commit().map_err(fault())?;
    recognise(&connection, path)?;
    Ok(connection)
}

/// For writing, as [`open`], but one that was there before: if it is not, it is missed. Made anew,
/// it would hold no checkpoint, and its sinks would begin anew without a word.
pub(super) fn open_again(path: &Path) -> Result<Connection, SinkError> {
    if !path.exists() {
        return Err(gone(path));
    }
    let connection = open_existing(path)?;
    keep_safe(&connection, path)?;
    Ok(connection)
}

/// One that is there, beside a service that writes it.
pub(super) fn open_existing(path: &Path) -> Result<Connection, SinkError> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    recognise(&connection, path)?;
    Ok(connection)
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, SinkError> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed(path, OPENING))?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed(path, OPENING))?;
    Ok(connection)
}

fn keep_safe(connection: &Connection, path: &Path) -> Result<(), SinkError> {
    let fault = || failed(path, OPENING);
    connection.pragma_update(None, "journal_mode", "WAL").map_err(fault())?;
    // A checkpoint that a power cut takes back would be moved over dead letters that are gone.
    connection.pragma_update(None, "synchronous", "FULL").map_err(fault())
}

/// Which file is at the path: device and inode. `None`: there is none.
#[cfg(unix)]
pub(super) fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

/// Whether a file is at the path: elsewhere nothing more is known of it.
#[cfg(not(unix))]
pub(super) fn identity(path: &Path) -> Option<(u64, u64)> {
    path.exists().then_some((0, 0))
}

fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

fn recognise(connection: &Connection, path: &Path) -> Result<(), SinkError> {
    let pragma = |name| {
        let value = connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        value.map_err(failed(path, OPENING))
    };
    if pragma("application_id")? != APPLICATION_ID {
        return Err(foreign(path));
    }
    match pragma("user_version")? {
        VERSION => Ok(()),
        found => Err(other_version(path, found, VERSION)),
    }
}
