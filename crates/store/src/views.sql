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

-- Who is where now. What the members of a payload are called differs between vendors: each column
-- takes the first of the usual names that is there, in the payload or in its member "adherence",
-- and is NULL where the payload is not JSON.
--   since: since when the value holds, as the payload says, else the vendor's time of the event.
--   stale_since: the value may be out of date, since then (an outage ended without a snapshot).
--   gap_since: the ledger has an open row of the stream, since then.
--   live: 0 while the stream is not proved complete and current; live_changed_at says since when.
CREATE VIEW adherence_now AS
SELECT v.key AS agent,
       v.stream,
       COALESCE(v.json ->> '$.state', v.json ->> '$.agentState', v.json ->> '$.agentStateName',
                v.json ->> '$.adherenceState') AS state,
       COALESCE(v.json ->> '$.activity', v.json ->> '$.actualActivity') AS activity,
       COALESCE(v.json ->> '$.scheduledActivity', v.json ->> '$.scheduled') AS scheduled_activity,
       COALESCE(v.json ->> '$.inAdherence', v.json ->> '$.adherent') AS in_adherence,
       COALESCE(v.json ->> '$.since', strftime('%Y-%m-%dT%H:%M:%fZ', v.at_us / 1e6, 'unixepoch'))
           AS since,
       strftime('%Y-%m-%dT%H:%M:%fZ', v.stale_since_us / 1e6, 'unixepoch') AS stale_since,
       strftime('%Y-%m-%dT%H:%M:%fZ', v.gap_since_us / 1e6, 'unixepoch') AS gap_since,
       v.live,
       strftime('%Y-%m-%dT%H:%M:%fZ', v.live_changed_at_us / 1e6, 'unixepoch')
           AS live_changed_at,
       v.at_us, v.stale_since_us, v.gap_since_us, v.live_changed_at_us, v.offset, v.value
FROM (
    SELECT k.name AS key, s.name AS stream, a.payload AS value, a.offset,
           CASE WHEN NOT json_valid(a.payload) THEN NULL
                WHEN json_type(a.payload, '$.adherence') = 'object' THEN a.payload -> '$.adherence'
                ELSE a.payload END AS json,
           COALESCE(a.occurred_at, a.received_at) AS at_us,
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
), doubts AS (
    SELECT p.offset, min(g.wall_from) AS gap_from_us,
           CASE WHEN count(*) = count(g.wall_to) THEN max(g.wall_to) END AS gap_to_us
    FROM spans p
    JOIN gaps g ON g.stream = p.stream AND COALESCE(g.outcome, 'open') <> 'repaired'
               AND (p.to_us IS NULL OR g.wall_from < p.to_us)
               AND (g.wall_to IS NULL OR g.wall_to > p.from_us)
    GROUP BY p.offset
), named AS (
    SELECT k.name AS agent, s.name AS stream, p.payload AS value,
           CASE WHEN NOT json_valid(p.payload) THEN NULL
                WHEN json_type(p.payload, '$.adherence') = 'object' THEN p.payload -> '$.adherence'
                ELSE p.payload END AS json,
           p.from_us, p.to_us, d.gap_from_us, d.gap_to_us, p.origin, p.offset
    FROM spans p
    JOIN keys k ON k.id = p.agent
    JOIN streams s ON s.id = p.stream
    LEFT JOIN doubts d ON d.offset = p.offset
    WHERE p.deleted = 0
)
SELECT n.agent, n.stream,
       COALESCE(n.json ->> '$.state', n.json ->> '$.agentState', n.json ->> '$.agentStateName',
                n.json ->> '$.adherenceState') AS state,
       COALESCE(n.json ->> '$.activity', n.json ->> '$.actualActivity') AS activity,
       COALESCE(n.json ->> '$.inAdherence', n.json ->> '$.adherent') AS in_adherence,
       strftime('%Y-%m-%dT%H:%M:%fZ', n.from_us / 1e6, 'unixepoch') AS valid_from,
       strftime('%Y-%m-%dT%H:%M:%fZ', n.to_us / 1e6, 'unixepoch') AS valid_to,
       (n.to_us - n.from_us) / 1e6 AS seconds,
       n.gap_from_us IS NULL AS certain,
       strftime('%Y-%m-%dT%H:%M:%fZ', n.gap_from_us / 1e6, 'unixepoch') AS gap_from,
       strftime('%Y-%m-%dT%H:%M:%fZ', n.gap_to_us / 1e6, 'unixepoch') AS gap_to,
       n.from_us, n.to_us, n.gap_from_us, n.gap_to_us, n.origin, n.offset, n.value
FROM named n;

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
