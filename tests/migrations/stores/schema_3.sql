-- A store as Kept wrote it with schema 3.
BEGIN TRANSACTION;
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
INSERT INTO "episode" VALUES(1,'00000000-0000-4000-8000-000000000002',1,NULL,NULL,NULL,'sdk',1767268800000000);
CREATE TABLE graph_alias (
    owner     INTEGER NOT NULL REFERENCES partition (id),
    alias_key TEXT NOT NULL,
    into_key  TEXT NOT NULL,
    PRIMARY KEY (owner, alias_key)
) STRICT, WITHOUT ROWID;
CREATE TABLE graph_cursor (
    owner     INTEGER PRIMARY KEY REFERENCES partition (id),
    projected INTEGER NOT NULL
) STRICT;
INSERT INTO "graph_cursor" VALUES(1,2);
CREATE TABLE graph_entity (
    entity     INTEGER PRIMARY KEY,
    owner      INTEGER NOT NULL REFERENCES partition (id),
    entity_key TEXT NOT NULL,
    node       TEXT NOT NULL
) STRICT;
CREATE TABLE graph_mention (
    mentioned_by INTEGER NOT NULL REFERENCES memory (key),
    entity       INTEGER NOT NULL REFERENCES graph_entity (entity),
    entity_name  TEXT NOT NULL,
    entity_kind  TEXT NOT NULL,
    PRIMARY KEY (mentioned_by, entity)
) STRICT, WITHOUT ROWID;
CREATE TABLE graph_relation (
    stated_by    INTEGER NOT NULL REFERENCES memory (key),
    source       INTEGER NOT NULL REFERENCES graph_entity (entity),
    relationship TEXT NOT NULL,
    target       INTEGER NOT NULL REFERENCES graph_entity (entity),
    PRIMARY KEY (stated_by, source, relationship, target)
) STRICT, WITHOUT ROWID;
CREATE TABLE index_entry (
    key       INTEGER PRIMARY KEY REFERENCES memory (key),
    identity  INTEGER NOT NULL REFERENCES index_identity (id),
    flags     INTEGER NOT NULL,
    entities  BLOB NOT NULL,
    terms     BLOB NOT NULL,
    embedding BLOB NOT NULL
, dates BLOB) STRICT;
INSERT INTO "index_entry" VALUES(1,1,22,X'D562E177',X'D562E17764BA24F9',X'D562E17764BA24F98E46F666B1DD99A9',NULL);
INSERT INTO "index_entry" VALUES(3,1,18,X'644D2F5A',X'644D2F5AC43709AD',X'644D2F5AC43709AD53C04D47A59A3EDE',NULL);
INSERT INTO "index_entry" VALUES(4,1,18,X'025EBA99',X'025EBA997CA295A1',X'025EBA997CA295A1678A25D8C9E1C897',NULL);
INSERT INTO "index_entry" VALUES(6,1,10,X'2CA4E636',X'2CA4E63651F5E4C7',X'2CA4E63651F5E4C7EB86FD53AA02B4CC',NULL);
CREATE TABLE index_identity (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;
INSERT INTO "index_identity" VALUES(1,'fake:32:l2');
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
INSERT INTO "job" VALUES(1,'job-1','default','ADD','PENDING','alice',NULL,NULL,NULL,NULL,NULL,'rest',NULL,0,1767268801000000,NULL,NULL,1767268801000000,1767268801000000,NULL,NULL,NULL,'{}','[]',NULL);
CREATE TABLE job_memory (
    memory_id TEXT NOT NULL,
    job       INTEGER NOT NULL REFERENCES job (key),
    PRIMARY KEY (memory_id, job)
) STRICT, WITHOUT ROWID;
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
, type TEXT, confidence REAL, positions TEXT) STRICT;
INSERT INTO "memory" VALUES(1,'00000000-0000-4000-8000-000000000003',2,1,'default','alice',NULL,NULL,NULL,'active','statement',NULL,NULL,'sdk',1767268800000000,1767268801000000,1767268800000000,NULL,NULL,NULL,NULL,NULL,'00000000-0000-4000-8000-000000000002',0,0,0,NULL,'fb23c9a2e1dd2b75b2b301b6f0bd4fe0','4ff8af780da32713a82f685a49242014',NULL,NULL,NULL,'{"n": 1}','Alice likes green tea.',NULL,NULL,NULL);
INSERT INTO "memory" VALUES(3,'00000000-0000-4000-8000-000000000006',5,2,'default','bob',NULL,NULL,NULL,'superseded','statement',NULL,NULL,'sdk',1767268802000000,1767268803000000,1767268802000000,NULL,1767268803000000,NULL,'00000000-0000-4000-8000-000000000008',NULL,NULL,NULL,0,0,NULL,'a11a456c08b3797abd815be71af53d67',NULL,NULL,NULL,NULL,NULL,'Bob lives in Rome.',NULL,NULL,NULL);
INSERT INTO "memory" VALUES(4,'00000000-0000-4000-8000-000000000008',4,2,'default','bob',NULL,NULL,NULL,'active','statement',NULL,NULL,'sdk',1767268803000000,1767268803000000,1767268803000000,NULL,NULL,NULL,NULL,'["00000000-0000-4000-8000-000000000006"]',NULL,NULL,0,0,NULL,'21c8219b1f054101368295cc8602968b','6bdad4c62d65fbfb7f960b48fe9270de',NULL,NULL,NULL,NULL,'Bob lives in Oslo.',NULL,NULL,NULL);
INSERT INTO "memory" VALUES(6,'00000000-0000-4000-8000-00000000000a',7,3,'other','alice',NULL,NULL,NULL,'deleted','statement',NULL,NULL,'sdk',1767268804000000,1767268805000000,1767268804000000,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,0,NULL,'8cde6adbcf91ea50b870282e6fca6071',NULL,NULL,NULL,NULL,NULL,'Elsewhere.',NULL,NULL,NULL);
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
INSERT INTO "message" VALUES(1,0,1,NULL,'user',NULL,NULL,'Alice likes tea.');
CREATE TABLE model_call (
    key              INTEGER PRIMARY KEY AUTOINCREMENT,
    id               TEXT NOT NULL UNIQUE,
    at               INTEGER NOT NULL,
    project          TEXT NOT NULL,
    task             TEXT NOT NULL,
    model            TEXT NOT NULL,
    job_id           TEXT,
    digest           TEXT,
    reserved_input   INTEGER NOT NULL,
    reserved_output  INTEGER NOT NULL,
    reserved_micros  INTEGER,
    input_tokens     INTEGER,
    output_tokens    INTEGER,
    cached_tokens    INTEGER,
    micros           INTEGER,
    outcome          TEXT NOT NULL
) STRICT;
INSERT INTO "model_call" VALUES(1,'call-1',1767268801000000,'default','extraction','scripted:model',NULL,NULL,80,20,100,40,10,5,50,'answered');
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
INSERT INTO "operation" VALUES(1,'00000000-0000-4000-8000-000000000001','default','add','alice','sdk',1767268800000000,NULL,NULL);
INSERT INTO "operation" VALUES(2,'00000000-0000-4000-8000-000000000004','default','update','alice','sdk',1767268801000000,NULL,NULL);
INSERT INTO "operation" VALUES(3,'00000000-0000-4000-8000-000000000005','default','add','alice','sdk',1767268802000000,NULL,NULL);
INSERT INTO "operation" VALUES(4,'00000000-0000-4000-8000-000000000007','default','add','alice','sdk',1767268803000000,NULL,NULL);
INSERT INTO "operation" VALUES(5,'00000000-0000-4000-8000-000000000009','other','add','alice','sdk',1767268804000000,NULL,NULL);
INSERT INTO "operation" VALUES(6,'00000000-0000-4000-8000-00000000000b','other','delete','alice','sdk',1767268805000000,NULL,NULL);
CREATE TABLE partition (
    id      INTEGER PRIMARY KEY,
    project TEXT NOT NULL,
    user_id TEXT
) STRICT;
INSERT INTO "partition" VALUES(1,'default','alice');
INSERT INTO "partition" VALUES(2,'default','bob');
INSERT INTO "partition" VALUES(3,'other','alice');
CREATE TABLE registry (
    kind       TEXT NOT NULL,
    id         TEXT NOT NULL,
    owner      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    data       TEXT NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
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
INSERT INTO "revision" VALUES(1,1,'default','00000000-0000-4000-8000-000000000003','add',1767268800000000,'b2:c9937eb5db22bce2849d708925ce22c6','{"connector":"sdk","created_at":1767268800000000,"episode_id":"00000000-0000-4000-8000-000000000002","hash":"454617b0e1445d2be014783a8e9165ed","immutable":false,"kind":"statement","position":0,"project":"default","recorded_at":1767268800000000,"reinforced":0,"state":"active","text":"Alice likes tea.","updated_at":1767268800000000,"user_id":"alice"}');
INSERT INTO "revision" VALUES(2,2,'default','00000000-0000-4000-8000-000000000003','update',1767268801000000,'b2:3f95a4d712c61b99590434ac983a29da','{"hash":"fb23c9a2e1dd2b75b2b301b6f0bd4fe0","metadata":{"n":1},"text":"Alice likes green tea.","updated_at":1767268801000000}');
INSERT INTO "revision" VALUES(3,3,'default','00000000-0000-4000-8000-000000000006','add',1767268802000000,'b2:6ca839c0953143b514cc110f4acbadef','{"connector":"sdk","created_at":1767268802000000,"hash":"a11a456c08b3797abd815be71af53d67","immutable":false,"kind":"statement","project":"default","recorded_at":1767268802000000,"reinforced":0,"state":"active","text":"Bob lives in Rome.","updated_at":1767268802000000,"user_id":"bob"}');
INSERT INTO "revision" VALUES(4,4,'default','00000000-0000-4000-8000-000000000008','add',1767268803000000,'b2:3de8762a2cd2fba317c24227c19f0c19','{"connector":"sdk","created_at":1767268803000000,"hash":"21c8219b1f054101368295cc8602968b","immutable":false,"kind":"statement","project":"default","recorded_at":1767268803000000,"reinforced":0,"state":"active","supersedes":["00000000-0000-4000-8000-000000000006"],"text":"Bob lives in Oslo.","updated_at":1767268803000000,"user_id":"bob"}');
INSERT INTO "revision" VALUES(5,4,'default','00000000-0000-4000-8000-000000000006','supersede',1767268803000000,'b2:a08d2d8d1ff685819e8aaf8d3bd62c1e','{"state":"superseded","superseded_by":"00000000-0000-4000-8000-000000000008","updated_at":1767268803000000,"valid_to":1767268803000000}');
INSERT INTO "revision" VALUES(6,5,'other','00000000-0000-4000-8000-00000000000a','add',1767268804000000,'b2:bccbb82d378f78c49408375f7381d022','{"connector":"sdk","created_at":1767268804000000,"hash":"8cde6adbcf91ea50b870282e6fca6071","immutable":false,"kind":"statement","project":"other","recorded_at":1767268804000000,"reinforced":0,"state":"active","text":"Elsewhere.","updated_at":1767268804000000,"user_id":"alice"}');
INSERT INTO "revision" VALUES(7,6,'other','00000000-0000-4000-8000-00000000000a','delete',1767268805000000,'b2:db73078437ca688a745714992ac6dd88','{"state":"deleted","updated_at":1767268805000000}');
CREATE TABLE upkeep (
    name TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX partition_by_owner ON partition (project, coalesce(user_id, ''));
CREATE UNIQUE INDEX operation_by_idempotency_key ON operation (project, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE INDEX operation_by_project ON operation (project, key);
CREATE INDEX operation_undone ON operation (undoes) WHERE undoes IS NOT NULL;
CREATE INDEX revision_by_memory ON revision (memory_id, seq);
CREATE INDEX revision_by_operation ON revision (operation, seq);
CREATE INDEX message_by_source ON message (partition, source_id) WHERE source_id IS NOT NULL;
CREATE UNIQUE INDEX memory_by_id ON memory (id, project);
CREATE INDEX memory_by_change ON memory (partition, seq);
CREATE INDEX memory_by_time ON memory (partition, created_at, key);
CREATE INDEX memory_by_repeat ON memory (repeat_key) WHERE repeat_key IS NOT NULL;
CREATE INDEX registry_by_owner ON registry (kind, owner, created_at);
CREATE UNIQUE INDEX job_by_idempotency_key ON job (project, kind, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX job_by_project ON job (project, key);
CREATE INDEX job_open ON job (project, key) WHERE due IS NOT NULL;
CREATE INDEX job_due ON job (kind, run_after) WHERE due IS NOT NULL AND subject IS NULL;
CREATE INDEX job_due_on ON job (kind, subject, run_after) WHERE due IS NOT NULL AND subject IS NOT NULL;
CREATE INDEX job_running_on ON job (subject) WHERE status = 'RUNNING' AND subject IS NOT NULL;
CREATE INDEX job_done ON job (completed_at) WHERE completed_at IS NOT NULL;
CREATE INDEX job_memory_by_job ON job_memory (job);
CREATE INDEX audit_by_project ON audit (project, key);
CREATE INDEX audit_by_time ON audit (at);
CREATE INDEX memory_by_episode ON memory (episode_id) WHERE episode_id IS NOT NULL;
CREATE INDEX model_call_by_time ON model_call (at);
CREATE INDEX model_call_by_project ON model_call (project, at);
CREATE INDEX model_call_by_job ON model_call (job_id, project) WHERE job_id IS NOT NULL;
CREATE INDEX model_call_by_digest ON model_call (project, digest) WHERE digest IS NOT NULL;
CREATE UNIQUE INDEX graph_entity_by_key ON graph_entity (owner, entity_key);
CREATE INDEX graph_entity_by_node ON graph_entity (owner, node);
CREATE INDEX graph_mention_by_entity ON graph_mention (entity);
CREATE INDEX graph_relation_by_source ON graph_relation (source);
CREATE INDEX graph_relation_by_target ON graph_relation (target);
CREATE VIEW graph_merge AS
SELECT e.entity, e.owner, e.entity_key, a.into_key
FROM graph_entity AS e JOIN graph_alias AS a ON a.owner = e.owner AND a.alias_key = e.entity_key
WHERE EXISTS (SELECT 1 FROM graph_entity AS t WHERE t.owner = a.owner AND t.entity_key = a.into_key);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('operation',6);
INSERT INTO "sqlite_sequence" VALUES('revision',7);
INSERT INTO "sqlite_sequence" VALUES('job',1);
INSERT INTO "sqlite_sequence" VALUES('model_call',1);
COMMIT;
PRAGMA user_version = 3;
PRAGMA application_id = 1262833748;
