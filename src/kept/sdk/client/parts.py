"""The parts of a client: its project, events, keys, links and rules of retention. Written as the calls in `calls`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, Protocol

from kept.errors import EventFailedError, InvalidInputError, WaitTimeoutError
from kept.sdk.client import answers
from kept.sdk.client.exchange import Pause, Request, Script, segment
from kept.sdk.client.runners import Call, R, Speaker

WAIT_S: Final = 60.0
"""How long acknowledged work is waited for; Mem0's integrations take the same."""
_FIRST_PAUSE_S: Final = 0.02
"""Between the first two looks at an event; a server on the same machine was done at the third (measured, one add at a time)."""
_PAUSE_FACTOR: Final = 1.5
"""Each look comes half as long again after the one before: what takes long is not asked for all the time."""
_LONGEST_PAUSE_S: Final = 1.0
"""A long job does not need more than a look a second."""

When = str | int | float | date | datetime
"""ISO 8601, seconds since 1970, or Python's own."""


class Model(Protocol):
    """An options model, such as Mem0's `SearchMemoryOptions`."""

    def model_dump(self, *, exclude_unset: bool) -> dict[str, Any]:
        """What was set on it."""
        ...


Options = Mapping[str, Any] | Model | None


def given(options: Options, more: Mapping[str, Any] | None = None, **named: Any) -> dict[str, Any]:
    """What a caller gave: options, then what stands by name beside them, which wins. None by name means not given.

    Raises:
        InvalidInputError: `options` is neither a mapping nor a model.
    """
    if options is None:
        chosen: Mapping[str, Any] = {}
    elif isinstance(options, Mapping):
        chosen = options
    elif hasattr(options, "model_dump"):
        chosen = options.model_dump(exclude_unset=True)
    else:
        raise InvalidInputError(f"options must be a mapping or one of Mem0's models, not {type(options).__name__}.")
    beside = {**(more or {}), **named}
    return {**chosen, **{name: value for name, value in beside.items() if value is not None}}


def looks(within_s: float) -> Iterator[float]:
    """How long to wait before each further look at acknowledged work, in seconds: at first little, then ever longer.

    Args:
        within_s: All together.
    """
    pause = _FIRST_PAUSE_S
    while within_s > 0:
        yield min(pause, within_s)
        within_s -= pause
        pause = min(pause * _PAUSE_FACTOR, _LONGEST_PAUSE_S)


class Project(Speaker[R]):
    """The project of the client's key, and its members."""

    def __init__(self, runner: R) -> None:
        super().__init__(runner)
        self._identity: answers.Identity | None = None

    @property
    def org_id(self) -> str | None:
        """The key's organisation; None until it was asked for."""
        return self._identity["org_id"] if self._identity else None

    @property
    def project_id(self) -> str | None:
        """The key's project; None until it was asked for."""
        return self._identity["project_id"] if self._identity else None

    @property
    def user_email(self) -> str | None:
        """Whose the key is; None until it was asked for, or when it is nobody's."""
        return self._identity["user_email"] if self._identity else None

    @Call
    def get(self, fields: Sequence[str] | None = None) -> Script[answers.ProjectAnswer]:
        """The project; Mem0 and Kept give all of it, whatever the `fields`."""
        return (yield from self.read(fields))

    @Call
    def create(self, name: str, description: str | None = None) -> Script[answers.ProjectCreated]:
        """Make another project in the organisation; on Kept's server the answer has its first key, this once."""
        who = yield from self.introduction()
        body = given(None, name=name, description=description)
        path = f"/api/v1/orgs/organizations/{segment(who['org_id'])}/projects/"
        return (yield from Request("POST", path, body=body))

    @Call
    def update(
        self,
        custom_instructions: str | None = None,
        custom_categories: Sequence[Any] | None = None,
        multilingual: bool | None = None,
        decay: bool | None = None,
        agent_custom_instructions: str | None = None,
        includes: str | None = None,
        excludes: str | None = None,
    ) -> Script[answers.Message]:
        """Change what is given.

        Args:
            custom_instructions: For whoever extracts memories.
            custom_categories: `[{name: description}]` or names; an empty list goes back to the defaults.
            multilingual: Whether memories keep the language of what was said.
            decay: Whether memories that nobody asks for rank lower in time.
            agent_custom_instructions: As `custom_instructions`, for memories of agents.
            includes: What a language model that reads should look for.
            excludes: What it should leave out.
        """
        changes = given(
            None,
            custom_instructions=custom_instructions,
            custom_categories=custom_categories,
            multilingual=multilingual,
            decay=decay,
            agent_custom_instructions=agent_custom_instructions,
            includes=includes,
            excludes=excludes,
        )
        return (yield from self.change(changes))

    @Call
    def delete(self) -> Script[answers.Acknowledged]:
        """Delete the project: its keys end at once, its memories are hidden."""
        return (yield from Request("DELETE", (yield from self._path())))

    @Call
    def get_members(self) -> Script[answers.Members]:
        """Who works in the project, and as what."""
        return (yield from Request("GET", (yield from self._path()) + "members/"))

    @Call
    def add_member(self, email: str, role: str = "READER") -> Script[answers.Message]:
        """Let someone work in the project, as `READER` or `OWNER`."""
        body = {"email": email, "role": role}
        return (yield from Request("POST", (yield from self._path()) + "members/", body=body))

    @Call
    def update_member(self, email: str, role: str) -> Script[answers.Message]:
        """Change what someone may do."""
        body = {"email": email, "role": role}
        return (yield from Request("PUT", (yield from self._path()) + "members/", body=body))

    @Call
    def remove_member(self, email: str) -> Script[answers.Message]:
        """Let someone work in the project no more."""
        return (yield from Request("DELETE", (yield from self._path()) + "members/", query={"email": email}))

    # --- steps that other calls share ---

    def introduction(self, *, again: bool = False) -> Script[answers.Identity]:
        """Whom the key stands for; asked once, then known."""
        if self._identity is None or again:
            self._identity = yield from Request("GET", "/v1/ping/")
        return self._identity

    def read(self, fields: Sequence[str] | None) -> Script[answers.ProjectAnswer]:
        """The steps of `get`."""
        query = {"fields": list(fields) if fields else None}
        return (yield from Request("GET", (yield from self._path()), query=query))

    def change(self, changes: Mapping[str, Any]) -> Script[answers.Message]:
        """The steps of `update`."""
        if not changes:
            raise InvalidInputError(
                "Nothing to update: give custom_instructions, custom_categories or another setting."
            )
        return (yield from Request("PATCH", (yield from self._path()), body=dict(changes)))

    def _path(self) -> Script[str]:
        who = yield from self.introduction()
        return f"/api/v1/orgs/organizations/{segment(who['org_id'])}/projects/{segment(who['project_id'])}/"


class Events(Speaker[R]):
    """Acknowledged work: an add, a deletion."""

    @Call
    def get(self, event_id: str) -> Request[answers.Event]:
        """An event, with what came of it so far.

        Raises:
            NotFoundError: There is none; finished ones are kept for some weeks.
        """
        return _event(event_id)

    @Call
    def list(
        self,
        *,
        event_type: str | Sequence[str] | None = None,
        status: str | Sequence[str] | None = None,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        run_id: str | None = None,
        after: When | None = None,
        before: When | None = None,
        page: int | None = None,
        page_size: int | None = None,
    ) -> Request[answers.Page[answers.Event]]:
        """A page of events, newest first.

        Args:
            event_type: Only these: `ADD`, `UPDATE`, `DELETE`, `DELETE_ALL`, `DELETE_USER`.
            status: Only those that are `PENDING`, `RUNNING`, `SUCCEEDED` or `FAILED`.
            user_id: Only about this user's memories; so do the other ids.
            agent_id: See `user_id`.
            app_id: See `user_id`.
            run_id: See `user_id`.
            after: Only what was asked for then or later.
            before: Only what was asked for earlier.
            page: Which page, from 1.
            page_size: How many on a page, at most 200.
        """
        query = given(
            None,
            event_type=event_type,
            status=status,
            user_id=user_id,
            agent_id=agent_id,
            app_id=app_id,
            run_id=run_id,
            after=after,
            before=before,
            page=page,
            page_size=page_size,
        )
        return Request("GET", "/v1/events/", query=query)

    @Call
    def wait(self, event: str | Mapping[str, Any], *, timeout_s: float = WAIT_S) -> Script[answers.Event]:
        """Wait for an event's end.

        Args:
            event: The `event_id`, or the answer that has it.
            timeout_s: How long, in seconds.

        Raises:
            EventFailedError: It could not be done; the message says why.
            WaitTimeoutError: It is not done yet, and goes on.
        """
        return (yield from self.completion(event, timeout_s))

    def completion(self, event: str | Mapping[str, Any], timeout_s: float) -> Script[answers.Event]:
        """The steps of `wait`: look, at first soon, then ever less often."""
        event_id = _event_id(event)
        pauses = looks(timeout_s)
        while True:
            found = yield from _event(event_id)
            if found["status"] == "FAILED":
                raise EventFailedError(
                    f"Event {event_id} failed: {found.get('error') or 'the server does not say why'}."
                )
            if found["status"] == "SUCCEEDED":
                return found
            if (pause := next(pauses, None)) is None:
                raise WaitTimeoutError(
                    f"Event {event_id} is {found['status']} after {timeout_s:g} s. It goes on; wait for it again."
                )
            yield Pause(pause)


class Keys(Speaker[R]):
    """API keys. Kept's own."""

    @Call
    def list(self) -> Request[answers.Page[answers.Key]]:
        """The project's keys, without their secrets."""
        return Request("GET", "/v1/keys/", own=True)

    @Call
    def create(
        self,
        /,
        name: str,
        *,
        role: str | None = None,
        bound: Mapping[str, Any] | None = None,
        expires_at: When | None = None,
        **more: Any,
    ) -> Request[answers.KeyCreated]:
        """Make a key; it is shown this once.

        Args:
            name: What it is for.
            role: `READER`, `WRITER` or `OWNER`.
            bound: Ids that it cannot step out of, such as `{"user_id": ["mira"]}`.
            expires_at: When it ends.
            more: Sent as they are.
        """
        body = given(None, more, name=name, role=role, bound=bound, expires_at=expires_at)
        return Request("POST", "/v1/keys/", body=body, own=True)

    @Call
    def revoke(self, key_id: str) -> Request[answers.KeyRevoked]:
        """End a key now."""
        return Request("DELETE", f"/v1/keys/{segment(key_id)}/", own=True)


class Links(Speaker[R]):
    """Managed MCP addresses. Kept's own."""

    @Call
    def list(self) -> Request[answers.Page[answers.Link]]:
        """The project's links, without their addresses."""
        return Request("GET", "/v1/mcp-links/", own=True)

    @Call
    def create(
        self,
        /,
        name: str,
        *,
        methods: Sequence[str] | None = None,
        tags: Sequence[str] | None = None,
        expires_at: When | None = None,
        **more: Any,
    ) -> Request[answers.LinkCreated]:
        """Make a link; its address is shown this once.

        Args:
            name: What it is for.
            methods: Which kinds of tools: `read`, `write`, `custom`.
            tags: Only tools with one of these tags.
            expires_at: When it ends.
            more: Sent as they are (`user_id`, `agent_id`, `require_api_token_auth`, …).
        """
        body = given(None, more, name=name, methods=methods, tags=tags, expires_at=expires_at)
        return Request("POST", "/v1/mcp-links/", body=body, own=True)

    @Call
    def update(self, /, link_id: str, **changes: Any) -> Request[answers.Link]:
        """Change what is given."""
        return Request("PATCH", f"/v1/mcp-links/{segment(link_id)}/", body=given(None, changes), own=True)

    @Call
    def rotate(self, link_id: str) -> Request[answers.LinkCreated]:
        """Give a link another address, which is shown this once; the old one ends."""
        return Request("POST", f"/v1/mcp-links/{segment(link_id)}/rotate/", own=True)

    @Call
    def revoke(self, link_id: str) -> Request[answers.Message]:
        """End a link now."""
        return Request("DELETE", f"/v1/mcp-links/{segment(link_id)}/", own=True)


class Retention(Speaker[R]):
    """Rules that say how long memories are kept. Kept's own."""

    @Call
    def list(self) -> Request[answers.RetentionRules]:
        """The project's rules, oldest first, each with how many memories are `due` to expire."""
        return Request("GET", "/v1/retention/", own=True)

    @Call
    def put(
        self,
        *,
        days: int | None,
        category: str | None = None,
        tag: str | None = None,
        connector: str | None = None,
        memory_type: str | None = None,
    ) -> Request[answers.RetentionRule]:
        """Keep memories that all of this fits for so many days; None keeps them for ever. Replaces a rule about the same.

        Args:
            days: From 1; of several rules that fit a memory the longest counts.
            category: One of its categories.
            tag: Its `metadata.tag`, or one of its `metadata.tags`.
            connector: Through what it came, such as `rest`.
            memory_type: `message`, `statement`, `fact`, …
        """
        about = given(None, category=category, tag=tag, connector=connector, memory_type=memory_type)
        return Request("POST", "/v1/retention/", body={**about, "days": "forever" if days is None else days}, own=True)

    @Call
    def enforce(self) -> Request[answers.Enforced]:
        """Expire now what the rules no longer keep, instead of within the hour."""
        return Request("POST", "/v1/retention/enforce/", body={}, own=True)

    @Call
    def delete(self, rule_id: str) -> Request[answers.Message]:
        """Take a rule away."""
        return Request("DELETE", f"/v1/retention/{segment(rule_id)}/", own=True)


class Proposals(Speaker[R]):
    """What consolidation proposes. Kept's own."""

    @Call
    def make(
        self,
        /,
        *,
        filters: Mapping[str, Any] | None = None,
        limit: int | None = None,
        dry_run: bool | None = None,
        **ids: Any,
    ) -> Request[answers.ProposalsMade]:
        """Look for what could be merged, generalised or forgotten; nothing changes until one is accepted.

        Args:
            filters: Only among these memories.
            limit: How many at most.
            dry_run: Show them; keep nothing, ask no language model.
            ids: Whose: `user_id`, `agent_id`, …; nobody's name means all that the key may see.
        """
        body = given(None, ids, filters=filters, limit=limit, dry_run=dry_run)
        return Request("POST", "/v1/proposals/", body=body, own=True)

    @Call
    def list(
        self, /, *, status: str | None = None, page: int | None = None, page_size: int | None = None, **ids: Any
    ) -> Request[answers.Page[answers.Proposal]]:
        """Proposals, newest first.

        Args:
            status: `pending` (the default), `accepted`, `declined`, `stale` or `all`.
            page: Which page, from 1.
            page_size: How many on a page, at most 200.
            ids: Only about memories under these: `user_id`, `agent_id`, ….
        """
        query = given(None, ids, status=status, page=page, page_size=page_size)
        return Request("GET", "/v1/proposals/", query=query, own=True)

    @Call
    def get(self, proposal_id: str) -> Request[answers.Proposal]:
        """One of them, with the memories that it is about as they are now."""
        return Request("GET", f"/v1/proposals/{segment(proposal_id)}/", own=True)

    @Call
    def accept(self, proposal_id: str, text: str | None = None) -> Request[answers.Proposal]:
        """Make the change, with another text if one is given; `undo` takes it back."""
        return Request("POST", f"/v1/proposals/{segment(proposal_id)}/accept/", body=given(None, text=text), own=True)

    @Call
    def decline(self, proposal_id: str) -> Request[answers.Proposal]:
        """Leave everything as it is; it is not proposed again."""
        return Request("POST", f"/v1/proposals/{segment(proposal_id)}/decline/", body={}, own=True)


def _event(event_id: str) -> Request[answers.Event]:
    return Request("GET", f"/v1/event/{segment(event_id)}/")


def _event_id(event: str | Mapping[str, Any]) -> str:
    found = event if isinstance(event, str) else event.get("event_id") or event.get("id")
    if not isinstance(found, str) or not found:
        raise InvalidInputError("There is no event in this answer to wait for; give its event_id.")
    return found
