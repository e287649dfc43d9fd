-- Named queries of the registry, the jobs and the audit. A line `-- name: x` starts one.

-- name: insert_entry_of_registry
INSERT INTO registry (kind, id, owner, created_at, updated_at, data)
VALUES (:kind, :id, :owner, :created_at, :updated_at, :data)

-- name: put_entry_of_registry
INSERT INTO registry (kind, id, owner, created_at, updated_at, data)
VALUES (:kind, :id, :owner, :created_at, :updated_at, :data)
ON CONFLICT (kind, id) DO UPDATE SET owner = excluded.owner, updated_at = excluded.updated_at, data = excluded.data

-- name: find_entry_of_registry
SELECT * FROM registry WHERE kind = :kind AND id = :id

-- name: entries_of_registry
SELECT * FROM registry WHERE kind = :kind ORDER BY created_at, id

-- name: entries_of_owner
SELECT * FROM registry WHERE kind = :kind AND owner = :owner ORDER BY created_at, id

-- name: set_entry_of_registry
UPDATE registry SET data = :data, updated_at = :updated_at WHERE kind = :kind AND id = :id

-- name: remove_entry_of_registry
DELETE FROM registry WHERE kind = :kind AND id = :id

-- name: insert_job
-- A used idempotency key leaves the earlier job as it is.
INSERT INTO job (
    id, project, kind, status, user_id, agent_id, app_id, run_id, subject, actor, connector, idempotency_key, attempts,
    run_after, lease, lease_until, created_at, updated_at, started_at, completed_at, error, payload, results, content)
VALUES (
    :id, :project, :kind, :status, :user_id, :agent_id, :app_id, :run_id, :subject, :actor, :connector,
    :idempotency_key, :attempts, :run_after, :lease, :lease_until, :created_at, :updated_at, :started_at,
    :completed_at, :error, :payload, :results, :content)
ON CONFLICT (project, kind, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING

-- name: jobs
-- What follows says which.
SELECT *, (SELECT json_group_array(memory_id) FROM job_memory WHERE job_memory.job = job.key) AS memory_ids FROM job

-- name: job_by_idempotency_key
SELECT key FROM job WHERE project = :project AND kind = :kind AND idempotency_key = :idempotency_key

-- name: insert_job_memory
INSERT OR IGNORE INTO job_memory (memory_id, job) VALUES (?, ?)

-- name: due_jobs
-- The first by `run_after`: of the jobs without a subject, and of each subject's (in each kind), unless one runs on it.
WITH RECURSIVE subjects (kind, subject) AS (
    SELECT value, (SELECT min(subject) FROM job WHERE kind = kinds.value AND due IS NOT NULL AND subject IS NOT NULL)
    FROM json_each(:kinds) AS kinds
    UNION ALL
    SELECT kind, (
        SELECT min(subject) FROM job WHERE kind = subjects.kind AND due IS NOT NULL AND subject > subjects.subject)
    FROM subjects WHERE subject IS NOT NULL)
SELECT key FROM (
    SELECT job.key, job.run_after FROM json_each(:kinds) AS kinds CROSS JOIN job ON job.key IN (
        SELECT key FROM job WHERE kind = kinds.value AND subject IS NULL AND run_after <= :now AND due <= :now
        ORDER BY run_after, key LIMIT :limit)
    UNION ALL
    SELECT job.key, job.run_after FROM subjects CROSS JOIN job ON job.key = (
        SELECT key FROM job
        WHERE kind = subjects.kind AND subject = subjects.subject AND run_after <= :now AND due <= :now
        ORDER BY run_after, key LIMIT 1)
    WHERE NOT EXISTS (
        SELECT 1 FROM job WHERE subject = subjects.subject AND status = 'RUNNING' AND lease_until > :now))
ORDER BY run_after, key LIMIT :limit

-- name: due_job
SELECT key FROM job WHERE id = :id AND project = :project AND run_after <= :now AND due <= :now

-- name: claim_job
-- Not when another of its subject was claimed just before.
UPDATE job SET status = 'RUNNING', attempts = attempts + 1, lease = :lease, lease_until = :until, updated_at = :now,
    started_at = coalesce(started_at, :now)
WHERE key = :key AND NOT EXISTS (
    SELECT 1 FROM job AS other WHERE other.subject = job.subject AND other.status = 'RUNNING' AND other.lease_until > :now)
RETURNING subject

-- name: end_other_claims
-- Of a subject's jobs one is held: whoever let another's lease run out can neither extend nor finish it now.
UPDATE job SET status = 'PENDING', lease = NULL, lease_until = NULL
WHERE subject = :subject AND status = 'RUNNING' AND key != :key

-- name: hasten_jobs
-- With those that are due already at most `up_to`; all where that is none.
UPDATE job SET run_after = :now WHERE key IN (
    SELECT key FROM job
    WHERE kind IN (SELECT value FROM json_each(:kinds)) AND status = 'PENDING' AND run_after > :now
    ORDER BY run_after, key LIMIT iif(:up_to IS NULL, -1, max(0, :up_to - (
        SELECT count(*) FROM job
        WHERE kind IN (SELECT value FROM json_each(:kinds)) AND run_after <= :now AND due <= :now))))

-- name: revive_jobs
-- One that an erase blanked cannot be done. `up_to` as above.
UPDATE job SET status = 'PENDING', attempts = 0, run_after = :now, updated_at = :now, completed_at = NULL
WHERE key IN (
    SELECT key FROM job
    WHERE kind IN (SELECT value FROM json_each(:kinds)) AND status = 'FAILED' AND payload != '{}'
    ORDER BY key LIMIT iif(:up_to IS NULL, -1, max(0, :up_to - (
        SELECT count(*) FROM job
        WHERE kind IN (SELECT value FROM json_each(:kinds)) AND run_after <= :now AND due <= :now))))

-- name: reopen_job
UPDATE job SET status = 'PENDING', results = :results, run_after = :now, updated_at = :now, completed_at = NULL
WHERE id = :id AND project = :project AND completed_at = :completed_at AND due IS NULL AND payload != '{}'

-- name: extend_job
UPDATE job SET lease_until = :until WHERE id = :id AND lease = :lease AND status = 'RUNNING'

-- name: finish_job
UPDATE job SET status = :status, error = :error, payload = :payload, results = :results, content = :content,
    run_after = :run_after, updated_at = :updated_at, started_at = :started_at, completed_at = :completed_at,
    attempts = :attempts, lease = NULL, lease_until = NULL
WHERE id = :id AND lease = :lease AND status = 'RUNNING'
RETURNING key

-- name: blank_jobs
-- As `kept.domain.jobs.blanked` says. What follows says which.
UPDATE job SET payload = '{}', content = NULL,
    idempotency_key = iif(kind IN ('EXTRACT', 'SUMMARY'), NULL, idempotency_key),
    error = iif(due IS NULL, error, :erased),
    completed_at = iif(due IS NULL, completed_at, updated_at),
    status = iif(due IS NULL, status, 'FAILED'), lease = NULL, lease_until = NULL
WHERE NOT (due IS NOT NULL AND kind IN (SELECT value FROM json_each(:deletions)))

-- name: are_of_memory
-- Jobs that name the memory, and those whose id is the idempotency key of what stored or changed it, done or not.
project = :project AND (
    key IN (SELECT job FROM job_memory WHERE memory_id = :memory_id)
    OR id IN (
        SELECT idempotency_key FROM operation WHERE key IN (
            SELECT operation FROM revision WHERE project = :project AND memory_id = :memory_id)))

-- name: is_of_erased
-- A job that names a memory which was erased meanwhile.
key = :key AND EXISTS (
    SELECT 1 FROM job_memory JOIN memory ON memory.project = job.project AND memory.id = job_memory.memory_id
    WHERE job_memory.job = job.key AND memory.state = 'erased')

-- name: purge_job_memories
DELETE FROM job_memory WHERE job IN (
    SELECT key FROM job WHERE completed_at < :before
      AND (:kinds IS NULL OR kind IN (SELECT value FROM json_each(:kinds))))

-- name: purge_jobs
DELETE FROM job WHERE completed_at < :before AND (:kinds IS NULL OR kind IN (SELECT value FROM json_each(:kinds)))

-- name: backlog
SELECT count(*) AS waiting, min(CASE WHEN run_after <= :now THEN max(run_after, created_at) END) AS oldest
FROM job WHERE kind IN (SELECT value FROM json_each(:kinds)) AND due IS NOT NULL

-- name: insert_audit
INSERT INTO audit (at, project, actor, key_id, connector, action, target, outcome, count, request_id)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: purge_audit
DELETE FROM audit WHERE at < :before
