"""What the tools stand on: a store on this machine (`local`), a project of a server's, or another server (`remote`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from kept.mcp.call import Call

WAIT_S: Final = 10.0
"""How long acknowledged work is waited for: clients give a call a minute, people less."""

Json = dict[str, Any]
Ids = Mapping[str, Any]


class Backend(Protocol):
    """Memories, in the dictionaries of Mem0's platform. Every method raises `KeptError` when it cannot do its work.

    Attributes:
        defaults: Ids that hold where a caller names none.
    """

    defaults: Mapping[str, str]

    def add(self, messages: object, ids: Ids, options: Mapping[str, Any], call: Call) -> Json:
        """Remember: `results` and `operation_id`; or, when it takes long, the `event_id` alone."""
        ...

    def search(self, query: str, ids: Ids, filters: Mapping[str, Any] | None, options: Mapping[str, Any]) -> list[Json]:
        """Hits, best first."""
        ...

    def page(
        self, ids: Ids, filters: Mapping[str, Any] | None, options: Mapping[str, Any], *, page: int, page_size: int
    ) -> tuple[list[Json], int]:
        """A page of memories, newest first, and how many there are."""
        ...

    def get(self, memory_id: str) -> Json:
        """A memory."""
        ...

    def history(self, memory_id: str) -> list[Json]:
        """Its changes, oldest first."""
        ...

    def update(self, memory_id: str, fields: Mapping[str, Any]) -> Json:
        """The memory as it is now, with `operation_id`."""
        ...

    def delete(self, memory_ids: Sequence[str], *, linked: bool) -> Json:
        """`message`, and `operation_id` to undo it by."""
        ...

    def delete_all(self, ids: Ids, filters: Mapping[str, Any] | None, call: Call) -> Json:
        """As `delete`, of a scope; `event_id` and `status` where it goes on."""
        ...

    def delete_entity(self, kind: str, name: str, call: Call) -> Json:
        """As `delete_all`, of a user, agent, app or run."""
        ...

    def entities(self) -> list[Json]:
        """Users, agents, apps and runs that memories are stored under."""
        ...

    def events(self, criteria: Mapping[str, Any], *, page: int, page_size: int) -> tuple[list[Json], int]:
        """A page of events, newest first, and how many there are."""
        ...

    def event(self, event_id: str) -> Json:
        """An event, with what came of it."""
        ...

    def context(self, query: str, ids: Ids, filters: Mapping[str, Any] | None, options: Mapping[str, Any]) -> Json:
        """A block of memories for a prompt, under a budget."""
        ...

    def summary(self, ids: Ids, budget_tokens: int) -> Json:
        """What stands for all of them, as a block like that of `context`; `by` is who wrote it, where it is known."""
        ...

    def mentioning(self, entity: str, ids: Ids, limit: int) -> list[Json]:
        """Memories that mention an entity whose name contains this."""
        ...

    def search_graph(self, query: str, ids: Ids, limit: int) -> list[Json]:
        """Entities by words of their names, each with its relations; of a blank query those mentioned most."""
        ...

    def entity(self, name: str, ids: Ids) -> Json:
        """One entity: its relations in both directions and the memories that mention it; none of an unknown one."""
        ...

    def undo(self, operation_id: str | None, ids: Ids) -> Json:
        """Take back an operation: the given one, or the last in the scope."""
        ...

    def warm(self) -> None:
        """Load what the first call would load."""
        ...

    def close(self) -> None:
        """Give back what it holds. Closing twice is harmless."""
        ...
