-- In place of the table `events` of schema.sql: one table for each day (UTC) on which events came,
-- `events_2026_11_27`, made with the first of them. What was dropped is not made again, unless
-- events of that day come again.
DROP TABLE events;
CREATE TABLE events (LIKE staged, PRIMARY KEY (log, log_offset, received_at))
    PARTITION BY RANGE (received_at);
CREATE INDEX events_received_at ON events USING brin (received_at);
