-- What a language model or a caller says of a fact, the days a text speaks of, and what models cost.

-- Facts: what sort, how sure, and all the messages they came from.
ALTER TABLE memory ADD COLUMN type TEXT;
ALTER TABLE memory ADD COLUMN confidence REAL;
ALTER TABLE memory ADD COLUMN positions TEXT;
-- Which memories were made of an episode's messages.
CREATE INDEX memory_by_episode ON memory (episode_id) WHERE episode_id IS NOT NULL;

-- Days that the text speaks of: pairs of first and last proleptic day number, int32 little-endian.
ALTER TABLE index_entry ADD COLUMN dates BLOB;

-- Calls of language models. Money is in micro-dollars; `digest` tells what was asked without holding it.
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
CREATE INDEX model_call_by_time ON model_call (at);
CREATE INDEX model_call_by_project ON model_call (project, at);
CREATE INDEX model_call_by_job ON model_call (job_id, project) WHERE job_id IS NOT NULL;
CREATE INDEX model_call_by_digest ON model_call (project, digest) WHERE digest IS NOT NULL;

-- The graph: which entities a memory mentions and which relations it states, as far as `graph_cursor` says. Names of columns
-- are none of `memory`, so that a condition on memories needs no qualifiers beside them.
CREATE TABLE graph_cursor (
    owner     INTEGER PRIMARY KEY REFERENCES partition (id),
    projected INTEGER NOT NULL
) STRICT;
-- `node` is the key of what it was merged into, else its own.
CREATE TABLE graph_entity (
    entity     INTEGER PRIMARY KEY,
    owner      INTEGER NOT NULL REFERENCES partition (id),
    entity_key TEXT NOT NULL,
    node       TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX graph_entity_by_key ON graph_entity (owner, entity_key);
CREATE INDEX graph_entity_by_node ON graph_entity (owner, node);
CREATE TABLE graph_mention (
    mentioned_by INTEGER NOT NULL REFERENCES memory (key),
    entity       INTEGER NOT NULL REFERENCES graph_entity (entity),
    entity_name  TEXT NOT NULL,
    entity_kind  TEXT NOT NULL,
    PRIMARY KEY (mentioned_by, entity)
) STRICT, WITHOUT ROWID;
CREATE INDEX graph_mention_by_entity ON graph_mention (entity);
CREATE TABLE graph_relation (
    stated_by    INTEGER NOT NULL REFERENCES memory (key),
    source       INTEGER NOT NULL REFERENCES graph_entity (entity),
    relationship TEXT NOT NULL,
    target       INTEGER NOT NULL REFERENCES graph_entity (entity),
    PRIMARY KEY (stated_by, source, relationship, target)
) STRICT, WITHOUT ROWID;
CREATE INDEX graph_relation_by_source ON graph_relation (source);
CREATE INDEX graph_relation_by_target ON graph_relation (target);
-- What was merged, by hand: no part of the projection.
CREATE TABLE graph_alias (
    owner     INTEGER NOT NULL REFERENCES partition (id),
    alias_key TEXT NOT NULL,
    into_key  TEXT NOT NULL,
    PRIMARY KEY (owner, alias_key)
) STRICT, WITHOUT ROWID;
-- Merges whose names are both said.
CREATE VIEW graph_merge AS
SELECT e.entity, e.owner, e.entity_key, a.into_key
FROM graph_entity AS e JOIN graph_alias AS a ON a.owner = e.owner AND a.alias_key = e.entity_key
WHERE EXISTS (SELECT 1 FROM graph_entity AS t WHERE t.owner = a.owner AND t.entity_key = a.into_key);
