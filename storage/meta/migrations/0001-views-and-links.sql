-- Places in the dashboard that somebody gave a name.
CREATE TABLE views (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    path TEXT NOT NULL,
    description TEXT NOT NULL,
    created_unix_nano INTEGER NOT NULL,
    updated_unix_nano INTEGER NOT NULL
) STRICT;

-- Short names of places, made from the places themselves.
CREATE TABLE links (
    id TEXT PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,
    created_unix_nano INTEGER NOT NULL
) STRICT;
CREATE INDEX links_by_age ON links (created_unix_nano);
