-- Named queries of the ledger. A line `-- name: x` starts one.

-- name: insert_model_call
INSERT INTO model_call (
    id, at, project, task, model, job_id, digest, reserved_input, reserved_output, reserved_micros, input_tokens,
    output_tokens, cached_tokens, micros, outcome)
VALUES (
    :id, :at, :project, :task, :model, :job_id, :digest, :reserved_input, :reserved_output, :reserved_micros,
    :input_tokens, :output_tokens, :cached_tokens, :micros, :outcome)

-- name: settle_model_call
UPDATE model_call SET input_tokens = :input_tokens, output_tokens = :output_tokens, cached_tokens = :cached_tokens,
    micros = :micros, outcome = :outcome
WHERE id = :id

-- name: release_model_call
DELETE FROM model_call WHERE id = :id AND outcome = 'reserved'

-- name: answered_model_call
SELECT * FROM model_call WHERE project = :project AND digest = :digest AND outcome = 'answered' ORDER BY key DESC LIMIT 1

-- name: spending
-- What calls cost, as `kept.domain.spending.total` says. What comes before gives the name, what follows says which.
count(*) AS calls,
coalesce(sum(coalesce(input_tokens, reserved_input)), 0) AS input_tokens,
coalesce(sum(coalesce(output_tokens, reserved_output)), 0) AS output_tokens,
coalesce(sum(cached_tokens), 0) AS cached_tokens,
coalesce(sum(iif(input_tokens IS NULL, reserved_micros, micros)), 0) AS micros,
count(*) - count(iif(input_tokens IS NULL, reserved_micros, micros)) AS unpriced,
count(*) - count(input_tokens) AS unsettled,
count(iif(outcome IN ('unusable', 'failed'), 1, NULL)) AS failed
FROM model_call

-- name: purge_model_calls
DELETE FROM model_call WHERE at < :before

-- name: forget_digests
-- What follows says of which jobs.
UPDATE model_call SET digest = NULL WHERE digest IS NOT NULL AND job_id IN

-- name: purge_digests
-- A digest lives no longer than the job by which an erase would find it.
UPDATE model_call SET digest = NULL WHERE digest IS NOT NULL AND job_id IN (
    SELECT id FROM job WHERE completed_at < :before
      AND (:kinds IS NULL OR kind IN (SELECT value FROM json_each(:kinds))))
