"""Understanding: distilled facts of what was said, with a language model.

What was said is stored first, as statements; then a job for each part of the episode waits here. A job asks the model once, checks what
it proposes (`domain.facts`), decides what becomes of it (`domain.resolution`), and stores each fact as an operation of its own, which
`undo` takes back. Whatever fails, the statements are there, the job says what happened, and it is tried again.
"""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_args

from kept.domain.attachments import ATTACHED, CAME_WITH, attached, came_with, without_attachments
from kept.domain.digest import digest
from kept.domain.jobs import Job, JobKind, is_lasting, pause_after, succeeded
from kept.domain.memory import DERIVED_FROM, HIDDEN_STATES, Attachment, Draft, Episode, MemoryRecord, Message
from kept.domain.parts import Part, parts, reach, stands_alone, unread
from kept.domain.repeats import days, said_before, sent_again, words
from kept.domain.scope import Scope
from kept.domain.spending import SpendingListing, SpendingTotal
from kept.engine.ingest import BOUND, AddRequest, AddResult, Event
from kept.engine.material import KNOWN, REPEATED, TOLD, Material, Materials, as_known, known_of, told_of
from kept.engine.resolution import Resolution
from kept.errors import ConfigurationError, InvalidInputError, KeptError, ModelError, SpendingLimitError, StoreError

if TYPE_CHECKING:
    from kept.domain.categories import Category
    from kept.domain.facts import Read
    from kept.engine.categories import Categories
    from kept.engine.indexing import Indexer
    from kept.engine.ingest import Ingest
    from kept.engine.models import Models, ProjectSettings
    from kept.engine.retrieve import Retrieve
    from kept.ports import Backlog, Clock, Jobs, Log, Progress

logger = logging.getLogger("kept.understanding")

EXTRACT: Final[tuple[JobKind, ...]] = ("EXTRACT",)
LEASE: Final = timedelta(minutes=5)
"""How long a crash delays a job at least: longer than models take that answer within the default time."""
LONGEST_LEASE: Final = timedelta(days=1)
"""However long an answer may take."""
ASKED: Final = 4
"""Times that an answer may take within a lease: extraction, contradiction and categories ask one model after another; the fourth
is for storing what they say."""
MAX_ATTEMPTS: Final = 9
"""With pauses of 1 s, 4 s, 16 s, … up to an hour between them: a model that is down for an afternoon is waited for."""
REFUSED_PAUSE: Final = timedelta(hours=1)
"""Where only a higher limit makes room: a person has to do something first."""
ALIKE: Final = 4
"""Earlier episodes with which a new one is compared: a client that sends all that was said needs one, the others are for those that
send it otherwise; set by hand."""
END_S: Final = 2.0
"""How long the end of a process waits for what is being read in the background: most answers are there by then, and those who end a
program for good wait hardly longer."""
_JOBS: Final = uuid.UUID("5c3a7e0c-6a1e-4e2c-9d57-0f5b1d0a8f41")
"""The namespace of its jobs' ids: any constant will do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a language model needs to read for a store.

    Attributes:
        jobs: What waits to be read.
        models: Who reads.
        settings_of: A project's wishes.
        categories: What a project's facts are sorted under; None leaves them unsorted.
        patience_s: How long a model's answer may take, in seconds.
    """

    jobs: Jobs
    models: Models
    settings_of: ProjectSettings
    categories: Categories | None = None
    patience_s: float = 60.0

    @property
    def lease(self) -> timedelta:
        """How long a job is held, so that nobody else asks for the same while its models answer slowly."""
        longest = LONGEST_LEASE.total_seconds()
        return max(LEASE, timedelta(seconds=min(ASKED * self.patience_s, longest)))


class Understood(NamedTuple):
    """One part of what was said, after it was read: the job, and the facts as they are now."""

    job: Job
    facts: Sequence[MemoryRecord]


class CaughtUp(NamedTuple):
    """What came of reading what waited.

    Attributes:
        ended: The jobs as they ended.
        retried: How many parts had failed for good and were tried again.
        left: What waits now.
        spent: What the store's models cost meanwhile.
    """

    ended: Sequence[Job]
    retried: int
    left: Backlog
    spent: SpendingTotal


class Understanding:
    """Reads what was said, part by part. Safe for threads and processes.

    Args:
        log: The truth.
        ingest: Stores what comes of it.
        retrieve: Finds what is near.
        indexer: Compares texts.
        clock: The present.
        reading: Who reads, and what waits.
    """

    def __init__(
        self,
        *,
        log: Log,
        ingest: Ingest,
        retrieve: Retrieve,
        indexer: Indexer,
        clock: Clock,
        reading: Reading,
    ) -> None:
        self._log = log
        self._ingest = ingest
        self._clock = clock
        self._jobs = reading.jobs
        self._models = reading.models
        self._categories = reading.categories
        self._materials = Materials(log, retrieve, reading.settings_of, reading.categories)
        self._resolution = Resolution(log, indexer, reading.models)
        self._held_for = reading.lease
        self._lease = f"understanding-{uuid.uuid4()}"
        self._mutex = threading.Lock()
        self._held: dict[str, Job] = {}
        self._background: threading.Thread | None = None
        self._ending = threading.Event()

    # --- what waits ---

    def acknowledge(self, request: AddRequest, result: AddResult) -> list[Job]:
        """Keep a job for each part of what an add brought; those that were kept before are answered.

        The same words of the same owner are read once: where all of them were read before, the jobs that did are answered.
        """
        if not request.infer or not request.messages or result.episode_id is None:
            return []
        episode = self._log.episode(request.scope.project, result.episode_id)
        if episode is None:
            return []
        episode = replace(episode, messages=tuple(_as_given(episode.messages, request.messages)))
        repeated = self._repeated(episode, result)
        known = self._known(request, episode, repeated) if repeated else {}
        kept = [
            self._kept(request, episode, number, unread(part, known), repeated, known)
            for number, part in enumerate(parts(episode.messages))
        ]
        return [job for job in kept if job is not None] or _last_read(known)

    def _known(self, request: AddRequest, episode: Episode, repeated: Mapping[str, Sequence[str]]) -> dict[int, Job]:
        """The jobs that have read messages of an episode before, or wait for it, by position.

        Clients send with each new message those before it. They are compared with the episodes in which the same was said before. What was
        closed since, or means another day (`tomorrow`), and is now told once more, is new.
        """
        found: dict[int, Job] = {}
        sought = set(map(int, repeated))
        made = self._log.made_of_episode(episode.scope, episode.id)
        anew = {place for record in made for place in record.source_positions}
        for one in self._alike(episode, repeated):
            other = None if sought <= found.keys() else self._log.episode(episode.scope.project, one)
            if other is not None and other.scope == episode.scope:
                found = self._read_with(other, request, episode.messages, anew) | found
        return found

    def _read_with(
        self, other: Episode, request: AddRequest, given: Sequence[Message], anew: Collection[int]
    ) -> dict[int, Job]:
        """The same of one episode; `anew` are positions of which memories were made, although the same was said before."""
        jobs = self._jobs_of(other, _wishes(request))
        readers = self._readers(other, jobs)
        again = said_before(given, other.messages, _came_with(jobs.values())) if readers else {}
        resent = sent_again(again)
        told_at = request.at or self._clock()

        def stands(place: int, there: int) -> bool:
            then = told_of(readers[there])
            return place not in anew and days(given[place], told_at) == days(other.messages[there], then)

        return {
            place: readers[there]
            for place, there in again.items()
            if there in readers and (place in resent or stands(place, there))
        }

    def _alike(self, episode: Episode, repeated: Mapping[str, Sequence[str]]) -> list[str]:
        """Ids of the episodes that said something of this one before: who last repeated its last repetition, and the newest that said any.

        Of a conversation that grows and is sent again, those know most.
        """
        last = repeated[max(repeated, key=int)][0]
        again = self._log.revisions(episode.scope.project, memory_id=last)
        found = [str(revision.changes["source"][0]) for revision in again if revision.changes.get("source")][-2:]
        records = self._log.find_many(episode.scope.project, list(chain.from_iterable(repeated.values())))
        newest = sorted(records.values(), key=attrgetter("key"), reverse=True)
        found += [record.episode_id for record in newest if record.episode_id]
        return [one for one in dict.fromkeys(found) if one != episode.id][:ALIKE]

    def _jobs_of(self, episode: Episode, wishes: Mapping[str, Any]) -> dict[int, Job]:
        """The jobs of an episode's parts, by their numbers, that are to read it with the same wishes."""
        found = {
            number: self._jobs.find(episode.scope.project, _job_id(episode.id, number))
            for number in range(len(parts(episode.messages)))
        }
        return {
            number: job
            for number, job in found.items()
            if job is not None and job.payload and job.payload.get("wishes", {}) == wishes
        }

    def _readers(self, episode: Episode, own: Mapping[int, Job]) -> dict[int, Job]:
        """The jobs that have read an episode's messages, or wait for it, by position; of none of which a reader is gone."""
        found: list[tuple[int, str]] = []
        for number, part in enumerate(parts(episode.messages)):
            if job := own.get(number):
                known = known_of(job)
                found += known.items()
                found += [(place, job.id) for place, _ in part.messages if place not in known]
        jobs = self._found(episode.scope.project, dict.fromkeys(reader for _, reader in found))
        standing = {job.id: job for job in jobs if job.payload and not self._is_gone(job)}
        lost = {place for place, reader in found if reader not in standing}
        return {place: standing[reader] for place, reader in found if place not in lost}

    def _repeated(self, episode: Episode, result: AddResult) -> dict[str, list[str]]:
        """Ids of the memories that messages only repeated, by position: no statement of the episode's own stands for those."""
        found: dict[str, list[str]] = {}
        if result.operation_id is not None:
            for revision in self._log.operation_revisions(episode.scope.project, result.operation_id):
                if revision.op == "reinforce" and (source := revision.changes.get("source")):
                    found.setdefault(str(source[1]), []).append(revision.memory_id)
        return found

    def _kept(
        self,
        request: AddRequest,
        episode: Episode,
        number: int,
        part: Part,
        repeated: Mapping[str, Sequence[str]],
        known: Mapping[int, Job],
    ) -> Job | None:
        """The job that reads a part; None where nothing of it is new."""
        if (asked_again := self._jobs.find(episode.scope.project, _job_id(episode.id, number))) is not None:
            return asked_again
        if not part.messages:
            return None
        now = self._clock()
        wishes = _wishes(request)
        waiting = attached(part.messages)
        said = self._said(episode, part, repeated, request.at or now)
        near = reach(part, episode.messages)
        payload = {
            "episode_id": episode.id,
            "part": number,
            "wishes": wishes,
            BOUND: {name: list(ids) for name, ids in request.bound.items()},
            KNOWN: as_known({place: job.id for place, job in known.items()}),
            REPEATED: {place: ids for place, ids in repeated.items() if int(place) in near},
            ATTACHED: waiting,
            CAME_WITH: {str(place): shown for place, one in enumerate(episode.messages) if (shown := came_with(one))},
            TOLD: request.at and request.at.isoformat(),
        }
        job = Job(
            id=_job_id(episode.id, number),
            scope=episode.scope,
            kind="EXTRACT",
            payload={name: value for name, value in payload.items() if value or name == "part"},
            subject=_subject(episode.scope),
            actor=request.actor,
            connector=episode.connector,
            idempotency_key=_digest(_read_for(request, part), said, wishes, waiting),
            created_at=now,
            updated_at=now,
            run_after=now,
        )
        if request.awaited:
            held = replace(job, status="RUNNING", attempts=1, started_at=now)
            job = replace(held, lease=self._lease, lease_until=now + self._held_for)
        return self._jobs.put(replace(job, idempotency_key=self._free_key(job.scope.project, str(job.idempotency_key))))

    def _said(
        self, episode: Episode, part: Part, repeated: Mapping[str, Sequence[str]], told_at: datetime
    ) -> list[Any]:
        """What is the same where a part says the same: the words and who speaks, what they mean beside themselves, and the days.

        `Yes.` to another question is read too, and `tomorrow` of another day.
        """
        messages = [message for _, message in part.messages]
        before = [] if all(map(stands_alone, messages)) else list(part.besides)
        if not part.context and not stands_alone(messages[0]):
            ids = set(chain.from_iterable(repeated.values()))
            before = [*self._materials.last_turn(episode, ids), *before]
        dates = [days(message, told_at) for message in messages]
        beside = [list(map(words, before))] if before else []
        return [list(map(words, messages)), *beside, *([dates] if any(dates) else [])]

    def _free_key(self, project: str, key: str) -> str:
        """The key, or after a reading that is gone the one that names it: so each is followed by one other."""
        while (earlier := self._jobs.find_by_key(project, "EXTRACT", key)) is not None and self._is_gone(earlier):
            key = _following(key, earlier)
        return key

    def _is_read_later(self, job: Job) -> bool:
        """Whether the same words were said again after it had failed, and that part stands for them."""
        project = job.scope.project
        key = self._free_key(project, _following(str(job.idempotency_key), job))
        return self._jobs.find_by_key(project, "EXTRACT", key) is not None

    def _is_gone(self, earlier: Job) -> bool:
        """Whether what was read before cannot stand for the same words now: it failed, or its facts were deleted."""
        if earlier.status == "FAILED" or any(entry["event"] == "NONE" for entry in earlier.results):
            return True
        facts = {entry["id"]: entry["event"] for entry in earlier.results if entry["event"] in get_args(Event)}
        found = self._log.find_many(earlier.scope.project, facts)
        return any(
            record.state in HIDDEN_STATES or (facts[record.id] == "UPDATE" and record.kind != "fact")
            for record in found.values()
        )

    # --- doing it ---

    def run_due(self) -> list[Job]:
        """Do one job that is due, in the caller's thread; the job as it ended, none when nothing was due."""
        now = self._clock()
        ended = []
        for job in self._jobs.claim(EXTRACT, self._lease, now=now, until=now + self._held_for, limit=1):
            with self._mutex:
                self._held[job.id] = job
            done = self._attempted(job)
            self._jobs.finish([done])
            ended.append(done)
            with self._mutex:
                del self._held[job.id]
        return ended

    def catch_up(self, parts: int | None = None, progress: Progress | None = None) -> CaughtUp:
        """Read what waits, now, in the caller's thread; also what would be tried again later, or had failed for good.

        Args:
            parts: At most so many parts of conversations: those that are due, then those that would be tried again next, then those
                that had failed for good. What is beyond waits for its time as before.
            progress: Told how many are read, and of how many.

        Raises:
            InvalidInputError: `parts` is no whole number above 0.
        """
        if parts is not None and (isinstance(parts, bool) or not isinstance(parts, int) or parts < 1):
            raise InvalidInputError(f"parts is {str(parts)[:40]!r}; it must be a whole number above 0.")
        begun, retried = self._clock(), self.hasten(parts)
        ended: list[Job] = []
        while (parts is None or len(ended) < parts) and (done := self.run_due()):
            ended += done
            if progress:
                progress(len(ended), len(ended) + self.waiting().waiting)
        return CaughtUp(ended, retried, self.waiting(), self.spent(since=begun))

    def hasten(self, up_to: int | None = None) -> int:
        """Make due what waits for another try, and what had none left: a person asks, who may have set right what it failed for.

        Args:
            up_to: How many parts may be due then; None for all.

        Returns:
            How many parts had failed for good and are tried again.
        """
        now = self._clock()
        self._jobs.hasten(EXTRACT, now, up_to=up_to)
        return self._jobs.revive(EXTRACT, now, up_to=up_to)

    def give_back(self) -> None:
        """Leave what is in hand to whoever comes next, as if it had not been begun: this process is about to end."""
        with self._mutex:
            held = list(self._held.values())
        self._jobs.finish([replace(job, status="PENDING", attempts=job.attempts - 1) for job in held])

    def settle(self, project: str, job_ids: Collection[str]) -> list[Job]:
        """Do those of these jobs that an `awaited` add holds; all of them as they are then. Others that wait go on waiting."""
        for job in self._found(project, job_ids):
            if job.status == "RUNNING" and job.lease == self._lease:
                self._jobs.finish([self._attempted(job)])
        return self._found(project, job_ids)

    def _found(self, project: str, job_ids: Collection[str]) -> list[Job]:
        found = (self._jobs.find(project, job_id) for job_id in job_ids)
        return [job for job in found if job is not None]

    def waiting(self) -> Backlog:
        """How much is not read yet, in the whole store."""
        return self._jobs.backlog(EXTRACT, self._clock())

    def spent(self, *, since: datetime) -> SpendingTotal:
        """What models cost the whole store since then."""
        return sum(self._models.spent(SpendingListing(after=since), "model").values(), SpendingTotal())

    def begin(self) -> None:
        """Do what is due in a thread of its own that ends when nothing is; no second one."""
        now = self._clock()
        since = self._jobs.backlog(EXTRACT, now).oldest
        if self._ending.is_set() or since is None or since > now:
            return
        with self._mutex:
            if self._background is None or not self._background.is_alive():
                self._background = threading.Thread(target=self._drain, name="kept-understanding", daemon=True)
                self._background.start()

    def end(self) -> None:
        """Begin nothing more in the background; what is in hand there is waited for, and after a moment left to whoever comes next."""
        self._ending.set()
        thread = self._background
        if thread is None or not thread.is_alive():
            return
        thread.join(END_S)
        if thread.is_alive():
            self.give_back()

    def _drain(self) -> None:
        try:
            while not self._ending.is_set() and self.run_due():
                continue
        except StoreError as error:  # closed, or busy: what waits is done by whoever comes next
            logger.warning("understanding stopped", extra={"kept": {"error": error.code}})

    def _attempted(self, job: Job) -> Job:
        try:
            if self._is_read_later(job):
                return succeeded(job, self._clock(), [{"event": "NONE", "reason": "the same words were said again"}])
            material = self._materials.of(job)
            if material is None:
                return succeeded(job, self._clock(), [{"event": "NONE", "reason": "what was said was deleted"}])
            job, material = self._answered(job, material)
            return self._done(job, material)
        except Exception as error:  # noqa: BLE001 - it is kept with the job, whatever it was
            return self._failed(job, error)

    def _done(self, job: Job, material: Material) -> Job:
        found = self._taken(job, material)
        resolved = self._resolved(job, found, material)
        drafts, unsorted = self._sorted(job, resolved, material.wishes.categories)
        answers = self._ingest.add_many(list(self._requests(job, material.episode, drafts)))
        results: list[dict[str, Any]] = [entry for answer in answers for entry in _results(answer)]
        results += unsorted
        if found.dropped:
            results.append({"event": "DROPPED", "reasons": dict(found.dropped)})
        stored = [one.memory.id for answer in answers if isinstance(answer, AddResult) for one in answer.stored]
        failed = (answer for answer in answers if isinstance(answer, KeptError))
        passing = next((error for error in failed if not is_lasting(error)), None)
        if passing is not None:  # the answer waits with the job, and an erase of what is stored of it already takes it
            return self._failed(replace(job, memory_ids=list(dict.fromkeys([*job.memory_ids, *stored]))), passing)
        done = replace(without_attachments(job), content=None)
        return succeeded(done, self._clock(), results, memory_ids=list(dict.fromkeys(stored)))

    # --- reading ---

    def _answered(self, job: Job, material: Material) -> tuple[Job, Material]:
        """The job with the model's answer, and what it was given. One that was paid for is kept until its facts are stored."""
        from kept.engine import extraction

        wishes = replace(material.wishes, categories=()) if self._sorter else material.wishes
        positions = [position for position, _ in material.part.messages]
        earlier = json.loads(job.content) if job.content else {}
        if earlier.get("positions") == positions:
            named = self._log.find_many(job.scope.project, earlier["near"])
            return job, replace(material, near=[named[memory_id] for memory_id in earlier["near"]])
        prompt = extraction.prompt(
            material.part,
            near=material.near,
            wishes=wishes,
            reference=material.reference,
            attachments=self._readable(material.part),
        )
        answer = self._models.ask("extraction", prompt, project=job.scope.project, job_id=job.id)
        near = [record.id for record in material.near]
        content = json.dumps({"positions": positions, "near": near, "value": answer.value})
        return replace(job, content=content, memory_ids=self._heard(job, material)), material

    def _heard(self, job: Job, material: Material) -> list[str]:
        """Ids of all whose words may stand in an answer that waits, so that an erase of any takes it."""
        made = self._log.made_of_episode(material.episode.scope, material.episode.id)
        repeated = chain.from_iterable(job.payload.get(REPEATED, {}).values())
        shown = (*made, *material.earlier, *material.near)
        return list(dict.fromkeys([*(record.id for record in shown), *repeated]))

    def _taken(self, job: Job, material: Material) -> Read:
        """What the model proposes, checked against the words."""
        from kept.engine import extraction

        return extraction.read(
            json.loads(job.content or "{}").get("value", {}),
            material.part,
            near=material.near,
            reference=material.reference,
            wishes=material.wishes,
            attachments=self._readable(material.part),
        )

    def _readable(self, part: Part) -> list[Attachment]:
        """What came with the part and the model can read; of the rest the text keeps a reference."""
        model = self._models.for_task("extraction")
        found = dict.fromkeys(attachment for _, message in part.messages for attachment in message.attachments)
        return [one for one in found if model is not None and model.accepts(one.kind)]

    # --- resolving ---

    def _resolved(self, job: Job, found: Read, material: Material) -> list[Draft]:
        """The facts with what becomes of them."""
        drafts = [
            replace(
                proposal.draft,
                episode_id=material.episode.id,
                created_at=proposal.draft.created_at or material.reference,
                metadata={**proposal.draft.metadata, **_derived(material.named_by(proposal.borrowed))},
            )
            for proposal in found.proposals
        ]
        return self._resolution.resolve(job, drafts, found.proposals, material.near)

    @property
    def _sorter(self) -> str | None:
        """The model that chooses categories, where it is another than the one that reads."""
        named = {task: model.name for task in ("extraction", "categories") if (model := self._models.for_task(task))}
        return None if named.get("categories") == named.get("extraction") else named.get("categories")

    def _sorted(
        self, job: Job, drafts: Sequence[Draft], categories: Sequence[Category]
    ) -> tuple[Sequence[Draft], list[dict[str, Any]]]:
        """The facts with the categories that a model of their own chose; and why they are without, if it failed.

        What comes without categories gets them by rule when it is stored.
        """
        from kept.engine import sorting

        if self._sorter is None or not drafts or not categories:
            return drafts, []
        prompt = sorting.prompt([draft.text for draft in drafts], categories)
        try:
            answer = self._models.ask("categories", prompt, project=job.scope.project, job_id=job.id)
        except (ModelError, ConfigurationError) as error:
            return drafts, [{"event": "REFUSED", "reason": f"categories: {error.code}"}]
        chosen = sorting.read(answer.value, len(drafts), categories)
        return [replace(draft, categories=own) for draft, own in zip(drafts, chosen, strict=True)], []

    def _requests(self, job: Job, episode: Episode, drafts: Sequence[Draft]) -> Iterator[AddRequest]:
        """Each fact as an operation of its own; its key is the job's, so that it is stored once however often the job is run."""
        own = job.payload.get("wishes", {}).get("custom_categories")
        for number, draft in enumerate(drafts):
            yield AddRequest(
                scope=episode.scope,
                facts=[draft],
                idempotency_key=f"{job.id}/{number}",
                job_id=job.id,
                categorise=None if self._categories is None else self._categories.sorter(job.scope.project, own),
                actor=job.actor,
                connector=episode.connector,
            )

    # --- failing ---

    def _failed(self, job: Job, error: Exception) -> Job:
        """The job to be tried again later, or failed when that cannot help; what was said is stored in any case."""
        now = self._clock()
        said = str(error) if isinstance(error, KeptError) else f"Something went wrong inside ({type(error).__name__})."
        logger.info(
            "understanding failed",
            extra={"kept": {"job": job.id, "attempts": job.attempts, "error": type(error).__name__}},
        )
        if not isinstance(error, KeptError):
            logger.debug("understanding failed", exc_info=error)
        if isinstance(error, SpendingLimitError):
            pause = REFUSED_PAUSE if error.retry_after_s is None else timedelta(seconds=error.retry_after_s)
            return replace(
                job, status="PENDING", attempts=job.attempts - 1, error=said, updated_at=now, run_after=now + pause
            )
        if is_lasting(error) or job.attempts >= MAX_ATTEMPTS:
            return replace(job, status="FAILED", error=said, updated_at=now, completed_at=now)
        later = now + pause_after(error, job.attempts)
        return replace(job, status="PENDING", error=said, updated_at=now, run_after=later)


def _as_given(stored: Sequence[Message], given: Sequence[Message]) -> list[Message]:
    """The messages as they are kept, with the attachments that they came with, which no log keeps."""
    came_with = {(message.role, message.content): message.attachments for message in given if message.attachments}
    return [replace(message, attachments=came_with.get((message.role, message.content), ())) for message in stored]


def _derived(memory_ids: Sequence[str]) -> dict[str, Any]:
    """Metadata of a fact that has names from other memories, so that an erase of one of those reaches it."""
    return {DERIVED_FROM: list(memory_ids)} if memory_ids else {}


def _subject(scope: Scope) -> str:
    """Parts of one owner are read one after another, so that what came later finds what came before."""
    owner = json.dumps([scope.project, scope.user_id, *(() if scope.user_id else (scope.agent_id, scope.app_id))])
    return f"extract:{digest(owner)}"


def _job_id(episode_id: str, number: int) -> str:
    return str(uuid.uuid5(_JOBS, f"{episode_id}/{number}"))


def _wishes(request: AddRequest) -> dict[str, Any]:
    return {name: value for name, value in request.wishes.items() if value is not None}


def _came_with(jobs: Iterable[Job]) -> dict[int, str]:
    """What the messages of an episode came with, by its jobs: digests by position."""
    return {int(place): shown for job in jobs for place, shown in job.payload.get(CAME_WITH, {}).items()}


def _last_read(known: Mapping[int, Job]) -> list[Job]:
    """Of jobs that have read messages, by position, those that read the last of them with others of the same episode."""
    if not known:
        return []
    last = known[max(known)].payload["episode_id"]
    return list({job.id: job for job in known.values() if job.payload["episode_id"] == last}.values())


def _read_for(request: AddRequest, part: Part) -> Scope:
    """Whom words are read for: what means the same in any session, is read for all of them, if whoever adds may see them."""
    apart = "run_id" in request.bound or not all(stands_alone(message) for _, message in part.messages)
    return request.scope if apart else replace(request.scope, run_id=None)


def _digest(scope: Scope, said: Sequence[Any], wishes: Mapping[str, Any], waiting: Mapping[str, Any]) -> str:
    """The same for the same that is said in the same scope, read with the same wishes."""
    return digest(json.dumps([scope.project, scope.ids, *said, wishes, waiting], sort_keys=True))


def _following(key: str, gone: Job) -> str:
    """The key of what is read after this one, for the same words."""
    return digest(f"{key}/{gone.id}")


def _results(answer: AddResult | KeptError) -> list[dict[str, Any]]:
    """Ids and events of one fact, without text."""
    if isinstance(answer, KeptError):
        return [{"event": "REFUSED", "reason": answer.code}]
    operation = {"operation_id": answer.operation_id} if answer.operation_id else {}
    stored = [{"id": one.memory.id, "event": one.event, **operation} for one in answer.stored]
    return [*stored, *({"id": memory_id, "event": "SUPERSEDE", **operation} for memory_id in answer.superseded)]
