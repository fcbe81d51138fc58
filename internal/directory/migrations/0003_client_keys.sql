-- How a client authenticates besides a secret, and limits of its own. Durations
-- are milliseconds, 0 for the server's.
ALTER TABLE directory_clients ADD COLUMN jwks TEXT NOT NULL DEFAULT ''; -- its public keys, in place of a secret
ALTER TABLE directory_clients ADD COLUMN allow_rs256 BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE directory_clients ADD COLUMN access_token_ttl BIGINT NOT NULL DEFAULT 0;
ALTER TABLE directory_clients ADD COLUMN refresh_idle BIGINT NOT NULL DEFAULT 0;
