-- What nodes promise each other, one row for each; see lanyard.Leaser.
CREATE TABLE session_leases (
    node  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One row. Tells these data from others that are put in their place. A copy has
-- the same.
CREATE TABLE session_identity (
    id       INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    identity TEXT    NOT NULL
) STRICT;

INSERT INTO session_identity (id, identity) VALUES (1, lower(hex(randomblob(16))));
