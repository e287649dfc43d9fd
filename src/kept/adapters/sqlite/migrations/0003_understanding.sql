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
CREATE INDEX model_call_by_job ON model_call (job_id) WHERE job_id IS NOT NULL;
CREATE INDEX model_call_by_digest ON model_call (project, digest) WHERE digest IS NOT NULL;
