"""`Memory` and `AsyncMemory`: Mem0's calls on this machine.

`Memory` adapts arguments and shapes, nothing else; what the arguments mean is decided in the service. `AsyncMemory` has
the same methods as coroutines, made from `Memory`'s by dispatching to worker threads: no second implementation.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from kept.domain.scope import Scope
from kept.engine.maintain import By
from kept.engine.service import UNSET
from kept.errors import InvalidInputError, NotFoundError
from kept.sdk import graph_shapes, shapes
from kept.sdk.mem0_config import settings_from_mem0
from kept.settings import Settings

if TYPE_CHECKING:
    from kept.engine.service import Service

DEFAULT_TOP_K = 20
"""As in Mem0's `Memory`."""
RELATED_UP_TO = 16
"""An add of more memories than this is an import: nobody settles conflicts in it one by one."""


class Memory:
    """The memory of an agent, in one file on this machine.

    Results have the shapes of Mem0's `Memory`; what Kept adds stands under further keys. Safe to share between threads.

    Args:
        database: `sqlite:///path/to/kept.db`, a plain path, or `memory://`. Default: one file in the platform's data
            folder (`KEPT_DATABASE`).
        project: The boundary that nothing crosses. Default: `default` (`KEPT_PROJECT`).
        embedder: See the settings' reference. Default: `wordllama` (`KEPT_EMBEDDER`).
        llm: The language model that understands what is added, such as `openai:gpt-5-mini`. Default: none (`KEPT_LLM`).
        actor: Who is acting, for the log.
        connector: Through what, for the log.
        settings: All settings at once, instead of reading them.

    Raises:
        ConfigurationError: A setting is wrong.
        StoreError: The store cannot be used; it was left as it was.
    """

    def __init__(
        self,
        database: str | Path | None = None,
        *,
        project: str | None = None,
        embedder: str | None = None,
        llm: str | None = None,
        actor: str | None = None,
        connector: str = "sdk",
        settings: Settings | None = None,
    ) -> None:
        from kept.bootstrap import build

        if database is not None and not isinstance(database, (str, Path)):
            raise InvalidInputError(
                f"Memory takes a store's URL or path, not {type(database).__name__}; for Mem0's configuration "
                "use Memory.from_config(…)."
            )
        location = str(database) if database is not None else None
        self._settings = settings or Settings.load(database=location, project=project, embedder=embedder, llm=llm)
        self._by = By(actor=actor, connector=connector)
        self._service: Service = build(self._settings)

    @classmethod
    def from_config(cls, config_dict: Mapping[str, Any]) -> Self:
        """A memory from Mem0's configuration: what Kept has is taken, the rest is refused by name.

        Raises:
            ConfigurationError: A key or provider that Kept has no counterpart for.
        """
        return cls(settings=settings_from_mem0(config_dict))

    @property
    def service(self) -> Service:
        """The service behind it, for what has no counterpart in Mem0's surface."""
        return self._service

    # --- remember ---

    def add(
        self,
        messages: str | Mapping[str, Any] | Sequence[Any] = (),
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        run_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        timestamp: object = None,
        expiration_date: object = None,
        infer: bool = True,
        facts: str | Mapping[str, Any] | Sequence[Any] = (),
        supersedes: str | Sequence[str] | None = None,
        categories: Sequence[str] | None = None,
        immutable: bool = False,
        idempotency_key: str | None = None,
        related: int = 3,
        memory_type: str | None = None,
        prompt: str | None = None,
        agent_custom_instructions: str | None = None,
        includes: str | None = None,
        excludes: str | None = None,
        custom_categories: Sequence[Any] | Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Remember messages or finished facts. When this returns, they are on disk and the next search finds them.

        Args:
            messages: A text, a message `{"role", "content", "name"?, "timestamp"?, "id"?}`, or a list of them.
            user_id: Whose memory; at least one of the four ids is needed.
            agent_id: Which agent's.
            app_id: Which application's.
            run_id: Of which session; neighbours in a session help to find each other.
            metadata: JSON, kept with each memory and usable in filters.
            timestamp: When it was said: ISO 8601 (naive is UTC) or seconds since 1970. Default: now.
            expiration_date: Last day on which it is found.
            infer: True stores the statements of the messages, False each message verbatim.
            facts: Finished memories: texts, or `{"text", "entities"?, "relations"?, "valid_from"?, "valid_to"?,
                "supersedes"?, …}`.
            supersedes: Ids that a single text replaces; it is then stored whole, as a fact.
            categories: Put on each memory.
            immutable: Refuse later changes.
            idempotency_key: A second call with the same key stores nothing and answers as the first.
            related: How many existing memories close to each new one to return, and with them those that it likely
                contradicts, so that the agent can settle it; 0 looks for neither.
            memory_type: `procedural_memory` stores the messages whole; for Mem0's callers.
            prompt: What a language model that reads the messages should keep to, in place of `custom_instructions` of the
                configuration.
            agent_custom_instructions: The same for what the assistant said.
            includes: What it should look for.
            excludes: What it should leave out.
            custom_categories: What it sorts facts under: `{name: description}` objects.

        Returns:
            `{"results": [{"id", "memory", "event": "ADD" | "REINFORCE" | "UPDATE", "related": […], "conflicts": [{"id",
            "memory", "why", "newer"}]}], "superseded": […], "operation_id"}`. `why` is `other value`, `opposite`, `other version`,
            `denied` or `other number`. With a language model the facts that it found follow the statements (`UPDATE`: in the place of
            a statement of the same words that was stored before), and `extractions` says
            how its reading went: what fails is tried again later, and is no error of this call.

        Raises:
            KeptError: What was wrong, and where; nothing was stored.
        """
        if isinstance(related, bool) or not isinstance(related, int):
            raise InvalidInputError(f"related is {related!r}; it must be a whole number.")
        if memory_type not in (None, "procedural_memory"):
            raise InvalidInputError(f"memory_type is {memory_type!r}; there is only 'procedural_memory'.")
        if supersedes is not None:
            if not isinstance(messages, str) or facts:
                raise InvalidInputError("supersedes goes with a single text; put it into each of facts otherwise.")
            messages, facts = (), [{"text": messages, "supersedes": supersedes}]
        scope = self._scope(user_id, agent_id, app_id, run_id)
        result = self._service.add(
            scope,
            messages,
            facts=facts,
            infer=infer and memory_type is None,
            timestamp=timestamp,
            expiration_date=expiration_date,
            metadata=metadata,
            categories=categories,
            immutable=immutable,
            idempotency_key=idempotency_key,
            awaited=True,
            wishes={
                "custom_instructions": prompt,
                "agent_custom_instructions": agent_custom_instructions,
                "includes": includes,
                "excludes": excludes,
                "custom_categories": custom_categories,
            },
            by=self._by,
        )
        wanted = related if len(result.stored) <= RELATED_UP_TO else 0
        close, conflicts = self._service.beside(result, limit=wanted) if wanted else ({}, {})
        understood = self._service.understand(scope, result)
        self._service.read_in_background()  # what an earlier add left waiting
        return shapes.added(result, close, understood, conflicts)

    def understand(self, parts: int | None = None) -> dict[str, Any]:
        """Have the language model read what waits for it, now: where it was down, or a limit of spending was reached.

        Args:
            parts: At most so many parts of conversations. Default: all.

        Returns:
            `{"parts", "failed", "added", "reinforced", "superseded", "dropped", "refused", "waiting", "errors", "retried",
            "spent"}`; what failed waits again, and is no error of this call.

        Raises:
            ConfigurationError: No language model is configured for extraction.
        """
        return shapes.caught_up(self._service.catch_up(parts))

    # --- recall ---

    def search(
        self,
        query: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        run_id: str | None = None,
        filters: Mapping[str, Any] | None = None,
        top_k: int = DEFAULT_TOP_K,
        threshold: float | None = None,
        explain: bool = False,
        rerank: bool = False,
        reference_date: object = None,
        show_expired: bool = False,
        latest_only: bool = False,
        as_of: object = None,
        valid_as_of: object = None,
    ) -> dict[str, Any]:
        """The memories that matter for a query, best first.

        Args:
            query: What to look for, in words.
            user_id: The boundary, beside any filter; so are the other ids. `"*"` means any.
            agent_id: See `user_id`.
            app_id: See `user_id`.
            run_id: See `user_id`.
            filters: Mem0's filter grammars; may name the ids instead.
            top_k: At most so many hits.
            threshold: Leave out hits that score lower; from 0 to 1. Default: none.
            explain: Add each part of the score.
            rerank: Order the best hits anew with the configured reranker.
            reference_date: What "yesterday" or "last week" in the query counts from. Default: now.
            show_expired: Also memories after their expiration date.
            latest_only: Only facts that still hold.
            as_of: As the memory knew it then: a time, or a `seq` of the log.
            valid_as_of: What was true in the world then.

        Returns:
            `{"results": [{"id", "memory", "score", …}]}`; scores lie in [0, 1].
        """
        hits = self._service.search(
            self._scope(user_id, agent_id, app_id, run_id),
            query,
            filters=filters,
            top_k=top_k,
            threshold=threshold,
            show_expired=show_expired,
            latest_only=latest_only,
            as_of=as_of,
            valid_as_of=valid_as_of,
            reference_date=reference_date,
            rerank=rerank,
            explain=explain,
        )
        return {"results": [shapes.hit(found, explain=explain) for found in hits]}

    def context(
        self,
        query: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        run_id: str | None = None,
        budget_tokens: int | None = None,
        filters: Mapping[str, Any] | None = None,
        threshold: float | None = None,
        reference_date: object = None,
        latest_only: bool = False,
    ) -> dict[str, Any]:
        """A block of text for a prompt: the best set of memories under a token budget, dated, with ids to cite.

        Returns:
            `{"text", "ids", "tokens", "budget_tokens", "omitted", "collapsed"}`; `tokens` never exceeds the budget.
        """
        packed = self._service.context(
            self._scope(user_id, agent_id, app_id, run_id),
            query,
            budget_tokens=self._settings.budget_tokens if budget_tokens is None else budget_tokens,
            filters=filters,
            threshold=threshold,
            reference_date=reference_date,
            latest_only=latest_only,
        )
        return shapes.context(packed)

    def timeline(
        self,
        query: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        run_id: str | None = None,
        filters: Mapping[str, Any] | None = None,
        top_k: int = DEFAULT_TOP_K,
        threshold: float | None = None,
        reference_date: object = None,
        latest_only: bool = False,
    ) -> dict[str, Any]:
        """What a question is about in the order in which it happened: the dentist's appointments, the releases.

        Args:
            query: What to look for. "upcoming", "before X" and "after X" leave out the rest, "latest" has the newest first.
            user_id: The boundary, as in `search`; so are the other ids.
            agent_id: See `user_id`.
            app_id: See `user_id`.
            run_id: See `user_id`.
            filters: Mem0's filter grammars; may name the ids instead.
            top_k: The best matches, at most so many.
            threshold: Leave out matches that score lower; from 0 to 1. Default: 0.3.
            reference_date: What is past, and what "last week" counts from. Default: now.
            latest_only: Only facts that still hold.

        Returns:
            `{"results": [{"id", "memory", "score", "start", "end", "known", "upcoming", …}]}`: `start` is the first day,
            `end` the day after the last; `known` says whether the days are `said` in the text, `valid` since then, or
            only `told` then.
        """
        found = self._service.timeline(
            self._scope(user_id, agent_id, app_id, run_id),
            query,
            filters=filters,
            top_k=top_k,
            reference_date=reference_date,
            latest_only=latest_only,
            **({} if threshold is None else {"threshold": threshold}),
        )
        return {"results": [shapes.occurrence(one) for one in found]}

    def get(self, memory_id: str) -> dict[str, Any] | None:
        """A memory by its id, or None; expired and deleted ones are still there by id."""
        try:
            return shapes.memory(self._service.get(self._settings.project, memory_id)) | {"score": None}
        except NotFoundError:
            return None

    def get_all(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        run_id: str | None = None,
        filters: Mapping[str, Any] | None = None,
        top_k: int = DEFAULT_TOP_K,
        offset: int = 0,
        show_expired: bool = False,
        latest_only: bool = False,
    ) -> dict[str, Any]:
        """A list of memories, newest first: `{"results": […], "total"}`."""
        records, total = self._service.list(
            self._scope(user_id, agent_id, app_id, run_id),
            filters=filters,
            limit=top_k,
            offset=offset,
            show_expired=show_expired,
            latest_only=latest_only,
        )
        return {"results": [shapes.memory(record) for record in records], "total": total}

    def history(self, memory_id: str) -> list[dict[str, Any]]:
        """Each change of a memory, oldest first."""
        return [shapes.step(step) for step in self._service.history(self._settings.project, memory_id)]

    def users(self) -> dict[str, Any]:
        """Users, agents, apps and runs that memories are stored under."""
        return shapes.entities(self._service.entities(self._settings.project))

    # --- graph ---

    def search_graph(
        self,
        query: str = "",
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        run_id: str | None = None,
        filters: Mapping[str, Any] | None = None,
        limit: int = 10,
        valid_as_of: object = None,
    ) -> dict[str, Any]:
        """Entities (people, projects, files, tools) by words of their names, each with its strongest relations.

        Args:
            query: Words of names, or a question that has them; without any, what is mentioned most.
            user_id: Whose memories; at least one of the four ids is needed, here or in `filters`.
            agent_id: Which agent's.
            app_id: Which application's.
            run_id: Of which session.
            filters: Mem0's filter grammar.
            limit: How many, from 1 to 100.
            valid_as_of: What was true in the world then; otherwise facts that no longer hold come last, with their `state`.

        Returns:
            `{"results": [{"name", "kind", "mentions", "first_seen", "last_seen", "relations": [{"source", "relationship",
            "target", "memories", "memory_ids", "valid_from"?, "valid_to"?, "state"?}]}]}`, best first.
        """
        listing = self._service.listing(self._scope(user_id, agent_id, app_id, run_id), filters)
        found = self._service.graph.search(listing, query, limit=limit, valid_as_of=valid_as_of)
        return graph_shapes.search(found)

    def get_entity(
        self,
        name: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        run_id: str | None = None,
        filters: Mapping[str, Any] | None = None,
        valid_as_of: object = None,
    ) -> dict[str, Any]:
        """One entity by its name, an alias, or words that one name alone has; arguments as of `search_graph`.

        Returns:
            As a result of `search_graph`, with all its relations, `aliases`, `mentioned_with` and the newest `memory_ids`.

        Raises:
            NotFoundError: No entity has this name, or several.
        """
        listing = self._service.listing(self._scope(user_id, agent_id, app_id, run_id), filters)
        return graph_shapes.entity(self._service.graph.entity(listing, name, valid_as_of=valid_as_of))

    def neighbours(
        self,
        name: str,
        *,
        depth: int = 1,
        relationship: str | None = None,
        limit: int = 50,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        run_id: str | None = None,
        filters: Mapping[str, Any] | None = None,
        valid_as_of: object = None,
    ) -> dict[str, Any]:
        """Entities around one, nearest first; arguments as of `get_entity`.

        Args:
            name: Around which.
            depth: In at most how many steps, from 1 to 3.
            relationship: Only by this one, such as `uses`, or `mentioned_with`: in one memory together.
            limit: How many, from 1 to 100.
            user_id: Whose memories.
            agent_id: Which agent's.
            app_id: Which application's.
            run_id: Of which session.
            filters: Mem0's filter grammar.
            valid_as_of: What was true in the world then.

        Returns:
            `{"results": [{"name", "kind", …, "distance", "relations"}]}`; `relations` lead to entities one step nearer.
        """
        listing = self._service.listing(self._scope(user_id, agent_id, app_id, run_id), filters)
        found = self._service.graph.neighbours(
            listing, name, depth=depth, relationship=relationship, limit=limit, valid_as_of=valid_as_of
        )
        return graph_shapes.neighbours(found)

    def paths(
        self,
        source: str,
        target: str,
        *,
        max_length: int = 4,
        limit: int = 3,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        run_id: str | None = None,
        filters: Mapping[str, Any] | None = None,
        valid_as_of: object = None,
    ) -> dict[str, Any]:
        """How two entities belong together: the shortest paths, each step with the memories that say so.

        Returns:
            `{"results": [{"length", "relations": […]}]}`, shortest first; none where at most `max_length` (1 to 4) steps
            do not lead from one to the other.
        """
        listing = self._service.listing(self._scope(user_id, agent_id, app_id, run_id), filters)
        found = self._service.graph.paths(
            listing, source, target, max_length=max_length, limit=limit, valid_as_of=valid_as_of
        )
        return graph_shapes.paths(found)

    def merge_entities(
        self,
        into: str,
        names: str | Sequence[str],
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        run_id: str | None = None,
    ) -> dict[str, Any]:
        """Make entities of one user's memories one, under the name `into`; `split_entity` takes it back.

        Raises:
            NotFoundError: One of them is not mentioned there.
            InvalidInputError: One of them is `into` itself.
        """
        listing = self._service.listing(self._scope(user_id, agent_id, app_id, run_id))
        return graph_shapes.entity(self._service.graph.merge(listing, into, names))

    def split_entity(
        self,
        names: str | Sequence[str],
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        run_id: str | None = None,
    ) -> dict[str, Any]:
        """Make aliases entities of their own again.

        Raises:
            NotFoundError: None of the names is an alias.
        """
        listing = self._service.listing(self._scope(user_id, agent_id, app_id, run_id))
        return graph_shapes.split(self._service.graph.split(listing, names))

    def likely_same_entities(
        self,
        *,
        limit: int = 20,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        run_id: str | None = None,
    ) -> dict[str, Any]:
        """Pairs of entities that are likely one under two names, as `merge_entities` takes them; nothing is merged by itself."""
        listing = self._service.listing(self._scope(user_id, agent_id, app_id, run_id))
        return graph_shapes.likenesses(self._service.graph.likenesses(listing, limit=limit))

    # --- change ---

    def update(
        self,
        memory_id: str,
        text: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        expiration_date: object = UNSET,
        *,
        data: str | None = None,
        timestamp: object = None,
        categories: Sequence[str] | None = None,
        valid_from: object = UNSET,
        valid_to: object = UNSET,
    ) -> dict[str, Any]:
        """Change a memory; metadata is merged, None clears a date. `data` is Mem0's old name of `text`."""
        done = self._service.update(
            self._settings.project,
            memory_id,
            text=data if text is None else text,
            metadata=metadata,
            timestamp=timestamp,
            expiration_date=expiration_date,
            categories=categories,
            valid_from=valid_from,
            valid_to=valid_to,
            by=self._by,
        )
        return shapes.change("Memory updated successfully!", done)

    def invalidate(self, memory_id: str, *, at: object = None) -> dict[str, Any]:
        """Say that a memory is no longer true, from `at` on (now)."""
        done = self._service.invalidate(self._settings.project, memory_id, at=at, by=self._by)
        return shapes.change("Memory invalidated.", done)

    def feedback(self, memory_id: str, feedback: str | None = None) -> dict[str, Any]:
        """Keep a verdict (`POSITIVE`, `NEGATIVE`, `VERY_NEGATIVE`, None); later rankings use it."""
        done = self._service.feedback(self._settings.project, memory_id, feedback, by=self._by)
        return shapes.change("Feedback kept.", done)

    def delete(self, memory_id: str, *, delete_linked: bool = False) -> dict[str, Any]:
        """Hide a memory; `undo` and `restore` bring it back, `erase` removes it for good."""
        done = self._service.delete(self._settings.project, [memory_id], linked=delete_linked, by=self._by)
        return shapes.change("Memory deleted successfully!", done)

    def delete_all(
        self,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        *,
        app_id: str | None = None,
        filters: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Hide all memories of a scope, in one operation that one undo takes back; `passed_over` counts immutable ones, which stay."""
        done = self._service.delete_all(self._scope(user_id, agent_id, app_id, run_id), filters=filters, by=self._by)
        return shapes.change("Memories deleted successfully!", done)

    # --- consolidate ---

    def consolidate(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        run_id: str | None = None,
        limit: int = 50,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Look for what could be merged, generalised or forgotten; nothing changes until a proposal is accepted.

        Args:
            user_id: Whose memories; nobody's name means all of the project.
            agent_id: Only this agent's.
            app_id: Only this application's.
            run_id: Only of this session.
            limit: How many proposals at most.
            dry_run: Show what would be proposed; keep nothing, ask no language model.

        Returns:
            `{"results": [proposal, …], "note": why a language model was not asked about everything, or None}`; what was
            proposed before is left out, whatever became of it.
        """
        scope = self._scope(user_id, agent_id, app_id, run_id)
        if scope.is_bare:
            scope = Scope.everything(self._settings.project)
        made = self._service.proposals.make(scope, by=self._by, limit=limit, dry_run=dry_run)
        return {"results": [shapes.proposal(one) for one in made.proposals], "note": made.note}

    def proposals(
        self,
        *,
        status: str = "pending",
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        limit: int = 100,
    ) -> dict[str, Any]:
        """Proposals, newest first: `{"results": [{"id", "kind", "why", "closes", "keeps", "sources", "text", "diff", …}], "total"}`.

        Args:
            status: `pending`, `accepted`, `declined`, `stale`, or `all`.
            user_id: Only about this user's memories.
            agent_id: Only about this agent's.
            app_id: Only about this application's.
            limit: How many at most.
        """
        from kept.engine.proposing import parse_status

        scope = self._scope(user_id, agent_id, app_id, None)
        found, total = self._service.proposals.page(scope, parse_status(status), limit=limit)
        return {"results": [shapes.proposal(one) for one in found], "total": total}

    def accept_proposal(self, proposal_id: str, text: str | None = None) -> dict[str, Any]:
        """Make a proposed change, in one operation that `undo` takes back; with another text if one is given.

        Raises:
            ConflictError: It was decided before, or what it is about has changed.
        """
        project = self._settings.project
        return shapes.proposal(self._service.proposals.accept(project, proposal_id, text=text, by=self._by))

    def decline_proposal(self, proposal_id: str) -> dict[str, Any]:
        """Leave everything as it is; it is not proposed again.

        Raises:
            ConflictError: It was decided before.
        """
        return shapes.proposal(self._service.proposals.decline(self._settings.project, proposal_id))

    def undo(
        self,
        operation_id: str | None = None,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        run_id: str | None = None,
    ) -> dict[str, Any]:
        """Take back an operation: the given one, or the last one in the scope."""
        undone, done = self._service.undo(self._scope(user_id, agent_id, app_id, run_id), operation_id, by=self._by)
        return shapes.change(f"Undone: {undone.kind}.", done) | {"undone": shapes.operation(undone)}

    def restore(self, memory_id: str, seq: int | None = None) -> dict[str, Any]:
        """Bring a memory back as it was at a revision, or before it was deleted or closed."""
        done = self._service.restore(self._settings.project, memory_id, seq=seq, by=self._by)
        return shapes.change("Memory restored.", done)

    def erase(
        self,
        memory_ids: str | Sequence[str] | None = None,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        run_id: str | None = None,
        filters: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Remove content for good: memories by id, or everything of a scope with its sources. Cannot be undone.

        Raises:
            InvalidInputError: Both ids and a scope are given.
            NotFoundError: One of the ids is unknown; nothing was erased.
            ScopeError: Neither is given.
        """
        scope = self._scope(user_id, agent_id, app_id, run_id)
        if memory_ids is not None:
            if filters or not scope.is_bare:
                raise InvalidInputError("Erase by id, or by scope and filters, not by both.")
            listed = [memory_ids] if isinstance(memory_ids, str) else list(memory_ids)
            return shapes.erasure(self._service.erase(self._settings.project, listed, by=self._by))
        return shapes.erasure(self._service.erase_all(scope, filters=filters, by=self._by))

    def retain(
        self,
        days: int,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        run_id: str | None = None,
        filters: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Expire what was said more than `days` days ago; each expiry is in the log and can be undone."""
        scope = self._scope(user_id, agent_id, app_id, run_id)
        done = self._service.retain(scope, days, filters=filters, by=self._by)
        return shapes.change("Memories expired.", done)

    def reset(self) -> None:
        """Hide every memory of the project, immutable ones too, in one operation that one undo takes back."""
        self._service.delete_all(Scope.everything(self._settings.project), by=self._by, immutable_too=True)

    # --- move and operate ---

    def import_file(
        self,
        path: str | Path,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        run_id: str | None = None,
        form: str | None = None,
        infer: bool = True,
    ) -> dict[str, Any]:
        """Import a transcript, chat, note or export; the same file twice adds nothing.

        Returns:
            `{"sessions", "added", "reinforced", "skipped", "operation_ids"}`.
        """
        from kept.adapters.readers import open_reader

        reader = open_reader(form, Path(path))
        by = By(actor=self._by.actor, connector=reader.name)
        scope = self._scope(user_id, agent_id, app_id, run_id)
        report = self._service.import_sessions(scope, list(reader.read(Path(path))), infer=infer, by=by)
        return shapes.imported(report)

    def export(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        run_id: str | None = None,
        filters: Mapping[str, Any] | None = None,
        form: str = "jsonl",
    ) -> Iterable[str]:
        """Lines of an export: `jsonl` (whole, can be imported again) or `markdown` (to read)."""
        return self._service.export(self._scope(user_id, agent_id, app_id, run_id), filters=filters, form=form)

    def stats(self) -> dict[str, Any]:
        """Counts and sizes of the project."""
        return shapes.statistics(self._service.statistics(self._settings.project))

    def verify(self) -> list[dict[str, str]]:
        """What does not agree between log, state, hashes and index; empty when all is well."""
        return [
            {"check": finding.check, "where": finding.where, "detail": finding.detail}
            for finding in self._service.verify()
        ]

    def rebuild(self) -> int:
        """Make current state and index again from the log; how many memories were written."""
        return self._service.rebuild()

    def backup(self, target: str | Path) -> None:
        """A consistent copy of the store while others write."""
        self._service.backup(Path(target))

    def close(self) -> None:
        """Give back files and memory. Closing twice is harmless."""
        self._service.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _scope(self, user_id: str | None, agent_id: str | None, app_id: str | None, run_id: str | None) -> Scope:
        return Scope.of(
            project=self._settings.project, user_id=user_id, agent_id=agent_id, app_id=app_id, run_id=run_id
        )


def _whole(method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What a method gives; lines (of an export) all at once, for reading them one by one would hold up the event loop."""
    found = method(*args, **kwargs)
    return list(found) if isinstance(found, Iterator) else found


def _dispatched(method: Callable[..., Any]) -> Callable[..., Coroutine[Any, Any, Any]]:
    """The coroutine that runs a `Memory` method in a worker thread."""

    @functools.wraps(method)
    async def dispatch(self: AsyncMemory, *args: Any, **kwargs: Any) -> Any:
        from anyio import to_thread

        return await to_thread.run_sync(functools.partial(_whole, method, self.sync, *args, **kwargs))

    return dispatch


class AsyncMemory:
    """`Memory` for event loops: every method but `close` is a coroutine that runs in a worker thread.

    Args and errors are those of `Memory`. Works under asyncio and trio.
    """

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]: ...

    def __init__(self, database: str | Path | None = None, **options: Any) -> None:
        self.sync = Memory(database, **options)

    @classmethod
    def from_config(cls, config_dict: Mapping[str, Any]) -> Self:
        """As `Memory.from_config`; not a coroutine, as in Mem0."""
        made = cls.__new__(cls)
        made.sync = Memory.from_config(config_dict)
        return made

    def close(self) -> None:
        """As `Memory.close`; not a coroutine, as in Mem0."""
        self.sync.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


for _name, _method in inspect.getmembers(Memory, inspect.isfunction):
    if not _name.startswith("_") and _name not in AsyncMemory.__dict__:
        setattr(AsyncMemory, _name, _dispatched(_method))
