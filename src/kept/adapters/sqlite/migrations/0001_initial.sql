-- Words: see docs/reference/glossary.md. Times are whole microseconds since 1970 UTC.

-- The unit that is loaded and searched together: one project's memories of one user, or of none.
CREATE TABLE partition (
    id      INTEGER PRIMARY KEY,
    project TEXT NOT NULL,
    user_id TEXT
) STRICT;
CREATE UNIQUE INDEX partition_by_owner ON partition (project, coalesce(user_id, ''));

-- One writing call.
CREATE TABLE operation (
    key             INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT NOT NULL UNIQUE,
    project         TEXT NOT NULL,
    kind            TEXT NOT NULL,
    actor           TEXT,
    connector       TEXT NOT NULL,
    recorded_at     INTEGER NOT NULL,
    idempotency_key TEXT,
    undoes          TEXT
) STRICT;
CREATE UNIQUE INDEX operation_by_idempotency_key ON operation (project, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE INDEX operation_by_project ON operation (project, key);
CREATE INDEX operation_undone ON operation (undoes) WHERE undoes IS NOT NULL;

-- The log. Rows are never removed; an erase blanks `changes` and renews `checksum`.
CREATE TABLE revision (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    operation   INTEGER NOT NULL REFERENCES operation (key),
    project     TEXT NOT NULL,
    memory_id   TEXT NOT NULL,
    op          TEXT NOT NULL,
    recorded_at INTEGER NOT NULL,
    checksum    TEXT NOT NULL,
    changes     TEXT NOT NULL
) STRICT;
CREATE INDEX revision_by_memory ON revision (memory_id, seq);
CREATE INDEX revision_by_operation ON revision (operation, seq);

-- The source: messages as received, secrets redacted.
CREATE TABLE episode (
    key         INTEGER PRIMARY KEY,
    id          TEXT NOT NULL UNIQUE,
    partition   INTEGER NOT NULL REFERENCES partition (id),
    agent_id    TEXT,
    app_id      TEXT,
    run_id      TEXT,
    connector   TEXT NOT NULL,
    recorded_at INTEGER NOT NULL
) STRICT;
CREATE TABLE message (
    episode   INTEGER NOT NULL REFERENCES episode (key),
    position  INTEGER NOT NULL,
    partition INTEGER NOT NULL REFERENCES partition (id),
    source_id TEXT,
    role      TEXT NOT NULL,
    name      TEXT,
    at        INTEGER,
    content   TEXT NOT NULL,
    PRIMARY KEY (episode, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX message_by_source ON message (partition, source_id) WHERE source_id IS NOT NULL;

-- Current state: the fold of the log, changed in the same transaction.
CREATE TABLE memory (
    key           INTEGER PRIMARY KEY,
    id            TEXT NOT NULL,
    seq           INTEGER NOT NULL,
    partition     INTEGER NOT NULL REFERENCES partition (id),
    project       TEXT NOT NULL,
    user_id       TEXT,
    agent_id      TEXT,
    app_id        TEXT,
    run_id        TEXT,
    state         TEXT NOT NULL,
    kind          TEXT NOT NULL,
    speaker       TEXT,
    role          TEXT,
    connector     TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    recorded_at   INTEGER NOT NULL,
    valid_from    INTEGER,
    valid_to      INTEGER,
    expires_on    TEXT,
    superseded_by TEXT,
    supersedes    TEXT,
    episode_id    TEXT,
    position      INTEGER,
    reinforced    INTEGER NOT NULL,
    immutable     INTEGER NOT NULL,
    feedback      TEXT,
    hash          TEXT NOT NULL,
    repeat_key    TEXT,
    categories    TEXT,
    entities      TEXT,
    relations     TEXT,
    metadata      TEXT,
    text          TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX memory_by_id ON memory (id, project);
CREATE INDEX memory_by_change ON memory (partition, seq);
CREATE INDEX memory_by_time ON memory (partition, created_at, key);
CREATE INDEX memory_by_repeat ON memory (repeat_key) WHERE repeat_key IS NOT NULL;

-- Work on the file that an interrupted process left behind: 'scrub' until the bytes of an erase are gone.
CREATE TABLE upkeep (
    name TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- The embedded index: one compact row beside each memory; the rest is in the resident partition.
CREATE TABLE index_identity (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE index_entry (
    key       INTEGER PRIMARY KEY REFERENCES memory (key),
    identity  INTEGER NOT NULL REFERENCES index_identity (id),
    flags     INTEGER NOT NULL,
    entities  BLOB NOT NULL,
    terms     BLOB NOT NULL,
    embedding BLOB NOT NULL
) STRICT;
