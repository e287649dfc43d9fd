"""The graph as it is asked: entities by name, what is said of them, what is near them, how two of them belong together.

Everything rests on memories that the caller's listing holds, and names them. Relations that memories state come before entities that
only stand in memories together.
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from kept.domain.entities import name_key
from kept.domain.graph import Edge, Node
from kept.domain.likeness import Likeness, likenesses
from kept.domain.memory import CURRENT, State
from kept.domain.relationships import MENTIONED_WITH, canonical
from kept.domain.scope import ANY, Scope
from kept.domain.temporal import parse_when
from kept.domain.text import STOP_WORDS
from kept.engine.intake import parse_text, parse_whole
from kept.errors import InvalidInputError, NotFoundError, ScopeError
from kept.ports import EntityGraph, Listing, LogReader

if TYPE_CHECKING:
    from kept.engine.access import Note, ProjectAccess
    from kept.engine.service import Filters

MAX_DEPTH: Final = 3
"""Steps from an entity: a choice, since further away everything belongs together."""
MAX_LENGTH: Final = 4
"""Steps between two: a choice for the same reason."""
MAX_ENTITIES: Final = 100
"""Of one answer: more than anybody looks over."""
MOST_TIES: Final = 20
"""Shown of one entity: what a model can look over."""
MOST_MEMORIES: Final = 20
"""Named of one entity: the newest."""
_EDGES: Final = 1_000
"""Relations read for one step: an entity that more is said of says little about what stands near it."""
_FRONTIER: Final = 200
"""Entities from which a further step is taken."""
_EXPANSIONS: Final = 20_000
"""Beginnings of paths that are looked at: some 20 ms."""
_SHOWN: Final = 40
"""Characters of a name that an error repeats: a choice."""
_COMPARED: Final = 2_000
"""Entities among which likenesses are sought, those mentioned most: each letter's are compared with each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tie:
    """How two entities belong together: a relation that memories state, or that they stand in memories together.

    Attributes:
        source: Name of the entity it goes out from.
        relationship: Its canonical name; `mentioned_with` where no more is known.
        target: Name of the entity it goes to.
        memory_ids: Memories that say so, newest first, at most 20.
        memories: How many do.
        created_at: When the newest of them was said; None of `mentioned_with`.
        valid_from: From when on it holds, as the newest says.
        valid_to: Until when.
        state: Of the newest: a closed one states what held once.
    """

    source: str
    relationship: str
    target: str
    memory_ids: tuple[str, ...] = ()
    memories: int = 1
    created_at: datetime | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    state: State = CURRENT


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityHit:
    """An entity that a search found, with what is said of it."""

    node: Node
    ties: tuple[Tie, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityView:
    """One entity.

    Attributes:
        outgoing: Relations from it.
        incoming: Relations to it.
        together: Entities it stands in memories with, and in how many, most first.
        memory_ids: The newest memories that mention it.
    """

    node: Node
    outgoing: tuple[Tie, ...]
    incoming: tuple[Tie, ...]
    together: tuple[tuple[Node, int], ...]
    memory_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """An entity near another: in how many steps, and by what ties to those one step nearer."""

    node: Node
    distance: int
    ties: tuple[Tie, ...]


class Graph:
    """Asks the graph."""

    def __init__(self, projection: EntityGraph, log: LogReader) -> None:
        self._projection = projection
        self._log = log

    # --- asking ---

    def search(
        self, listing: Listing, query: str = "", *, limit: int = 10, valid_as_of: object = None
    ) -> list[EntityHit]:
        """Entities whose name or alias has words of the query, each with its strongest relations; of a blank one the most mentioned."""
        limit, at = parse_whole(limit, "limit", 1, MAX_ENTITIES), _moment(valid_as_of)
        words = _words(parse_text(query, "query"))
        if query.strip() and not words:
            return []
        nodes = self._projection.matching(listing, words, limit=limit, at=at)
        edges = self._projection.edges(listing, [node.key for node in nodes], limit=_EDGES, at=at)
        names = self._names(listing, edges, nodes)
        return [
            EntityHit(node=node, ties=tuple(_ties(_touching(edges, node.key), names)[:MOST_TIES])) for node in nodes
        ]

    def entity(self, listing: Listing, name: str, *, valid_as_of: object = None) -> EntityView:
        """One entity by its name, an alias, or the one name that has these words.

        Raises:
            NotFoundError: None, or several.
        """
        at = _moment(valid_as_of)
        node = self._node(listing, name, at)
        edges = self._projection.edges(listing, [node.key], limit=_EDGES, at=at)
        counts = self._projection.together(listing, [node.key], limit=MOST_TIES, at=at)
        near = {found.key: found for found in self._projection.nodes(listing, [other for _, other in counts])}
        names = self._names(listing, edges, [node, *near.values()])
        keys = self._projection.mentioning(listing, [node.key], limit=MOST_MEMORIES, at=at)
        return EntityView(
            node=node,
            outgoing=tuple(_ties((edge for edge in edges if edge.source == node.key), names)[:MOST_TIES]),
            incoming=tuple(_ties((edge for edge in edges if edge.source != node.key), names)[:MOST_TIES]),
            together=tuple((near[other], count) for (_, other), count in counts.items() if other in near),
            memory_ids=tuple(self._ids(keys)),
        )

    def neighbours(
        self,
        listing: Listing,
        name: str,
        *,
        depth: int = 1,
        relationship: str | None = None,
        limit: int = 50,
        valid_as_of: object = None,
    ) -> list[Neighbour]:
        """Entities around one, nearest first; of those equally near, by relations before mentions, newest first.

        Args:
            listing: Whose memories.
            name: As of `entity`.
            depth: In at most how many steps, from 1 to 3.
            relationship: Only by this relationship; `mentioned_with` is one too.
            limit: How many.
            valid_as_of: As it was true then.

        Raises:
            NotFoundError: There is no such entity, or several.
        """
        depth, limit = parse_whole(depth, "depth", 1, MAX_DEPTH), parse_whole(limit, "limit", 1, MAX_ENTITIES)
        at = _moment(valid_as_of)
        begin = self._node(listing, name, at)
        start = begin.key
        walk = _Walk(self._projection, listing, relationship, at)
        distances = {start: 0}
        frontier = [start]
        for distance in range(1, depth + 1):
            near = [key for key in walk.step(frontier) if key not in distances]
            distances |= dict.fromkeys(near, distance)
            frontier = near
        keys = [key for key in distances if key != start][:limit]
        nodes = {node.key: node for node in self._projection.nodes(listing, keys, at=at)}
        names = self._names(listing, walk.edges, [begin, *nodes.values()])
        return [
            Neighbour(
                node=nodes[key],
                distance=distances[key],
                ties=tuple(
                    tie
                    for other in walk.near(key)
                    if distances.get(other) == distances[key] - 1
                    for tie in walk.ties(other, key, names)
                )[:MOST_TIES],
            )
            for key in keys
            if key in nodes
        ]

    def paths(
        self,
        listing: Listing,
        one: str,
        other: str,
        *,
        max_length: int = MAX_LENGTH,
        limit: int = 3,
        valid_as_of: object = None,
    ) -> list[tuple[Tie, ...]]:
        """How two entities belong together: the shortest paths between them, each step with the memories that say so.

        Raises:
            NotFoundError: One of them is none, or several.
        """
        max_length, limit = parse_whole(max_length, "max_length", 1, MAX_LENGTH), parse_whole(limit, "limit", 1, 20)
        at = _moment(valid_as_of)
        start, end = (self._node(listing, name, at).key for name in (one, other))
        if start == end:
            raise InvalidInputError("Both names are one entity; name two.")
        walk = _Walk(self._projection, listing, None, at)
        seen, frontier = {start}, [start]
        for _ in range(max_length):
            frontier = [key for key in walk.step(frontier) if key not in seen]
            seen.update(frontier)
            if end in seen or not frontier:
                break
        found = walk.paths(start, end, max_length=max_length, limit=limit)
        names = self._names(
            listing, walk.edges, self._projection.nodes(listing, {key for path in found for key in path})
        )
        return [
            tuple(
                self._with_memories(listing, walk.ties(left, right, names)[0], (left, right), at)
                for left, right in pairwise(path)
            )
            for path in found
        ]

    # --- merging ---

    def merge(self, listing: Listing, into: str, names: str | Sequence[str]) -> EntityView:
        """Make entities of one user's memories one, under the name of the first; `split` takes it back.

        Args:
            listing: Whose memories; its scope names the user, or nobody's are meant.
            into: The name to keep.
            names: The others, or the one other.

        Raises:
            ScopeError: Those of several users are meant.
            NotFoundError: One of them is not mentioned there.
            InvalidInputError: One of them is the first itself, and no alias of it.
        """
        scope = _one_owner(listing)
        target = self._node(listing, into, None)
        aliases = self._projection.aliases(scope.project, scope.user_id)
        merged = []
        for name in _named(names):
            key = self._node(listing, name, None).key
            if key == target.key and name_key(name) not in aliases:
                raise InvalidInputError(
                    f"{name[:_SHOWN]!r} and {into[:_SHOWN]!r} are one entity already; name another."
                )
            merged.append(key)
        self._projection.merge(scope.project, scope.user_id, target.key, merged)
        return self.entity(listing, target.key)

    def split(self, listing: Listing, names: str | Sequence[str]) -> list[str]:
        """Make aliases entities of their own again: their keys.

        Raises:
            ScopeError: As `merge`.
            NotFoundError: None of them is an alias.
        """
        scope = _one_owner(listing)
        gone = self._projection.split(scope.project, scope.user_id, [name_key(name) for name in _named(names)])
        if not gone:
            raise NotFoundError(
                "None of these is an alias in these memories; an entity is shown with what else it is called."
            )
        return gone

    def likenesses(self, listing: Listing, *, limit: int = 20) -> list[Likeness]:
        """Entities that are likely one under two names: suggestions to merge, never applied."""
        return likenesses(self._projection.matching(listing, (), limit=_COMPARED))[
            : parse_whole(limit, "limit", 1, 1_000)
        ]

    # --- what they stand on ---

    def _node(self, listing: Listing, name: str, at: datetime | None) -> Node:
        key = name_key(name) if isinstance(name, str) else ""
        if not key:
            raise InvalidInputError("The entity's name is blank.")
        found = self._projection.nodes(listing, [key], at=at)
        if not found:
            found = self._projection.matching(listing, [key], limit=2, at=at)
        if len(found) != 1:
            count = "Several entities have" if found else "No entity has"
            raise NotFoundError(
                f"{count} the name {name[:_SHOWN]!r} in these memories; search the graph for a word of it."
            )
        return found[0]

    def _names(self, listing: Listing, edges: Iterable[Edge], known: Iterable[Node]) -> dict[str, str]:
        """How the ends of edges are written."""
        names = {node.key: node.name for node in known}
        missing = {key for edge in edges for key in (edge.source, edge.target)} - names.keys()
        return names | {node.key: node.name for node in self._projection.nodes(listing, missing)}

    def _ids(self, keys: Sequence[int]) -> list[str]:
        records = self._log.by_keys(keys)
        return [records[key].id for key in keys if key in records]

    def _with_memories(self, listing: Listing, tie: Tie, ends: tuple[str, str], at: datetime | None) -> Tie:
        """The tie with the memories in which its ends stand together, where no relation names any."""
        if tie.memory_ids:
            return tie
        left, right = (self._projection.mentioning(listing, [key], limit=_EDGES, at=at) for key in ends)
        both = set(right)
        return replace(tie, memory_ids=tuple(self._ids([key for key in left if key in both][:MOST_MEMORIES])))


class ProjectGraph:
    """The graph of a project, as far as a principal may see it: each call takes `ids` and `filters`, and the options of `Graph`."""

    def __init__(self, access: ProjectAccess) -> None:
        self._access = access
        self._service = access.platform.service

    def search(self, query: str, ids: Mapping[str, object], filters: Filters = None, **options: Any) -> list[EntityHit]:
        """As `Graph.search`."""
        with self._access.noted("graph.search") as note:
            found = self._service.graph.search(self._listing(note, ids, filters), query, **options)
            note.count = len(found)
            return found

    def entity(self, name: str, ids: Mapping[str, object], filters: Filters = None, **options: Any) -> EntityView:
        """As `Graph.entity`."""
        with self._access.noted("graph.entity") as note:
            return self._service.graph.entity(self._listing(note, ids, filters), name, **options)

    def neighbours(
        self, name: str, ids: Mapping[str, object], filters: Filters = None, **options: Any
    ) -> list[Neighbour]:
        """As `Graph.neighbours`."""
        with self._access.noted("graph.neighbours") as note:
            found = self._service.graph.neighbours(self._listing(note, ids, filters), name, **options)
            note.count = len(found)
            return found

    def paths(
        self, one: str, other: str, ids: Mapping[str, object], filters: Filters = None, **options: Any
    ) -> list[tuple[Tie, ...]]:
        """As `Graph.paths`."""
        with self._access.noted("graph.paths") as note:
            found = self._service.graph.paths(self._listing(note, ids, filters), one, other, **options)
            note.count = len(found)
            return found

    def likenesses(self, ids: Mapping[str, object], **options: Any) -> list[Likeness]:
        """As `Graph.likenesses`."""
        with self._access.noted("graph.likenesses") as note:
            found = self._service.graph.likenesses(self._listing(note, ids), **options)
            note.count = len(found)
            return found

    def merge(self, into: str, names: str | Sequence[str], ids: Mapping[str, object]) -> EntityView:
        """As `Graph.merge`."""
        with self._access.noted("graph.merge", "WRITER") as note:
            return self._service.graph.merge(self._listing(note, ids), into, names)

    def split(self, names: str | Sequence[str], ids: Mapping[str, object]) -> list[str]:
        """As `Graph.split`."""
        with self._access.noted("graph.split", "WRITER") as note:
            return self._service.graph.split(self._listing(note, ids), names)

    def _listing(self, note: Note, ids: Mapping[str, object], filters: Filters = None) -> Listing:
        scope, condition = self._access.within(ids, filters)
        note.target |= scope.ids
        return self._service.listing(scope, condition)


class _Walk:
    """Steps through the graph, and what was seen on the way."""

    def __init__(
        self, projection: EntityGraph, listing: Listing, relationship: str | None, at: datetime | None
    ) -> None:
        self._projection = projection
        self._listing = listing
        self._relationship = None if relationship is None else canonical(relationship)
        self._at = at
        self._between: dict[frozenset[str], dict[Edge, None]] = defaultdict(dict)
        self._together: dict[frozenset[str], int] = {}
        self._near: dict[str, dict[str, None]] = defaultdict(dict)

    @property
    def edges(self) -> list[Edge]:
        """All relations that were passed."""
        return [edge for edges in self._between.values() for edge in edges]

    def step(self, frontier: Sequence[str]) -> list[str]:
        """The entities one step further: first those that relations lead to, then those that are mentioned with these."""
        keys = frontier[:_FRONTIER]
        reached: dict[str, None] = {}
        if keys and self._relationship != MENTIONED_WITH:
            for edge in self._projection.edges(
                self._listing, keys, limit=_EDGES, relationship=self._relationship, at=self._at
            ):
                self._between[frozenset((edge.source, edge.target))][edge] = None
                self._pass(edge.source, edge.target, reached)
        if keys and self._relationship in {None, MENTIONED_WITH}:
            for (one, other), count in self._projection.together(
                self._listing, keys, limit=_EDGES, at=self._at
            ).items():
                self._together[frozenset((one, other))] = count
                self._pass(one, other, reached)
        return list(reached)

    def _pass(self, one: str, other: str, reached: dict[str, None]) -> None:
        if one != other:
            self._near[one][other] = self._near[other][one] = None
            reached |= {one: None, other: None}

    def near(self, key: str) -> list[str]:
        """Entities that were passed from or to this one."""
        return list(self._near[key])

    def ties(self, one: str, other: str, names: Mapping[str, str]) -> list[Tie]:
        """How two neighbours belong together: by relations, else by standing together."""
        pair = frozenset((one, other))
        if self._between.get(pair):
            return _ties(self._between[pair], names)
        if pair not in self._together:
            return []
        return [
            Tie(
                source=names.get(one, one),
                relationship=MENTIONED_WITH,
                target=names.get(other, other),
                memories=self._together[pair],
            )
        ]

    def paths(self, start: str, end: str, *, max_length: int, limit: int) -> list[tuple[str, ...]]:
        """The shortest paths over what was passed, shortest first; those over relations before those over mentions."""
        left = self._distances(end)
        found: list[tuple[str, ...]] = []
        waiting: deque[tuple[str, ...]] = deque([(start,)])
        for _ in range(_EXPANSIONS):
            if not waiting or len(found) == limit:
                break
            path = waiting.popleft()
            if path[-1] == end:
                found.append(path)
                continue
            waiting.extend(
                (*path, key)
                for key in self._near[path[-1]]
                if key not in path and len(path) + left.get(key, max_length) <= max_length
            )
        return found

    def _distances(self, end: str) -> dict[str, int]:
        """In how many steps an entity comes to `end`."""
        distances, waiting = {end: 0}, deque([end])
        while waiting:
            key = waiting.popleft()
            for near in self._near[key]:
                if near not in distances:
                    distances[near] = distances[key] + 1
                    waiting.append(near)
        return distances


def _touching(edges: Iterable[Edge], key: str) -> list[Edge]:
    return [edge for edge in edges if key in {edge.source, edge.target}]


def _ties(edges: Iterable[Edge], names: Mapping[str, str]) -> list[Tie]:
    """What edges say together: those that hold first, then those that more memories state, in the order of the edges."""
    grouped: dict[tuple[object, ...], list[Edge]] = defaultdict(list)
    for edge in edges:
        grouped[(*edge.triple, edge.state == CURRENT)].append(edge)
    ties = [
        Tie(
            source=names.get(group[0].source, group[0].source),
            relationship=group[0].relationship,
            target=names.get(group[0].target, group[0].target),
            memory_ids=tuple(edge.memory_id for edge in group[:MOST_MEMORIES]),
            memories=len(group),
            created_at=group[0].created_at,
            valid_from=group[0].valid_from,
            valid_to=group[0].valid_to,
            state=group[0].state,
        )
        for group in grouped.values()
    ]
    return sorted(ties, key=lambda tie: (tie.state != CURRENT, -tie.memories))


_WORD: Final = re.compile(r"\w(?:[\w.@/#+:-]*\w|\+\+|#)?")


def _words(query: str) -> Collection[str]:
    """What a query may name: its words that say something, and all of it."""
    words = [name_key(word) for word in _WORD.findall(query.casefold())]
    said = [word for word in words if word not in STOP_WORDS]
    return list(dict.fromkeys([*said, *([name_key(query)] if len(words) > 1 and said else [])]))


def _one_owner(listing: Listing) -> Scope:
    """The scope of a listing whose entities may be merged: one user's, or those of no user."""
    scope = listing.scope
    if scope.user_id == ANY or scope.is_bare:
        raise ScopeError("Entities are merged in one user's memories: name the user_id.")
    return scope


def _named(names: object) -> list[str]:
    """The names of a list, or the one that is given alone."""
    if isinstance(names, str):
        return [names]
    if not isinstance(names, (list, tuple)) or not names or not all(isinstance(name, str) for name in names):
        raise InvalidInputError("names must be an entity's name, or a list of at least one.")
    return list(names)


def _moment(valid_as_of: object) -> datetime | None:
    return None if valid_as_of is None else parse_when(valid_as_of)
