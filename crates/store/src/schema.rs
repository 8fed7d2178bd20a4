//! Opening, creating and recognising the file.

use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction};

use crate::StoreError;
use crate::crash::{self, Point};

/// The layout that this release writes; a file of another version is refused.
pub const SCHEMA_VERSION: i64 = 1;

/// Marks the file as Unbroken's ("UNBR"), in SQLite's header field for that purpose.
const APPLICATION_ID: i64 = 0x554e_4252;

const SCHEMA: &str = include_str!("schema.sql");
const VIEWS: &str = include_str!("views.sql");

/// How long a statement waits for another process's lock. A reader never holds one in WAL mode; a
/// checkpoint or a backup tool may, for moments.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Statements kept prepared; more than a group uses.
const STATEMENTS_CACHED_MAX: usize = 64;

/// The write-ahead log is folded back at this many pages (16 MiB) at the latest: large enough that
/// a page touched by many groups is written once, small enough to stay unnoticed on disk.
const WAL_PAGES_MAX: i64 = 4096;

/// Opens for writing; creates the file (readable by its owner alone) and its tables if it is new.
pub(crate) fn open(path: &Path) -> Result<Connection, StoreError> {
    create_private(path)?;
    crash::pass(Point::FileCreated);
    let failed = |source| StoreError::Open { path: path.to_owned(), source };
    let mut connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED_MAX);
    let new = is_empty(&connection).map_err(failed)?;
    if !new {
        recognise(&connection, path)?;
    }
    tune(&connection).map_err(failed)?;
    if new {
        let tx = connection.transaction().map_err(failed)?;
        create(&tx).map_err(failed)?;
        tx.commit().map_err(failed)?;
        crash::pass(Point::SchemaCreated);
    }
    Ok(connection)
}

/// Opens an existing file for reading, beside a process that writes it.
pub(crate) fn open_read_only(path: &Path) -> Result<Connection, StoreError> {
    let failed = |source| StoreError::Open { path: path.to_owned(), source };
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    recognise(&connection, path)?;
    Ok(connection)
}

fn create_private(path: &Path) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(|source| StoreError::File {
        path: path.to_owned(),
        what: "open or create",
        source,
    })
}

fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
}

fn recognise(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let pragma = |name| {
        connection
            .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
            .map_err(|source| StoreError::Open { path: path.to_owned(), source })
    };
    if pragma("application_id")? != APPLICATION_ID {
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    let found = pragma("user_version")?;
    if found != SCHEMA_VERSION {
        let path = path.to_owned();
        return Err(StoreError::Version { path, found, known: SCHEMA_VERSION });
    }
    Ok(())
}

fn tune(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // NORMAL: a power cut may take the last transactions, never half of one. The log has them.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES_MAX)?;
    // There is one writer and it keeps the references right; asking again for each row costs a
    // look-up. They are declared for those who read.
    connection.pragma_update(None, "foreign_keys", false)?;
    // 16 MiB of pages, in SQLite's unit of negative KiB.
    connection.pragma_update(None, "cache_size", -16 * 1024)
}

fn create(tx: &Transaction<'_>) -> rusqlite::Result<()> {
    tx.execute_batch(SCHEMA)?;
    tx.execute_batch(VIEWS)?;
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", SCHEMA_VERSION)
}
