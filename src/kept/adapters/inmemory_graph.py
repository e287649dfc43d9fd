"""The graph in memory: the reference that says what the port means. It keeps nothing but merges and reads the log anew each time."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from kept.domain.entity_kinds import SPEAKS, Clue, Spelling, Voice, clue_of_source, clue_of_target, kind_of
from kept.domain.graph import Edge, Node, holds_at, mentions, stated, words_held
from kept.domain.memory import EntityRef, MemoryRecord
from kept.domain.scope import Scope
from kept.ports import Finding, Listing, LogReader

_Aliases = Mapping[str | None, Mapping[str, str]]
"""Of each user, what each alias was merged into."""
_Owned = tuple[str | None, str]
"""A user, and the key of one of their nodes."""
_Mention = tuple[MemoryRecord, EntityRef]


@dataclass(frozen=True, slots=True)
class _View:
    """The memories that one read may see, and what was merged then."""

    records: list[MemoryRecord]
    aliases: _Aliases

    def node_of(self, record: MemoryRecord, key: str) -> str:
        """By which key an entity of a memory is known."""
        return self.aliases[record.user_id].get(key, key)

    def owned(self, record: MemoryRecord, key: str) -> _Owned:
        """The node that an entity of a memory is."""
        return record.user_id, self.node_of(record, key)

    def mentions(self) -> dict[_Owned, list[_Mention]]:
        """The mentions of each node."""
        found: dict[_Owned, list[_Mention]] = defaultdict(list)
        for record in self.records:
            for ref in mentions(record):
                found[self.owned(record, ref.key)].append((record, ref))
        return found

    def wanted(self, keys: Collection[str]) -> set[_Owned]:
        """The nodes that these keys ask for, by their own or by an alias; what one user merged is merged for that one alone."""
        merged = {(user, into) for user, known in self.aliases.items() for key, into in known.items() if key in keys}
        return merged | {
            (user, node)
            for (user, node), said in self.mentions().items()
            if node in keys or any(ref.key in keys for _, ref in said)
        }

    def nodes(self, wanted: Collection[_Owned]) -> dict[str, Node]:
        """Those that are wanted; what several users call the same is one."""
        clues, found = self.clues(), self.mentions()
        joined: dict[str, tuple[list[_Mention], Counter[Clue]]] = defaultdict(lambda: ([], Counter()))
        for owned in found.keys() & set(wanted):
            said, told = joined[owned[1]]
            said += found[owned]
            told.update(clues[owned])
        return {key: _node(key, said, told) for key, (said, told) in joined.items()}

    def clues(self) -> dict[_Owned, Counter[Clue]]:
        """What relations, and who speaks, tell of the kind of each node."""
        found: dict[_Owned, Counter[Clue]] = defaultdict(Counter)
        for record in self.records:
            voice = Voice(record.user_id, record.role, record.speaker)
            names = {ref.key: ref.name for ref in mentions(record)}
            for key in names:
                found[self.owned(record, key)].update([SPEAKS] if voice.is_of(key) else [])
            for one in stated(record):
                told = (
                    (one.source, clue_of_source(one.relationship)),
                    (one.target, clue_of_target(one.relationship, names[one.source], voice)),
                )
                for key, clue in told:
                    found[self.owned(record, key)].update([clue] if clue else [])
        return found

    def edges(self, wanted: Collection[_Owned]) -> Iterator[Edge]:
        """What the memories state of nodes that are wanted."""
        for record in self.records:
            for one in stated(record):
                if not {self.owned(record, one.source), self.owned(record, one.target)} & set(wanted):
                    continue
                yield Edge(
                    source=self.node_of(record, one.source),
                    relationship=one.relationship,
                    target=self.node_of(record, one.target),
                    memory_id=record.id,
                    memory_key=record.key,
                    created_at=record.created_at,
                    valid_from=record.valid_from,
                    valid_to=record.valid_to,
                    state=record.state,
                )


class InMemoryGraph:
    """The graph port over any log. A read takes time in proportion to what is stored."""

    def __init__(self, log: LogReader) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._merged: dict[tuple[str, str | None], dict[str, str]] = {}

    def nodes(self, listing: Listing, keys: Collection[str], *, at: datetime | None = None) -> list[Node]:
        view = self._view(listing, at)
        found = view.nodes(view.wanted(keys))
        return [found[key] for key in sorted(found)]

    def matching(
        self, listing: Listing, words: Collection[str], *, limit: int, at: datetime | None = None
    ) -> list[Node]:
        view = self._view(listing, at)
        found = view.mentions()
        held: Counter[str] = Counter()
        for (_, key), said in found.items():
            held[key] = max(held[key], *(words_held(ref.key, words) if words else 1 for _, ref in said))
        nodes = view.nodes([owned for owned in found if held[owned[1]]]).values()
        return sorted(nodes, key=lambda node: (-held[node.key], -node.mentions, node.key))[:limit]

    def edges(
        self,
        listing: Listing,
        keys: Collection[str],
        *,
        limit: int,
        relationship: str | None = None,
        at: datetime | None = None,
    ) -> list[Edge]:
        view = self._view(listing, at)
        found = [edge for edge in view.edges(view.wanted(keys)) if relationship in (None, edge.relationship)]
        found.sort(key=lambda edge: edge.triple)
        found.sort(key=lambda edge: (edge.created_at, edge.memory_key), reverse=True)
        return sorted(found, key=lambda edge: edge.state != "active")[:limit]

    def together(
        self, listing: Listing, keys: Collection[str], *, limit: int, at: datetime | None = None
    ) -> dict[tuple[str, str], int]:
        view = self._view(listing, at)
        wanted = view.wanted(keys)
        counts: Counter[tuple[str, str]] = Counter()
        for record in view.records:
            here = {view.owned(record, ref.key) for ref in mentions(record)}
            counts.update((one, other) for _, one in here & wanted for _, other in here if other != one)
        return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:limit])

    def mentioning(
        self, listing: Listing, keys: Collection[str], *, limit: int, at: datetime | None = None
    ) -> list[int]:
        view = self._view(listing, at)
        found = view.mentions()
        records = {record.key: record for owned in view.wanted(keys) & found.keys() for record, _ in found[owned]}
        newest = sorted(records.values(), key=lambda record: (record.created_at, record.key), reverse=True)
        return [record.key for record in newest[:limit]]

    def aliases(self, project: str, user_id: str | None) -> dict[str, str]:
        """Merges of a user whose names somebody still says: an erase takes both."""
        known = self._merged.get((project, user_id), {})
        said = self._said(project, user_id) if known else set()
        return {alias: into for alias, into in sorted(known.items()) if {alias, into} <= said}

    def merge(self, project: str, user_id: str | None, into: str, keys: Collection[str]) -> None:
        with self._lock:
            known, said = self.aliases(project, user_id), self._said(project, user_id)
            into = known.get(into, into)
            for alias in ({known.get(key, key) for key in keys} - {into}) & said if into in said else ():
                known = {key: into if target == alias else target for key, target in known.items()} | {alias: into}
            self._merged[project, user_id] = known

    def split(self, project: str, user_id: str | None, keys: Collection[str]) -> list[str]:
        with self._lock:
            known = self.aliases(project, user_id)
            gone = sorted(set(keys) & known.keys())
            self._merged[project, user_id] = {key: into for key, into in known.items() if key not in gone}
            return gone

    def catch_up(self) -> int:
        return 0

    def lag(self) -> int:
        return 0

    def rebuild(self, project: str | None = None) -> int:  # noqa: ARG002 - the port's signature
        return 0

    def verify(self, project: str | None = None) -> Iterator[Finding]:  # noqa: ARG002 - the port's signature
        return iter(())

    def _view(self, listing: Listing, at: datetime | None) -> _View:
        records = [record for record in self._log.scan(listing) if holds_at(record, at)]
        users = {record.user_id for record in records}
        return _View(records, {user: self.aliases(listing.scope.project, user) for user in users})

    def _said(self, project: str, user_id: str | None) -> set[str]:
        """Keys of all entities that a user's memories mention, whether they may be seen or not."""
        present = Listing(
            scope=Scope(project=project, user_id=user_id), states=("active", "superseded", "invalidated", "deleted")
        )
        records = (record for record in self._log.scan(present) if record.user_id == user_id)
        return {ref.key for record in records for ref in mentions(record)}


def _node(key: str, said: Collection[tuple[MemoryRecord, EntityRef]], clues: Mapping[Clue, int]) -> Node:
    """An entity of its mentions: as it was written last under its own key."""
    spelled: dict[tuple[bool, str, str, str], list[datetime]] = defaultdict(list)
    for record, ref in said:
        spelled[ref.key != key, ref.name, ref.kind, ref.key].append(record.created_at)
    ordered = _newest_first(spelled)
    also = {alias: name for is_alias, name, _, alias in reversed(ordered) if is_alias}
    return Node(
        key=key,
        name=ordered[0][1],
        kind=kind_of([Spelling(one[1], one[2], len(spelled[one])) for one in ordered], clues),
        mentions=len({record.key for record, _ in said}),
        first_seen=min(record.created_at for record, _ in said),
        last_seen=max(record.created_at for record, _ in said),
        aliases=tuple(also[alias] for alias in sorted(also) if also[alias] != ordered[0][1]),
    )


def _newest_first(spelled: Mapping[tuple[bool, str, str, str], Iterable[datetime]]) -> list[tuple[bool, str, str, str]]:
    """Spellings under its own key before aliases, each as it was written last."""
    ordered = sorted(spelled)
    ordered.sort(key=lambda spelling: max(spelled[spelling]), reverse=True)
    return sorted(ordered, key=lambda spelling: spelling[0])
