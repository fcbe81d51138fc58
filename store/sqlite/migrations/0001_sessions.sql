-- One row per session record. The body is the stored form of the record; the
-- columns beside it are what the indexes and the atomic steps need. The key is
-- time-ordered and the rows live in the key's own tree, so that new sessions
-- are appended to a few pages instead of being spread over all of them.
CREATE TABLE sessions (
    sid      BLOB    NOT NULL PRIMARY KEY,
    version  INTEGER NOT NULL,
    subject  TEXT    NOT NULL, -- empty: nobody signed in
    epoch    INTEGER NOT NULL, -- global epoch at creation
    deadline INTEGER NOT NULL, -- the earlier of the idle and the absolute limit
    ended_at INTEGER,          -- NULL while the record has not ended
    origin   BLOB,             -- nearest record still kept from which this one was handed off
    body     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_subject ON sessions (subject, sid, ended_at) WHERE subject <> '';
CREATE INDEX sessions_deadline ON sessions (deadline) WHERE ended_at IS NULL;
CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX sessions_origin ON sessions (origin) WHERE origin IS NOT NULL;

CREATE TABLE session_epochs (
    subject TEXT    NOT NULL PRIMARY KEY,
    epoch   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The revocation feed. The global epoch leads the key: a restored backup is put
-- above every epoch ever used, so its new entries come after every cursor that
-- was handed out before the restore.
CREATE TABLE session_feed (
    epoch      INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    kind       INTEGER NOT NULL,
    sid        BLOB    NOT NULL,
    generation INTEGER NOT NULL,
    subject    TEXT    NOT NULL,
    below      INTEGER NOT NULL, -- the epoch below which everything is dead
    key        TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    until_at   INTEGER NOT NULL,
    PRIMARY KEY (epoch, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX session_feed_until ON session_feed (until_at);

CREATE TABLE session_once (
    key      TEXT    NOT NULL PRIMARY KEY,
    until_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX session_once_until ON session_once (until_at);

-- One row. The number of the newest feed entry is kept here and not taken from
-- the feed, so that it never goes back when old entries are removed.
CREATE TABLE session_meta (
    id           INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    schema       INTEGER NOT NULL,
    global_epoch INTEGER NOT NULL,
    feed_seq     INTEGER NOT NULL,
    sweep        BLOB -- records behind this key may still be fenced; NULL: none are
) STRICT;

INSERT INTO session_meta (id, schema, global_epoch, feed_seq) VALUES (1, 1, 0, 0);
