-- What nodes promise each other, one row for each. It is replaced several times a
-- second, within its page, and changes no index.
CREATE TABLE {schema}.leases (
    node  bytea NOT NULL PRIMARY KEY,
    value bytea NOT NULL
) WITH (fillfactor = 50);
