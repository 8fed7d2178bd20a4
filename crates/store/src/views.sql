-- What an analyst would ask, ready to SELECT from.

-- Current state with names; value is the payload.
CREATE VIEW state AS
SELECT s.name AS stream, k.name AS key, a.payload AS value, a.present, a.offset,
       a.epoch, a.position, a.occurred_at, a.received_at,
       CASE WHEN a.offset < s.stale_before THEN s.stale_since END AS stale_since,
       s.live
FROM agents a
JOIN keys k ON k.id = a.agent
JOIN streams s ON s.id = a.stream;

-- Events with names.
CREATE VIEW event_log AS
SELECT e.offset, s.name AS stream, k.name AS key, e.epoch, e.position, e.ordinal, e.event_id,
       e.kind, e.origin, e.effect, e.deleted, e.occurred_at, e.received_at, e.snapshot, e.payload
FROM events e
JOIN keys k ON k.id = e.agent
JOIN streams s ON s.id = e.stream;

-- Who is where now. Names of JSON members differ between vendors: each column takes the first of
-- the usual ones that is there, and is NULL where the payload is not JSON.
--   stale_since: the value may be out of date, since then (an outage ended without a snapshot).
--   live: 0 while the stream is not proved complete and current; live_changed_at says since when.
--   gap_since: the ledger has an open row of the stream, since then.
CREATE VIEW adherence_now AS
SELECT v.key AS agent,
       v.stream,
       COALESCE(v.json ->> '$.state', v.json ->> '$.agentState', v.json ->> '$.agentStateName',
                v.json ->> '$.adherenceState', v.json ->> '$.activity') AS state,
       COALESCE(v.json ->> '$.scheduledActivity', v.json ->> '$.scheduled',
                v.json ->> '$.schedule.activity') AS scheduled,
       COALESCE(v.json ->> '$.adherence', v.json ->> '$.adherenceStatus',
                v.json ->> '$.inAdherence') AS adherence,
       strftime('%Y-%m-%dT%H:%M:%fZ', v.since_us / 1e6, 'unixepoch') AS since,
       strftime('%Y-%m-%dT%H:%M:%fZ', v.stale_since_us / 1e6, 'unixepoch') AS stale_since,
       strftime('%Y-%m-%dT%H:%M:%fZ', v.gap_since_us / 1e6, 'unixepoch') AS gap_since,
       v.live,
       strftime('%Y-%m-%dT%H:%M:%fZ', v.live_changed_at_us / 1e6, 'unixepoch')
           AS live_changed_at,
       v.since_us, v.stale_since_us, v.gap_since_us, v.live_changed_at_us,
       v.offset, v.value
FROM (
    SELECT k.name AS key, s.name AS stream, a.payload AS value, a.offset,
           CASE WHEN json_valid(a.payload) THEN a.payload END AS json,
           COALESCE(a.occurred_at, a.received_at) AS since_us,
           CASE WHEN a.offset < s.stale_before THEN s.stale_since END AS stale_since_us,
           (SELECT min(g.wall_from) FROM gaps g WHERE g.stream = s.id AND g.outcome IS NULL)
               AS gap_since_us,
           s.live, s.live_changed_at AS live_changed_at_us
    FROM agents a
    JOIN keys k ON k.id = a.agent
    JOIN streams s ON s.id = a.stream
    WHERE a.present = 1
) v;

-- How long each value held. The vendor's time counts (ours where it gives none); ties are broken by
-- position, then offset. valid_to is NULL for the value that still holds.
-- certain = 0: the interval touches a row of the gap ledger whose events were not all recovered, so
-- other values may lie inside it; gap_from and gap_to bound the doubt (gap_to NULL: it goes on).
CREATE VIEW adherence_intervals AS
WITH spans AS (
    SELECT e.offset, e.stream, e.agent, e.payload, e.deleted, e.origin,
           COALESCE(e.occurred_at, e.received_at) AS from_us,
           lead(COALESCE(e.occurred_at, e.received_at)) OVER (
               PARTITION BY e.agent
               ORDER BY COALESCE(e.occurred_at, e.received_at),
                        e.epoch, e.position, e.ordinal, e.offset) AS to_us
    FROM events e
), bounded AS (
    SELECT p.*,
           (SELECT min(g.wall_from) FROM gaps g
            WHERE g.stream = p.stream AND COALESCE(g.outcome, '') <> 'repaired'
              AND (p.to_us IS NULL OR g.wall_from < p.to_us)
              AND (g.wall_to IS NULL OR g.wall_to > p.from_us)) AS gap_from_us,
           (SELECT CASE WHEN count(*) = count(g.wall_to) THEN max(g.wall_to) END FROM gaps g
            WHERE g.stream = p.stream AND COALESCE(g.outcome, '') <> 'repaired'
              AND (p.to_us IS NULL OR g.wall_from < p.to_us)
              AND (g.wall_to IS NULL OR g.wall_to > p.from_us)) AS gap_to_us
    FROM spans p
    WHERE p.deleted = 0
)
SELECT k.name AS agent, s.name AS stream, b.payload AS value,
       CASE WHEN json_valid(b.payload) THEN
           COALESCE(b.payload ->> '$.state', b.payload ->> '$.agentState',
                    b.payload ->> '$.agentStateName', b.payload ->> '$.adherenceState',
                    b.payload ->> '$.activity') END AS state,
       strftime('%Y-%m-%dT%H:%M:%fZ', b.from_us / 1e6, 'unixepoch') AS valid_from,
       strftime('%Y-%m-%dT%H:%M:%fZ', b.to_us / 1e6, 'unixepoch') AS valid_to,
       (b.to_us - b.from_us) / 1e6 AS seconds,
       b.gap_from_us IS NULL AS certain,
       strftime('%Y-%m-%dT%H:%M:%fZ', b.gap_from_us / 1e6, 'unixepoch') AS gap_from,
       strftime('%Y-%m-%dT%H:%M:%fZ', b.gap_to_us / 1e6, 'unixepoch') AS gap_to,
       b.from_us, b.to_us, b.gap_from_us, b.gap_to_us, b.origin, b.offset
FROM bounded b
JOIN keys k ON k.id = b.agent
JOIN streams s ON s.id = b.stream;

-- From the moment a stream stopped being Live until it was Live again. A connection that is closed
-- after another has taken over is no outage. ended_at is NULL while the outage goes on.
CREATE VIEW outages AS
WITH turns AS (
    SELECT c.*,
           max(CASE WHEN c.turn = 'live' THEN c.offset END) OVER (
               PARTITION BY c.stream ORDER BY c.offset ROWS UNBOUNDED PRECEDING) AS live_offset
    FROM connections c
), lost AS (
    SELECT t.stream, t.live_offset, min(t.offset) AS offset
    FROM turns t
    JOIN connections l ON l.offset = t.live_offset
    WHERE t.turn IN ('doubted', 'closed') AND t.conn = l.conn
    GROUP BY t.stream, t.live_offset
), paired AS (
    SELECT o.stream, o.offset,
           (SELECT min(n.offset) FROM connections n
            WHERE n.stream = o.stream AND n.turn = 'live' AND n.offset > o.offset) AS back_offset
    FROM lost o
)
SELECT s.name AS stream, c.conn, c.turn, c.by, c.why AS cause,
       strftime('%Y-%m-%dT%H:%M:%fZ', c.received_at / 1e6, 'unixepoch') AS began_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', b.received_at / 1e6, 'unixepoch') AS ended_at,
       (b.received_at - c.received_at) / 1e6 AS seconds,
       c.received_at AS began_us, b.received_at AS ended_us, p.offset, p.back_offset
FROM paired p
JOIN connections c ON c.offset = p.offset
LEFT JOIN connections b ON b.offset = p.back_offset
JOIN streams s ON s.id = p.stream;
