-- The query store of Unbroken. One writer, fed from the log; open it with any SQLite tool.
--
-- Times are microseconds since 1970-01-01T00:00:00Z (the views add readable ones).
-- Positions, ids and counts of the vendor are unsigned 64-bit numbers kept in SQLite's signed ones:
-- above 2^63 - 1 they show as negative, without loss.
-- A payload is TEXT where the vendor's bytes are UTF-8, else BLOB.

-- What the rows below are exact at: every record before next_offset is in, none at or after it.
CREATE TABLE checkpoint (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    journal_id     TEXT    NOT NULL,
    -- The log began here when this store was built: the event tables hold nothing older.
    first_offset   INTEGER NOT NULL,
    next_offset    INTEGER NOT NULL,
    schema_version INTEGER NOT NULL
) STRICT;

-- One row per stream: what its records add up to.
CREATE TABLE streams (
    id               INTEGER PRIMARY KEY,
    name             TEXT    NOT NULL UNIQUE,
    epoch            INTEGER NOT NULL,
    epoch_name       TEXT,
    -- Where a resume may start, in the present epoch.
    position         INTEGER,
    -- 1 while some connection of the stream is Live.
    live             INTEGER NOT NULL,
    live_conn        INTEGER,
    live_changed_at  INTEGER,
    -- Keys last written before this offset may be stale, since that time.
    stale_before     INTEGER,
    stale_since      INTEGER,
    covered_at       INTEGER,
    snapshot_tag_epoch INTEGER,
    snapshot_tag     INTEGER,
    -- Until the stream has come so far, keys are each valid but need not fit together.
    converging_epoch INTEGER,
    converging_until INTEGER,
    -- The bracket whose items wait in staged.
    staged_snapshot  INTEGER
) STRICT;

-- The numbers by which events and state name their keys.
CREATE TABLE keys (
    id     INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL REFERENCES streams (id),
    name   TEXT    NOT NULL,
    UNIQUE (stream, name)
) STRICT;

-- Every change of the record, and the items of every published snapshot, in offset order.
CREATE TABLE events (
    offset      INTEGER PRIMARY KEY,
    stream      INTEGER NOT NULL,
    epoch       INTEGER,
    position    INTEGER,
    ordinal     INTEGER NOT NULL,
    agent       INTEGER NOT NULL,
    event_id    TEXT,
    kind        TEXT,
    origin      TEXT    NOT NULL,
    effect      TEXT    NOT NULL,
    deleted     INTEGER NOT NULL,
    occurred_at INTEGER,
    received_at INTEGER NOT NULL,
    -- The bracket that it was an item of.
    snapshot    INTEGER,
    payload     ANY     NOT NULL
) STRICT;

-- Items of brackets that are still open; published or dropped as a whole.
CREATE TABLE staged (
    offset      INTEGER PRIMARY KEY,
    stream      INTEGER NOT NULL,
    epoch       INTEGER,
    position    INTEGER,
    ordinal     INTEGER NOT NULL,
    agent       INTEGER NOT NULL,
    event_id    TEXT,
    kind        TEXT,
    origin      TEXT    NOT NULL,
    effect      TEXT    NOT NULL,
    deleted     INTEGER NOT NULL,
    occurred_at INTEGER,
    received_at INTEGER NOT NULL,
    snapshot    INTEGER NOT NULL,
    payload     ANY     NOT NULL,
    digest      BLOB    NOT NULL
) STRICT;

-- Current state: the last write per key; one that was deleted stays (present = 0) until nothing
-- older of it can come.
CREATE TABLE agents (
    agent       INTEGER PRIMARY KEY REFERENCES keys (id),
    stream      INTEGER NOT NULL,
    offset      INTEGER NOT NULL,
    epoch       INTEGER,
    position    INTEGER,
    present     INTEGER NOT NULL,
    digest      BLOB    NOT NULL,
    occurred_at INTEGER,
    received_at INTEGER NOT NULL,
    payload     ANY     NOT NULL
) STRICT;

-- The gap ledger. outcome is NULL while a row is open; the last close of a row wins.
CREATE TABLE gaps (
    stream           INTEGER NOT NULL,
    gap              INTEGER NOT NULL,
    cause            TEXT    NOT NULL,
    outcome          TEXT,
    after_epoch      INTEGER,
    after_position   INTEGER,
    through_epoch    INTEGER,
    through_position INTEGER,
    wall_from        INTEGER NOT NULL,
    wall_to          INTEGER,
    closed_by        INTEGER,
    reconciled       INTEGER,
    opened_offset    INTEGER,
    closed_offset    INTEGER,
    PRIMARY KEY (stream, gap)
) STRICT, WITHOUT ROWID;

-- Bytes that could not be understood.
CREATE TABLE quarantine (
    offset      INTEGER PRIMARY KEY,
    stream      INTEGER NOT NULL,
    conn        INTEGER,
    reason      TEXT    NOT NULL,
    length      INTEGER NOT NULL,
    digest      BLOB    NOT NULL,
    received_at INTEGER NOT NULL,
    bytes       BLOB    NOT NULL
) STRICT;

-- The turns in the connections' lives.
CREATE TABLE connections (
    offset      INTEGER PRIMARY KEY,
    stream      INTEGER NOT NULL,
    conn        INTEGER NOT NULL,
    turn        TEXT    NOT NULL,
    by          TEXT    NOT NULL,
    why         TEXT    NOT NULL,
    received_at INTEGER NOT NULL
) STRICT;

-- The snapshot brackets: open, published or aborted.
CREATE TABLE snapshots (
    stream           INTEGER NOT NULL,
    snapshot         INTEGER NOT NULL,
    status           TEXT    NOT NULL,
    tag_epoch        INTEGER,
    tag              INTEGER,
    rows_are_state   INTEGER,
    items            INTEGER,
    rows             INTEGER,
    converging_epoch INTEGER,
    converging_until INTEGER,
    witness          TEXT,
    begun_offset     INTEGER,
    ended_offset     INTEGER,
    begun_at         INTEGER,
    ended_at         INTEGER,
    PRIMARY KEY (stream, snapshot)
) STRICT, WITHOUT ROWID;
