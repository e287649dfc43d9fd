-- When searches found memories.

-- name: touch
INSERT INTO touch (project, memory_id, at, touches)
SELECT DISTINCT :project, value, :at, 1 FROM json_each(:ids) AS one
WHERE NOT EXISTS (SELECT 1 FROM memory AS m WHERE m.id = one.value AND m.project = :project AND m.state = 'erased')
ON CONFLICT (project, memory_id) DO UPDATE SET at = max(at, excluded.at), touches = min(touches + 1, :most)

-- name: forget_touches
DELETE FROM touch WHERE project = :project AND memory_id = :memory_id

-- name: touched
SELECT memory_id, at, touches FROM touch WHERE project = :project AND memory_id IN (SELECT value FROM json_each(:ids))
