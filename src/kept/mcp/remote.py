"""Tools over another server: Kept's, Mem0's platform, or any of the same dialect. What only Kept can do says so where it cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from kept.domain.ids import SHORT_ID
from kept.domain.jobs import DONE
from kept.domain.text import count_tokens
from kept.engine.context import HEADER
from kept.errors import EventFailedError, InvalidInputError, NotFoundError, ServerError
from kept.mcp import graph
from kept.mcp.backend import WAIT_S, Ids, Json
from kept.mcp.call import Call
from kept.sdk.client import MemoryClient
from kept.sdk.client.parts import looks

PAGE: Final = 200
"""Of entities; as many as the platform gives at once."""
MENTIONS: Final = 50
"""Memories searched for an entity, where the server cannot filter by it."""
FOUND: Final = 10
"""Memories whose entities are told where none is mentioned by name."""


class RemoteBackend:
    """A server's memories, as far as its key lets one use them.

    Args:
        client: How it is reached.
        defaults: Ids that hold where a caller names none.
    """

    def __init__(self, client: MemoryClient, *, defaults: Mapping[str, str] | None = None) -> None:
        self._client = client
        self.defaults = defaults or {}

    def add(self, messages: object, ids: Ids, options: Mapping[str, Any], call: Call) -> Json:
        """Stored when this returns; or acknowledged, when that takes long."""
        said: Any = messages
        answer: Json = dict(self._client.add(said, **ids, **options))
        return answer if "results" in answer else self._settled(answer, call)

    def search(self, query: str, ids: Ids, filters: Mapping[str, Any] | None, options: Mapping[str, Any]) -> list[Json]:
        """Hits, best first."""
        found: Any = self._client.search(query, **ids, filters=filters, **options)
        return _listed(found)

    def page(
        self, ids: Ids, filters: Mapping[str, Any] | None, options: Mapping[str, Any], *, page: int, page_size: int
    ) -> tuple[list[Json], int]:
        """A page of memories, newest first, and how many there are."""
        found: Any = self._client.get_all(**ids, filters=filters, page=page, page_size=page_size, **options)
        return _listed(found), _count(found)

    def get(self, memory_id: str) -> Json:
        """A memory."""
        return dict(self._client.get(memory_id))

    def history(self, memory_id: str) -> list[Json]:
        """Its changes, oldest first."""
        return [dict(step) for step in self._client.history(memory_id)]

    def update(self, memory_id: str, fields: Mapping[str, Any]) -> Json:
        """The memory as it is now."""
        answer: Json = dict(self._client.update(memory_id, **fields))
        return answer if "memory" in answer else self.get(memory_id) | answer

    def delete(self, memory_ids: Sequence[str], *, linked: bool) -> Json:
        """Delete memories."""
        if len(memory_ids) == 1:
            answer: Json = dict(self._client.delete(memory_ids[0], linked))
        else:
            answer = dict(self._client.batch_delete(list(memory_ids)))
        return answer | {"deleted": len(memory_ids) + answer.pop("cascade_count", 0)}

    def delete_all(self, ids: Ids, filters: Mapping[str, Any] | None, call: Call) -> Json:
        """Delete all memories of a scope."""
        return _counted(self._settled(dict(self._client.delete_all(**ids, filters=filters)), call))

    def delete_entity(self, kind: str, name: str, call: Call) -> Json:
        """Delete an entity with its memories."""
        named: dict[str, Any] = {f"{kind}_id": name}
        answer: Json = dict(self._client.delete_users(**named))
        events = answer.pop("event_ids", None) or []
        return _counted(self._settled({**answer, "event_id": events[0]}, call)) if events else answer

    def entities(self) -> list[Json]:
        """Users, agents, apps and runs that memories are stored under."""
        found: list[Json] = []
        page = 1
        while True:
            answer: Any = self._client.users(page=page, page_size=PAGE)
            found += [
                {name: entity.get(name) for name in ("type", "name", "total_memories", "updated_at")}
                for entity in _listed(answer)
            ]
            if not isinstance(answer, dict) or not answer.get("next"):
                return found
            page += 1

    def events(self, criteria: Mapping[str, Any], *, page: int, page_size: int) -> tuple[list[Json], int]:
        """A page of events, newest first."""
        asked = {name: value for name, value in criteria.items() if name != "ids" and value}
        found: Any = self._client.events.list(page=page, page_size=page_size, **asked, **(criteria.get("ids") or {}))
        return _listed(found), _count(found)

    def event(self, event_id: str) -> Json:
        """An event, with what came of it."""
        return dict(self._client.events.get(event_id))

    def context(self, query: str, ids: Ids, filters: Mapping[str, Any] | None, options: Mapping[str, Any]) -> Json:
        """A block of memories for a prompt; made here of a search where the server makes none."""
        try:
            return dict(self._client.context(query, **ids, filters=filters, **options))
        except (NotFoundError, ServerError):
            return _block(self.search(query, ids, filters, {"top_k": MENTIONS}), options["budget_tokens"])

    def summary(self, ids: Ids, budget_tokens: int) -> Json:
        """What the memories say, in short."""
        found = self._client.get_summary(filters=dict(ids) or None)
        said = "\n".join(str(part.get("summary", "")) for part in found)
        told = {name: part[name] for part in found for name in ("by", "note") if part.get(name)}
        return _fitting(said.splitlines(), budget_tokens) | {
            "ids": [memory_id for part in found for memory_id in part.get("memory_ids") or ()],
            **told,
        }

    def mentioning(self, entity: str, ids: Ids, limit: int) -> list[Json]:
        """Memories that mention an entity; searched for where the server does not filter by it."""
        wanted = {"entity": {"contains": entity}}
        try:
            return self.page(ids, wanted, {}, page=1, page_size=min(limit, PAGE))[0]
        except InvalidInputError:
            return self.search(entity, ids, None, {"top_k": MENTIONS})

    def search_graph(self, query: str, ids: Ids, limit: int) -> list[Json]:
        """Entities by words of their names; of a server without a graph those of the memories that mention one, or that a search finds."""
        try:
            known: Any = self._client.search_graph(query, limit=limit, **ids)
        except ServerError:
            return self._guessed(query, ids, limit)
        return [graph.hit(one) for one in _listed(known)]

    def _guessed(self, query: str, ids: Ids, limit: int) -> list[Json]:
        found = self.mentioning(query, ids, limit) or self.search(query, ids, None, {"top_k": FOUND})
        return graph.entities(found, query)

    def entity(self, name: str, ids: Ids) -> Json:
        """One entity; of a server without a graph by the memories that mention it."""
        try:
            known: Any = self._client.get_entity(name, **ids)
        except NotFoundError as error:
            return graph.unknown(name, str(error))
        except ServerError:
            return graph.entity(self.mentioning(name, ids, PAGE), name)
        newest = known["memory_ids"][: graph.MOST_MEMORIES]
        found = self.page(ids, {"memory_ids": {"in": newest}}, {}, page=1, page_size=len(newest))[0] if newest else []
        return graph.view(known, found)

    def undo(self, operation_id: str | None, ids: Ids) -> Json:
        """Take back an operation."""
        return dict(self._client.undo(operation_id, **ids))

    def warm(self) -> None:
        """Open the connection."""
        self._client.ping()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _settled(self, answer: Json, call: Call) -> Json:
        """What came of acknowledged work; its event where that goes on."""
        if "event_id" not in answer:
            return answer
        event, waited = self.event(answer["event_id"]), 0.0
        for pause in looks(WAIT_S):
            if event["status"] in DONE:
                break
            call.progress(waited, WAIT_S, "waiting for the server")
            call.wait(pause)
            waited += pause
            event = self.event(answer["event_id"])
        if event["status"] == "FAILED":
            raise EventFailedError(f"It could not be done: {event.get('error') or 'the server does not say why'}.")
        results = event.get("results") or []
        operation = next((result["operation_id"] for result in results if "operation_id" in result), None)
        done = {"status": event["status"], "results": results, "operation_id": operation}
        return answer | {name: value for name, value in done.items() if value}


def _counted(answer: Json) -> Json:
    """A deletion with how many it deleted in place of each of them."""
    results = answer.pop("results", [])
    listed = [result["count"] for result in results if "count" in result]
    return answer | ({"deleted": listed[0] if listed else len(results)} if answer.get("status") == "SUCCEEDED" else {})


def _listed(answer: Any) -> list[Json]:
    """The results of an answer, of the old shape (a bare array) or the new."""
    found = answer.get("results", []) if isinstance(answer, dict) else answer
    if not isinstance(found, list):
        raise ServerError("The server's answer is no list of memories; is it one of Mem0's dialect?")
    return found


def _count(answer: Any) -> int:
    return int(answer.get("count", len(_listed(answer)))) if isinstance(answer, dict) else len(answer)


def _block(hits: Sequence[Json], budget_tokens: int) -> Json:
    lines = [f"- [{hit['id'][:SHORT_ID]}] {hit['memory']}" for hit in hits]
    block = _fitting(lines, budget_tokens)
    kept = max(block["text"].count("\n- ["), 0)
    return block | {"ids": [hit["id"] for hit in hits[:kept]]}


def _fitting(lines: Sequence[str], budget_tokens: int) -> Json:
    """The first of these lines that fit a budget together."""
    chosen, left = [], budget_tokens - count_tokens(HEADER)
    for line in lines:
        left -= count_tokens(f"{line}\n")
        if left < 0:
            break
        chosen.append(line)
    text = "\n".join([HEADER, *chosen]) if chosen else ""
    tokens = count_tokens(text)
    return {"text": text, "tokens": tokens, "budget_tokens": budget_tokens, "omitted": len(lines) - len(chosen)}
