"""Profiles: who a user is, from their strongest statements; put into words by a language model where there is one for summaries.

A run makes the profiles of one user (`trigger`) or of a sample; each user's is a job of its own, whose content an erase of any memory
in it blanks.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NamedTuple

from kept.domain.filters import Filter, to_dict
from kept.domain.jobs import DONE, Job, succeeded
from kept.domain.memory import MemoryRecord
from kept.domain.scope import Scope
from kept.engine.access import ProjectAccess
from kept.engine.extraction import MAX_WISH_CHARACTERS
from kept.engine.filling import Filling, asked, check_schema, count_properties, held, is_empty, relevant
from kept.engine.pending import boundary_of
from kept.engine.platform import Platform
from kept.engine.prompts import instructions
from kept.engine.showing import lines, sources
from kept.engine.summary import CONSIDERED, NOTHING_LEFT, RULES, SHOWN_TOKENS, fitting, strongest
from kept.errors import ConfigurationError, InvalidInputError, ModelError, NotFoundError, RateLimitError
from kept.ports import Entry, JobListing, Prompt

RUN: Final = "profile_run"
SETTINGS: Final = "profile_settings"
ProfileStatus = Literal["succeeded", "pending", "failed", "not_enabled", "insufficient_data"]

LEAST_MEMORIES: Final = 3
"""Fewer say too little about anybody."""
SAMPLE: Final = 5
"""Users of a sample where nobody says how many: a choice."""
MAX_SAMPLE: Final = 10
"""Users of a sample at most, as on Mem0's platform."""
SAMPLE_PAUSE: Final = timedelta(minutes=1)
"""Between two sample runs, as Mem0 refuses a second one that comes too soon."""
KEY_LENGTHS: Final = (8, 128)
"""Of an idempotency key, as in Mem0."""
RUNS_KEPT: Final = timedelta(days=30)
STATEMENTS: Final = 3
"""In a text of a profile."""
LEAST_OUTPUT_TOKENS: Final = 400
"""A model's spacing, and what it says around an answer."""
PROPERTY_OUTPUT_TOKENS: Final = 200
"""Three long sentences, or a list of a dozen entries."""
MOST_OUTPUT_TOKENS: Final = 8_000
"""What models of all providers can answer."""
_RUNS: Final = uuid.UUID("0c0f5c58-6d0e-5d0e-8f38-0d5a8e3f6a11")
"""Makes ids of runs from idempotency keys; any constant does."""

DEFAULT_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "about": {"type": "string", "description": "who the person is: name, family, home, where they live"},
        "work": {"type": "string", "description": "job, company, projects, tools used at work"},
        "preferences": {"type": "string", "description": "what they like, prefer, love, hate or avoid"},
        "interests": {"type": "string", "description": "hobbies, sports, music, reading, travel"},
        "health": {"type": "string", "description": "health, allergies, diet, exercise"},
        "plans": {"type": "string", "description": "plans, goals, appointments, deadlines to come"},
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A user's profile as it is now.

    Attributes:
        by: Who filled it: `rules`, or a language model's name; None while there is none.
        note: Why the rules filled it although there is a model that does.
    """

    entity_id: str
    status: ProfileStatus
    content: Mapping[str, Any]
    updated_at: datetime | None
    generation_count: int
    by: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One asking for profiles.

    Attributes:
        jobs: One for each user.
        replayed: Whether an earlier call with the same key asked for it.
    """

    id: str
    operation: str
    entity_ids: tuple[str, ...]
    jobs: tuple[Job, ...]
    replayed: bool = False

    @property
    def status(self) -> str:
        """Of all its jobs together."""
        states = {job.status for job in self.jobs}
        if states - DONE:
            return "running" if states - {"PENDING"} else "pending"
        return "failed" if states == {"FAILED"} else "succeeded"


class Profiles:
    """The profiles of a project's users, as a principal may have them."""

    def __init__(self, access: ProjectAccess) -> None:
        self._access = access
        self._platform = access.platform

    def settings(self) -> dict[str, Any]:
        """Whether profiles are made, and how."""
        with self._access.noted("profile.settings"):
            return settings_of(self._platform, self._access.project)

    def set(self, *, enabled: object = None, user: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Change the settings; a `schema` or `custom_instructions` of None clears it.

        Raises:
            InvalidInputError: A schema whose properties are not described.
        """
        with self._access.noted("profile.set", "OWNER"):
            current = settings_of(self._platform, self._access.project)
            if enabled is not None:
                if not isinstance(enabled, bool):
                    raise InvalidInputError("enabled must be true or false.")
                current["enabled"] = enabled
            for name, value in (user or {}).items():
                if name == "schema":
                    current["schema"] = None if value is None else check_schema(value, described=True)
                elif name == "custom_instructions" and (value is None or isinstance(value, str)):
                    current["custom_instructions"] = value
                else:
                    raise InvalidInputError(
                        f"entities.user has schema and custom_instructions, not {str(name)[:40]!r}."
                    )
            project = self._access.project
            self._platform.registry.put(self._platform.entry(SETTINGS, project, project, current))
            return current

    def get(self, user_id: str) -> Profile:
        """A user's profile.

        Raises:
            NotFoundError: There is no such user.
        """
        with self._access.noted("profile.get", user_id=user_id):
            scope = self._access.principal.reading(Scope.of(user_id=user_id))
            jobs = self._jobs_of(scope)
            made = [job for job in jobs if job.status == "SUCCEEDED" and job.content]
            if not jobs and not self._memories(scope, 1):
                raise NotFoundError("There is no such user; no memory is stored under this user_id.")
            told = made[0].results[0] if made else {}
            return Profile(
                entity_id=user_id,
                status=self._status(scope, jobs),
                content=json.loads(made[0].content or "{}") if made else {},
                updated_at=made[0].completed_at if made else None,
                generation_count=len([job for job in jobs if job.status == "SUCCEEDED"]),
                by=str(told.get("by", RULES)) if made else None,
                note=told.get("note"),
            )

    def trigger(self, user_id: str, idempotency_key: str | None) -> Run:
        """Ask for a user's profile.

        Raises:
            InvalidInputError: No key, or none of 8 to 128 characters.
            NotFoundError: There is no such user.
        """
        with self._access.noted("profile.trigger", "WRITER", user_id=user_id):
            run_id = self._run_id(idempotency_key)
            scope = self._access.principal.reading(Scope.of(user_id=user_id))
            if earlier := self._platform.registry.find(RUN, run_id):
                return self._run(earlier, replayed=True)
            if not self._memories(scope, 1):
                raise NotFoundError("There is no such user; no memory is stored under this user_id.")
            return self._begin(run_id, "trigger", [user_id])

    def sample(self, limit: object, idempotency_key: str | None) -> Run:
        """Ask for profiles of the users of whom most is known.

        Raises:
            InvalidInputError: A limit out of range, or a key that cannot be used.
            RateLimitError: Another sample was asked for a moment ago.
        """
        with self._access.noted("profile.sample", "WRITER"):
            count = SAMPLE if limit is None else limit
            if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MAX_SAMPLE:
                raise InvalidInputError(
                    f"limit is {str(limit)[:40]!r}; it must be a whole number from 1 to {MAX_SAMPLE}."
                )
            run_id = self._run_id(idempotency_key)
            if earlier := self._platform.registry.find(RUN, run_id):
                return self._run(earlier, replayed=True)
            self._require_pause()
            users = [found for found in self._access.entities() if found.type == "user"]
            users.sort(key=lambda found: found.memories, reverse=True)
            return self._begin(run_id, "sample", [found.name for found in users[:count]])

    def run(self, run_id: str) -> Run:
        """An earlier asking.

        Raises:
            NotFoundError: There is none.
        """
        with self._access.noted("profile.run"):
            entry = self._platform.registry.find(RUN, run_id)
            run = None if entry is None or entry.owner != self._access.project else self._run(entry)
            if run is None or not all(self._access.sees(job) for job in run.jobs):
                raise NotFoundError("There is no such profile job.")
            return run

    def _status(self, scope: Scope, jobs: Sequence[Job]) -> ProfileStatus:
        if not settings_of(self._platform, self._access.project)["enabled"]:
            return "not_enabled"
        if jobs and jobs[0].status not in DONE:
            return "pending"
        if any(job.status == "SUCCEEDED" and job.content for job in jobs):
            return "succeeded"
        if jobs and jobs[0].status == "FAILED":
            return "failed"
        return "insufficient_data" if len(self._memories(scope, LEAST_MEMORIES)) < LEAST_MEMORIES or jobs else "pending"

    def _memories(self, scope: Scope, limit: int) -> Sequence[MemoryRecord]:
        condition = self._access.principal.boundary(None)
        return self._platform.service.list(scope, filters=condition, limit=limit, latest_only=True)[0]

    def _jobs_of(self, scope: Scope) -> Sequence[Job]:
        """Those that were made of as much as the principal may read: not of one agent's memories what is a user's, nor the reverse."""
        listing = JobListing(project=scope.project, kinds=["PROFILE"], user_id=scope.user_id)
        condition = self._beside_user()
        narrowed = None if condition is None else to_dict(condition)
        jobs = self._platform.jobs.page(listing, limit=1_000)
        return [job for job in jobs if job.scope == scope and job.payload.get("filters") == narrowed]

    def _beside_user(self) -> Filter | None:
        """What the principal is bound to besides users, one of whom is named."""
        principal = self._access.principal
        others = {name: ids for name, ids in principal.bound.items() if name != "user_id"}
        return replace(principal, bound=others).boundary(None)

    def _run_id(self, idempotency_key: str | None) -> str:
        least, most = KEY_LENGTHS
        if idempotency_key is None or not least <= len(idempotency_key) <= most:
            raise InvalidInputError(f"The header Idempotency-Key is needed, of {least} to {most} characters.")
        asked_by = self._access.principal.key_id or ""
        return str(uuid.uuid5(_RUNS, f"{self._access.project}/{asked_by}/{idempotency_key}"))

    def _begin(self, run_id: str, operation: str, users: Sequence[str]) -> Run:
        reading, condition = self._access.principal.reading, self._beside_user()
        jobs = [self._access.acknowledge("PROFILE", reading(Scope.of(user_id=user)), condition) for user in users]
        data = {"operation": operation, "entity_ids": list(users), "job_ids": [job.id for job in jobs]}
        entry = self._platform.entry(RUN, run_id, self._access.project, data)
        self._platform.registry.put(entry)
        self._forget_old_runs(entry.created_at)
        return Run(id=run_id, operation=operation, entity_ids=tuple(users), jobs=tuple(jobs))

    def _run(self, entry: Entry, *, replayed: bool = False) -> Run:
        found = [self._platform.jobs.find(entry.owner, job_id) for job_id in entry.data["job_ids"]]
        return Run(
            id=entry.id,
            operation=entry.data["operation"],
            entity_ids=tuple(entry.data["entity_ids"]),
            jobs=tuple(job for job in found if job is not None),
            replayed=replayed,
        )

    def _require_pause(self) -> None:
        now = self._platform.clock()
        for entry in self._platform.registry.entries(RUN, self._access.project):
            wait = entry.created_at + SAMPLE_PAUSE - now
            if entry.data["operation"] == "sample" and wait > timedelta(0):
                raise RateLimitError(
                    "A sample was made a moment ago; wait before the next.", retry_after_s=int(wait.total_seconds()) + 1
                )

    def _forget_old_runs(self, now: datetime) -> None:
        for entry in self._platform.registry.entries(RUN, self._access.project):
            if now - entry.created_at > RUNS_KEPT:
                self._platform.registry.remove(RUN, entry.id)


def settings_of(platform: Platform, project: str) -> dict[str, Any]:
    """A project's settings for profiles: on, with the default schema, until they are changed."""
    entry = platform.registry.find(SETTINGS, project)
    return {"enabled": True, "schema": None, "custom_instructions": None, **(entry.data if entry else {})}


def make(platform: Platform, job: Job) -> Job:
    """The job with its user's profile made. The worker calls it.

    Raises:
        KeptError: It cannot be made.
    """
    scope, condition = boundary_of(job)
    records, _ = platform.service.list(scope, filters=condition, limit=CONSIDERED, latest_only=True)
    settings = settings_of(platform, job.scope.project)
    enough = settings["enabled"] and len(records) >= LEAST_MEMORIES
    filled = _filled(platform, job, strongest(records), settings) if enough else None
    if filled is None or not filled.content:
        return succeeded(job, platform.clock(), [{"event": "PROFILE", "status": "insufficient_data"}])
    told = {"event": "PROFILE", "status": "succeeded", "by": filled.by}
    return succeeded(
        job,
        platform.clock(),
        [told | ({"note": filled.note} if filled.note else {})],
        content=json.dumps(filled.content, ensure_ascii=False),
        memory_ids=list(filled.memory_ids),
    )


class _Filled(NamedTuple):
    """A schema that was filled: of which memories, by whom, and why by rule where there is a model for it."""

    content: Mapping[str, Any]
    memory_ids: Collection[str]
    by: str = RULES
    note: str | None = None


def _filled(platform: Platform, job: Job, best: Sequence[MemoryRecord], settings: Mapping[str, Any]) -> _Filled:
    """The schema filled by the model for summaries; by rule where there is none, it fails, or nothing it says is known."""
    schema = settings["schema"] or DEFAULT_SCHEMA
    by_rules = _by_rules(platform, job, best, schema)
    model = platform.models.for_task("summary")
    if model is None:
        return by_rules
    known = {record.id: record for record in best}
    shown = fitting([known[memory_id] for memory_id in dict.fromkeys([*by_rules.memory_ids, *known])], SHOWN_TOKENS)
    prompt = _prompt(schema, shown, settings["custom_instructions"])
    if earlier := _filled_before(platform, job, prompt):
        return earlier
    try:
        answer = platform.models.ask("summary", prompt, project=job.scope.project, job_id=job.id)
    except (ModelError, ConfigurationError) as error:
        return by_rules._replace(note=str(error))
    content = held(schema, answer.value, sources(shown))
    if is_empty(content):
        return by_rules._replace(note=NOTHING_LEFT)
    return _Filled(content, [record.id for record in shown], model.name)


def _filled_before(platform: Platform, job: Job, prompt: Prompt) -> _Filled | None:
    """What the model filled in when it was asked the very same, if it still stands: who asks again is not charged again."""
    call = platform.models.answered("summary", prompt, project=job.scope.project)
    earlier = platform.jobs.find(job.scope.project, call.job_id) if call and call.job_id else None
    if call is None or earlier is None or not earlier.content or earlier.results[0]["by"] != call.model:
        return None
    return _Filled(json.loads(earlier.content), earlier.memory_ids, call.model)


def _by_rules(platform: Platform, job: Job, best: Sequence[MemoryRecord], schema: Mapping[str, Any]) -> _Filled:
    scope, condition = boundary_of(job)
    places = {record.id: place for place, record in enumerate(best)}

    def find(about: str, limit: int) -> Sequence[MemoryRecord]:
        hits = platform.service.search(
            scope, about, filters=condition, top_k=limit * 3, latest_only=True, explain=False
        )
        found = [record for record in relevant(hits) if record.id in places]
        return sorted(found, key=lambda record: places[record.id])[:limit]

    filling = Filling(find, [], texts=STATEMENTS)
    return _Filled(filling.fill(schema), filling.used)


def _prompt(schema: Mapping[str, Any], shown: Sequence[MemoryRecord], wishes: str | None) -> Prompt:
    said = (wishes or "").strip()[:MAX_WISH_CHARACTERS]
    room = LEAST_OUTPUT_TOKENS + PROPERTY_OUTPUT_TOKENS * count_properties(schema)
    wished = f"\nWishes of those who run this memory: {said}" if said else ""
    return Prompt(
        instructions=instructions("profile.md") + wished,
        content="\n".join(lines(shown)),
        schema=asked(schema),
        max_output_tokens=min(room, MOST_OUTPUT_TOKENS),
    )
