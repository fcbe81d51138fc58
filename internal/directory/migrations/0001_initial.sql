-- Instants are milliseconds since 1970 in UTC, 0 for never. Digests are
-- SHA-256 in unpadded base64url.

-- name_key is name in lower case. Users are never deleted, so that a name in
-- an old session or log line never comes to mean somebody else.
CREATE TABLE directory_users (
    name_key         TEXT    PRIMARY KEY,
    name             TEXT    NOT NULL,
    admin            BOOLEAN NOT NULL,
    disabled         BOOLEAN NOT NULL,
    initial          BOOLEAN NOT NULL,
    created          BIGINT  NOT NULL,
    hash             TEXT    NOT NULL, -- empty: no password yet
    password_serial  BIGINT  NOT NULL, -- counts the passwords, not the hashes of one
    password_changed BIGINT  NOT NULL,
    last_login       BIGINT  NOT NULL,
    failures         BIGINT  NOT NULL  -- failed logins since the last good one
);

-- One row for each user: a newer secret takes the place of the older.
CREATE TABLE directory_resets (
    name_key TEXT   PRIMARY KEY REFERENCES directory_users (name_key),
    digest   TEXT   NOT NULL UNIQUE,
    expires  BIGINT NOT NULL
);

CREATE TABLE directory_clients (
    id                  TEXT    PRIMARY KEY,
    name                TEXT    NOT NULL,
    public              BOOLEAN NOT NULL,
    digest              TEXT    NOT NULL, -- empty: public
    audiences           TEXT    NOT NULL, -- JSON arrays of strings
    scopes              TEXT    NOT NULL,
    grants              TEXT    NOT NULL,
    may_introspect      BOOLEAN NOT NULL,
    may_follow          BOOLEAN NOT NULL,
    may_create_sessions BOOLEAN NOT NULL,
    may_administer      BOOLEAN NOT NULL,
    created             BIGINT  NOT NULL
);

-- The program's own client, for the built-in login.
INSERT INTO directory_clients
    (id, name, public, digest, audiences, scopes, grants, may_introspect, may_follow, may_create_sessions, may_administer, created)
VALUES
    ('lanyard', 'lanyard', TRUE, '', '[]', '[]', '["refresh_token"]', FALSE, FALSE, FALSE, FALSE, 0);

-- bucket is a digest, so that rows have one size whatever strangers send.
CREATE TABLE directory_throttle (
    bucket   TEXT   PRIMARY KEY,
    failures BIGINT NOT NULL,
    until    BIGINT NOT NULL,
    seen     BIGINT NOT NULL,
    expires  BIGINT NOT NULL
);

CREATE TABLE directory_meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
