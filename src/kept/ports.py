"""What the engine needs from outside, as small promises.

A port settles what types cannot: order, idempotence, direction of scores, what a missing key does. Each port with more
than one implementation has a conformance suite in `kept.testing`; an adapter is right when it passes it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol

from kept.domain.decay import Touched
from kept.domain.filters import Filter
from kept.domain.history import Operation, Revision
from kept.domain.jobs import Job, JobKind, JobStatus
from kept.domain.memory import Attachment, AttachmentKind, Draft, Episode, MemoryRecord, Message, State
from kept.domain.scope import Scope
from kept.domain.spending import ModelCall, SpendingGroup, SpendingLimit, SpendingListing, SpendingTotal, Usage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kept.domain.graph import Edge, Node

Clock = Callable[[], datetime]
"""Gives the present as an aware UTC time."""

Ids = Callable[[], str]
"""Gives a new unique id (a UUID as text)."""

Progress = Callable[[int, int | None], None]
"""Told how many of how many (None: unknown) steps of a long call are done."""


# --- embedding ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedderIdentity:
    """What an index must know about the vectors in it: two identities that differ cannot share an index.

    Attributes:
        model: Name and version of the weights.
        dimensions: Length of a vector.
        normalised: Whether vectors have unit length.
    """

    model: str
    dimensions: int
    normalised: bool = True

    def __str__(self) -> str:
        """A stable key, stored beside the index."""
        return f"{self.model}:{self.dimensions}:{'l2' if self.normalised else 'raw'}"


class Embedder(Protocol):
    """Turns text into vectors. Deterministic, safe to call from several threads, never on the network by default."""

    @property
    def identity(self) -> EmbedderIdentity:
        """What the vectors are."""

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed stored texts: `(n, dimensions)` float32, rows in input order; a blank text gives a zero row."""

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Embed a question: `(dimensions,)` float32, comparable with documents by dot product."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingRequest:
    """One request to a provider for embeddings, when it is over.

    Attributes:
        expected: An estimate of its tokens, made before.
        usage: What it cost, as the provider counts; as it was expected where that counts nothing. None of one that failed.
        error: What it failed with; None of one that was answered.
    """

    expected: Usage
    usage: Usage | None = None
    error: BaseException | None = None


class PaidEmbedder(Embedder, Protocol):
    """An embedder at a provider: what it is asked for costs something, and it tells what."""

    @property
    def name(self) -> str:
        """Provider and model, such as `openai:text-embedding-3-small`. Nothing is asked for it."""

    def price(self, usage: Usage) -> int | None:
        """Micro-dollars that the tokens cost; None when no price is known."""

    def heard_by(self, listener: Callable[[EmbeddingRequest], None]) -> Embedder:
        """The same embedder, of which `listener` is told each request when it is over; whatever it costs is nobody else's."""


class Reranker(Protocol):
    """Orders hits anew by reading query and text together."""

    def rerank(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        """One score in [0, 1] for each text, in input order; higher is more relevant."""


# --- extraction --------------------------------------------------------------------------------------------------


class Extractor(Protocol):
    """Turns the messages of an episode into memories worth keeping. Without an LLM: by rules."""

    def extract(self, messages: Sequence[Message], reference: datetime) -> list[Draft]:
        """Drafts in the order they were said, each with the `position` of its message.

        Args:
            messages: Redacted, in order.
            reference: When the messages without a time of their own were said; relative dates count from it.
        """


# --- language models ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What a language model is asked.

    Attributes:
        instructions: Ours; the same for every call of a task, so that a provider can keep it ready.
        content: What it is about. Data that others wrote, never orders.
        schema: JSON schema of the object that it must answer with.
        max_output_tokens: Longest answer.
        least: JSON schema that an answer must fit to be of any use; None for all of `schema`. What does not fit the rest of it is
            left to whoever reads the answer.
        attachments: Images and documents that belong to the content.
    """

    instructions: str
    content: str
    schema: Mapping[str, Any]
    max_output_tokens: int
    least: Mapping[str, Any] | None = None
    attachments: Sequence[Attachment] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAnswer:
    """What a language model answered.

    Attributes:
        value: An object that fits the prompt's `least`, else its schema.
        usage: What it cost, as the provider counts.
        unshown: Numbers, from 0, of the prompt's attachments that the model was not shown.
    """

    value: Mapping[str, Any]
    usage: Usage
    unshown: Sequence[int] = ()


class LanguageModel(Protocol):
    """Answers prompts. Each `ask` is one request to the provider, never repeated inside. Safe for threads."""

    @property
    def name(self) -> str:
        """Provider and model, such as `openai:gpt-5-mini`."""

    def accepts(self, kind: AttachmentKind) -> bool:
        """Whether it can read such an attachment."""

    def price(self, usage: Usage) -> int | None:
        """Micro-dollars that the tokens cost; None when no price is known."""

    def ask(self, prompt: Prompt) -> ModelAnswer:
        """One answer.

        Raises:
            ModelUnavailableError: It cannot be reached, is too slow, or refuses for now.
            ModelAnswerError: Its answer is cut off, no JSON, or does not fit the schema.
            AttachmentsRefusedError: The provider refuses the question, perhaps only for its attachments.
            ConfigurationError: The provider refuses the credentials or knows no such model; asking again is of no use.
        """


class Ledger(Protocol):
    """What models cost, call by call. Committed means on disk. Safe for threads and processes, but not inside a write of the log.

    A call that was never settled counts as spent with all that was reserved for it, since nobody knows.
    """

    def reserve(self, call: ModelCall, limits: Sequence[SpendingLimit]) -> None:
        """Keep a call that is about to be made, unless with it more than a limit would be spent or reserved; in one step.

        Raises:
            SpendingLimitError: It would (of several limits the first is named); nothing was kept.
            ConflictError: There is a call with its id.
        """

    def record(self, call: ModelCall) -> None:
        """Keep a call that is over, for which nothing was reserved; it counts for every limit, and none refuses it.

        A search waits for it, so that it waits for others who write a moment at most.

        Raises:
            ConflictError: There is a call with its id.
            StoreBusyError: They wrote for longer.
        """

    def settle(self, call: ModelCall) -> None:
        """Store how a call that was reserved ended: its usage, price and outcome. One that is unknown is none."""

    def release(self, call_id: str) -> None:
        """Forget a call that was reserved and never made; one that is settled or unknown is left alone."""

    def answered(self, project: str, digest: str) -> ModelCall | None:
        """The newest call of the project with this digest that was answered; None when there is none."""

    def page(self, listing: SpendingListing, *, limit: int, offset: int = 0) -> list[ModelCall]:
        """A page of calls, newest first."""

    def totals(self, listing: SpendingListing, by: SpendingGroup) -> dict[str, SpendingTotal]:
        """What the calls cost together, by day (ISO), project, task, model or job; in the order of the names.

        Calls for no job stand under the empty name.
        """

    def purge(self, before: datetime) -> int:
        """Remove calls that were made before a time; how many."""


# --- the log -----------------------------------------------------------------------------------------------------


class IndexEntry(NamedTuple):
    """What the resident partition stores beside a memory's row, as compact blobs (layout: `domain.lexicon`).

    Attributes:
        embedding: float16, little-endian, `dimensions` values.
        terms: Postings of the text, by chunk.
        entities: Hashed entity keys, uint32 little-endian.
        flags: Bits, see `domain.lexicon`.
        dates: Days that the text speaks of: pairs of first and last proleptic day number, int32 little-endian.
    """

    embedding: bytes
    terms: bytes
    entities: bytes = b""
    flags: int = 0
    dates: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """One project's memories of one user, or of none: the unit that is loaded, searched and dropped together."""

    id: int
    project: str
    user_id: str | None


class PartitionRow(NamedTuple):
    """A memory as the resident partition sees it: ranking's columns and blobs, no text.

    A plain tuple, like `IndexEntry`: a partition of a million of them is read at once.

    Times are whole microseconds since 1970 UTC, `expires_on` a proleptic day number (`date.toordinal`). `entry` is None
    while the row waits for an index (`rebuild`).
    """

    key: int
    seq: int
    state: State
    agent_id: str | None
    app_id: str | None
    run_id: str | None
    session: str
    speaker: str | None
    role: str | None
    created_at: int
    valid_from: int | None
    valid_to: int | None
    expires_on: int | None
    feedback: str | None
    reinforced: int
    entry: IndexEntry | None


VISIBLE: Final[tuple[State, ...]] = ("active", "superseded", "invalidated")
"""What lists and searches show: current facts, and closed ones, marked."""
LATEST: Final[tuple[State, ...]] = ("active",)
"""Only what still holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Which memories a list, count or export is about.

    Attributes:
        scope: The boundary; checked beside the filter.
        condition: The caller's filter, if any.
        states: Which states are visible.
        today: Rows expired before this day are left out; None shows them.
        repeated: Whether only what was said again is listed.
        newest_first: Order by `created_at`, ties by `key`, both falling; else both rising.
    """

    scope: Scope
    condition: Filter | None = None
    states: Collection[State] = VISIBLE
    today: date | None = None
    repeated: bool = False
    newest_first: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class EntitySummary:
    """One user, agent, app or run that memories are stored under."""

    type: Literal["user", "agent", "app", "run"]
    name: str
    memories: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something `verify` found wrong: which check, where, and what it means."""

    check: str
    where: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Counts and sizes of a project (`None`: of the whole store)."""

    memories: Mapping[str, int] = field(default_factory=dict)
    episodes: int = 0
    messages: int = 0
    revisions: int = 0
    operations: int = 0
    users: int = 0
    head: int = 0
    size_bytes: int = 0


class LogReader(Protocol):
    """Reads of the log. Every read is of one committed state; a project's rows never appear under another's."""

    def find(self, project: str, memory_id: str) -> MemoryRecord | None:
        """The memory in any state, erased included; None when the project has no such id."""

    def find_many(self, project: str, memory_ids: Collection[str]) -> dict[str, MemoryRecord]:
        """Those that exist, by id."""

    def ids_with_prefix(self, project: str, prefix: str, *, limit: int = 2) -> list[str]:
        """Memory ids (any state) that begin with `prefix`, in order: the short ids of a context block made whole."""

    def by_keys(self, keys: Sequence[int]) -> dict[int, MemoryRecord]:
        """Those that exist, by key. For keys that a scoped read gave; any project."""

    def find_repeat(self, project: str, repeat_keys: Collection[str]) -> dict[str, MemoryRecord]:
        """Current memories by `repeat_key`; the oldest where several share one."""

    def page(self, listing: Listing, *, limit: int, offset: int = 0) -> list[MemoryRecord]:
        """A page of a listing. `offset` counts rows."""

    def scan(self, listing: Listing) -> Iterator[MemoryRecord]:
        """All of a listing in its order, one at a time: for exports and checks of any size."""

    def count(self, listing: Listing) -> int:
        """How many memories the listing holds."""

    def matching_keys(self, listing: Listing, partition: int) -> NDArray[np.int64]:
        """Keys of the listing's memories in one partition, rising, int64. Order of the listing does not matter."""

    def entity_summaries(self, project: str) -> list[EntitySummary]:
        """Users, agents, apps and runs with visible memories; by type, then name."""

    def partitions(self, project: str, user_ids: Collection[str | None] | None = None) -> list[Partition]:
        """Partitions of a project: all, or those of the named users (None: of no user)."""

    def partition_rows(self, partition: int, after: int, identity: str) -> Iterator[PartitionRow]:
        """Rows whose last revision came after `after`, by rising `seq`. Hidden rows are included (to be forgotten).

        Revisions become visible in the order of their `seq`: whoever has seen one has been able to see all before it, and
        reads on after it without a gap.

        `entry` is given only when it was made under `identity`.
        """

    def index_identities(self, partition: int) -> set[str]:
        """Under which identities the index entries of a partition's memories were made."""

    def head(self) -> int:
        """The last `seq` of the log, 0 when empty."""

    def revisions(
        self, project: str, *, memory_id: str | None = None, after: int = 0, upto: int | None = None
    ) -> Iterator[Revision]:
        """Revisions by rising `seq`, `after < seq <= upto`."""

    def page_revisions(self, listing: Listing, *, limit: int, offset: int = 0) -> list[Revision]:
        """A page of the revisions of a listing's memories, newest first; the listing's own order does not matter."""

    def count_revisions(self, listing: Listing) -> int:
        """How many revisions the listing's memories have together."""

    def seq_at(self, project: str, moment: datetime) -> int:
        """The project's last `seq` before its first revision recorded after `moment`, 0 when there is none.

        A clock may step back, so that a revision has an earlier time than one before it. What this position shows holds
        nothing that was recorded later; it may leave out what followed with an earlier time.
        """

    def operation(self, project: str, operation_id: str) -> Operation | None:
        """The operation under this id."""

    def operation_revisions(self, project: str, operation_id: str) -> list[Revision]:
        """What an operation wrote, by rising `seq`."""

    def find_idempotent(self, project: str, idempotency_key: str) -> Operation | None:
        """The operation that used this key."""

    def taken_back(self, project: str, operation_ids: Collection[str]) -> set[str]:
        """Those of these operations that an undo took back which was not taken back itself."""

    def last_undoable(self, project: str, scope: Scope) -> Operation | None:
        """The newest operation that touched a memory in `scope`, is no undo or erase, and was not taken back."""

    def operations(self, project: str, *, limit: int = 100, before: str | None = None) -> list[Operation]:
        """Operations, newest first; `before` is an operation id to go on from."""

    def episode(self, project: str, episode_id: str) -> Episode | None:
        """An episode with all its messages."""

    def made_of_episode(self, scope: Scope, episode_id: str) -> list[MemoryRecord]:
        """Memories in any state that name this episode as their source, under the scope's project and user; by rising `key`."""

    def known_sources(self, scope: Scope, source_ids: Collection[str]) -> set[str]:
        """Which of these message ids are already stored under the same project and user."""

    def statistics(self, project: str | None = None) -> Statistics:
        """Counts and sizes."""

    def all_projects(self) -> list[str]:
        """Every project with a revision, by name."""


class Transaction(LogReader, Protocol):
    """A write, seen by its own reads, invisible to others until it commits, and gone without trace if it fails."""

    def next_seq(self) -> int:
        """Reserve the next position in the log.

        Revisions become visible in the order of their `seq`: a store whose writes run side by side lets none end before
        those with lower positions, or reserves positions one write at a time (SQLite does).
        """

    def put_operation(self, operation: Operation) -> None:
        """Record the call that the following revisions belong to. A used idempotency key is a `ConflictError`."""

    def put_episode(self, episode: Episode) -> None:
        """Keep the source, without the attachments of its messages."""

    def append(
        self,
        revisions: Sequence[Revision],
        records: Sequence[MemoryRecord],
        entries: Sequence[IndexEntry | None],
        *,
        identity: str,
    ) -> None:
        """Append revisions and store the state after each, with its index entry.

        Args:
            revisions: By rising `seq`, each reserved by `next_seq`.
            records: The fold after each revision.
            entries: What the index stores; None leaves the present entry as it is.
            identity: Under which the entries were made.
        """

    def put_entries(self, entries: Mapping[int, IndexEntry], *, identity: str) -> None:
        """Replace the index entries of these keys (`rebuild`)."""

    def drop_orphan_entries(self) -> int:
        """Remove index entries whose memory is gone or erased (`rebuild`); how many there were."""

    def put_records(self, records: Sequence[MemoryRecord]) -> None:
        """Write current states again as the log folds them (`rebuild`); nothing is appended."""

    def erase(self, revisions: Sequence[Revision], records: Sequence[MemoryRecord]) -> None:
        """Append erase revisions; blank every earlier revision, the source message and the index entry of these memories.

        A memory that came with messages but from no single one (`position` None) takes its whole episode with it. Jobs kept
        in the same store are blanked that name one of these memories, or whose id is the idempotency key of what stored or
        changed it.
        """

    def forget_sources(self, scope: Scope) -> int:
        """Blank every message of every episode stored under `scope`, also those that became no memory; how many.

        Jobs under `scope` that are kept in the same store are blanked too.
        """


class Log(LogReader, Protocol):
    """The truth: episodes, revisions and current state, changed together. Safe for threads and processes."""

    def write(self) -> AbstractContextManager[Transaction]:
        """One atomic write: committed and on disk when the block ends, undone when it raises.

        Raises:
            StoreBusyError: Another process held the store for longer than the configured time.
        """

    def version(self) -> Hashable:
        """Equal to an earlier one only if nothing was committed in between, by whichever process; asked before each search."""

    def scrub(self) -> bool:
        """Leave no byte of erased text in files that the log owns (free pages, write-ahead log); nothing when that is done.

        That it is due is stored with the erase, so that another process can finish what a crash interrupted.

        Returns:
            False when another process still reads an older state; call again later.
        """

    def verify(self) -> Iterator[Finding]:
        """Check the store's own structure and each revision's checksum. What the rows mean, the engine checks."""

    def backup(self, target: Path, progress: Progress | None = None) -> None:
        """A consistent copy while others write. The target must not exist."""

    def close(self) -> None:
        """Give back files and connections. Closing twice is harmless."""


# --- the graph ---------------------------------------------------------------------------------------------------


class EntityGraph(Protocol):
    """Entities and relations: a projection of the log. Safe for threads and processes.

    A read sees every write that was acknowledged before it, and nothing that rests only on memories which its listing does
    not hold; the listing's order does not matter. Entities go by their keys: one that was merged is known by the key of what
    it was merged into, and asked for by either. `at` asks for what was true in the world then; None for all, closed facts
    marked by their state.
    """

    def nodes(self, listing: Listing, keys: Collection[str], *, at: datetime | None = None) -> list[Node]:
        """Those of these entities that memories mention, by key."""

    def matching(
        self, listing: Listing, words: Collection[str], *, limit: int, at: datetime | None = None
    ) -> list[Node]:
        """Entities whose key holds one of the words, as a whole word; most words first, then most mentions, then by key.

        Without words: those mentioned most.
        """

    def edges(
        self,
        listing: Listing,
        keys: Collection[str],
        *,
        limit: int,
        relationship: str | None = None,
        at: datetime | None = None,
    ) -> list[Edge]:
        """Relations from or to these entities, those that hold first, then newest first, ties by triple."""

    def together(
        self, listing: Listing, keys: Collection[str], *, limit: int, at: datetime | None = None
    ) -> dict[tuple[str, str], int]:
        """In how many memories each of these entities stands together with another: most first, ties by key."""

    def mentioning(
        self, listing: Listing, keys: Collection[str], *, limit: int, at: datetime | None = None
    ) -> list[int]:
        """Keys of memories that mention one of these entities, newest first."""

    def aliases(self, project: str, user_id: str | None) -> dict[str, str]:
        """What was merged: the key of each alias, and of what it was merged into."""

    def merge(self, project: str, user_id: str | None, into: str, keys: Collection[str]) -> None:
        """Make entities of one user (or of none) one; their own aliases come with them.

        All are named by key. A key that none of the user's memories mentions is left out.
        """

    def split(self, project: str, user_id: str | None, keys: Collection[str]) -> list[str]:
        """Undo merges: each of these that is an alias is an entity of its own again; which they were, by key."""

    def catch_up(self) -> int:
        """Project what changed, at most some thousand memories; how many. Reads do it by themselves, and wait for it."""

    def lag(self) -> int:
        """How many memories changed since they were last projected; more than 100,000 are not counted."""

    def rebuild(self, project: str | None = None) -> int:
        """Make it again from the log; how many memories were projected. Merges stay."""

    def verify(self, project: str | None = None) -> Iterator[Finding]:
        """Where it differs from the log."""


# --- the service of many ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Something small that is configured: an organisation, a project, a member, a key, a webhook, a rule, a link.

    Attributes:
        kind: What it is.
        id: Unique within its kind.
        owner: What it belongs to (a project's or an organisation's id); empty for what stands alone.
        data: Plain JSON.
    """

    kind: str
    id: str
    owner: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    created_at: datetime
    updated_at: datetime


class Registry(Protocol):
    """What is configured: some thousands of entries at most. Committed means on disk. Safe for threads and processes."""

    def add(self, entry: Entry) -> None:
        """Keep a new entry.

        Raises:
            ConflictError: There is one of this kind and id.
        """

    def put(self, entry: Entry) -> None:
        """Keep an entry in place of any of its kind and id; the time of the first stays."""

    def find(self, kind: str, entry_id: str) -> Entry | None:
        """The entry, or None."""

    def entries(self, kind: str, owner: str | None = None) -> list[Entry]:
        """All of a kind (of one owner), oldest first, ties by id."""

    def revise(self, kind: str, entry_id: str, data: Mapping[str, Any], at: datetime) -> bool:
        """Set these fields of an entry's data, leaving the others, in one step; False when there is no such entry."""

    def remove(self, kind: str, entry_id: str) -> bool:
        """Forget an entry; False when there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobListing:
    """Which jobs a list or count is about: all conditions hold; one that is None does not constrain.

    Attributes:
        bound: Ids with the values allowed (`Principal.bound`).
        after: Created at or after.
        before: Created before.
    """

    project: str
    kinds: Collection[JobKind] | None = None
    statuses: Collection[JobStatus] | None = None
    subject: str | None = None
    user_id: str | None = None
    agent_id: str | None = None
    app_id: str | None = None
    run_id: str | None = None
    bound: Mapping[str, Collection[str]] = field(default_factory=dict)
    after: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """How far behind the workers are: jobs not yet done, and since when the oldest of them could have been begun."""

    waiting: int = 0
    oldest: datetime | None = None


class Touches(Protocol):
    """When searches found memories, in projects whose memories decay. Safe for threads and processes."""

    def touch(self, project: str, memory_ids: Collection[str], at: datetime) -> None:
        """Remember that a search found these memories; committed means on disk."""

    def touched(self, project: str, memory_ids: Collection[str]) -> dict[str, Touched]:
        """What is known of those of these memories that a search found."""


class Jobs(Protocol):
    """Work that was acknowledged. What `put` returned from is on disk. Safe for threads and processes."""

    def put(self, job: Job) -> Job:
        """Keep a new job.

        Returns:
            The job as it is kept; or the earlier one of the same project, kind and idempotency key, as it is now.

        Raises:
            ConflictError: There is one with its id.
        """

    def put_many(self, jobs: Sequence[Job]) -> None:
        """Keep several, all or none; those whose idempotency key was used are left out."""

    def find(self, project: str, job_id: str) -> Job | None:
        """The job, or None."""

    def find_by_key(self, project: str, kind: JobKind, idempotency_key: str) -> Job | None:
        """The job that `put` would give for one with this key, or None."""

    def page(self, listing: JobListing, *, limit: int, offset: int = 0) -> list[Job]:
        """A page of jobs, newest first."""

    def count(self, listing: JobListing) -> int:
        """How many jobs there are."""

    def claim(self, kinds: Collection[JobKind], lease: str, *, now: datetime, until: datetime, limit: int) -> list[Job]:
        """Take jobs to work on, at most `limit`: those that are due (`Job.due`), by `run_after`, then as they were kept.

        So one whose worker died comes before what was asked for later. With the same times the order is that of `put`.

        They are `RUNNING` under `lease` from then on, with one more attempt. Nobody else gets them before `until`. Of a
        `subject`, one is held at a time: with a new claim, one that ran out is lost.
        """

    def hold(self, project: str, job_id: str, lease: str, *, now: datetime, until: datetime) -> Job | None:
        """Claim this one job, as `claim` would: for what a person begins, not a worker; None when there is none that is due."""

    def hasten(self, kinds: Collection[JobKind], now: datetime, *, up_to: int | None = None) -> int:
        """Make due what waits for a later time, the earliest first, until `up_to` of these kinds are due, or all; how many jobs.

        One that is worked on is left alone.
        """

    def revive(self, kinds: Collection[JobKind], now: datetime, *, up_to: int | None = None) -> int:
        """Let what failed for good wait again, due now and from its first attempt; how many jobs. Blank ones stay failed.

        In the order in which they were kept, until `up_to` of these kinds are due, or all.
        """

    def reopen(self, job: Job, results: Sequence[Mapping[str, Any]], now: datetime) -> bool:
        """Let one that is done wait again, due now, with these results; False when it is no longer as it is given."""

    def extend(self, job_ids: Collection[str], lease: str, until: datetime) -> None:
        """Keep a claim for longer; nothing where it was lost."""

    def finish(self, jobs: Sequence[Job]) -> list[str]:
        """Store jobs as they are when done (or given back: `PENDING`), all in one step.

        Only what is still held under each job's `lease` is stored; of those, `lease` is let go. `memory_ids` come to those
        named before. What names a memory that was erased meanwhile is stored blank (`kept.domain.jobs.blanked`).

        Returns:
            Ids of those that were stored.
        """

    def blank(self, scope: Scope) -> int:
        """Forget payload and content of all jobs under a scope, as `kept.domain.jobs.blanked` says; how many there were."""

    def purge(self, before: datetime, kinds: Collection[JobKind] | None = None) -> int:
        """Remove jobs that were done before a time; how many."""

    def backlog(self, kinds: Collection[JobKind], now: datetime) -> Backlog:
        """Jobs that are not done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Who read or changed what. Never a memory's text, nor a query's.

    Attributes:
        action: The use case, such as `memory.search`.
        target: Ids that it was about, as `name=value`, separated by blanks.
        outcome: `ok`, or the error's code.
        count: How many memories it returned or changed.
    """

    at: datetime
    project: str
    actor: str
    key_id: str | None
    connector: str
    action: str
    target: str = ""
    outcome: str = "ok"
    count: int = 0
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditListing:
    """Which audit entries: all conditions hold; one that is None does not constrain.

    Attributes:
        action: Its beginning: `memory` finds all that was done with memories.
        target: A whole `name=value` in it.
        after: At or after.
        before: Before.
    """

    project: str
    actor: str | None = None
    key_id: str | None = None
    action: str | None = None
    target: str | None = None
    outcome: str | None = None
    after: datetime | None = None
    before: datetime | None = None


class Audit(Protocol):
    """The record of accesses: appended to, read, trimmed by age, never changed."""

    def append(self, entries: Sequence[AuditEntry]) -> None:
        """Keep entries, in order; on disk when it returns."""

    def page(self, listing: AuditListing, *, limit: int, offset: int = 0) -> list[AuditEntry]:
        """A page, newest first."""

    def scan(self, listing: AuditListing) -> Iterator[AuditEntry]:
        """All, oldest first, one at a time."""

    def count(self, listing: AuditListing) -> int:
        """How many there are."""

    def purge(self, before: datetime) -> int:
        """Remove what is older; how many."""


# --- reading files -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSession:
    """Part of an import: messages of one session, or finished memories of an earlier export.

    Attributes:
        run_id: The session's id, if the file names one.
        metadata: Put on each memory made from it (for example the branch and folder of a coding session).
        records: Finished memories in export form; messages are empty then.
        folder: Where a coding session worked, as the file names it.
        app_id: Under which its memories are kept, where whoever imports knows.
    """

    run_id: str | None = None
    messages: tuple[Message, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    records: tuple[Mapping[str, Any], ...] = ()
    folder: str | None = None
    app_id: str | None = None


class Reader(Protocol):
    """Reads one file format into sessions."""

    @property
    def name(self) -> str:
        """The format's name, as on the command line; also the connector of what it brings."""

    def accepts(self, path: Path, head: str) -> bool:
        """Whether this looks like the format. `head` is the first 64 KB of the file as text."""

    def read(self, path: Path) -> Iterable[ReadSession]:
        """Sessions in order. The same file gives the same `source_id`s.

        Raises:
            InvalidInputError: A line or value cannot be understood, with its place.
        """


class Sender(Protocol):
    """Posts to addresses that others chose. Safe for threads."""

    def check(self, url: str) -> None:
        """Refuse an address before it is kept.

        Raises:
            InvalidInputError: It would never be posted to.
        """

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Post a body; the status of the answer. Takes no longer than some seconds, and follows no redirect.

        Raises:
            OSError: Nothing was delivered, or no answer came in time.
        """
