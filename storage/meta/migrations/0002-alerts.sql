-- What people wrote about alerts: rules, objectives, channels, routes, inhibitions, silences. `json` is the whole document, as the API
-- has it, and may hold fields that this version does not know. Channels keep their secrets here.
CREATE TABLE alert_documents (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    origin TEXT NOT NULL,
    -- Order of routes and inhibitions; 0 elsewhere.
    place INTEGER NOT NULL,
    json TEXT NOT NULL,
    created_unix_nano INTEGER NOT NULL,
    updated_unix_nano INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

-- Who has taken an alert on.
CREATE TABLE alert_acknowledgements (
    alert TEXT PRIMARY KEY,
    json TEXT NOT NULL,
    at_unix_nano INTEGER NOT NULL
) STRICT;

-- When somebody last said that all is well.
CREATE TABLE heartbeats (
    name TEXT PRIMARY KEY,
    at_unix_nano INTEGER NOT NULL
) STRICT;

-- What the evaluation knows about each alert, and about each group of alerts that are told together.
CREATE TABLE alert_states (
    alert TEXT PRIMARY KEY,
    rule TEXT NOT NULL,
    json TEXT NOT NULL
) STRICT;
CREATE TABLE alert_groups (
    name TEXT PRIMARY KEY,
    json TEXT NOT NULL
) STRICT;

-- What happened to alerts.
CREATE TABLE alert_events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    alert TEXT NOT NULL,
    rule TEXT NOT NULL,
    at_unix_nano INTEGER NOT NULL,
    recorded_unix_nano INTEGER NOT NULL,
    json TEXT NOT NULL
) STRICT;
CREATE INDEX alert_events_by_time ON alert_events (at_unix_nano);
CREATE INDEX alert_events_by_alert ON alert_events (alert, at_unix_nano);

-- Messages to be delivered, and those that were.
CREATE TABLE alert_outbox (
    id TEXT PRIMARY KEY,
    channel TEXT NOT NULL,
    group_name TEXT NOT NULL,
    json TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    -- Absent when it is not tried again.
    next_unix_nano INTEGER,
    created_unix_nano INTEGER NOT NULL,
    tried_unix_nano INTEGER,
    error TEXT
) STRICT;
CREATE INDEX alert_outbox_due ON alert_outbox (next_unix_nano) WHERE next_unix_nano IS NOT NULL;
CREATE INDEX alert_outbox_by_time ON alert_outbox (created_unix_nano);

-- Of messages that are not kept any more, too.
CREATE TABLE alert_deliveries (
    channel TEXT PRIMARY KEY,
    delivered INTEGER NOT NULL,
    failed INTEGER NOT NULL
) STRICT;

-- What the server remembers for itself.
CREATE TABLE marks (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
