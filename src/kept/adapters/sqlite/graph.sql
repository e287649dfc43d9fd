-- Named queries of the graph. What depends on a listing is put together in graph.py.

-- name: graph_behind
-- Partitions with memories that changed since they were projected.
SELECT p.id, coalesce(c.projected, 0) AS projected FROM partition AS p LEFT JOIN graph_cursor AS c ON c.owner = p.id
WHERE p.id IN (SELECT value FROM json_each(:owners))
  AND EXISTS (SELECT 1 FROM memory AS m WHERE m.partition = p.id AND m.seq > coalesce(c.projected, 0))

-- name: graphs_behind
SELECT p.id FROM partition AS p LEFT JOIN graph_cursor AS c ON c.owner = p.id
WHERE EXISTS (SELECT 1 FROM memory AS m WHERE m.partition = p.id AND m.seq > coalesce(c.projected, 0)) LIMIT :limit

-- name: graph_lag
SELECT count(*) FROM (
    SELECT 1 FROM partition AS p LEFT JOIN graph_cursor AS c ON c.owner = p.id
    JOIN memory AS m ON m.partition = p.id AND m.seq > coalesce(c.projected, 0) LIMIT :most)

-- name: graph_projected
SELECT coalesce((SELECT projected FROM graph_cursor WHERE owner = :owner), 0)

-- name: graph_waiting
SELECT * FROM memory WHERE partition = :owner AND seq > :projected ORDER BY seq LIMIT :limit

-- name: set_graph_cursor
INSERT OR REPLACE INTO graph_cursor (owner, projected) VALUES (:owner, :projected)

-- name: graph_entities_of_memories
SELECT DISTINCT entity FROM graph_mention WHERE mentioned_by IN (SELECT value FROM json_each(:keys))

-- name: delete_graph_mentions
DELETE FROM graph_mention WHERE mentioned_by IN (SELECT value FROM json_each(:keys))

-- name: delete_graph_relations
DELETE FROM graph_relation WHERE stated_by IN (SELECT value FROM json_each(:keys))

-- name: delete_unmentioned
DELETE FROM graph_entity WHERE entity IN (SELECT value FROM json_each(:entities))
  AND NOT EXISTS (SELECT 1 FROM graph_mention AS m WHERE m.entity = graph_entity.entity)

-- name: delete_aliases_of_nothing
-- Aliases by, or into, a name that no memory of the user has any more.
DELETE FROM graph_alias WHERE owner = :owner AND (
    NOT EXISTS (SELECT 1 FROM graph_entity AS e WHERE e.owner = graph_alias.owner AND e.entity_key = alias_key)
    OR NOT EXISTS (SELECT 1 FROM graph_entity AS e WHERE e.owner = graph_alias.owner AND e.entity_key = into_key))

-- name: renew_nodes
-- A merge holds as long as both names are said; else each is known by its own key.
UPDATE graph_entity SET node = coalesce((SELECT into_key FROM graph_merge AS g WHERE g.entity = graph_entity.entity), entity_key)
WHERE owner = :owner
  AND node IS NOT coalesce((SELECT into_key FROM graph_merge AS g WHERE g.entity = graph_entity.entity), entity_key)

-- name: insert_graph_entity
INSERT INTO graph_entity (owner, entity_key, node) VALUES (:owner, :key, :key) ON CONFLICT DO NOTHING

-- name: graph_entity_ids
SELECT entity_key, entity FROM graph_entity
WHERE owner = :owner AND entity_key IN (SELECT value FROM json_each(:keys))

-- name: insert_graph_mention
INSERT INTO graph_mention (mentioned_by, entity, entity_name, entity_kind) VALUES (?, ?, ?, ?)

-- name: insert_graph_relation
INSERT INTO graph_relation (stated_by, source, relationship, target) VALUES (?, ?, ?, ?)

-- name: entities_of_nodes
-- Entities that are one with those asked for, by whichever of their keys.
WITH asked AS (
    SELECT owner, node FROM graph_entity WHERE owner IN (SELECT value FROM json_each(:owners))
      AND entity_key IN (SELECT value FROM json_each(:keys))
    UNION
    SELECT owner, node FROM graph_entity WHERE owner IN (SELECT value FROM json_each(:owners))
      AND node IN (SELECT value FROM json_each(:keys)))
SELECT e.entity FROM asked JOIN graph_entity AS e ON e.owner = asked.owner AND e.node = asked.node

-- name: entities_with_words
SELECT entity, entity_key, node, EXISTS (SELECT 1 FROM graph_alias AS a WHERE a.owner = graph_entity.owner) AS has_merges
FROM graph_entity WHERE owner IN (SELECT value FROM json_each(:owners))
  AND EXISTS (SELECT 1 FROM json_each(:words) AS word WHERE instr(entity_key, word.value) > 0)

-- name: graph_aliases
SELECT entity_key AS alias_key, into_key FROM graph_merge WHERE owner = :owner ORDER BY entity_key

-- name: has_graph_aliases
SELECT EXISTS (SELECT 1 FROM graph_alias WHERE owner = :owner)

-- name: put_graph_alias
INSERT OR REPLACE INTO graph_alias (owner, alias_key, into_key) VALUES (:owner, :alias, :into)

-- name: redirect_graph_aliases
UPDATE graph_alias SET into_key = :into WHERE owner = :owner AND into_key = :alias

-- name: delete_graph_alias
DELETE FROM graph_alias WHERE owner = :owner AND alias_key = :alias

-- name: mentions_of_owner
SELECT m.mentioned_by, e.entity_key, m.entity_name, m.entity_kind
FROM graph_entity AS e JOIN graph_mention AS m ON m.entity = e.entity WHERE e.owner = :owner

-- name: relations_of_owner
SELECT r.stated_by, s.entity_key AS source, r.relationship, t.entity_key AS target
FROM graph_entity AS s JOIN graph_relation AS r ON r.source = s.entity JOIN graph_entity AS t ON t.entity = r.target
WHERE s.owner = :owner

-- name: unmentioned_of_owner
SELECT entity FROM graph_entity AS e WHERE owner = :owner
  AND NOT EXISTS (SELECT 1 FROM graph_mention AS m WHERE m.entity = e.entity)

-- name: delete_graph_cursors
DELETE FROM graph_cursor WHERE owner IN (SELECT value FROM json_each(:owners))

-- name: delete_graph_of_owners
DELETE FROM graph_entity WHERE owner IN (SELECT value FROM json_each(:owners))

-- name: delete_mentions_of_owners
DELETE FROM graph_mention WHERE entity IN (
    SELECT entity FROM graph_entity WHERE owner IN (SELECT value FROM json_each(:owners)))

-- name: delete_relations_of_owners
DELETE FROM graph_relation WHERE source IN (
    SELECT entity FROM graph_entity WHERE owner IN (SELECT value FROM json_each(:owners)))
