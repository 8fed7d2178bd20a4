-- What sinks keep whose targets cannot keep it: how far they are, and what was refused.
--
-- Open it with any SQLite tool. Times are microseconds since 1970-01-01T00:00:00Z.

CREATE TABLE sinks (
    name         TEXT    PRIMARY KEY,
    -- Which instance has it.
    fence        INTEGER NOT NULL,
    -- Everything before it was taken by the target.
    checkpoint   TEXT,
    committed_at INTEGER,
    -- Offsets at which requests behind the checkpoint ended that were sent: a request that is sent
    -- again ends there again.
    cuts         TEXT    NOT NULL DEFAULT ''
) STRICT;

-- Records that a target refused, one row each.
CREATE TABLE dead_letters (
    -- Never given twice: one that is in flight is known by it.
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    sink       TEXT    NOT NULL,
    journal    TEXT    NOT NULL,
    log_offset INTEGER NOT NULL,
    -- Of the last refusal.
    why        TEXT    NOT NULL,
    parked_at  INTEGER NOT NULL,
    -- The CloudEvent, as it would have been sent.
    event      TEXT    NOT NULL,
    -- How often a person has asked that it is given again.
    redrives   INTEGER NOT NULL DEFAULT 0,
    -- How often it is still to be tried; 0: it lies here until a person asks.
    tries_left INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Not unique: a log that is restored from a copy gives the same offset to another event.
CREATE INDEX dead_letters_by_offset ON dead_letters (sink, journal, log_offset);

CREATE INDEX dead_letters_asked_for ON dead_letters (sink, id) WHERE tries_left > 0;
