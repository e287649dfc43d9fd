-- When searches found memories.

-- name: touch
INSERT INTO touch (project, memory_id, at, touches)
SELECT DISTINCT :project, value, :at, 1 FROM json_each(:ids) WHERE true
ON CONFLICT (project, memory_id) DO UPDATE SET at = max(at, excluded.at), touches = min(touches + 1, :most)

-- name: touched
SELECT memory_id, at, touches FROM touch WHERE project = :project AND memory_id IN (SELECT value FROM json_each(:ids))
