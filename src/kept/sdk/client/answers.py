"""What a server answers, as types. Keys that only Kept's server gives are not required."""

from __future__ import annotations

from typing import Any, Generic, Literal, NotRequired, TypedDict, TypeVar

T = TypeVar("T")

EventStatus = Literal["PENDING", "RUNNING", "SUCCEEDED", "FAILED"]


class Page(TypedDict, Generic[T]):
    """One page of a list; `next` and `previous` are addresses."""

    count: int
    next: str | None
    previous: str | None
    results: list[T]


class MemoryAnswer(TypedDict):
    """A memory."""

    id: str
    memory: str
    user_id: NotRequired[str | None]
    agent_id: NotRequired[str | None]
    app_id: NotRequired[str | None]
    run_id: NotRequired[str | None]
    metadata: NotRequired[dict[str, Any] | None]
    categories: NotRequired[list[str] | None]
    created_at: NotRequired[str | None]
    updated_at: NotRequired[str | None]
    expiration_date: NotRequired[str | None]
    hash: NotRequired[str]
    session_id: NotRequired[str | None]
    structured_attributes: NotRequired[dict[str, Any]]
    lifecycle_state: NotRequired[str]
    replaced_by: NotRequired[str | None]
    synthesized: NotRequired[bool]
    state: NotRequired[str]
    supersedes: NotRequired[list[str]]
    immutable: NotRequired[bool]
    role: NotRequired[str | None]
    actor_id: NotRequired[str | None]
    memory_type: NotRequired[str]
    connector: NotRequired[str | None]
    feedback: NotRequired[str | None]
    valid_from: NotRequired[str | None]
    valid_to: NotRequired[str | None]
    recorded_at: NotRequired[str | None]
    type: NotRequired[str | None]
    confidence: NotRequired[float | None]
    entities: NotRequired[list[dict[str, str]]]
    relations: NotRequired[list[dict[str, str]]]
    operation_id: NotRequired[str | None]


class Hit(MemoryAnswer):
    """A memory that a search found; `score` lies in [0, 1]."""

    score: float
    score_breakdown: NotRequired[dict[str, float]]


class SearchAnswer(TypedDict):
    """Hits, best first."""

    results: list[Hit]


class Occurrence(Hit):
    """A memory of a timeline: its first day, the day after its last, and how they are known."""

    start: str
    end: str
    known: Literal["said", "valid", "told"]
    upcoming: bool


class Timeline(TypedDict):
    """What happened, oldest first."""

    results: list[Occurrence]


class Conflict(TypedDict):
    """A known memory that a new one likely contradicts; `newer` is the id of that of the two which speaks of the later time."""

    id: str
    memory: str
    why: str
    newer: str
    relationship: NotRequired[str]


class Stored(TypedDict):
    """One memory that an add made, changed or met again."""

    id: str
    event: str
    memory: NotRequired[str | None]
    data: NotRequired[dict[str, Any]]
    conflicts: NotRequired[list[Conflict]]


class AddAnswer(TypedDict):
    """What an add was acknowledged by; `results` when it is done."""

    event_id: str
    status: EventStatus
    message: NotRequired[str]
    results: NotRequired[list[Stored]]
    superseded: NotRequired[list[str]]
    operation_id: NotRequired[str | None]


class Extraction(TypedDict):
    """The event in which a language model reads a part of what was added."""

    event_id: str


class Event(TypedDict):
    """Acknowledged work, and what came of it; `latency` in milliseconds."""

    id: str
    event_type: str
    status: EventStatus
    payload: dict[str, Any]
    metadata: NotRequired[dict[str, Any] | None]
    results: NotRequired[list[Stored]]
    created_at: str
    updated_at: str
    started_at: NotRequired[str | None]
    completed_at: NotRequired[str | None]
    latency: NotRequired[float | None]
    error: NotRequired[str | None]
    actor: NotRequired[str | None]
    attempts: NotRequired[int]
    spending: NotRequired[Spent]
    passed_over: NotRequired[int]
    extractions: NotRequired[list[Extraction]]
    dropped: NotRequired[dict[str, int]]
    refused: NotRequired[list[str]]


class Acknowledged(TypedDict):
    """A deletion that goes on."""

    message: str
    event_id: NotRequired[str]
    status: NotRequired[EventStatus]


class Message(TypedDict):
    """What was done, in words; `operation_id` is what to undo it by."""

    message: str
    operation_id: NotRequired[str | None]
    cascade_count: NotRequired[int]


class Changed(TypedDict):
    """A memory after a change."""

    id: str
    memory: str
    state: str


class Change(TypedDict):
    """What a call changed."""

    message: str
    operation_id: str | None
    results: list[Changed]


class Undone(Change):
    """What an undo changed back, and what it undid."""

    undone: dict[str, Any]


class Erasure(TypedDict):
    """What an erase removed: memories, how many messages, and whether the file was scrubbed of them too."""

    message: str
    erased: list[str]
    messages: int
    scrubbed: bool


class HistoryStep(TypedDict):
    """One entry of a memory's history."""

    id: str
    memory_id: str
    old_memory: str | None
    new_memory: str | None
    event: str
    created_at: str
    updated_at: str | None
    input: NotRequired[list[dict[str, str]]]
    metadata: NotRequired[dict[str, Any] | None]
    categories: NotRequired[list[str] | None]
    seq: NotRequired[int]
    state: NotRequired[str]
    operation_id: NotRequired[str | None]
    connector: NotRequired[str | None]
    why: NotRequired[dict[str, Any] | None]


class Entity(TypedDict):
    """A user, agent, app or run; `name` is the caller's own id."""

    id: str
    name: str
    type: str
    created_at: str
    updated_at: str
    owner: NotRequired[str | None]
    metadata: NotRequired[dict[str, Any] | None]
    total_memories: NotRequired[int]


class EntityPage(Page[Entity]):
    """A page of entities, and how many there are of each type."""

    total_users: int
    total_agents: int
    total_apps: int
    total_runs: int


class EntitiesDeleted(TypedDict):
    """Entities whose deletion goes on, an event for each."""

    message: str
    event_ids: list[str]


class ContextBlock(TypedDict):
    """Text for a prompt; `tokens` never exceeds `budget_tokens`."""

    text: str
    ids: list[str]
    tokens: int
    budget_tokens: int
    omitted: int
    collapsed: int


class FeedbackAnswer(TypedDict):
    """The verdict that is kept."""

    id: str
    feedback: str | None
    feedback_reason: str | None


class ExportStarted(TypedDict):
    """An export that is being made."""

    message: str
    id: str


class Identity(TypedDict):
    """Whom a key stands for."""

    status: NotRequired[str]
    org_id: str
    project_id: str
    user_email: str | None
    role: NotRequired[str]


class ProjectAnswer(TypedDict):
    """A project."""

    project_id: str
    name: str
    description: NotRequired[str | None]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]
    members: NotRequired[list[dict[str, Any]]]
    custom_categories: NotRequired[list[Any] | None]
    custom_instructions: NotRequired[str | None]
    agent_custom_instructions: NotRequired[str | None]
    includes: NotRequired[str | None]
    excludes: NotRequired[str | None]
    multilingual: NotRequired[bool]
    decay: NotRequired[bool]
    user_role: NotRequired[str]


class ProjectCreated(TypedDict):
    """A new project; `api_key` is shown this once."""

    message: str
    project_id: str
    api_key: NotRequired[str]


class Members(TypedDict):
    """Who works in a project."""

    members: list[dict[str, Any]]


class Webhook(TypedDict):
    """Where changes are reported to; `secret` is shown once, when it is made."""

    webhook_id: str
    name: str
    url: str
    event_types: list[str]
    owner: NotRequired[str | None]
    is_active: bool
    project: NotRequired[str]
    project_id: NotRequired[str]
    created_at: str
    updated_at: str
    secret: NotRequired[str]
    failing_since: NotRequired[str | None]
    reason: NotRequired[str | None]


class Profile(TypedDict):
    """What is known of a user; branch on `status`, not on an empty `profile`."""

    profile: dict[str, Any]
    status: Literal["succeeded", "pending", "failed", "not_enabled", "insufficient_data"]
    entity_type: str
    entity_id: str
    updated_at: str | None
    generation_count: int
    by: NotRequired[str | None]
    note: NotRequired[str | None]


class ProfileJobStarted(TypedDict):
    """Profiles that are being made."""

    job_id: str
    status: str
    status_url: str
    operation: str
    entity_type: str
    entity_count_reserved: NotRequired[int]
    event_id: NotRequired[str | None]
    replayed: NotRequired[bool]
    sampled: NotRequired[int]
    entity_ids: NotRequired[list[str]]
    event_ids: NotRequired[list[str]]


class ProfileJob(TypedDict):
    """How far a job is."""

    job: dict[str, Any]


class ProfileSettings(TypedDict):
    """How profiles are made."""

    enabled: bool
    capabilities: dict[str, Any]
    entities: dict[str, dict[str, Any]]


class Key(TypedDict):
    """An API key, without its secret."""

    id: str
    name: str
    role: str
    prefix: str
    project_id: str | None
    org_id: str
    bound: dict[str, list[str]]
    member: str | None
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None


class KeyCreated(Key):
    """A new key; `api_key` is shown this once."""

    api_key: str


class KeyRevoked(TypedDict):
    """A key that ended."""

    message: str
    key: Key


class AuditEntry(TypedDict):
    """Who read or changed what: `target` is `name=value`, `outcome` is `ok` or an error's code."""

    at: str
    project_id: str
    actor: str
    key_id: str | None
    connector: str
    action: str
    target: str
    outcome: str
    count: int
    request_id: str | None


class Named(TypedDict):
    """A memory by its id and text."""

    id: str
    memory: str


class Proposal(TypedDict):
    """A change that somebody may accept or decline; `memory_id` is that of a memory that was made."""

    id: str
    kind: str
    status: Literal["pending", "accepted", "declined", "stale"]
    why: str
    text: str | None
    closes: list[Named]
    keeps: Named | None
    sources: list[Named]
    diff: list[str]
    created_at: str
    operation_id: str | None
    memory_id: str | None
    user_id: NotRequired[str]
    agent_id: NotRequired[str]
    app_id: NotRequired[str]


class ProposalsMade(TypedDict):
    """What a run of consolidation proposes, and why a language model was not asked about everything."""

    results: list[Proposal]
    note: str | None


class Spent(TypedDict):
    """What some calls of models cost together; one of which nobody knows the end as all that was reserved."""

    calls: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    usd: float
    unpriced: int
    unsettled: int
    failed: int


class SpentOn(Spent):
    """The same of one day, project, task, model or job; None for calls for no job."""

    name: str | None


class SpendingLimit(TypedDict):
    """A limit and how much of it is left today; `per` is `job`, `project_day` or `day`."""

    name: str
    per: str
    tokens: int | None
    usd: float | None
    left_tokens: int | None
    left_usd: float | None


class Spending(TypedDict):
    """What models cost."""

    by: str
    results: list[SpentOn]
    total: Spent
    limits: list[SpendingLimit]


class Tie(TypedDict):
    """How two entities belong together, and the memories that say so."""

    source: str
    relationship: str
    target: str
    memories: int
    memory_ids: list[str]
    created_at: NotRequired[str]
    valid_from: NotRequired[str]
    valid_to: NotRequired[str]
    state: NotRequired[str]


class EntityFound(TypedDict):
    """An entity, with its strongest relations."""

    name: str
    kind: str | None
    mentions: int
    first_seen: str
    last_seen: str
    relations: list[Tie]


class EntitiesFound(TypedDict):
    """Entities, best first."""

    results: list[EntityFound]


class MentionedWith(TypedDict):
    """An entity that stands in memories with another, and in how many."""

    name: str
    kind: str | None
    memories: int


class GraphEntity(EntityFound):
    """One entity: all its relations, its aliases, what it is mentioned with, and the newest memories."""

    aliases: list[str]
    mentioned_with: list[MentionedWith]
    memory_ids: list[str]


class NeighbourFound(EntityFound):
    """An entity, and how many steps it is away."""

    distance: int


class Neighbours(TypedDict):
    """Entities around one, nearest first."""

    results: list[NeighbourFound]


class PathFound(TypedDict):
    """One way from an entity to another."""

    length: int
    relations: list[Tie]


class Paths(TypedDict):
    """Ways from an entity to another, shortest first."""

    results: list[PathFound]


class Split(TypedDict):
    """Names that are entities of their own again."""

    message: str
    names: list[str]


class Likeness(TypedDict):
    """Entities that are likely one, and by which rule."""

    into: str
    names: list[str]
    why: str


class Likenesses(TypedDict):
    """Pairs that are likely one."""

    results: list[Likeness]


class Link(TypedDict):
    """A managed MCP address, without its token."""

    id: str
    name: str
    methods: NotRequired[list[str]]
    tags: NotRequired[list[str]]
    expires_at: NotRequired[str | None]


class LinkCreated(Link):
    """A new link; `url` is shown this once."""

    url: str


class RetentionRule(TypedDict):
    """How long memories that it names are kept."""

    id: str
    days: int | Literal["forever"]
    category: NotRequired[str]
    tag: NotRequired[str]
    connector: NotRequired[str]
    memory_type: NotRequired[str]
    created_at: NotRequired[str]
    due: NotRequired[int]


class RetentionRules(TypedDict):
    """The rules of a project."""

    results: list[RetentionRule]


class Enforced(TypedDict):
    """What the rules expired."""

    message: str
    expired: Any
