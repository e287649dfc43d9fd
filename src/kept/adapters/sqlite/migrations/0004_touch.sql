-- When searches found memories, in projects whose memories decay: how often, and when the last time.
CREATE TABLE touch (
    project   TEXT NOT NULL,
    memory_id TEXT NOT NULL,
    at        INTEGER NOT NULL,
    touches   INTEGER NOT NULL,
    PRIMARY KEY (project, memory_id)
) STRICT, WITHOUT ROWID;
