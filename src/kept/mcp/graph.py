"""Entities and what connects them, from the memories that mention them.

What a memory's relations say is said; entities that stand in one memory are mentioned together, no more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from kept.domain.relationships import MENTIONED_WITH

MOST_ENTITIES: Final = 20
"""Of one answer: a choice, as many as a model can look over."""
MOST_RELATIONS: Final = 20
"""Of one entity: a choice for the same reason."""
MOST_MEMORIES: Final = 20
"""Of one entity, the newest: a choice for the same reason."""
_SHOWN: Final = 40
"""Characters of a name that a message repeats: a choice."""

Json = dict[str, Any]


def entities(memories: Sequence[Json], query: str) -> list[Json]:
    """Entities of these memories: those whose name has the query in it, else those mentioned most."""
    names, counts = _names(memories), Counter(key for memory in memories for key in _keys(memory))
    wanted = query.casefold().strip()
    found = [key for key, _ in counts.most_common() if wanted in key] or [key for key, _ in counts.most_common()]
    return [
        {**names[key], "mentions": counts[key], "relations": _relations(memories, key, names)[:MOST_RELATIONS]}
        for key in found[:MOST_ENTITIES]
    ]


def entity(memories: Sequence[Json], name: str) -> Json:
    """One entity: its relations in both directions and the memories that mention it."""
    key = name.casefold().strip()
    about = [memory for memory in memories if key in _keys(memory)] or list(memories)
    if not about:
        return unknown(name)
    names = _names(about)
    return {
        **(names.get(key) or {"name": name, "kind": None}),
        "mentions": len(about),
        "relations": _relations(about, key, names)[:MOST_RELATIONS],
        "memories": [
            {part: memory[part] for part in ("id", "memory", "created_at")} for memory in about[:MOST_MEMORIES]
        ],
    }


def hit(found: Mapping[str, Any]) -> Json:
    """An entity that a graph found, as `/v1/graph/search/` tells it, with its relations."""
    return {**_named(found), "relations": [_told(tie) for tie in found["relations"]]}


def view(found: Mapping[str, Any], memories: Sequence[Json]) -> Json:
    """One entity of a graph, as `/v1/graph/entity/` tells it: what is said of it, then what it is mentioned with, and these memories."""
    said = [_told(tie) for tie in found["relations"]]
    related = {end.casefold() for tie in said for end in (tie["source"], tie["target"])}
    together = [
        {
            "source": found["name"],
            "relationship": MENTIONED_WITH,
            "target": other["name"],
            "memories": other["memories"],
        }
        for other in found["mentioned_with"]
        if other["name"].casefold() not in related
    ]
    aliases = {"aliases": found["aliases"]} if found["aliases"] else {}
    return {
        **_named(found),
        **aliases,
        "relations": [*said, *together][:MOST_RELATIONS],
        "memories": [{part: memory[part] for part in ("id", "memory", "created_at")} for memory in memories],
    }


def unknown(name: str, why: str | None = None) -> Json:
    """What is known of an entity that no memory mentions, or of a name that several have: nothing, and why."""
    said = why or f"No entity has the name {name[:_SHOWN]!r} in these memories."
    message = f"{said} The tool search_graph finds names by their words."
    return {"name": name, "kind": None, "mentions": 0, "relations": [], "memories": [], "message": message}


def _named(node: Mapping[str, Any]) -> Json:
    return {part: node[part] for part in ("name", "kind", "mentions")}


def _told(tie: Mapping[str, Any]) -> Json:
    """A relation with the newest memory that states it; until when it held, if it no longer does."""
    triple = {part: tie[part] for part in ("source", "relationship", "target")}
    closed = {part: tie[part] for part in ("state", "valid_to") if tie.get(part)}
    return {**triple, "memory_id": tie["memory_ids"][0], **closed}


def _mentions(memory: Json) -> list[Mapping[str, str]]:
    """The entities of a memory; by rule where the server does not tell."""
    if "entities" not in memory:
        from kept.domain.entities import entity_refs

        memory["entities"] = [{"name": found.name, "kind": found.kind} for found in entity_refs(memory["memory"])]
    found: list[Mapping[str, str]] = memory["entities"]
    return found


def _keys(memory: Json) -> dict[str, None]:
    """The entities of a memory, in order, so that equal counts come out in the same order everywhere."""
    ends = [end for relation in memory.get("relations", ()) for end in (relation["source"], relation["target"])]
    return dict.fromkeys(name.casefold() for name in (*(mention["name"] for mention in _mentions(memory)), *ends))


def _names(memories: Iterable[Json]) -> dict[str, Json]:
    """Each entity as it was written first, by its key."""
    found: dict[str, Json] = {}
    for memory in memories:
        for relation in memory.get("relations", ()):
            for end in (relation["source"], relation["target"]):
                found.setdefault(end.casefold(), {"name": end, "kind": None})
        for mention in _mentions(memory):
            known = found.setdefault(mention["name"].casefold(), {"name": mention["name"], "kind": mention.get("kind")})
            known["kind"] = known["kind"] or mention.get("kind")
    return found


def _relations(memories: Iterable[Json], key: str, names: Mapping[str, Json]) -> list[Json]:
    """What is said of an entity, in both directions; then what it is mentioned with, most often first."""
    said: dict[tuple[str, str, str], Json] = {}
    together: Counter[str] = Counter()
    for memory in memories:
        for relation in memory.get("relations", ()):
            ends = (relation["source"], relation["relationship"], relation["target"])
            if key in {ends[0].casefold(), ends[2].casefold()}:
                said.setdefault(ends, {**relation, "memory_id": memory["id"]})
        keys = _keys(memory)
        together.update(other for other in keys if key in keys and other != key)
    stated = {end.casefold() for source, _, target in said for end in (source, target)}
    return [*said.values()] + [
        {
            "source": names[key]["name"] if key in names else key,
            "relationship": MENTIONED_WITH,
            "target": names[other]["name"],
            "memories": count,
        }
        for other, count in together.most_common()
        if other not in stated
    ]
