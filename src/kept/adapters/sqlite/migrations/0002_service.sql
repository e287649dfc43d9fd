-- What a service of many needs: what is configured, work that was acknowledged, and who did what.

-- Organisations, projects, members, keys, webhooks, rules, links, …: small, of plain JSON.
CREATE TABLE registry (
    kind       TEXT NOT NULL,
    id         TEXT NOT NULL,
    owner      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    data       TEXT NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX registry_by_owner ON registry (kind, owner, created_at);

-- Work that was acknowledged and is done afterwards: adds, deletions, exports, profiles, deliveries.
-- `due` is since when a worker may begin it: a waiting one's time, or the end of a lease that ran out.
CREATE TABLE job (
    key             INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT NOT NULL UNIQUE,
    project         TEXT NOT NULL,
    kind            TEXT NOT NULL,
    status          TEXT NOT NULL,
    user_id         TEXT,
    agent_id        TEXT,
    app_id          TEXT,
    run_id          TEXT,
    subject         TEXT,
    actor           TEXT,
    connector       TEXT NOT NULL,
    idempotency_key TEXT,
    attempts        INTEGER NOT NULL,
    run_after       INTEGER NOT NULL,
    lease           TEXT,
    lease_until     INTEGER,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    started_at      INTEGER,
    completed_at    INTEGER,
    error           TEXT,
    payload         TEXT NOT NULL,
    results         TEXT NOT NULL,
    content         TEXT,
    due             INTEGER AS (
        CASE status WHEN 'PENDING' THEN run_after WHEN 'RUNNING' THEN coalesce(lease_until, run_after) END
    ) VIRTUAL
) STRICT;
CREATE UNIQUE INDEX job_by_idempotency_key ON job (project, kind, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX job_by_project ON job (project, key);
CREATE INDEX job_open ON job (project, key) WHERE due IS NOT NULL;
CREATE INDEX job_due ON job (kind, run_after) WHERE due IS NOT NULL AND subject IS NULL;
CREATE INDEX job_due_on ON job (kind, subject, run_after) WHERE due IS NOT NULL AND subject IS NOT NULL;
CREATE INDEX job_running_on ON job (subject) WHERE status = 'RUNNING' AND subject IS NOT NULL;
CREATE INDEX job_done ON job (completed_at) WHERE completed_at IS NOT NULL;

-- Whose text stands in a job: erasing the memory blanks the job.
CREATE TABLE job_memory (
    memory_id TEXT NOT NULL,
    job       INTEGER NOT NULL REFERENCES job (key),
    PRIMARY KEY (memory_id, job)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_memory_by_job ON job_memory (job);

-- Who read or changed what, when, with which key.
CREATE TABLE audit (
    key        INTEGER PRIMARY KEY AUTOINCREMENT,
    at         INTEGER NOT NULL,
    project    TEXT NOT NULL,
    actor      TEXT NOT NULL,
    key_id     TEXT,
    connector  TEXT NOT NULL,
    action     TEXT NOT NULL,
    target     TEXT NOT NULL,
    outcome    TEXT NOT NULL,
    count      INTEGER NOT NULL,
    request_id TEXT
) STRICT;
CREATE INDEX audit_by_project ON audit (project, key);
CREATE INDEX audit_by_time ON audit (at);
