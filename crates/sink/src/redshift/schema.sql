-- The record in Amazon Redshift. One schema belongs to one sink; add views and columns (that may be
-- null or have a default) as you like.
--
-- An event is named by (log, log_offset): log is a number for a log of Unbroken (see logs), and
-- log_offset the place in it. Positions, snapshots, gaps and connections of the vendor are unsigned
-- 64-bit numbers in signed ones: above 2^63 - 1 they show as negative, without loss. A payload is
-- in payload where it is JSON, exactly as the vendor wrote it, else in payload_bytes. One that is
-- too large for a column is in the object that kept_at names, with the rest of its record. Primary
-- keys are true, and told to the planner: nobody enforces them.

-- Held by whoever commits, and read by nobody: who reads the other tables never waits for it.
CREATE TABLE commit_lock (
    nothing smallint
) DISTSTYLE ALL;

-- How far the sink is, and which instance has it. Committed with the data.
CREATE TABLE checkpoint (
    schema_version integer      NOT NULL,
    sink           varchar(64)  NOT NULL,
    -- The folder of its objects, below the prefix in the store.
    folder         varchar(64)  NOT NULL,
    fence          bigint       NOT NULL,
    checkpoint     varchar(256),
    log            smallint,
    -- The state of this schema is what was known then.
    as_of          timestamptz
) DISTSTYLE ALL;

-- The logs that this schema was fed from; one that was adopted begins a new row.
CREATE TABLE logs (
    log      smallint    NOT NULL,
    journal  varchar(64) NOT NULL,
    began_at timestamptz NOT NULL,
    PRIMARY KEY (log)
) DISTSTYLE ALL;

-- Every change of the record, and the items of every published snapshot. What is asked of one key
-- is answered on one slice; what is asked of a time reads the blocks of that time.
CREATE TABLE events (
    log           smallint     NOT NULL,
    log_offset    bigint       NOT NULL,
    stream        varchar(256) NOT NULL,
    key           varchar(512) NOT NULL,
    epoch         bigint,
    position      bigint,
    ordinal       integer      NOT NULL,
    event_id      varchar(512),
    kind          varchar(256),
    origin        varchar(32)  NOT NULL,
    effect        varchar(32)  NOT NULL,
    deleted       boolean      NOT NULL,
    occurred_at   timestamptz,
    received_at   timestamptz  NOT NULL,
    -- The snapshot that it was an item of.
    snapshot_id   bigint,
    payload       varchar(65535),
    payload_bytes varbyte(65535),
    kept_at       varchar(1024),
    PRIMARY KEY (log, log_offset)
) DISTSTYLE KEY DISTKEY (key) COMPOUND SORTKEY (received_at);

-- Items of snapshots that are not whole yet; published or dropped as a whole.
CREATE TABLE staged (
    log           smallint     NOT NULL,
    log_offset    bigint       NOT NULL,
    stream        varchar(256) NOT NULL,
    key           varchar(512) NOT NULL,
    epoch         bigint,
    position      bigint,
    ordinal       integer      NOT NULL,
    event_id      varchar(512),
    kind          varchar(256),
    origin        varchar(32)  NOT NULL,
    effect        varchar(32)  NOT NULL,
    deleted       boolean      NOT NULL,
    occurred_at   timestamptz,
    received_at   timestamptz  NOT NULL,
    snapshot_id   bigint,
    payload       varchar(65535),
    payload_bytes varbyte(65535),
    kept_at       varchar(1024),
    PRIMARY KEY (log, log_offset)
) DISTSTYLE KEY DISTKEY (key) COMPOUND SORTKEY (log_offset);

-- The last write of each key; one that was deleted stays (present = false) until nothing older of
-- it can come.
CREATE TABLE state (
    stream        varchar(256) NOT NULL,
    key           varchar(512) NOT NULL,
    log           smallint     NOT NULL,
    log_offset    bigint       NOT NULL,
    epoch         bigint,
    position      bigint,
    present       boolean      NOT NULL,
    occurred_at   timestamptz,
    received_at   timestamptz  NOT NULL,
    payload       varchar(65535),
    payload_bytes varbyte(65535),
    kept_at       varchar(1024),
    -- A later write of the key is among the dead letters: since then this value is in doubt.
    doubted_since timestamptz,
    PRIMARY KEY (stream, key)
) DISTSTYLE KEY DISTKEY (key) COMPOUND SORTKEY (stream, key);

-- The gap ledger. outcome is null while a row is open; the last close of a row wins.
CREATE TABLE gaps (
    log              smallint     NOT NULL,
    stream           varchar(256) NOT NULL,
    gap              bigint       NOT NULL,
    cause            varchar(64)  NOT NULL,
    outcome          varchar(64),
    after_epoch      bigint,
    after_position   bigint,
    through_epoch    bigint,
    through_position bigint,
    wall_from        timestamptz  NOT NULL,
    wall_to          timestamptz,
    reconciled       boolean,
    PRIMARY KEY (log, stream, gap)
) DISTSTYLE ALL COMPOUND SORTKEY (wall_from);

-- What the record says of each stream.
CREATE TABLE streams (
    stream          varchar(256) NOT NULL,
    live_conn       bigint,
    live_changed_at timestamptz,
    -- Keys last written before this offset may be stale, since that time.
    stale_before    bigint,
    stale_since     timestamptz,
    PRIMARY KEY (stream)
) DISTSTYLE ALL;

-- Everything else of the record, in the words of docs/reference/record.md.
CREATE TABLE ledger (
    log         smallint     NOT NULL,
    log_offset  bigint       NOT NULL,
    stream      varchar(256) NOT NULL,
    record      varchar(32)  NOT NULL,
    received_at timestamptz  NOT NULL,
    data        varchar(65535),
    kept_at     varchar(1024),
    PRIMARY KEY (log, log_offset)
) DISTSTYLE EVEN COMPOUND SORTKEY (received_at);

-- Records that the log no longer had when this sink came to them.
CREATE TABLE lapses (
    log         smallint    NOT NULL,
    from_offset bigint      NOT NULL,
    to_offset   bigint      NOT NULL,
    told_at     timestamptz NOT NULL,
    PRIMARY KEY (log, from_offset)
) DISTSTYLE ALL;

-- Records that the tables above have no place for, with the reason: CloudEvents, in the objects
-- that kept_at names.
CREATE TABLE dead_letters (
    log        smallint      NOT NULL,
    log_offset bigint        NOT NULL,
    why        varchar(1024) NOT NULL,
    kept_at    varchar(1024) NOT NULL,
    parked_at  timestamptz   NOT NULL,
    PRIMARY KEY (log, log_offset)
) DISTSTYLE ALL;

-- The value of every key that was there at the time as_of, and since when it may have been out of
-- date then: the earliest of all doubts. LEAST is given no nulls: what it makes of them differs
-- from one database to the next.
CREATE VIEW current_state AS
SELECT state.stream, state.key, state.payload, state.payload_bytes, state.kept_at, state.epoch,
       state.position, state.occurred_at, state.received_at, state.log, state.log_offset,
       NULLIF(LEAST(
           CASE WHEN state.log_offset < streams.stale_before
                THEN COALESCE(streams.stale_since, never.comes) ELSE never.comes END,
           CASE WHEN streams.live_conn IS NULL
                THEN COALESCE(streams.live_changed_at, state.received_at)
                ELSE never.comes END,
           COALESCE(doubts.since, never.comes),
           COALESCE(state.doubted_since, never.comes)
       ), never.comes) AS stale_since,
       checkpoint.as_of
FROM state
CROSS JOIN checkpoint
CROSS JOIN (SELECT CAST('9999-12-31 23:59:59.999999+00' AS timestamptz) AS comes) AS never
LEFT JOIN streams ON streams.stream = state.stream
LEFT JOIN (
    SELECT gaps.stream, MIN(gaps.wall_from) AS since
    FROM gaps JOIN checkpoint ON checkpoint.log = gaps.log
    WHERE gaps.outcome IS NULL GROUP BY gaps.stream
) AS doubts ON doubts.stream = state.stream
WHERE state.present;
