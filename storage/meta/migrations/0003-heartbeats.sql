-- Every heartbeat of the last ninety days, one a second at most, so that rules about them can be replayed; of each name at
-- least the last.
CREATE TABLE beats (
    name TEXT NOT NULL,
    second INTEGER NOT NULL,
    at_unix_nano INTEGER NOT NULL,
    PRIMARY KEY (name, second)
) STRICT, WITHOUT ROWID;
INSERT INTO beats SELECT name, at_unix_nano / 1000000000, at_unix_nano FROM heartbeats;
DROP TABLE heartbeats;
