-- Signing keys, one set for each purpose. A writer changes the revision of a
-- set that is still at the one it has read.
CREATE TABLE directory_keysets (
    purpose  TEXT   PRIMARY KEY,
    revision BIGINT NOT NULL
);

CREATE TABLE directory_keys (
    purpose   TEXT   NOT NULL REFERENCES directory_keysets (purpose),
    kid       TEXT   NOT NULL,
    place     BIGINT NOT NULL, -- in the set, the oldest first
    algorithm TEXT   NOT NULL,
    created   BIGINT NOT NULL,
    signs     BIGINT NOT NULL,
    retires   BIGINT NOT NULL,
    withdrawn BIGINT NOT NULL,
    secret    BIGINT NOT NULL, -- id of the server secret that sealed opens with
    sealed    TEXT   NOT NULL, -- private key in base64; empty once withdrawn
    PRIMARY KEY (purpose, kid)
);
