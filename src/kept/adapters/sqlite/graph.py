"""The graph on the log's own SQLite file: rows that follow the log by partition, and go in the transaction of an erase.

Only what a memory mentions and states is projected. Whether it may be seen, and what holds, is asked of the memories themselves: a
deletion, a restore or a closed fact shows at once.
"""
# ruff: noqa: S608 - only constant fragments are joined; every value is a parameter

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kept.adapters.sqlite import rows
from kept.adapters.sqlite.conditions import listed
from kept.adapters.sqlite.failures import decoded, translated
from kept.adapters.sqlite.queries import queries
from kept.domain.entity_kinds import (
    SPEAKS,
    Clue,
    Spelling,
    Voice,
    clue_of_source,
    clue_of_target,
    kind_of,
    known_kind,
)
from kept.domain.graph import Edge, Node, mentions, stated, words_held
from kept.domain.history import from_microseconds, to_microseconds
from kept.domain.memory import MemoryRecord
from kept.domain.scope import ANY
from kept.ports import Finding, Listing

if TYPE_CHECKING:
    from kept.adapters.sqlite.log import SqliteLog

_TOGETHER: Final = 32
"""Partitions projected in one transaction: each of its own would wait for the disk, and let writers wait, as often as there are users."""
_BATCH: Final = 1_000
"""Memories projected in one transaction, some 50 ms, so that others get their turn."""


_MOST_COUNTED: Final = 100_000
"""Memories counted that wait: who looks at the lag looks often."""


class SqliteGraph:
    """The graph port.

    Args:
        log: Whose projection it is.
        path: Its file, for errors.
    """

    def __init__(self, log: SqliteLog, path: Path) -> None:
        self._log = log
        self._path = str(path)

    # --- reads ---
    # CROSS JOIN has SQLite go from the few rows of an entity to their memories, not through all memories of a user.

    def nodes(self, listing: Listing, keys: Collection[str], *, at: datetime | None = None) -> list[Node]:
        owners = self._fresh(listing)
        return sorted(self._nodes(listing, self._entities(owners, keys), at), key=lambda node: node.key)

    def matching(
        self, listing: Listing, words: Collection[str], *, limit: int, at: datetime | None = None
    ) -> list[Node]:
        owners = self._fresh(listing)
        if not words:
            return self._most_mentioned(listing, limit, at)
        named = self._named("entities_with_words", {"owners": _json(owners), "words": _json(words)})
        # By a name that only hidden memories have, what it was merged with is not found.
        hidden = self._unmentioned(listing, [row["entity"] for row in named if row["has_merges"]], at)
        held: dict[str, int] = {}
        for row in named:
            count = words_held(row["entity_key"], words)
            if count and row["entity"] not in hidden:
                held[row["node"]] = max(count, held.get(row["node"], 0))
        # By its own key, what another user merged with something else, which holds no word, is asked for too.
        found = [node for node in self._nodes(listing, self._entities(owners, held), at) if node.key in held]
        return sorted(found, key=lambda node: (-held[node.key], -node.mentions, node.key))[:limit]

    def edges(
        self,
        listing: Listing,
        keys: Collection[str],
        *,
        limit: int,
        relationship: str | None = None,
        at: datetime | None = None,
    ) -> list[Edge]:
        named = _json(self._entities(self._fresh(listing), keys))
        condition, parameters = self._admitted(listing, at)
        if relationship is not None:
            condition, parameters = f"relationship = ? AND {condition}", [relationship, *parameters]
        found = self._all(
            "SELECT s.node AS source, relationship, t.node AS target, id, key, created_at, valid_from, valid_to, state "
            "FROM graph_relation AS r JOIN graph_entity AS s ON s.entity = r.source "
            "JOIN graph_entity AS t ON t.entity = r.target CROSS JOIN memory ON key = stated_by "
            "WHERE (r.source IN (SELECT value FROM json_each(?)) OR r.target IN (SELECT value FROM json_each(?))) "
            f"AND {condition} "
            "ORDER BY state <> 'active', created_at DESC, key DESC, 1, 2, 3 LIMIT ?",
            [named, named, *parameters, limit],
        )
        return list(decoded(self._path, _to_edge, found))

    def together(
        self, listing: Listing, keys: Collection[str], *, limit: int, at: datetime | None = None
    ) -> dict[tuple[str, str], int]:
        named = _json(self._entities(self._fresh(listing), keys))
        condition, parameters = self._admitted(listing, at)
        found = self._all(
            "SELECT a.node AS one, b.node AS other, count(DISTINCT m.mentioned_by) AS memories "
            "FROM graph_mention AS m JOIN graph_mention AS n ON n.mentioned_by = m.mentioned_by "
            "JOIN graph_entity AS a ON a.entity = m.entity JOIN graph_entity AS b ON b.entity = n.entity "
            "CROSS JOIN memory ON key = m.mentioned_by "
            f"WHERE m.entity IN (SELECT value FROM json_each(?)) AND a.node <> b.node AND {condition} "
            "GROUP BY one, other ORDER BY memories DESC, one, other LIMIT ?",
            [named, *parameters, limit],
        )
        return {(row["one"], row["other"]): row["memories"] for row in found}

    def mentioning(
        self, listing: Listing, keys: Collection[str], *, limit: int, at: datetime | None = None
    ) -> list[int]:
        named = _json(self._entities(self._fresh(listing), keys))
        condition, parameters = self._admitted(listing, at)
        found = self._all(
            "SELECT DISTINCT key, created_at FROM graph_mention CROSS JOIN memory ON key = mentioned_by "
            f"WHERE entity IN (SELECT value FROM json_each(?)) AND {condition} ORDER BY created_at DESC, key DESC LIMIT ?",
            [named, *parameters, limit],
        )
        return [row["key"] for row in found]

    def _unmentioned(self, listing: Listing, entities: Collection[int], at: datetime | None) -> set[int]:
        """Those of these entities that no admitted memory mentions."""
        if not entities:
            return set()
        condition, parameters = self._admitted(listing, at)
        found = self._all(
            "SELECT DISTINCT entity FROM graph_mention CROSS JOIN memory ON key = mentioned_by "
            f"WHERE entity IN (SELECT value FROM json_each(?)) AND {condition}",
            [_json(entities), *parameters],
        )
        return set(entities) - {row["entity"] for row in found}

    def _most_mentioned(self, listing: Listing, limit: int, at: datetime | None) -> list[Node]:
        condition, parameters = self._admitted(listing, at)
        found = self._all(
            "SELECT node, json_group_array(DISTINCT entity) AS entities, count(DISTINCT mentioned_by) AS mentions "
            "FROM memory CROSS JOIN graph_mention ON mentioned_by = key JOIN graph_entity USING (entity) "
            f"WHERE {condition} GROUP BY node ORDER BY mentions DESC, node LIMIT ?",
            [*parameters, limit],
        )
        entities = [entity for row in found for entity in json.loads(row["entities"])]
        return sorted(self._nodes(listing, entities, at), key=lambda node: (-node.mentions, node.key))

    def _nodes(self, listing: Listing, entities: Collection[int], at: datetime | None) -> list[Node]:
        """What admitted memories say of these entities."""
        condition, parameters = self._admitted(listing, at)
        mentioned = (
            "FROM graph_mention JOIN graph_entity USING (entity) CROSS JOIN memory ON key = mentioned_by "
            f"WHERE entity IN (SELECT value FROM json_each(?)) AND {condition}"
        )
        named = [_json(entities), *parameters]
        # As it was written last under its own key, before any alias.
        spelled = self._all(
            "SELECT node, entity_key, entity_name, entity_kind, user_id, role, speaker, count(*) AS memories, "
            f"max(created_at) AS latest {mentioned} GROUP BY 1, 2, 3, 4, 5, 6, 7 "
            "ORDER BY node, entity_key <> node, latest DESC, entity_name, entity_kind",
            named,
        )
        names: dict[str, str] = {}
        aliases: dict[str, dict[str, str]] = defaultdict(dict)
        for row in spelled:
            if row["entity_key"] != row["node"]:
                aliases[row["node"]].setdefault(row["entity_key"], row["entity_name"])
            names.setdefault(row["node"], row["entity_name"])
        kinds = self._kinds(spelled, named[0], condition, parameters)
        counted = self._all(
            "SELECT node, count(DISTINCT mentioned_by) AS mentions, min(created_at) AS first_seen, "
            f"max(created_at) AS last_seen {mentioned} GROUP BY node",
            named,
        )
        return list(decoded(self._path, lambda row: _to_node(row, names, kinds, aliases), counted))

    def _kinds(
        self, spelled: Sequence[sqlite3.Row], entities: str, condition: str, parameters: Sequence[Any]
    ) -> dict[str, str | None]:
        """The kind of each node, by how admitted memories mention it, who says them, and what they state."""
        spellings: dict[str, list[Spelling]] = defaultdict(list)
        clues: dict[str, Counter[Clue]] = defaultdict(Counter)
        for row in spelled:
            spellings[row["node"]].append(Spelling(row["entity_name"], row["entity_kind"], row["memories"]))
            if _voice(row).is_of(row["entity_key"]):
                clues[row["node"]][SPEAKS] += row["memories"]
        if any(known_kind(said) is None for said in spellings.values()):
            for node, clue, count in self._related(entities, condition, parameters):
                clues[node][clue] += count
        return {node: kind_of(said, clues[node]) for node, said in spellings.items()}

    def _related(self, entities: str, condition: str, parameters: Sequence[Any]) -> Iterator[tuple[str, Clue, int]]:
        """What relations tell of the kinds of nodes, and how many of them do."""
        within = f"IN (SELECT value FROM json_each(?)) AND {condition}"
        outgoing = self._all(
            "SELECT e.node, relationship, count(*) AS said FROM graph_relation AS r "
            "JOIN graph_entity AS e ON e.entity = r.source CROSS JOIN memory ON key = r.stated_by "
            f"WHERE r.source {within} GROUP BY 1, 2",
            [entities, *parameters],
        )
        incoming = self._all(
            "SELECT e.node, relationship, m.entity_name AS source, user_id, role, speaker, count(*) AS said "
            "FROM graph_relation AS r JOIN graph_entity AS e ON e.entity = r.target "
            "JOIN graph_mention AS m ON m.mentioned_by = r.stated_by AND m.entity = r.source "
            "CROSS JOIN memory ON key = r.stated_by "
            f"WHERE r.target {within} GROUP BY 1, 2, 3, 4, 5, 6",
            [entities, *parameters],
        )
        for row in outgoing:
            if clue := clue_of_source(row["relationship"]):
                yield row["node"], clue, row["said"]
        for row in incoming:
            if clue := clue_of_target(row["relationship"], row["source"], _voice(row)):
                yield row["node"], clue, row["said"]

    def _entities(self, owners: Sequence[int], keys: Collection[str]) -> list[int]:
        """Rows of the entities that are one with those asked for."""
        found = self._named("entities_of_nodes", {"owners": _json(owners), "keys": _json(keys)})
        return [row["entity"] for row in found]

    def _admitted(self, listing: Listing, at: datetime | None) -> tuple[str, list[Any]]:
        """Which memories may be seen, as a condition on `memory`, and its parameters."""
        sql, parameters, rest = listed(listing)
        if rest is not None:
            keys = [record.key for record in self._log.scan(listing)]
            sql, parameters = "key IN (SELECT value FROM json_each(?))", [_json(keys)]
        if at is not None:
            moment = to_microseconds(at)
            sql += " AND coalesce(valid_from, created_at) <= ? AND (valid_to IS NULL OR valid_to > ?)"
            parameters = [*parameters, moment, moment]
        return sql, parameters

    # --- merges ---

    def aliases(self, project: str, user_id: str | None) -> dict[str, str]:
        owner = self._owner(project, user_id)
        return {row["alias_key"]: row["into_key"] for row in self._named("graph_aliases", {"owner": owner})}

    def merge(self, project: str, user_id: str | None, into: str, keys: Collection[str]) -> None:
        owner = self._owner(project, user_id)
        with self._writing() as connection:
            known = {
                row["alias_key"]: row["into_key"]
                for row in connection.execute(queries()["graph_aliases"], {"owner": owner})
            }
            into = known.get(into, into)
            aliases = {known.get(key, key) for key in keys} - {into}
            named = {"owner": owner, "keys": _json([into, *aliases])}
            said = {row["entity_key"] for row in connection.execute(queries()["graph_entity_ids"], named)}
            for alias in aliases & said if into in said else ():
                one = {"owner": owner, "alias": alias, "into": into}
                connection.execute(queries()["redirect_graph_aliases"], one)
                connection.execute(queries()["put_graph_alias"], one)
            connection.execute(queries()["renew_nodes"], {"owner": owner})

    def split(self, project: str, user_id: str | None, keys: Collection[str]) -> list[str]:
        owner = self._owner(project, user_id)
        with self._writing() as connection:
            gone = [
                key
                for key in sorted(set(keys))
                if connection.execute(queries()["delete_graph_alias"], {"owner": owner, "alias": key}).rowcount
            ]
            connection.execute(queries()["renew_nodes"], {"owner": owner})
        return gone

    # --- the projection ---

    def catch_up(self) -> int:
        behind = [row["id"] for row in self._named("graphs_behind", {"limit": _TOGETHER})]
        return self._project(behind) if behind else 0

    def lag(self) -> int:
        return int(self._named("graph_lag", {"most": _MOST_COUNTED})[0][0])

    def rebuild(self, project: str | None = None) -> int:
        owners = self._owners_of(project)
        with self._writing() as connection:
            for name in (
                "delete_relations_of_owners",
                "delete_mentions_of_owners",
                "delete_graph_of_owners",
                "delete_graph_cursors",
            ):
                connection.execute(queries()[name], {"owners": _json(owners)})
        return self._catch_up(owners)

    def verify(self, project: str | None = None) -> Iterator[Finding]:
        for owner in self._owners_of(project):
            with translated(self._path), self._log.pool.reader() as connection, _one_state(connection):
                yield from _findings(connection, owner, self._path)

    def _fresh(self, listing: Listing) -> list[int]:
        """The partitions that a listing may hold memories of, projected to the last write."""
        scope = listing.scope
        users = None if scope.user_id in {None, ANY} else {scope.user_id}
        owners = [partition.id for partition in self._log.partitions(scope.project, users)]
        self._catch_up(owners)
        return owners

    def _catch_up(self, owners: Sequence[int]) -> int:
        """Project what changed in these partitions; how many memories that were."""
        projected = 0
        for row in self._named("graph_behind", {"owners": _json(owners)}):
            while count := self._project([row["id"]]):
                projected += count
        return projected

    def _project(self, owners: Sequence[int]) -> int:
        """Project the next memories of these partitions in one transaction; how many there were."""
        projected = 0
        with self._writing() as connection:
            for owner in owners:
                if projected >= _BATCH:
                    break
                after = connection.execute(queries()["graph_projected"], {"owner": owner}).fetchone()[0]
                waiting = {"owner": owner, "projected": after, "limit": _BATCH - projected}
                found = connection.execute(queries()["graph_waiting"], waiting).fetchall()
                if records := list(decoded(self._path, rows.to_memory, found)):
                    _project(connection, owner, records)
                    last = {"owner": owner, "projected": records[-1].seq}
                    connection.execute(queries()["set_graph_cursor"], last)
                projected += len(records)
        return projected

    def _owner(self, project: str, user_id: str | None) -> int:
        """The partition of a user, or of none, projected to the last write; 0, which is none's, where nothing is stored."""
        owners = [partition.id for partition in self._log.partitions(project, {user_id})]
        self._catch_up(owners)
        return owners[0] if owners else 0

    def _owners_of(self, project: str | None) -> list[int]:
        projects = self._log.all_projects() if project is None else [project]
        return [partition.id for name in projects for partition in self._log.partitions(name)]

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._log.pool.transaction() as connection:
            yield connection

    def _named(self, name: str, parameters: Mapping[str, Any]) -> list[sqlite3.Row]:
        return self._all(queries()[name], parameters)

    def _all(self, sql: str, parameters: Mapping[str, Any] | Sequence[Any]) -> list[sqlite3.Row]:
        with translated(self._path), self._log.pool.reader() as connection:
            found: list[sqlite3.Row] = connection.execute(sql, parameters).fetchall()
            return found


def forget_in_graph(connection: sqlite3.Connection, memory_key: int, owner: int) -> None:
    """Remove what a memory says from the graph, and names that nobody else says; inside the transaction of its erase."""
    _forget(connection, [memory_key])
    if _has_aliases(connection, owner):
        connection.execute(queries()["delete_aliases_of_nothing"], {"owner": owner})
        connection.execute(queries()["renew_nodes"], {"owner": owner})


def _forget(connection: sqlite3.Connection, keys: Sequence[int]) -> None:
    which = {"keys": _json(keys)}
    touched = [row[0] for row in connection.execute(queries()["graph_entities_of_memories"], which).fetchall()]
    connection.execute(queries()["delete_graph_relations"], which)
    connection.execute(queries()["delete_graph_mentions"], which)
    connection.execute(queries()["delete_unmentioned"], {"entities": _json(touched)})


def _has_aliases(connection: sqlite3.Connection, owner: int) -> bool:
    return bool(connection.execute(queries()["has_graph_aliases"], {"owner": owner}).fetchone()[0])


def _project(connection: sqlite3.Connection, owner: int, records: Sequence[MemoryRecord]) -> None:
    """Put what these memories say in place of what they said before."""
    _forget(connection, [record.key for record in records])
    refs = [(record.key, ref) for record in records for ref in mentions(record)]
    keys = dict.fromkeys(ref.key for _, ref in refs)
    connection.executemany(queries()["insert_graph_entity"], [{"owner": owner, "key": key} for key in keys])
    named = {"owner": owner, "keys": _json(keys)}
    ids = {row["entity_key"]: row["entity"] for row in connection.execute(queries()["graph_entity_ids"], named)}
    connection.executemany(
        queries()["insert_graph_mention"], [(key, ids[ref.key], ref.name, ref.kind) for key, ref in refs]
    )
    connection.executemany(
        queries()["insert_graph_relation"],
        [
            (record.key, ids[one.source], one.relationship, ids[one.target])
            for record in records
            for one in stated(record)
        ],
    )
    if _has_aliases(connection, owner):
        connection.execute(queries()["renew_nodes"], {"owner": owner})


def _findings(connection: sqlite3.Connection, owner: int, path: str) -> Iterator[Finding]:
    """Where the rows of a partition are not what its memories say, as far as they were projected."""
    of_owner = {"owner": owner}
    mentioned: dict[int, set[tuple[str, ...]]] = {}
    for row in connection.execute(queries()["mentions_of_owner"], of_owner):
        mentioned.setdefault(row["mentioned_by"], set()).add(
            (row["entity_key"], row["entity_name"], row["entity_kind"])
        )
    related: dict[int, set[tuple[str, ...]]] = {}
    for row in connection.execute(queries()["relations_of_owner"], of_owner):
        related.setdefault(row["stated_by"], set()).add((row["source"], row["relationship"], row["target"]))
    projected = connection.execute(queries()["graph_projected"], of_owner).fetchone()[0]
    memories = connection.execute("SELECT * FROM memory WHERE partition = ? AND seq <= ?", [owner, projected])
    for record in decoded(path, rows.to_memory, memories):
        says = {(ref.key, ref.name, ref.kind) for ref in mentions(record)}
        states = {(one.source, one.relationship, one.target) for one in stated(record)}
        if mentioned.pop(record.key, set()) != says or related.pop(record.key, set()) != states:
            detail = "the graph does not say what it says; `kept rebuild` repairs it"
            yield Finding(check="graph", where=f"memory {record.id}", detail=detail)
    waiting = {
        row[0]
        for row in connection.execute("SELECT key FROM memory WHERE partition = ? AND seq > ?", [owner, projected])
    }
    for key in sorted({*mentioned, *related} - waiting):
        yield Finding(check="graph", where=f"memory with key {key}", detail="the graph has what no memory says")
    for row in connection.execute(queries()["unmentioned_of_owner"], of_owner):
        detail = "an entity that no memory mentions; `kept rebuild` removes it"
        yield Finding(check="graph", where=f"entity {row['entity']}", detail=detail)


@contextmanager
def _one_state(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def _voice(row: sqlite3.Row) -> Voice:
    return Voice(row["user_id"], row["role"], row["speaker"])


def _to_node(
    row: sqlite3.Row,
    names: Mapping[str, str],
    kinds: Mapping[str, str | None],
    aliases: Mapping[str, Mapping[str, str]],
) -> Node:
    name, also = names.get(row["node"], row["node"]), aliases.get(row["node"], {})
    return Node(
        key=row["node"],
        name=name,
        kind=kinds.get(row["node"]),
        mentions=row["mentions"],
        first_seen=from_microseconds(row["first_seen"]),
        last_seen=from_microseconds(row["last_seen"]),
        aliases=tuple(also[key] for key in sorted(also) if also[key] != name),
    )


def _to_edge(row: sqlite3.Row) -> Edge:
    return Edge(
        source=row["source"],
        relationship=row["relationship"],
        target=row["target"],
        memory_id=row["id"],
        memory_key=row["key"],
        created_at=from_microseconds(row["created_at"]),
        valid_from=None if row["valid_from"] is None else from_microseconds(row["valid_from"]),
        valid_to=None if row["valid_to"] is None else from_microseconds(row["valid_to"]),
        state=row["state"],
    )


def _json(values: Iterable[Any]) -> str:
    return json.dumps(list(values))
