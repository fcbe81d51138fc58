-- Whether a client gets tokens only with proof of possession of a key.
ALTER TABLE directory_clients ADD COLUMN dpop_bound BOOLEAN NOT NULL DEFAULT FALSE;
