-- A few facts about the sessions that are kept beside them, such as whose keys
-- they were made with. A name without a row is an empty note.
CREATE TABLE session_notes (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
