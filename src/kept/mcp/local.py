"""Tools over a project of the store: on this machine for one person, in the server for whom a key or a link stands for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from kept.domain.access import Principal
from kept.domain.filters import NARROWING, Filter, narrowing, parse_filter
from kept.domain.jobs import Job, parse_event_kinds, parse_statuses
from kept.domain.scope import Scope
from kept.engine.access import ProjectAccess
from kept.engine.context import HEADER
from kept.engine.maintain import Change
from kept.engine.summary import summary
from kept.errors import NotFoundError
from kept.mcp import graph
from kept.mcp.backend import WAIT_S, Ids, Json
from kept.mcp.call import Call
from kept.sdk import shapes, wire
from kept.settings import Settings

CONNECTOR: Final = "mcp"


class LocalBackend:
    """A project, as far as a principal may use it.

    Args:
        access: The project.
        defaults: Ids that hold where a caller names none.
        work: Does what was acknowledged, where no worker runs beside; None where one does.
        close: What to do at the end.
    """

    def __init__(
        self,
        access: ProjectAccess,
        *,
        defaults: Mapping[str, str] | None = None,
        work: Callable[[], None] | None = None,
        close: Callable[[], None] | None = None,
    ) -> None:
        self.access = access
        self.defaults = defaults or {}
        self._work = work
        self._close = close

    def add(self, messages: object, ids: Ids, options: Mapping[str, Any], call: Call) -> Json:
        """Stored when this returns."""
        del call
        job, result = self.access.add(ids, messages, at_once=True, **options)
        if self._work is not None:
            self.access.platform.service.read_in_background()
        named = {one.memory.id: one.memory for one in result.stored} if result else self.access.memories_of([job])
        return wire.stored(job, result, named, self.access.conflicts(result) if result else {})

    def search(self, query: str, ids: Ids, filters: Mapping[str, Any] | None, options: Mapping[str, Any]) -> list[Json]:
        """Hits, best first."""
        extra, asked = _beside(options)
        explain = bool(asked.get("explain"))
        hits = self.access.search(query, ids=ids, filters=filters, extra=extra, **asked)
        return [wire.hit(hit, explain=explain) for hit in hits]

    def page(
        self, ids: Ids, filters: Mapping[str, Any] | None, options: Mapping[str, Any], *, page: int, page_size: int
    ) -> tuple[list[Json], int]:
        """A page of memories, newest first, and how many there are."""
        extra, asked = _beside(options)
        offset = (page - 1) * page_size
        records, total = self.access.memories(
            ids=ids, filters=filters, extra=extra, limit=page_size, offset=offset, **asked
        )
        return [wire.memory(record) for record in records], total

    def get(self, memory_id: str) -> Json:
        """A memory."""
        return wire.memory(self.access.get(memory_id))

    def history(self, memory_id: str) -> list[Json]:
        """Its changes, oldest first."""
        return [shapes.step(step) for step in self.access.history(memory_id)[0]]

    def update(self, memory_id: str, fields: Mapping[str, Any]) -> Json:
        """The memory as it is now."""
        done = self.access.update(memory_id, **fields)
        return wire.memory(done.memories[0]) | {"operation_id": done.operation_id}

    def delete(self, memory_ids: Sequence[str], *, linked: bool) -> Json:
        """Hide memories."""
        return _deleted(self.access.delete(memory_ids, linked=linked))

    def delete_all(self, ids: Ids, filters: Mapping[str, Any] | None, call: Call) -> Json:
        """Hide all memories of a scope; what is added meanwhile stays."""
        return self._settled(self.access.delete_all(ids, filters=filters), call)

    def delete_entity(self, kind: str, name: str, call: Call) -> Json:
        """Hide all memories of an entity."""
        return self._settled(self.access.delete_entity(kind, name), call)

    def entities(self) -> list[Json]:
        """Users, agents, apps and runs that memories are stored under."""
        return [
            {
                "type": found.type,
                "name": found.name,
                "total_memories": found.memories,
                "updated_at": shapes.iso(found.updated_at),
            }
            for found in self.access.entities()
        ]

    def events(self, criteria: Mapping[str, Any], *, page: int, page_size: int) -> tuple[list[Json], int]:
        """A page of events, newest first."""
        kind, status = criteria.get("event_type"), criteria.get("status")
        jobs, total = self.access.events(
            kinds=None if kind is None else parse_event_kinds([kind]),
            statuses=None if status is None else parse_statuses([status]),
            ids=criteria.get("ids"),
            limit=page_size,
            offset=(page - 1) * page_size,
        )
        return [wire.event(job) for job in jobs], total

    def event(self, event_id: str) -> Json:
        """An event, with what came of it."""
        job = self.access.event(event_id)
        memories = self.access.memories_of([job])
        return wire.event(job, memories, conflicts=self.access.conflicts_after(job, memories))

    def context(self, query: str, ids: Ids, filters: Mapping[str, Any] | None, options: Mapping[str, Any]) -> Json:
        """A block of memories for a prompt."""
        return shapes.context(self.access.context(query, ids=ids, filters=filters, **options))

    def summary(self, ids: Ids, budget_tokens: int) -> Json:
        """What stands for all of them."""
        found = summary(self.access, ids=ids, budget_tokens=budget_tokens)
        text = f"{HEADER}\n{found.text}" if found.text else ""
        shape = {"text": text, "ids": list(found.memory_ids), "omitted": found.total - len(found.memory_ids)}
        return shape | {"by": found.by} | ({"note": found.note} if found.note else {})

    def mentioning(self, entity: str, ids: Ids, limit: int) -> list[Json]:
        """Memories that mention an entity."""
        wanted = [parse_filter({"entity": {"contains": entity}}, "platform")]
        records, _ = self.access.memories(ids=ids, extra=wanted, limit=limit)
        return [wire.memory(record) for record in records]

    def search_graph(self, query: str, ids: Ids, limit: int) -> list[Json]:
        """Entities by words of their names, each with its relations."""
        from kept.engine.graph import ProjectGraph
        from kept.sdk import graph_shapes

        found = ProjectGraph(self.access).search(query, ids, limit=limit)
        return [graph.hit(one) for one in graph_shapes.search(found)["results"]]

    def entity(self, name: str, ids: Ids) -> Json:
        """One entity, with the memories that mention it."""
        from kept.engine.graph import ProjectGraph
        from kept.sdk import graph_shapes

        try:
            found = ProjectGraph(self.access).entity(name, ids)
        except NotFoundError as error:
            return graph.unknown(name, str(error))
        known = self.access.platform.service.find_many(self.access.project, found.memory_ids)
        memories = [wire.memory(known[one]) for one in found.memory_ids if one in known]
        return graph.view(graph_shapes.entity(found), memories)

    def undo(self, operation_id: str | None, ids: Ids) -> Json:
        """Take back an operation."""
        operation, change = self.access.undo(ids, operation_id)
        return shapes.change("Undone.", change) | {"undone": shapes.operation(operation)}

    def warm(self) -> None:
        """Load what a first search would load."""
        self.access.platform.service.warm(Scope.of(project=self.access.project, **self.defaults))

    def close(self) -> None:
        """Close the store, where it is this backend's own."""
        if self._close is not None:
            self._close()

    def _settled(self, job: Job, call: Call) -> Json:
        """What came of acknowledged work; its event where that goes on."""
        if self._work is not None:
            self._work()
        waited = 0.0

        def wait(seconds: float) -> None:
            nonlocal waited
            call.progress(waited, WAIT_S, "waiting for the deletion")
            call.wait(seconds)
            waited += seconds

        now = self.access.settled(job, within_s=WAIT_S, wait=wait)
        if now.status != "SUCCEEDED":
            return {"message": "Deletion in progress.", "event_id": now.id, "status": now.status}
        operations = [result["operation_id"] for result in now.results if "operation_id" in result]
        deleted = [result for result in now.results if result.get("event") == "DELETE"]
        passed_over = wire.passed_over_by(now)
        return {
            "message": "Memories deleted.",
            "event_id": now.id,
            "status": now.status,
            "deleted": next((result["count"] for result in deleted if "count" in result), len(deleted)),
            "operation_id": operations[0] if operations else None,
            **({"passed_over": passed_over} if passed_over else {}),
        }


def _deleted(done: Change) -> Json:
    return {"message": "Memory deleted.", "deleted": len(done.memories), "operation_id": done.operation_id}


def _beside(options: Mapping[str, Any]) -> tuple[tuple[Filter, ...], dict[str, Any]]:
    """The conditions among the options, and the other options."""
    rest = dict(options)
    return narrowing(**{name: rest.pop(name) for name in NARROWING if name in rest}), rest


def open_local(settings: Settings, defaults: Mapping[str, str]) -> LocalBackend:
    """The store that the settings name, for the person at this machine.

    Raises:
        KeptError: It cannot be opened.
    """
    from kept.bootstrap import build_platform, build_worker

    platform = build_platform(settings)
    principal = Principal(project=settings.project, name=settings.user_id, connector=CONNECTOR)

    def work() -> None:
        build_worker(settings, platform).run_due("writes")

    return LocalBackend(ProjectAccess(platform, principal), defaults=defaults, work=work, close=platform.close)
