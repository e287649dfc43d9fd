"""The calls of a client about memories, each written once (see `runners`).

Names and arguments are those of Mem0's clients. What Kept adds: ids beside `filters` are accepted on reads (and put inside for the
caller), an add carries a key of its own so that a retry never stores twice, and acknowledged work can be waited for.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from kept.domain.scope import ENTITY_IDS
from kept.errors import InvalidInputError, ScopeError
from kept.sdk.client import answers
from kept.sdk.client.exchange import Request, Script, segment
from kept.sdk.client.parts import WAIT_S, Events, Keys, Links, Options, Project, Proposals, Retention, When, given
from kept.sdk.client.runners import Call, R, Speaker

Messages = str | Mapping[str, Any] | Sequence[Mapping[str, Any] | str]


class _Unset:
    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final[Any] = _Unset()
"""Of an argument for which None means something: it was not given."""


class MemoryCalls(Speaker[R]):
    """What both clients can do."""

    def __init__(self, runner: R) -> None:
        super().__init__(runner)
        self.project = Project(runner)
        self.events = Events(runner)
        self.keys = Keys(runner)
        self.links = Links(runner)
        self.retention = Retention(runner)
        self.proposals = Proposals(runner)

    @property
    def org_id(self) -> str | None:
        """The key's organisation; None until a call of `project` or `ping` asked for it."""
        return self.project.org_id

    @property
    def project_id(self) -> str | None:
        """The key's project; None until a call of `project` or `ping` asked for it."""
        return self.project.project_id

    @property
    def user_email(self) -> str | None:
        """Whose the key is; None until a call of `project` or `ping` asked for it, or when it is nobody's."""
        return self.project.user_email

    @Call
    def ping(self) -> Script[answers.Identity]:
        """Ask whom the key stands for.

        Raises:
            AuthenticationError: For nobody.
            UnreachableError: No server is there.
        """
        return (yield from self.project.introduction(again=True))

    # --- remember ---

    @Call
    def add(
        self,
        /,
        messages: Messages,
        options: Options = None,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        run_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        infer: bool | None = None,
        timestamp: When | None = None,
        expiration_date: str | date | None = None,
        facts: Sequence[Any] | None = None,
        categories: Sequence[str] | None = None,
        immutable: bool | None = None,
        wait: bool = False,
        timeout_s: float = WAIT_S,
        idempotency_key: str | None = None,
        **more: Any,
    ) -> Script[answers.AddAnswer]:
        """Hand over messages to be remembered. They are on disk when this returns; found by searches once the event succeeded.

        Args:
            messages: A text, a message `{"role", "content", …}`, or a list of them.
            options: The arguments below, as a mapping or one of Mem0's models.
            user_id: Whose memory; at least one of the four ids is needed.
            agent_id: Which agent's.
            app_id: Which application's.
            run_id: Of which session.
            metadata: JSON, kept with each memory.
            infer: False stores each message verbatim, and at once.
            timestamp: When it was said.
            expiration_date: Last day on which it is found.
            facts: Finished memories, stored at once.
            categories: Put on each memory.
            immutable: Refuse later changes.
            wait: Return when it is done, with the `results`.
            timeout_s: How long to wait, in seconds.
            idempotency_key: A second call with the same is answered by the first one's event. Default: a new one, which makes
                the client's own retries safe.
            more: Sent as they are (`custom_instructions`, `custom_categories`, …).

        Raises:
            EventFailedError: With `wait`: it could not be done.
            WaitTimeoutError: With `wait`: it is not done yet, and goes on.
        """
        body = given(
            options,
            more,
            user_id=user_id,
            agent_id=agent_id,
            app_id=app_id,
            run_id=run_id,
            metadata=metadata,
            infer=infer,
            timestamp=timestamp,
            expiration_date=expiration_date,
            facts=facts,
            categories=categories,
            immutable=immutable,
        )
        answer: answers.AddAnswer = yield from Request(
            "POST",
            "/v3/memories/add/",
            body={"messages": _listed(messages), **body},
            idempotency_key=idempotency_key or uuid.uuid4().hex,
        )
        if not wait or "results" in answer:
            return answer
        event = yield from self.events.completion(answer["event_id"], timeout_s)
        return {**answer, "status": event["status"], "results": event.get("results", [])}

    @Call
    def wait(self, event: str | Mapping[str, Any], *, timeout_s: float = WAIT_S) -> Script[answers.Event]:
        """Wait for acknowledged work.

        Args:
            event: The `event_id`, or the answer that has it.
            timeout_s: How long, in seconds.

        Raises:
            EventFailedError: It could not be done; the message says why.
            WaitTimeoutError: It is not done yet, and goes on.
        """
        return (yield from self.events.completion(event, timeout_s))

    # --- recall ---

    @Call
    def search(
        self,
        /,
        query: str,
        options: Options = None,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        run_id: str | None = None,
        filters: Mapping[str, Any] | None = None,
        top_k: int | None = None,
        threshold: float | None = None,
        rerank: bool | None = None,
        show_expired: bool | None = None,
        latest_only: bool | None = None,
        reference_date: When | None = None,
        categories: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        fields: Sequence[str] | None = None,
        explain: bool | None = None,
        as_of: When | None = None,
        valid_as_of: When | None = None,
        **more: Any,
    ) -> Request[answers.SearchAnswer]:
        """The memories that matter for a query, best first.

        Args:
            query: What to look for, in words.
            options: The arguments below, as a mapping or one of Mem0's models.
            user_id: Whose memories; put into the filter, beside what stands there. So are the other ids.
            agent_id: See `user_id`.
            app_id: See `user_id`.
            run_id: See `user_id`.
            filters: In Mem0's grammar; an id must be named here or beside it.
            top_k: At most so many hits.
            threshold: Leave out hits that score lower; from 0 to 1.
            rerank: Order the best hits anew.
            show_expired: Also memories after their expiration date.
            latest_only: Only facts that still hold.
            reference_date: What "yesterday" in the query counts from.
            categories: Only memories of one of these.
            metadata: Only memories with these values.
            fields: Names of the fields wanted.
            explain: Add each part of the score.
            as_of: What was known then.
            valid_as_of: What was true in the world then.
            more: Sent as they are.
        """
        if not isinstance(query, str) or not query.strip():
            raise InvalidInputError("query is blank; say in words what to look for.")
        body = given(
            options,
            more,
            user_id=user_id,
            agent_id=agent_id,
            app_id=app_id,
            run_id=run_id,
            filters=filters,
            top_k=top_k,
            threshold=threshold,
            rerank=rerank,
            show_expired=show_expired,
            latest_only=latest_only,
            reference_date=reference_date,
            categories=categories,
            metadata=metadata,
            fields=fields,
            explain=explain,
            as_of=as_of,
            valid_as_of=valid_as_of,
        )
        body = {"query": query.strip(), **_ids_inside_filters(body)}
        return Request("POST", "/v3/memories/search/", body=body, reads=True)

    @Call
    def get_all(
        self,
        /,
        options: Options = None,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        run_id: str | None = None,
        filters: Mapping[str, Any] | None = None,
        page: int | None = None,
        page_size: int | None = None,
        start_date: When | None = None,
        end_date: When | None = None,
        categories: Sequence[str] | None = None,
        keywords: str | None = None,
        show_expired: bool | None = None,
        latest_only: bool | None = None,
        fields: Sequence[str] | None = None,
        **more: Any,
    ) -> Request[answers.Page[answers.MemoryAnswer]]:
        """A page of memories, newest first.

        Args:
            options: The arguments below, as a mapping or one of Mem0's models.
            user_id: Whose memories; put into the filter, beside what stands there. So are the other ids.
            agent_id: See `user_id`.
            app_id: See `user_id`.
            run_id: See `user_id`.
            filters: In Mem0's grammar; an id must be named here or beside it.
            page: Which page, from 1.
            page_size: How many on a page, at most 200.
            start_date: Only memories from this day on.
            end_date: Only memories up to this day.
            categories: Only memories of one of these.
            keywords: Only memories whose text contains this.
            show_expired: Also memories after their expiration date.
            latest_only: Only facts that still hold.
            fields: Names of the fields wanted.
            more: Sent as they are.
        """
        body = given(
            options,
            more,
            user_id=user_id,
            agent_id=agent_id,
            app_id=app_id,
            run_id=run_id,
            filters=filters,
            page=page,
            page_size=page_size,
            start_date=start_date,
            end_date=end_date,
            categories=categories,
            keywords=keywords,
            show_expired=show_expired,
            latest_only=latest_only,
            fields=fields,
        )
        body = _ids_inside_filters(body)
        query: dict[str, Any] = {name: body.pop(name) for name in ("page", "page_size") if name in body}
        return Request("POST", "/v3/memories/", query=query, body=body, reads=True)

    @Call
    def timeline(
        self,
        /,
        query: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        run_id: str | None = None,
        filters: Mapping[str, Any] | None = None,
        top_k: int | None = None,
        threshold: float | None = None,
        reference_date: When | None = None,
        latest_only: bool | None = None,
    ) -> Request[answers.Timeline]:
        """What a question is about in the order in which it happened, oldest first. Kept's own.

        Args:
            query: What to look for. "upcoming", "before X" and "after X" leave out the rest, "latest" has the newest first.
            user_id: Whose memories; beside any filter. So are the other ids.
            agent_id: See `user_id`.
            app_id: See `user_id`.
            run_id: See `user_id`.
            filters: In Mem0's grammar.
            top_k: The best matches, at most so many.
            threshold: Leave out matches that score lower; from 0 to 1.
            reference_date: What is past, and what "last week" counts from.
            latest_only: Only facts that still hold.
        """
        body = given(
            None,
            query=query,
            user_id=user_id,
            agent_id=agent_id,
            app_id=app_id,
            run_id=run_id,
            filters=filters,
            top_k=top_k,
            threshold=threshold,
            reference_date=reference_date,
            latest_only=latest_only,
        )
        return Request("POST", "/v1/timeline/", body=body, reads=True, own=True)

    @Call
    def context(
        self,
        query: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        run_id: str | None = None,
        filters: Mapping[str, Any] | None = None,
        budget_tokens: int | None = None,
        threshold: float | None = None,
        reference_date: When | None = None,
        latest_only: bool | None = None,
    ) -> Request[answers.ContextBlock]:
        """A block of text for a prompt: the best set of memories under a token budget, dated, with ids to cite. Kept's own.

        Args:
            query: What the prompt is about.
            user_id: Whose memories; beside any filter. So are the other ids.
            agent_id: See `user_id`.
            app_id: See `user_id`.
            run_id: See `user_id`.
            filters: In Mem0's grammar.
            budget_tokens: Size of the block, at most.
            threshold: Leave out hits that score lower; from 0 to 1.
            reference_date: What "yesterday" in the query counts from.
            latest_only: Only facts that still hold.
        """
        body = given(
            None,
            query=query,
            user_id=user_id,
            agent_id=agent_id,
            app_id=app_id,
            run_id=run_id,
            filters=filters,
            budget_tokens=budget_tokens,
            threshold=threshold,
            reference_date=reference_date,
            latest_only=latest_only,
        )
        return Request("POST", "/v1/context/", body=body, reads=True, own=True)

    @Call
    def get(self, memory_id: str) -> Request[answers.MemoryAnswer]:
        """A memory by its id, expired ones included.

        Raises:
            NotFoundError: There is none.
        """
        return Request("GET", f"/v1/memories/{segment(memory_id)}/")

    @Call
    def history(self, memory_id: str) -> Request[list[answers.HistoryStep]]:
        """Each change of a memory, oldest first."""
        return Request("GET", f"/v1/memories/{segment(memory_id)}/history/")

    # --- change ---

    @Call
    def update(
        self,
        /,
        memory_id: str,
        options: Options = None,
        *,
        text: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        timestamp: When | None = None,
        expiration_date: str | date | None = UNSET,
        categories: Sequence[str] | None = None,
        **more: Any,
    ) -> Request[answers.MemoryAnswer]:
        """Change a memory; what is not given stays.

        Args:
            memory_id: Which.
            options: The arguments below, as a mapping or one of Mem0's models.
            text: What it says from now on.
            metadata: Merged key by key.
            timestamp: When it was said.
            expiration_date: Last day on which it is found; None clears it.
            categories: Put in place of the present ones.
            more: Sent as they are.
        """
        body = given(options, more, text=text, metadata=metadata, timestamp=timestamp, categories=categories)
        if expiration_date is not UNSET:
            body["expiration_date"] = expiration_date
        if not body:
            raise InvalidInputError("Nothing to update: give text, metadata, timestamp, expiration_date or categories.")
        return Request("PUT", f"/v1/memories/{segment(memory_id)}/", body=body)

    @Call
    def delete(self, memory_id: str, delete_linked: bool = False) -> Request[answers.Message]:
        """Delete a memory; with `delete_linked` also the older ones that it superseded. On Kept's server `undo` brings it back."""
        query = {"delete_linked": "true" if delete_linked else None}
        return Request("DELETE", f"/v1/memories/{segment(memory_id)}/", query=query)

    @Call
    def delete_all(
        self,
        /,
        options: Options = None,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        run_id: str | None = None,
        filters: Mapping[str, Any] | None = None,
        wait: bool = False,
        timeout_s: float = WAIT_S,
        **more: Any,
    ) -> Script[answers.Acknowledged]:
        """Delete all memories of a scope; what is added from now on stays.

        Args:
            options: The arguments below, as a mapping or one of Mem0's models.
            user_id: Whose memories; `"*"` for each of the four ids means the whole project.
            agent_id: Which agent's.
            app_id: Which application's.
            run_id: Of which session.
            filters: In Mem0's grammar; Kept's server only.
            wait: Return when it is done.
            timeout_s: How long to wait, in seconds.
            more: Sent as they are.

        Raises:
            ScopeError: Nobody is named; nothing was sent.
        """
        query = given(options, more, user_id=user_id, agent_id=agent_id, app_id=app_id, run_id=run_id, filters=filters)
        if not query:
            raise ScopeError("Name whose memories to delete: user_id, agent_id, app_id or run_id.")
        for name in ("filters", "metadata"):
            if isinstance(query.get(name), Mapping):
                query[name] = json.dumps(query[name])
        answer: answers.Acknowledged = yield from Request("DELETE", "/v1/memories/", query=query)
        if wait and "event_id" in answer:
            event = yield from self.events.completion(answer["event_id"], timeout_s)
            return {**answer, "status": event["status"]}
        return answer

    @Call
    def batch_update(self, memories: Sequence[Mapping[str, Any]]) -> Request[answers.Message]:
        """Update up to 1,000 memories: `[{"memory_id", "text"?, "metadata"?}]`."""
        return Request("PUT", "/v1/batch/", body={"memories": list(memories)})

    @Call
    def batch_delete(self, memories: Sequence[Mapping[str, Any] | str]) -> Request[answers.Message]:
        """Delete up to 1,000 memories: `[{"memory_id"}]`, or their ids."""
        listed = [{"memory_id": memory} if isinstance(memory, str) else memory for memory in memories]
        return Request("DELETE", "/v1/batch/", body={"memories": listed})

    @Call
    def feedback(
        self, memory_id: str, feedback: str | None = None, feedback_reason: str | None = None
    ) -> Request[answers.FeedbackAnswer]:
        """Keep a verdict on a memory: `POSITIVE`, `NEGATIVE`, `VERY_NEGATIVE`, or None, which clears it."""
        verdict = feedback.upper() if feedback else None
        body = {"memory_id": memory_id, "feedback": verdict, "feedback_reason": feedback_reason}
        return Request("POST", "/v1/feedback/", body=body)

    @Call
    def invalidate(self, memory_id: str, *, at: When | None = None) -> Request[answers.Change]:
        """Say that a memory is no longer true, from `at` on (now). Kept's own."""
        return Request("POST", f"/v1/memories/{segment(memory_id)}/invalidate/", body=given(None, at=at), own=True)

    @Call
    def restore(self, memory_id: str, seq: int | None = None) -> Request[answers.Change]:
        """Bring a memory back as it was at a revision, or before it was deleted or closed. Kept's own."""
        return Request("POST", f"/v1/memories/{segment(memory_id)}/restore/", body=given(None, seq=seq), own=True)

    @Call
    def undo(
        self,
        operation_id: str | None = None,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        run_id: str | None = None,
    ) -> Request[answers.Undone]:
        """Take back an operation: the given one, or the last one in the scope. Kept's own."""
        body = given(None, operation_id=operation_id, user_id=user_id, agent_id=agent_id, app_id=app_id, run_id=run_id)
        return Request("POST", "/v1/undo/", body=body, own=True)

    @Call
    def erase(
        self,
        memory_id: str | None = None,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        run_id: str | None = None,
        filters: Mapping[str, Any] | None = None,
    ) -> Request[answers.Erasure]:
        """Remove content for good: a memory, or everything of a scope with its sources. Cannot be undone. Kept's own.

        Raises:
            InvalidInputError: Both an id and a scope are given.
            ScopeError: Neither is.
        """
        scope = given(None, user_id=user_id, agent_id=agent_id, app_id=app_id, run_id=run_id, filters=filters)
        if memory_id is None:
            if not scope:
                raise ScopeError("Say what to erase: a memory's id, or user_id, agent_id, app_id or run_id.")
            return Request("POST", "/v1/erase/", body=scope, own=True)
        if scope:
            raise InvalidInputError("Erase by id, or by scope and filters, not by both.")
        return Request("POST", f"/v1/memories/{segment(memory_id)}/erase/", body={}, own=True)

    # --- entities ---

    @Call
    def users(self, *, page: int | None = None, page_size: int | None = None) -> Request[answers.EntityPage]:
        """Users, agents, apps and runs that memories are stored under."""
        return Request("GET", "/v1/entities/", query={"page": page, "page_size": page_size})

    @Call
    def delete_users(
        self,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        run_id: str | None = None,
    ) -> Script[answers.EntitiesDeleted]:
        """Delete entities with all their memories, each one that is named.

        Raises:
            ScopeError: None is named; nothing was sent. `reset` deletes all.
        """
        named = {"user": user_id, "agent": agent_id, "app": app_id, "run": run_id}
        entities = [(kind, name) for kind, name in named.items() if name]
        if not entities:
            raise ScopeError("Name whom to delete: user_id, agent_id, app_id or run_id. `reset` deletes all of them.")
        return {"message": "Entity deleted successfully.", "event_ids": (yield from _delete(entities))}

    @Call
    def reset(self) -> Script[answers.EntitiesDeleted]:
        """Delete all entities of the project, with all their memories."""
        entities: list[tuple[str, str]] = []
        page: int | None = 1
        while page is not None:
            found: answers.EntityPage = yield from Request("GET", "/v1/entities/", query={"page": page})
            entities += [(entity["type"], entity["name"]) for entity in found["results"]]
            page = page + 1 if found.get("next") else None
        message = "Client reset successful. All users and memories deleted."
        return {"message": message, "event_ids": (yield from _delete(entities))}

    # --- who did what ---

    @Call
    def audit(
        self,
        *,
        actor: str | None = None,
        key_id: str | None = None,
        action: str | None = None,
        target: str | None = None,
        outcome: str | None = None,
        after: When | None = None,
        before: When | None = None,
        page: int | None = None,
        page_size: int | None = None,
    ) -> Request[answers.Page[answers.AuditEntry]]:
        """Who read or changed what, newest first. Needs an owner's key. Kept's own.

        Args:
            actor: Only by whom this is the name of.
            key_id: Only with this key.
            action: Only what begins so: `memory`, `memory.search`.
            target: Only about this, as `user_id=mira`.
            outcome: Only what ended so: `ok`, or an error's code.
            after: Only from then on.
            before: Only up to then.
            page: Which page, from 1.
            page_size: How many on a page, at most 200.
        """
        query = given(
            None,
            actor=actor,
            key_id=key_id,
            action=action,
            target=target,
            outcome=outcome,
            after=after,
            before=before,
            page=page,
            page_size=page_size,
        )
        return Request("GET", "/v1/audit/", query=query, own=True)

    @Call
    def spending(
        self,
        by: str = "day",
        *,
        task: str | None = None,
        event_id: str | None = None,
        start_date: When | None = None,
        end_date: When | None = None,
    ) -> Request[answers.Spending]:
        """What models cost the project, and how much of its limits is left today. Kept's own.

        Args:
            by: What it is summed by: `day`, `project`, `task`, `model` or `job`.
            task: Only for this task, such as `extraction` or `embedding`.
            event_id: Only for this event.
            start_date: From this day (UTC) on.
            end_date: Up to this day, itself included.
        """
        query = given(None, by=by, task=task, event_id=event_id, start_date=start_date, end_date=end_date)
        return Request("GET", "/v1/spending/", query=query, own=True)

    # --- graph ---

    @Call
    def search_graph(
        self,
        /,
        query: str = "",
        *,
        limit: int | None = None,
        filters: Mapping[str, Any] | None = None,
        valid_as_of: When | None = None,
        **ids: Any,
    ) -> Request[answers.EntitiesFound]:
        """Entities by words of their names, each with its strongest relations. Kept's own."""
        query_of = _graph_query(filters, ids, query=query, limit=limit, valid_as_of=valid_as_of)
        return Request("GET", "/v1/graph/search/", query=query_of, own=True)

    @Call
    def get_entity(
        self, /, name: str, *, filters: Mapping[str, Any] | None = None, valid_as_of: When | None = None, **ids: Any
    ) -> Request[answers.GraphEntity]:
        """One entity by its name or an alias: its relations, and what it is mentioned with. Kept's own."""
        query = _graph_query(filters, ids, name=name, valid_as_of=valid_as_of)
        return Request("GET", "/v1/graph/entity/", query=query, own=True)

    @Call
    def neighbours(
        self,
        /,
        name: str,
        *,
        depth: int | None = None,
        relationship: str | None = None,
        limit: int | None = None,
        filters: Mapping[str, Any] | None = None,
        valid_as_of: When | None = None,
        **ids: Any,
    ) -> Request[answers.Neighbours]:
        """Entities around one, nearest first, in at most `depth` (1 to 3) steps. Kept's own."""
        query = _graph_query(
            filters, ids, name=name, depth=depth, relationship=relationship, limit=limit, valid_as_of=valid_as_of
        )
        return Request("GET", "/v1/graph/neighbours/", query=query, own=True)

    @Call
    def paths(
        self,
        /,
        source: str,
        target: str,
        *,
        max_length: int | None = None,
        limit: int | None = None,
        filters: Mapping[str, Any] | None = None,
        valid_as_of: When | None = None,
        **ids: Any,
    ) -> Request[answers.Paths]:
        """The shortest paths between two entities, in at most `max_length` (1 to 4) steps. Kept's own."""
        query = _graph_query(
            filters, ids, source=source, target=target, max_length=max_length, limit=limit, valid_as_of=valid_as_of
        )
        return Request("GET", "/v1/graph/paths/", query=query, own=True)

    @Call
    def merge_entities(self, /, into: str, names: str | Sequence[str], **ids: Any) -> Request[answers.GraphEntity]:
        """Make entities of one user's memories one; `split_entity` takes it back. Kept's own."""
        body = given(ids, into=into, names=[names] if isinstance(names, str) else list(names))
        return Request("POST", "/v1/graph/merge/", body=body, own=True)

    @Call
    def split_entity(self, /, names: str | Sequence[str], **ids: Any) -> Request[answers.Split]:
        """Make aliases entities of their own again. Kept's own."""
        body = given(ids, names=[names] if isinstance(names, str) else list(names))
        return Request("POST", "/v1/graph/split/", body=body, own=True)

    @Call
    def likely_same_entities(self, /, *, limit: int | None = None, **ids: Any) -> Request[answers.Likenesses]:
        """Pairs of entities that are likely one, as `merge_entities` takes them. Kept's own."""
        return Request("GET", "/v1/graph/likenesses/", query=given(ids, limit=limit), own=True)

    # --- exports and summary ---

    @Call
    def create_memory_export(self, /, schema: str | Mapping[str, Any], **more: Any) -> Request[answers.ExportStarted]:
        """Begin an export in the caller's JSON schema; `filters` or ids say of what."""
        return Request("POST", "/v1/exports/", body={"schema": schema, **given(None, more)})

    @Call
    def get_memory_export(self, /, **more: Any) -> Request[dict[str, Any]]:
        """A finished export: by `memory_export_id`, or the newest for `filters` or ids."""
        return Request("POST", "/v1/exports/get/", body=given(None, more), reads=True)

    @Call
    def get_summary(self, filters: Mapping[str, Any] | None = None) -> Request[list[dict[str, Any]]]:
        """What the memories say, in short; `by` is who wrote it: `rules`, or a language model's name."""
        return Request("POST", "/v1/summary/", body=given(None, filters=filters), reads=True)

    # --- profiles ---

    @Call
    def get_profile(self, entity_id: str) -> Request[answers.Profile]:
        """What is known of a user; branch on `status`, not on an empty `profile`."""
        return Request("GET", f"/v2/entities/user/{segment(entity_id)}/profile/")

    @Call
    def generate_profile(
        self, entity_id: str, idempotency_key: str | None = None
    ) -> Request[answers.ProfileJobStarted]:
        """Make a user's profile now; repeating the key gives the same job."""
        body = {"operation": "trigger", "entity_type": "user", "entity_id": entity_id}
        return _profile_job(body, idempotency_key)

    @Call
    def sample_profiles(
        self, limit: int | None = None, idempotency_key: str | None = None
    ) -> Request[answers.ProfileJobStarted]:
        """Make the profiles of some users, to try a schema: `limit` from 1 to 10."""
        body = {"operation": "sample", "entity_type": "user", **given(None, limit=limit)}
        return _profile_job(body, idempotency_key)

    @Call
    def get_profile_job(self, job_id_or_status_url: str) -> Request[answers.ProfileJob]:
        """How far a job is, by its id or `status_url`."""
        at = job_id_or_status_url
        return Request("GET", at if at.startswith("/") else f"/v2/profiles/jobs/{segment(at)}/")

    @Call
    def get_profile_settings(self) -> Request[answers.ProfileSettings]:
        """How the project's profiles are made."""
        return Request("GET", "/v2/profiles/settings/")

    @Call
    def update_profile_settings(
        self, enabled: bool | None = None, schema: Any = UNSET, custom_instructions: Any = UNSET
    ) -> Request[answers.ProfileSettings]:
        """Change what is given; None clears a schema or instructions."""
        nullable = {"schema": schema, "custom_instructions": custom_instructions}
        of_user = {name: value for name, value in nullable.items() if value is not UNSET}
        body = given(None, enabled=enabled, entities={"user": of_user} if of_user else None)
        return Request("POST", "/v2/profiles/settings/", body=body)

    # --- webhooks ---

    @Call
    def get_webhooks(self, project_id: str | None = None) -> Script[list[answers.Webhook]]:
        """The webhooks of a project (the key's own)."""
        return (yield from Request("GET", (yield from self._webhooks_path(project_id))))

    @Call
    def create_webhook(
        self, url: str, name: str, project_id: str | None = None, event_types: Sequence[str] = ()
    ) -> Script[answers.Webhook]:
        """Report changes to an address; its `secret`, which signs the reports, is shown this once."""
        body = {"url": url, "name": name, "event_types": list(event_types)}
        return (yield from Request("POST", (yield from self._webhooks_path(project_id)), body=body))

    @Call
    def update_webhook(
        self,
        webhook_id: str,
        name: str | None = None,
        url: str | None = None,
        event_types: Sequence[str] | None = None,
    ) -> Request[answers.Message]:
        """Change what is given."""
        body = given(None, name=name, url=url, event_types=event_types)
        return Request("PUT", f"/api/v1/webhooks/{segment(webhook_id)}/", body=body)

    @Call
    def delete_webhook(self, webhook_id: str) -> Request[answers.Message]:
        """Report no more."""
        return Request("DELETE", f"/api/v1/webhooks/{segment(webhook_id)}/")

    def _webhooks_path(self, project_id: str | None) -> Script[str]:
        own = project_id or (yield from self.project.introduction())["project_id"]
        return f"/api/v1/webhooks/projects/{segment(own)}/"

    # --- Mem0's older names ---

    @Call
    def get_project(self, fields: Sequence[str] | None = None) -> Script[answers.ProjectAnswer]:
        """Mem0's older name of `project.get`."""
        return (yield from self.project.read(fields))

    @Call
    def update_project(
        self,
        options: Options = None,
        custom_instructions: str | None = None,
        custom_categories: Sequence[Any] | None = None,
        memory_depth: str | None = None,
        usecase_setting: Any = None,
        multilingual: bool | None = None,
        agent_custom_instructions: str | None = None,
    ) -> Script[answers.Message]:
        """Mem0's older name of `project.update`."""
        changes = given(
            options,
            custom_instructions=custom_instructions,
            custom_categories=custom_categories,
            memory_depth=memory_depth,
            usecase_setting=usecase_setting,
            multilingual=multilingual,
            agent_custom_instructions=agent_custom_instructions,
        )
        return (yield from self.project.change(changes))


def _listed(messages: object) -> list[Any]:
    """Messages as a list; a bare text is the user's."""
    if isinstance(messages, (str, Mapping)):
        messages = [messages]
    if not isinstance(messages, Sequence):
        kind = type(messages).__name__
        raise InvalidInputError(f"messages must be a text, a message, or a list of them, not {kind}.")
    return [{"role": "user", "content": one} if isinstance(one, str) else one for one in messages]


def _ids_inside_filters(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body, ids that stand beside `filters` moved inside; both must hold."""
    ids = {name: body[name] for name in ENTITY_IDS if name in body}
    rest = {name: value for name, value in body.items() if name not in ids}
    if not ids:
        return rest
    filters = rest.get("filters")
    return {**rest, "filters": {"AND": [ids, filters]} if filters else ids}


def _graph_query(filters: Mapping[str, Any] | None, ids: Mapping[str, Any], **named: Any) -> dict[str, Any]:
    return given(ids, filters=None if filters is None else json.dumps(filters), **named)


def _delete(entities: Sequence[tuple[str, str]]) -> Script[list[str]]:
    events = []
    for kind, name in entities:
        answer: answers.Acknowledged = yield from Request("DELETE", f"/v2/entities/{kind}/{segment(name)}/")
        events += [answer["event_id"]] if "event_id" in answer else []
    return events


def _profile_job(body: Mapping[str, Any], idempotency_key: str | None) -> Request[answers.ProfileJobStarted]:
    return Request("POST", "/v2/profiles/jobs/", body=body, idempotency_key=idempotency_key or uuid.uuid4().hex)
