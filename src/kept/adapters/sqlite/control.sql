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
SELECT * FROM registry WHERE kind = :kind AND (:owner IS NULL OR owner = :owner) ORDER BY created_at, id

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

-- name: job_by_idempotency_key
SELECT * FROM job WHERE project = :project AND kind = :kind AND idempotency_key = :idempotency_key

-- name: find_job
SELECT * FROM job WHERE id = :id AND project = :project

-- name: memories_of_job
SELECT memory_id FROM job_memory WHERE job = :job ORDER BY memory_id

-- name: insert_job_memory
INSERT OR IGNORE INTO job_memory (memory_id, job) VALUES (?, ?)

-- name: due_jobs
-- The oldest that may be begun: of those with a subject the first one only, and none while another runs on it.
SELECT key FROM job AS j
WHERE kind IN (SELECT value FROM json_each(:kinds))
  AND (status = 'PENDING' AND run_after <= :now OR status = 'RUNNING' AND lease_until <= :now)
  AND (subject IS NULL OR (
    NOT EXISTS (SELECT 1 FROM job AS r WHERE r.subject = j.subject AND r.status = 'RUNNING' AND r.lease_until > :now)
    AND j.key = (
        SELECT min(f.key) FROM job AS f
        WHERE f.kind = j.kind AND f.subject = j.subject
          AND (f.status = 'PENDING' AND f.run_after <= :now OR f.status = 'RUNNING' AND f.lease_until <= :now))))
ORDER BY key LIMIT :limit

-- name: claim_job
UPDATE job SET status = 'RUNNING', attempts = attempts + 1, lease = :lease, lease_until = :until, updated_at = :now,
    started_at = coalesce(started_at, :now)
WHERE key = :key

-- name: job_by_key
SELECT * FROM job WHERE key = :key

-- name: extend_job
UPDATE job SET lease_until = :until WHERE id = :id AND lease = :lease AND status = 'RUNNING'

-- name: finish_job
UPDATE job SET status = :status, error = :error, payload = :payload, results = :results, content = :content,
    run_after = :run_after, updated_at = :updated_at, started_at = :started_at, completed_at = :completed_at,
    attempts = :attempts, lease = NULL, lease_until = NULL
WHERE id = :id AND lease = :lease AND status = 'RUNNING'
RETURNING key

-- name: blank_jobs_of_memory
-- What was asked for and what was made of it may hold the memory's text.
UPDATE job SET payload = '{}', content = NULL WHERE key IN (SELECT job FROM job_memory WHERE memory_id = :memory_id)

-- name: purge_job_memories
DELETE FROM job_memory WHERE job IN (
    SELECT key FROM job WHERE completed_at < :before
      AND (:kinds IS NULL OR kind IN (SELECT value FROM json_each(:kinds))))

-- name: purge_jobs
DELETE FROM job WHERE completed_at < :before AND (:kinds IS NULL OR kind IN (SELECT value FROM json_each(:kinds)))

-- name: backlog
SELECT count(*) AS waiting, min(CASE WHEN run_after <= :now THEN max(run_after, created_at) END) AS oldest
FROM job WHERE kind IN (SELECT value FROM json_each(:kinds)) AND status IN ('PENDING', 'RUNNING')

-- name: insert_audit
INSERT INTO audit (at, project, actor, key_id, connector, action, target, outcome, count, request_id)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: purge_audit
DELETE FROM audit WHERE at < :before
