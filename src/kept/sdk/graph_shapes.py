"""What is asked of the graph, as dictionaries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from kept.sdk.shapes import iso

if TYPE_CHECKING:
    from kept.domain.graph import Node
    from kept.domain.likeness import Likeness
    from kept.engine.graph import EntityHit, EntityView, Neighbour, Tie


def node(found: Node) -> dict[str, Any]:
    """An entity: how it is written, what it is, how often and when it was mentioned."""
    return {
        "name": found.name,
        "kind": found.kind,
        "mentions": found.mentions,
        "first_seen": iso(found.first_seen),
        "last_seen": iso(found.last_seen),
    }


def tie(found: Tie) -> dict[str, Any]:
    """How two entities belong together, in how many memories and which; dates and state where they say something."""
    shape = {
        "source": found.source,
        "relationship": found.relationship,
        "target": found.target,
        "memories": found.memories,
        "memory_ids": list(found.memory_ids),
    }
    optional = {
        "created_at": iso(found.created_at),
        "valid_from": iso(found.valid_from),
        "valid_to": iso(found.valid_to),
        "state": found.state if found.state != "active" else None,
    }
    return shape | {name: value for name, value in optional.items() if value}


def search(found: Iterable[EntityHit]) -> dict[str, Any]:
    """Entities, best first, each with its strongest relations."""
    return {"results": [node(one.node) | {"relations": [tie(each) for each in one.ties]} for one in found]}


def entity(found: EntityView) -> dict[str, Any]:
    """One entity: its aliases, its relations in both directions, what it is mentioned with, the newest memories."""
    return node(found.node) | {
        "aliases": list(found.node.aliases),
        "relations": [tie(each) for each in (*found.outgoing, *found.incoming)],
        "mentioned_with": [{"name": one.name, "kind": one.kind, "memories": count} for one, count in found.together],
        "memory_ids": list(found.memory_ids),
    }


def neighbours(found: Iterable[Neighbour]) -> dict[str, Any]:
    """Entities, nearest first, each with what ties it to those one step nearer."""
    results = [
        node(one.node) | {"distance": one.distance, "relations": [tie(each) for each in one.ties]} for one in found
    ]
    return {"results": results}


def paths(found: Iterable[Sequence[Tie]]) -> dict[str, Any]:
    """Paths, shortest first, each as its steps."""
    return {"results": [{"length": len(path), "relations": [tie(each) for each in path]} for path in found]}


def split(names: Sequence[str]) -> dict[str, Any]:
    """What is an entity of its own again."""
    return {"message": "Entities split.", "names": list(names)}


def likenesses(found: Iterable[Likeness]) -> dict[str, Any]:
    """Pairs that are likely one, as `merge` takes them."""
    return {"results": [{"into": pair.one.name, "names": [pair.other.name], "why": pair.why} for pair in found]}
