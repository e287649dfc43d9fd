-- Named queries. A line `-- name: x` starts one; what follows up to the next name is its text.

-- name: insert_operation
INSERT INTO operation (id, project, kind, actor, connector, recorded_at, idempotency_key, undoes)
VALUES (:id, :project, :kind, :actor, :connector, :recorded_at, :idempotency_key, :undoes)

-- name: operation
SELECT * FROM operation WHERE project = :project AND id = :id

-- name: operation_by_idempotency_key
SELECT * FROM operation WHERE project = :project AND idempotency_key = :idempotency_key

-- name: operations
SELECT * FROM operation
WHERE project = :project
  AND key < CASE WHEN :before IS NULL THEN 9223372036854775807 ELSE (SELECT key FROM operation WHERE id = :before) END
ORDER BY key DESC LIMIT :limit

-- name: taken_back
SELECT undoes FROM operation AS u WHERE project = :project AND undoes IN (SELECT value FROM json_each(:ids))
  AND NOT EXISTS (SELECT 1 FROM operation AS back WHERE back.undoes = u.id)

-- name: last_undoable
-- The newest operation that was not taken back, is not itself a way back, and touched the scope.
SELECT o.* FROM operation AS o
WHERE o.project = :project
  AND o.kind NOT IN ('undo', 'erase', 'rebuild')
  AND NOT EXISTS (
      SELECT 1 FROM operation AS u
      WHERE u.undoes = o.id AND NOT EXISTS (SELECT 1 FROM operation AS back WHERE back.undoes = u.id)
  )
  AND EXISTS (
      SELECT 1 FROM revision AS r JOIN memory AS m ON m.id = r.memory_id AND m.project = r.project
      WHERE r.operation = o.key AND m.state != 'erased'
        AND (:user_id IS NULL OR m.user_id = :user_id OR (:user_id = '*' AND m.user_id IS NOT NULL))
        AND (:agent_id IS NULL OR m.agent_id = :agent_id OR (:agent_id = '*' AND m.agent_id IS NOT NULL))
        AND (:app_id IS NULL OR m.app_id = :app_id OR (:app_id = '*' AND m.app_id IS NOT NULL))
        AND (:run_id IS NULL OR m.run_id = :run_id OR (:run_id = '*' AND m.run_id IS NOT NULL))
  )
ORDER BY o.key DESC LIMIT 1

-- name: operation_key
SELECT key FROM operation WHERE id = :id

-- name: insert_revision
INSERT INTO revision (seq, operation, project, memory_id, op, recorded_at, checksum, changes)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: revisions
SELECT r.seq, r.memory_id, r.op, o.id AS operation_id, r.recorded_at, r.changes, r.checksum
FROM revision AS r JOIN operation AS o ON o.key = r.operation
WHERE r.project = :project AND r.seq > :after AND r.seq <= :upto
ORDER BY r.seq

-- name: revisions_of_memory
SELECT r.seq, r.memory_id, r.op, o.id AS operation_id, r.recorded_at, r.changes, r.checksum
FROM revision AS r JOIN operation AS o ON o.key = r.operation
WHERE r.memory_id = :memory_id AND r.project = :project AND r.seq > :after AND r.seq <= :upto
ORDER BY r.seq

-- name: revisions_of_operation
SELECT r.seq, r.memory_id, r.op, o.id AS operation_id, r.recorded_at, r.changes, r.checksum
FROM revision AS r JOIN operation AS o ON o.key = r.operation
WHERE r.operation = (SELECT key FROM operation WHERE id = :id) AND r.project = :project
ORDER BY r.seq

-- name: head
SELECT coalesce(max(seq), 0) FROM revision

-- name: last_reserved
-- What AUTOINCREMENT would never hand out again.
SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'revision'), 0)

-- name: seq_at
-- A clock may step back: what follows a revision recorded later is not counted, whatever its own time.
SELECT coalesce(max(seq), 0) FROM revision
WHERE project = :project AND seq < coalesce(
    (SELECT min(seq) FROM revision WHERE project = :project AND recorded_at > :moment), 9223372036854775807)

-- name: blank_revision
UPDATE revision SET changes = :changes, checksum = :checksum WHERE seq = :seq

-- name: projects
-- By the log, so that a rebuild finds them when current state is lost. A partition may hold episodes only.
SELECT p.project FROM (SELECT DISTINCT project FROM partition) AS p
WHERE EXISTS (
    SELECT 1 FROM operation AS o JOIN revision AS r ON r.operation = o.key WHERE o.project = p.project)
ORDER BY p.project

-- name: find_partition
-- An id is never blank, so '' stands for none, as in the index.
SELECT id, project, user_id FROM partition WHERE project = :project AND coalesce(user_id, '') = coalesce(:user_id, '')

-- name: insert_partition
INSERT INTO partition (project, user_id) VALUES (:project, :user_id)

-- name: partitions
SELECT id, project, user_id FROM partition WHERE project = :project ORDER BY id

-- name: insert_episode
INSERT INTO episode (id, partition, agent_id, app_id, run_id, connector, recorded_at)
VALUES (:id, :partition, :agent_id, :app_id, :run_id, :connector, :recorded_at)

-- name: insert_message
INSERT INTO message (episode, position, partition, source_id, role, name, at, content)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: episode
SELECT e.*, p.project, p.user_id FROM episode AS e JOIN partition AS p ON p.id = e.partition
WHERE e.id = :id AND p.project = :project

-- name: messages
SELECT position, source_id, role, name, at, content FROM message WHERE episode = :episode ORDER BY position

-- name: blank_message
UPDATE message SET content = '', name = NULL
WHERE position = :position AND episode = (
    SELECT e.key FROM episode AS e JOIN partition AS p ON p.id = e.partition
    WHERE e.id = :episode_id AND p.project = :project AND p.user_id IS :user_id)

-- name: blank_episode
UPDATE message SET content = '', name = NULL
WHERE episode = (
    SELECT e.key FROM episode AS e JOIN partition AS p ON p.id = e.partition
    WHERE e.id = :episode_id AND p.project = :project AND p.user_id IS :user_id)

-- name: upsert_memory
INSERT INTO memory (
    key, id, seq, partition, project, user_id, agent_id, app_id, run_id, state, kind, speaker, role, connector,
    created_at, updated_at, recorded_at, valid_from, valid_to, expires_on, superseded_by, supersedes, episode_id,
    position, reinforced, immutable, feedback, hash, repeat_key, categories, entities, relations, metadata, text, type,
    confidence, positions)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET
    partition = excluded.partition, project = excluded.project, user_id = excluded.user_id,
    agent_id = excluded.agent_id, app_id = excluded.app_id, run_id = excluded.run_id, seq = excluded.seq,
    state = excluded.state, kind = excluded.kind, speaker = excluded.speaker, role = excluded.role,
    connector = excluded.connector, created_at = excluded.created_at, updated_at = excluded.updated_at,
    recorded_at = excluded.recorded_at, valid_from = excluded.valid_from, valid_to = excluded.valid_to,
    expires_on = excluded.expires_on, superseded_by = excluded.superseded_by,
    supersedes = excluded.supersedes, episode_id = excluded.episode_id, position = excluded.position,
    reinforced = excluded.reinforced, immutable = excluded.immutable, feedback = excluded.feedback,
    hash = excluded.hash, repeat_key = excluded.repeat_key,
    categories = excluded.categories, entities = excluded.entities, relations = excluded.relations,
    metadata = excluded.metadata, text = excluded.text, type = excluded.type, confidence = excluded.confidence,
    positions = excluded.positions

-- name: find
SELECT * FROM memory WHERE id = :id AND project = :project

-- name: made_of_episode
SELECT * FROM memory WHERE episode_id = :episode_id AND project = :project AND user_id IS :user_id ORDER BY key

-- name: entity_summaries
SELECT 'user' AS type, user_id AS name, count(*) AS memories, min(created_at) AS created_at, max(updated_at) AS updated_at
FROM memory WHERE project = :project AND user_id IS NOT NULL AND state NOT IN ('deleted', 'erased') GROUP BY user_id
UNION ALL
SELECT 'agent', agent_id, count(*), min(created_at), max(updated_at)
FROM memory WHERE project = :project AND agent_id IS NOT NULL AND state NOT IN ('deleted', 'erased') GROUP BY agent_id
UNION ALL
SELECT 'app', app_id, count(*), min(created_at), max(updated_at)
FROM memory WHERE project = :project AND app_id IS NOT NULL AND state NOT IN ('deleted', 'erased') GROUP BY app_id
UNION ALL
SELECT 'run', run_id, count(*), min(created_at), max(updated_at)
FROM memory WHERE project = :project AND run_id IS NOT NULL AND state NOT IN ('deleted', 'erased') GROUP BY run_id
ORDER BY 1, 2

-- name: partition_rows
SELECT m.key, m.seq, m.state, m.agent_id, m.app_id, m.run_id, coalesce(m.run_id, m.episode_id, m.id) AS session,
       m.speaker, m.role, m.created_at, m.valid_from, m.valid_to, m.expires_on, m.feedback, m.reinforced,
       e.flags, e.entities, e.terms, e.embedding, e.dates
FROM memory AS m LEFT JOIN index_entry AS e
  ON e.key = m.key AND e.identity = (SELECT id FROM index_identity WHERE name = :identity)
WHERE m.partition = :partition AND m.seq > :after
ORDER BY m.seq

-- name: index_identities
SELECT DISTINCT i.name FROM memory AS m JOIN index_entry AS e ON e.key = m.key JOIN index_identity AS i ON i.id = e.identity
WHERE m.partition = :partition

-- name: insert_identity
INSERT OR IGNORE INTO index_identity (name) VALUES (:name)

-- name: find_identity
SELECT id FROM index_identity WHERE name = :name

-- name: upsert_entry
INSERT OR REPLACE INTO index_entry (key, identity, flags, entities, terms, embedding, dates)
VALUES (?, ?, ?, ?, ?, ?, ?)

-- name: delete_entry
DELETE FROM index_entry WHERE key = ?

-- name: state_counts
SELECT state, count(*) AS memories FROM memory WHERE :project IS NULL OR project = :project GROUP BY state

-- name: totals
SELECT
  (SELECT count(*) FROM episode AS e JOIN partition AS p ON p.id = e.partition
    WHERE :project IS NULL OR p.project = :project) AS episodes,
  (SELECT count(*) FROM message AS m JOIN partition AS p ON p.id = m.partition
    WHERE :project IS NULL OR p.project = :project) AS messages,
  (SELECT count(*) FROM revision WHERE :project IS NULL OR project = :project) AS revisions,
  (SELECT count(*) FROM operation WHERE :project IS NULL OR project = :project) AS operations,
  (SELECT count(*) FROM partition WHERE user_id IS NOT NULL AND (:project IS NULL OR project = :project)) AS users,
  (SELECT coalesce(max(seq), 0) FROM revision) AS head

-- name: upkeep_due
SELECT name FROM upkeep WHERE name = 'scrub'

-- name: upkeep_is_due
INSERT OR IGNORE INTO upkeep (name) VALUES ('scrub')

-- name: upkeep_done
DELETE FROM upkeep WHERE name = 'scrub'

-- name: orphan_entries
SELECT e.key FROM index_entry AS e LEFT JOIN memory AS m ON m.key = e.key WHERE m.key IS NULL OR m.state = 'erased'

-- name: memories_without_revision
SELECT m.id FROM memory AS m WHERE NOT EXISTS (
    SELECT 1 FROM revision AS r WHERE r.seq = m.seq AND r.memory_id = m.id AND r.project = m.project)

-- name: revisions_without_memory
SELECT DISTINCT r.memory_id FROM revision AS r
LEFT JOIN memory AS m ON m.id = r.memory_id AND m.project = r.project
WHERE m.id IS NULL

-- name: all_revisions
SELECT r.seq, r.memory_id, r.op, o.id AS operation_id, r.recorded_at,
       CAST(r.changes AS BLOB) AS changes, r.checksum
FROM revision AS r JOIN operation AS o ON o.key = r.operation
ORDER BY r.seq

-- name: ids_with_prefix
SELECT id FROM memory WHERE id >= :prefix AND id < :prefix || char(0x10ffff) AND project = :project ORDER BY id LIMIT :limit
