-- The record in PostgreSQL. One schema belongs to one sink; add indexes, views and columns (that
-- may be null or have a default) as you like.
--
-- An event is named by (log, log_offset): log is a number for a log of Unbroken (see logs), and
-- log_offset the place in it. Positions, snapshots, gaps and connections of the vendor are unsigned
-- 64-bit numbers in PostgreSQL's signed ones: above 2^63 - 1 they show as negative, without loss.
-- A payload is in payload where it is JSON, exactly as the vendor wrote it, else in payload_bytes.

-- How far the sink is, and which instance has it. Committed with the data.
CREATE TABLE checkpoint (
    one            boolean     PRIMARY KEY DEFAULT true CHECK (one),
    schema_version integer     NOT NULL,
    sink           text        NOT NULL,
    fence          bigint      NOT NULL DEFAULT 0,
    checkpoint     text,
    log            smallint,
    -- The state of this schema is what was known then.
    as_of          timestamptz
);

-- The logs that this schema was fed from; one that was adopted begins a new row.
CREATE TABLE logs (
    log      smallint    GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    journal  text        NOT NULL,
    began_at timestamptz NOT NULL DEFAULT now()
);

-- Every change of the record, and the items of every published snapshot.
CREATE TABLE events (
    log           smallint    NOT NULL,
    log_offset    bigint      NOT NULL,
    stream        text        NOT NULL,
    key           text        NOT NULL,
    epoch         bigint,
    position      bigint,
    ordinal       integer     NOT NULL,
    event_id      text,
    kind          text,
    origin        text        NOT NULL,
    effect        text        NOT NULL,
    deleted       boolean     NOT NULL,
    occurred_at   timestamptz,
    received_at   timestamptz NOT NULL,
    -- The snapshot that it was an item of.
    snapshot      bigint,
    payload       json,
    payload_bytes bytea,
    PRIMARY KEY (log, log_offset)
);
CREATE INDEX events_received_at ON events USING brin (received_at);

-- Items of snapshots that are not whole yet; published or dropped as a whole.
CREATE TABLE staged (LIKE events INCLUDING ALL);
-- What state has no place for is refused here, item by item, and not when the snapshot is whole.
CREATE INDEX staged_stream_key ON staged (stream, key);

-- The last write of each key; one that was deleted stays (present = false) until nothing older of
-- it can come.
CREATE TABLE state (
    stream        text        NOT NULL,
    key           text        NOT NULL,
    log           smallint    NOT NULL,
    log_offset    bigint      NOT NULL,
    epoch         bigint,
    position      bigint,
    present       boolean     NOT NULL,
    occurred_at   timestamptz,
    received_at   timestamptz NOT NULL,
    payload       json,
    payload_bytes bytea,
    -- A later write of the key is among the dead letters: since then this value is in doubt.
    doubted_since timestamptz,
    PRIMARY KEY (stream, key)
);

-- The gap ledger. outcome is null while a row is open; the last close of a row wins.
CREATE TABLE gaps (
    log              smallint    NOT NULL,
    stream           text        NOT NULL,
    gap              bigint      NOT NULL,
    cause            text        NOT NULL,
    outcome          text,
    after_epoch      bigint,
    after_position   bigint,
    through_epoch    bigint,
    through_position bigint,
    wall_from        timestamptz NOT NULL,
    wall_to          timestamptz,
    reconciled       boolean,
    PRIMARY KEY (log, stream, gap)
);

-- What the record says of each stream.
CREATE TABLE streams (
    stream          text PRIMARY KEY,
    live_conn       bigint,
    live_changed_at timestamptz,
    -- Keys last written before this offset may be stale, since that time.
    stale_before    bigint,
    stale_since     timestamptz
);

-- Everything else of the record, in the words of docs/reference/record.md.
CREATE TABLE ledger (
    log         smallint    NOT NULL,
    log_offset  bigint      NOT NULL,
    stream      text        NOT NULL,
    record      text        NOT NULL,
    received_at timestamptz NOT NULL,
    data        json        NOT NULL,
    PRIMARY KEY (log, log_offset)
);

-- Records that the log no longer had when this sink came to them.
CREATE TABLE lapses (
    log         smallint    NOT NULL,
    from_offset bigint      NOT NULL,
    to_offset   bigint      NOT NULL,
    told_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (log, from_offset)
);

-- Records that the tables above refuse, with the reason: CloudEvents, as bytes.
CREATE TABLE dead_letters (
    log        smallint    NOT NULL,
    log_offset bigint      NOT NULL,
    why        text        NOT NULL,
    event      bytea       NOT NULL,
    parked_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (log, log_offset)
);

-- The value of every key that was there at the time as_of, and since when it may have been out of
-- date then: the earliest of all doubts.
CREATE VIEW current_state AS
SELECT state.stream, state.key, state.payload, state.payload_bytes, state.epoch, state.position,
       state.occurred_at, state.received_at, state.log, state.log_offset,
       LEAST(
           CASE WHEN state.log_offset < streams.stale_before THEN streams.stale_since END,
           CASE WHEN streams.live_conn IS NULL
                THEN COALESCE(streams.live_changed_at, state.received_at) END,
           doubts.since,
           state.doubted_since
       ) AS stale_since,
       checkpoint.as_of
FROM state
CROSS JOIN checkpoint
LEFT JOIN streams USING (stream)
LEFT JOIN (
    SELECT gaps.stream, min(gaps.wall_from) AS since
    FROM gaps JOIN checkpoint USING (log) WHERE gaps.outcome IS NULL GROUP BY gaps.stream
) AS doubts USING (stream)
WHERE state.present;
