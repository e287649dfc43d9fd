"""Ingest: episode → redact → extract → resolve → append revisions.

What is slow (extraction, embedding) happens before the write begins; the write itself is one short transaction. An add
is acknowledged when it is on disk and the next search finds it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Literal

from kept.domain.digest import digest
from kept.domain.entities import entity_refs
from kept.domain.history import Operation, Revision, apply, difference, permits, to_changes
from kept.domain.memory import (
    CURRENT,
    DERIVED_FROM,
    HIDDEN_STATES,
    SOURCE_ROLES,
    Draft,
    Episode,
    MemoryRecord,
    Message,
    first_person,
    repeat_key,
    speaker_of,
    text_hash,
)
from kept.domain.scope import Scope
from kept.domain.temporal import DATES
from kept.domain.text import normalise
from kept.engine.echoes import places
from kept.engine.indexing import Indexer
from kept.errors import (
    ConfigurationError,
    ConflictError,
    InvalidInputError,
    KeptError,
    ModelUnavailableError,
    NotFoundError,
    StoreBusyError,
)
from kept.ports import Clock, Extractor, Ids, IndexEntry, Log, Progress, Transaction

if TYPE_CHECKING:
    from kept.engine.categories import Categorise

BATCH_DRAFTS: Final = 2_000
"""Memories embedded at a time: vectors of a batch take some 4 MB, whatever the call's size."""


Event = Literal["ADD", "REINFORCE", "UPDATE"]
BOUND: Final = "bound"
"""Of a job's payload: what whoever adds is bound to (`AddRequest.bound`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddRequest:
    """One add, checked (see `engine.intake`).

    Attributes:
        messages: What was said; may be empty when facts are handed over.
        facts: Finished memories.
        infer: Whether messages are made into statements (else stored verbatim).
        stated: Whether somebody handed over one text to be remembered: then it is kept whole where the rules find
            nothing in it worth keeping. Of a chat, small talk is left out.
        at: When messages without a time of their own were said; None means now.
        categorise: Gives categories to those memories that come without.
        wishes: What is asked of a language model that reads the messages: `custom_instructions`, `includes`, ….
        awaited: Whether whoever adds has them read itself, at once.
        bound: Ids by name that whoever adds is bound to: a language model is shown no memory of others for it, and closes none.
        job_id: The job that stores it, if one does: what embedding it costs is the job's.
    """

    scope: Scope
    messages: Sequence[Message] = ()
    facts: Sequence[Draft] = ()
    infer: bool = True
    stated: bool = False
    at: datetime | None = None
    expires_on: date | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    categories: tuple[str, ...] = ()
    immutable: bool = False
    idempotency_key: str | None = None
    actor: str | None = None
    connector: str = "sdk"
    categorise: Categorise | None = None
    wishes: Mapping[str, Any] = field(default_factory=dict)
    awaited: bool = False
    bound: Mapping[str, Collection[str]] = field(default_factory=dict)
    job_id: str | None = None

    @property
    def scoped_key(self) -> str | None:
        """The idempotency key as it is stored."""
        return None if self.idempotency_key is None else scoped_key(self.idempotency_key, self.scope)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What became of one draft: a new memory; an exact repeat that reinforced one; or a fact in the place of the statement of its words."""

    memory: MemoryRecord
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class AddResult:
    """What an add did.

    Attributes:
        operation_id: For `undo`; None when there was nothing to write.
        stored: In the order of the drafts.
        superseded: Ids that the facts replaced.
        episode_id: Under which its messages are kept, if there were any; None when nothing was written.
        extractions: Jobs in which a language model reads the messages.
        skipped_messages: Messages stored by an earlier import.
        replayed: Whether this is the answer of an earlier call with the same idempotency key.
    """

    operation_id: str | None
    stored: tuple[Stored, ...] = ()
    superseded: tuple[str, ...] = ()
    episode_id: str | None = None
    extractions: tuple[str, ...] = ()
    skipped_messages: int = 0
    replayed: bool = False


def scoped_key(idempotency_key: str, scope: Scope) -> str:
    """An idempotency key of this scope alone: another scope's answer is none of its business."""
    named = json.dumps([idempotency_key, scope.ids])
    return digest(named)


class Ingest:
    """Writes what callers bring."""

    def __init__(self, log: Log, indexer: Indexer, extractor: Extractor, clock: Clock, ids: Ids) -> None:
        self._log = log
        self._indexer = indexer
        self._extractor = extractor
        self._clock = clock
        self._ids = ids

    def add(self, request: AddRequest, progress: Progress | None = None) -> AddResult:
        """Store the request's memories.

        Raises:
            ScopeError: No id to store under.
            InvalidInputError: Neither messages nor facts.
            NotFoundError: A fact supersedes an unknown memory; nothing was stored.
            ConflictError: A fact supersedes an immutable memory; nothing was stored.
        """
        (answer,) = self.add_many([request], progress)
        if isinstance(answer, KeptError):
            raise answer
        return answer

    def add_many(self, requests: Sequence[AddRequest], progress: Progress | None = None) -> list[AddResult | KeptError]:
        """Store many requests with one wait for the disk, each as its own operation, as if they came one after another.

        Returns:
            For each request, in order, what it did, or why it stored nothing; one that fails holds up no other.
        """
        answers = [self._prepared(request) for request in requests]
        stored = iter(self._stored([answer for answer in answers if isinstance(answer, _Prepared)], progress))
        return [next(stored) if isinstance(answer, _Prepared) else answer for answer in answers]

    def _prepared(self, request: AddRequest) -> _Prepared | AddResult | KeptError:
        """What the request would store; or its answer, when there is nothing to store."""
        try:
            request.scope.require_writable()
            if not request.messages and not request.facts:
                raise InvalidInputError("There is nothing to add: give messages or facts.")
            if earlier := self._replay(request):
                return earlier
            now = self._clock()
            messages = self._new_messages(request)
            skipped = len(request.messages) - len(messages)
            drafts = [*self._drafts(request, messages, now), *request.facts]
        except KeptError as error:
            return error
        if not drafts and not messages:
            return AddResult(operation_id=None, skipped_messages=skipped)
        return _Prepared(
            request=request,
            episode=self._episode(request, messages, now),
            drafts=[_complete(draft, request) for draft in drafts],
            skipped=skipped,
        )

    def _stored(self, adds: Sequence[_Prepared], progress: Progress | None) -> list[AddResult | KeptError]:
        """Write all in one transaction; when one of them fails, each half in its own, down to the one that does."""
        if not adds:
            return []
        try:
            self._embed(adds, progress)
            return list(self._write(adds))
        except (StoreBusyError, ModelUnavailableError, ConfigurationError) as error:
            # The others would wait as long, or be refused like these; who can wait tries again.
            return [error] * len(adds)
        except (KeptError, _OvertakenError) as error:
            if len(adds) == 1:
                return [self._settled(adds[0], error)]
        middle = len(adds) // 2
        return self._stored(adds[:middle], progress) + self._stored(adds[middle:], progress)

    def _settled(self, add: _Prepared, error: KeptError | _OvertakenError) -> AddResult | KeptError:
        """The answer of a request that could not be written as it was prepared."""
        if isinstance(error, _OvertakenError):
            return self.add_many([add.request])[0]
        # Another call used the same key between our look and our write: its answer is the answer.
        return (isinstance(error, ConflictError) and self._replay(add.request)) or error

    def _replay(self, request: AddRequest) -> AddResult | None:
        """The answer of the call that used the same idempotency key before."""
        project, key = request.scope.project, request.scoped_key
        operation = self._log.find_idempotent(project, key) if key else None
        if operation is None:
            return None
        revisions = self._log.operation_revisions(project, operation.id)
        records = self._log.find_many(project, {revision.memory_id for revision in revisions})
        stored = tuple(
            Stored(memory=records[revision.memory_id], event=event)
            for revision in revisions
            if (event := _event(revision)) is not None
        )
        superseded = tuple(revision.memory_id for revision in revisions if revision.op == "supersede")
        return AddResult(
            operation_id=operation.id,
            stored=stored,
            superseded=superseded,
            episode_id=next(filter(None, map(_episode_of, revisions)), None),
            replayed=True,
        )

    def _new_messages(self, request: AddRequest) -> list[Message]:
        """Messages that no earlier call brought under the same source id, nor this one twice."""
        named = _source_ids(request.messages)
        known = self._log.known_sources(request.scope, named) if named else set()
        fresh = []
        for message in request.messages:
            if message.source_id in known:
                continue
            if message.source_id:
                known.add(message.source_id)
            fresh.append(message)
        return fresh

    def _drafts(self, request: AddRequest, messages: Sequence[Message], now: datetime) -> list[Draft]:
        reference = request.at or now
        drafts = self._extractor.extract(messages, reference) if request.infer else []
        if not request.infer or (request.stated and not drafts):
            drafts = _verbatim(messages)
        return [replace(draft, created_at=draft.created_at or reference) for draft in drafts]

    def _episode(self, request: AddRequest, messages: Sequence[Message], now: datetime) -> Episode:
        return Episode(
            id=self._ids(),
            scope=request.scope,
            connector=request.connector,
            recorded_at=now,
            messages=tuple(messages),
        )

    def _embed(self, adds: Sequence[_Prepared], progress: Progress | None) -> None:
        """Make the index entries, of all of a project together; those that an earlier attempt made are kept."""
        waiting: dict[str, list[_Prepared]] = defaultdict(list)
        for add in adds:
            if add.entries is None:
                waiting[add.request.scope.project].append(add)
        for project, own in waiting.items():
            entries = iter(self._entries(own, project, progress))
            for add in own:
                add.entries = list(islice(entries, len(add.drafts)))
                if add.request.categorise is not None:
                    add.drafts = _categorised(add.drafts, add.entries, add.request.categorise)

    def _entries(self, adds: Sequence[_Prepared], project: str, progress: Progress | None) -> list[IndexEntry]:
        drafts = [draft for add in adds for draft in add.drafts]
        job_ids = {add.request.job_id for add in adds}
        entries: list[IndexEntry] = []
        waiting = iter(drafts)
        while batch := list(islice(waiting, BATCH_DRAFTS)):
            entries += self._indexer.entries(
                [draft.text for draft in batch],
                [draft.entity_refs or () for draft in batch],
                [draft.created_at or self._clock() for draft in batch],
                project=project,
                job_id=next(iter(job_ids)) if len(job_ids) == 1 else None,
            )
            if progress:
                progress(len(entries), len(drafts))
        return entries

    def _write(self, adds: Sequence[_Prepared]) -> list[AddResult]:
        """What the adds did, in one transaction: all of them or none."""
        with self._log.write() as transaction:
            return [self._write_one(transaction, add) for add in adds]

    def _write_one(self, transaction: Transaction, add: _Prepared) -> AddResult:
        request, episode = add.request, add.episode
        named = _source_ids(episode.messages)
        if named and transaction.known_sources(request.scope, named):
            raise _OvertakenError
        operation = Operation(
            id=self._ids(),
            project=request.scope.project,
            kind="add",
            actor=request.actor,
            connector=request.connector,
            recorded_at=episode.recorded_at,
            idempotency_key=request.scoped_key,
        )
        transaction.put_operation(operation)
        if episode.messages:
            transaction.put_episode(episode)
        writing = _Writing(transaction, operation, request, episode, self._ids)
        result = writing.store(add.drafts, add.entries or (), identity=self._indexer.identity_of(add.entries or ()))
        return replace(result, episode_id=episode.id, skipped_messages=add.skipped)


@dataclass(slots=True, kw_only=True)
class _Prepared:
    """An add before its write.

    Attributes:
        entries: Of the drafts, once they are embedded.
        skipped: Messages that an earlier call brought.
    """

    request: AddRequest
    episode: Episode
    drafts: list[Draft]
    skipped: int
    entries: list[IndexEntry] | None = None


class _OvertakenError(Exception):
    """Another call brought some of the messages after they were looked for."""


class _Writing:
    """The transaction of one add: resolves each draft against what is stored and appends what follows."""

    def __init__(
        self, transaction: Transaction, operation: Operation, request: AddRequest, episode: Episode, ids: Ids
    ) -> None:
        self._transaction = transaction
        self._operation = operation
        self._request = request
        self._episode = episode
        self._ids = ids
        self._revisions: list[Revision] = []
        self._records: list[MemoryRecord] = []
        self._entries: list[IndexEntry | None] = []
        self._latest: dict[str, MemoryRecord] = {}

    def store(self, drafts: Sequence[Draft], entries: Sequence[IndexEntry], *, identity: str) -> AddResult:
        scope = self._request.scope
        keys = [repeat_key(scope, draft.speaker, draft.text) for draft in drafts]
        known = self._transaction.find_repeat(scope.project, set(keys)) | self._repeated(drafts)
        stored, superseded = [], []
        for draft, entry, written in zip(drafts, entries, keys, strict=True):
            if draft.episode_id is not None and self._has_lost_its_source(draft, draft.episode_id):
                continue
            key = draft.repeats or written
            repeated = self._now(known[key]) if key in known else None
            if repeated is not None and self._may_take_the_place(draft, repeated):
                known[written], closed = self._take_the_place(draft, repeated, entry)
                superseded += closed
                stored.append(Stored(memory=known[written], event="UPDATE"))
                continue
            if repeated is not None and repeated.state == "active" and not draft.supersedes:
                lasting = _later(repeated.expires_on, draft.expires_on)
                known[key] = self._revise(
                    repeated, "reinforce", draft, reinforced=self._times(draft, repeated), expires_on=lasting
                )
                stored.append(Stored(memory=known[key], event="REINFORCE"))
                continue
            known[written] = self._add(draft, entry)
            superseded += [self._supersede(old, known[written], draft) for old in self._replaced(draft)]
            self._link_successor(known[written], draft)
            stored.append(Stored(memory=known[written], event="ADD"))
        self._transaction.append(self._revisions, self._records, self._entries, identity=identity)
        return AddResult(operation_id=self._operation.id, stored=tuple(stored), superseded=tuple(superseded))

    def _repeated(self, drafts: Sequence[Draft]) -> dict[str, MemoryRecord]:
        """The memories that drafts are said to repeat, by id; one that is out of reach is none."""
        named = {draft.repeats for draft in drafts if draft.repeats}
        if not named:
            return {}
        scope = self._request.scope
        found = self._transaction.find_many(scope.project, named)
        return {memory_id: record for memory_id, record in found.items() if reaches(scope, record.scope)}

    def _may_take_the_place(self, draft: Draft, repeated: MemoryRecord) -> bool:
        """Whether a draft is a fact that was read from a message, in the words of a statement: one text is not kept twice."""
        return (
            draft.episode_id is not None
            and draft.kind == "fact" != repeated.kind
            and repeated.state == CURRENT
            and permits(repeated, "update")
            and normalise(draft.text) == normalise(repeated.text)
        )

    def _take_the_place(
        self, draft: Draft, statement: MemoryRecord, entry: IndexEntry
    ) -> tuple[MemoryRecord, list[str]]:
        """The statement as the fact that says the same and more of it; and the ids that this closed."""
        draft = replace(draft, supersedes=tuple(one for one in draft.supersedes if one != statement.id))
        fields: dict[str, Any] = {
            "kind": "fact",
            "type": draft.type,
            "confidence": draft.confidence,
            "valid_from": draft.valid_from or statement.valid_from,
            "valid_to": draft.valid_to or statement.valid_to,
            "expires_on": _later(statement.expires_on, draft.expires_on),
            "metadata": {**statement.metadata, **_of_its_time(draft, statement)},
            "categories": draft.categories or statement.categories,
            "relations": draft.relations or statement.relations,
            "supersedes": tuple(dict.fromkeys((*statement.supersedes, *draft.supersedes))),
            "reinforced": self._times(draft, statement),
        }
        if draft.episode_id == statement.episode_id:
            fields |= {"position": draft.position, "positions": draft.positions}
        if draft.superseded_by:
            fields |= {"state": "superseded", "superseded_by": draft.superseded_by}
        indexed = None
        if (
            draft.created_at == statement.created_at
        ):  # else its entry would count days from another time than the memory has
            fields, indexed = fields | {"entity_refs": draft.entity_refs or ()}, entry
        fact = self._revise(statement, "update", draft, indexed, **fields)
        closed = [self._supersede(old, fact, draft) for old in self._replaced(draft)]
        self._link_successor(fact, draft)
        return fact, closed

    def _times(self, draft: Draft, repeated: MemoryRecord) -> int:
        """How often a memory was said again, once a draft of the same words came: a fact of the very message says nothing again."""
        if draft.episode_id is None:
            return repeated.reinforced + 1
        own = {(draft.episode_id, place) for place in (*draft.positions, draft.position)}
        return repeated.reinforced + own.isdisjoint(places(self._transaction, repeated))

    def _has_lost_its_source(self, draft: Draft, episode_id: str) -> bool:
        """Whether what a fact was taken from was erased or deleted since it was read: the fact must not bring it back."""
        scope = self._request.scope
        episode = self._transaction.episode(scope.project, episode_id)
        if episode is None or episode.scope.user_id != scope.user_id:
            return True
        lent = self._transaction.find_many(scope.project, draft.metadata.get(DERIVED_FROM, ()))
        if any(record.state in HIDDEN_STATES for record in lent.values()):
            return True
        cited = {*draft.positions, *(() if draft.position is None else (draft.position,))}
        said = dict(enumerate(episode.messages))
        if any(place not in said or not said[place].content for place in cited):
            return True
        made = self._transaction.made_of_episode(scope, episode_id)
        siblings = [record for record in made if not cited.isdisjoint(record.source_positions)]
        return bool(siblings) and all(record.state in HIDDEN_STATES for record in siblings)

    def _add(self, draft: Draft, entry: IndexEntry) -> MemoryRecord:
        seq = self._transaction.next_seq()
        now = self._operation.recorded_at
        created_at = draft.created_at or now
        record = MemoryRecord(
            id=self._ids(),
            key=seq,
            seq=seq,
            scope=self._request.scope,
            state="superseded" if draft.superseded_by else CURRENT,
            superseded_by=draft.superseded_by,
            text=draft.text,
            hash=text_hash(draft.text),
            kind=draft.kind,
            speaker=draft.speaker,
            role=draft.role,
            metadata=draft.metadata,
            categories=draft.categories,
            entity_refs=draft.entity_refs or (),
            relations=draft.relations,
            created_at=created_at,
            updated_at=created_at,
            recorded_at=now,
            valid_from=draft.valid_from,
            valid_to=draft.valid_to,
            expires_on=draft.expires_on,
            supersedes=tuple(draft.supersedes),
            episode_id=draft.episode_id or self._episode.id,
            position=draft.position,
            connector=self._request.connector,
            immutable=draft.immutable,
            type=draft.type,
            confidence=draft.confidence,
            positions=draft.positions,
        )
        return self._append("add", None, record, to_changes(record) | _why(draft), entry)

    def _replaced(self, draft: Draft) -> list[MemoryRecord]:
        if not draft.supersedes:
            return []
        scope = self._request.scope
        found = self._transaction.find_many(scope.project, draft.supersedes)
        for memory_id in draft.supersedes:
            old = found.get(memory_id)
            if old is None or old.state == "erased" or not reaches(scope, old.scope):
                raise NotFoundError(f"supersedes names memory {memory_id}, which is not stored in this scope.")
            if not permits(old, "supersede"):
                raise ConflictError(f"Memory {memory_id} is immutable and cannot be superseded.")
        named = (self._now(found[memory_id]) for memory_id in draft.supersedes)
        return [current for current in named if current.state == "active"]

    def _now(self, record: MemoryRecord) -> MemoryRecord:
        """The record as this transaction left it so far; its own writes are appended at the end."""
        return self._latest.get(record.id, record)

    def _link_successor(self, closed: MemoryRecord, draft: Draft) -> None:
        """The other end of a fact that was stored as closed."""
        if draft.superseded_by is None:
            return
        found = self._transaction.find_many(closed.project, [draft.superseded_by])
        if (newer := found.get(draft.superseded_by)) is not None and newer.state not in HIDDEN_STATES:
            newer = self._now(newer)
            self._revise(newer, "update", replace(draft, position=None), supersedes=(*newer.supersedes, closed.id))

    def _supersede(self, old: MemoryRecord, new: MemoryRecord, draft: Draft) -> str:
        closed_at = new.valid_from or new.created_at
        ends = old.valid_to if old.valid_to and old.valid_to < closed_at else closed_at
        unsourced = replace(draft, position=None)
        self._revise(old, "supersede", unsourced, state="superseded", superseded_by=new.id, valid_to=ends)
        return old.id

    def _revise(
        self,
        record: MemoryRecord,
        op: Literal["reinforce", "supersede", "update"],
        draft: Draft,
        entry: IndexEntry | None = None,
        **fields: Any,
    ) -> MemoryRecord:
        """Append a change; the draft's `position` is that of the message which repeated the memory."""
        revised = replace(record, updated_at=self._operation.recorded_at, **fields)
        episode_id = draft.episode_id or self._episode.id
        source = {} if draft.position is None else {"source": [episode_id, draft.position]}
        return self._append(op, record, revised, difference(record, revised) | source | _why(draft), entry)

    def _append(
        self,
        op: Literal["add", "reinforce", "supersede", "update"],
        before: MemoryRecord | None,
        after: MemoryRecord,
        changes: Mapping[str, Any],
        entry: IndexEntry | None,
    ) -> MemoryRecord:
        revision = Revision(
            seq=after.seq if before is None else self._transaction.next_seq(),
            memory_id=after.id,
            op=op,
            operation_id=self._operation.id,
            recorded_at=self._operation.recorded_at,
            changes=changes,
        )
        record = self._latest[after.id] = after if before is None else apply(before, revision)
        self._revisions.append(revision)
        self._records.append(record)
        self._entries.append(entry)
        return record


def _event(revision: Revision) -> Event | None:
    """What a revision did with a draft; None where it only followed from what another did."""
    if revision.op == "update":
        return "UPDATE" if revision.changes.get("kind") == "fact" else None
    return "ADD" if revision.op == "add" else "REINFORCE" if revision.op == "reinforce" else None


def _episode_of(revision: Revision) -> str | None:
    """The episode that a revision names as its source."""
    source = revision.changes.get("source")
    found = source[0] if source else revision.changes.get("episode_id")
    return None if found is None else str(found)


def _categorised(drafts: Sequence[Draft], entries: Sequence[IndexEntry], categorise: Categorise) -> list[Draft]:
    """The drafts, those without categories with the ones that their embeddings suggest."""
    import numpy as np

    if not drafts:
        return []
    vectors = np.frombuffer(b"".join(entry.embedding for entry in entries), "<f2").reshape(len(drafts), -1)
    found = categorise([draft.text for draft in drafts], vectors.astype(np.float32))
    pairs = zip(drafts, found, strict=True)
    return [draft if draft.categories else replace(draft, categories=categories) for draft, categories in pairs]


def _source_ids(messages: Sequence[Message]) -> set[str]:
    return {message.source_id for message in messages if message.source_id}


def _why(draft: Draft) -> dict[str, Any]:
    return {"why": dict(draft.why)} if draft.why else {}


def _of_its_time(draft: Draft, statement: MemoryRecord) -> dict[str, Any]:
    """Metadata of a draft that takes a statement's place, without days that it counts from another time than the memory has."""
    counted = draft.created_at == statement.created_at
    return {name: value for name, value in draft.metadata.items() if counted or name != DATES}


def _later(left: date | None, right: date | None) -> date | None:
    """The later of two last days; None is for ever. What is said again stays as long as it would when it were new."""
    return None if left is None or right is None else max(left, right)


def reaches(scope: Scope, other: Scope) -> bool:
    """Whether a write under `scope` may close a memory under `other`: the same user's; without a user, the same agent's."""
    if scope.user_id is not None or other.user_id is not None:
        return scope.user_id == other.user_id
    return (scope.agent_id, scope.app_id) == (other.agent_id, other.app_id)


def _verbatim(messages: Sequence[Message]) -> list[Draft]:
    """Each message as one memory, whole."""
    return [
        Draft(
            text=message.content,
            kind="message",
            role=message.role,
            speaker=speaker_of(message.role, message.name),
            created_at=message.at,
            position=position,
        )
        for position, message in enumerate(messages)
        if message.content.strip() and message.role not in SOURCE_ROLES
    ]


def _complete(draft: Draft, request: AddRequest) -> Draft:
    """The draft with what the whole request says of each; entities and relations by rule where none were handed over."""
    from kept.domain.relations import relations  # made late: nobody who only reads waits for its words

    speaker = first_person(request.scope, draft.role, draft.speaker)
    stated = draft.relations or (() if draft.kind == "code" else relations(draft.text, speaker=speaker))
    return replace(
        draft,
        metadata={**request.metadata, **draft.metadata} if draft.metadata else request.metadata,
        categories=draft.categories or request.categories,
        entity_refs=entity_refs(draft.text) if draft.entity_refs is None else draft.entity_refs,
        relations=stated,
        expires_on=draft.expires_on or request.expires_on,
        immutable=draft.immutable or request.immutable,
        created_at=draft.created_at or request.at,
    )
