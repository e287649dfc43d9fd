"""What a language model is given to read one part of an episode: the words that are left, and what is known beside them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from kept.domain.attachments import with_attachments
from kept.domain.filters import And, Condition
from kept.domain.jobs import Job
from kept.domain.memory import HIDDEN_STATES, Episode, MemoryRecord, Message, are_echoes
from kept.domain.parts import Part, parts, unread
from kept.domain.scope import Scope
from kept.domain.support import Source, Sources
from kept.engine.ingest import BOUND, reaches
from kept.engine.retrieve import SearchRequest
from kept.errors import NotFoundError
from kept.ports import Listing

if TYPE_CHECKING:
    from kept.domain.categories import Category
    from kept.engine.categories import Categories
    from kept.engine.extraction import Wishes
    from kept.engine.models import ProjectSettings
    from kept.engine.retrieve import Retrieve
    from kept.ports import LogReader

NEAR: Final = 10
"""Stored memories that a part is shown: few enough to be cheap; set by hand, not measured."""
NEAR_QUERY: Final = 2_000
"""Characters of a part by which they are found."""
EARLIER: Final = 4
"""Earlier turns of a session that a part is shown, so that its pronouns can be resolved."""
KNOWN: Final = "known"
"""Of a payload: which of the episode's messages were read before, and by which jobs; see `known_of`."""
REPEATED: Final = "repeated"
"""Of a payload: memories that messages which the part shows only repeated, by position."""
TOLD: Final = "told"
"""Of a payload: when messages without a time of their own were said, where that is not when they were added; in ISO form."""


def known_of(job: Job) -> dict[int, str]:
    """Positions of a job's episode that were read before, with the id of the job that read each.

    One that was kept by an earlier version knows how many there were, from the beginning, and stands for those that read them.
    """
    stored = job.payload.get(KNOWN, ())
    ranges = [(0, stored, job.id)] if isinstance(stored, int) else stored
    return {position: reader for start, end, reader in ranges for position in range(start, end)}


def as_known(readers: Mapping[int, str]) -> list[tuple[int, int, str]]:
    """The same for a payload: where each range of positions begins and ends that one job read, and its id."""
    found: list[tuple[int, int, str]] = []
    for position, reader in sorted(readers.items()):
        if found and found[-1][1:] == (position, reader):
            found[-1] = (found[-1][0], position + 1, reader)
        else:
            found.append((position, position + 1, reader))
    return found


def told_of(job: Job) -> datetime:
    """When the messages that a job reads were said, those without a time of their own."""
    return datetime.fromisoformat(job.payload[TOLD]) if TOLD in job.payload else job.created_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What one part of an episode is read with.

    Attributes:
        earlier: Memories of what was said in the same conversation before the part, oldest first.
        near: Stored memories about the same things, nearest first.
        wishes: What the project, or the call in its place, asks for.
        reference: When turns without a time of their own were said.
    """

    episode: Episode
    part: Part
    near: Sequence[MemoryRecord]
    wishes: Wishes
    reference: datetime
    earlier: Sequence[MemoryRecord] = ()

    def named_by(self, names: Iterable[str]) -> list[str]:
        """Ids of the memories that names were borrowed from: of each name the latest before the part, else the nearest.

        A name that only words have of which no memory was made is from none.
        """
        shown = [(record.id, _words(record)) for record in (*reversed(self.earlier), *self.near)]
        found = (next((one for one, words in shown if words.has_name(name)), None) for name in names)
        return list(dict.fromkeys(one for one in found if one is not None))


class Materials:
    """Gathers what a part is read with.

    Args:
        log: What was said, and what was made of it.
        retrieve: Finds what is near.
        settings_of: A project's wishes.
        categories: What a project's facts are sorted under; None leaves them unsorted.
    """

    def __init__(
        self, log: LogReader, retrieve: Retrieve, settings_of: ProjectSettings, categories: Categories | None
    ) -> None:
        self._log = log
        self._retrieve = retrieve
        self._settings_of = settings_of
        self._categories = categories

    def of(self, job: Job) -> Material | None:
        """What a job is to read; None when nothing of it is left.

        Raises:
            NotFoundError: It was erased.
        """
        episode = self._log.episode(job.scope.project, str(job.payload.get("episode_id", "")))
        if episode is None:
            raise NotFoundError("What was to be read was erased before it was.")
        earlier = self._earlier(episode)
        whole = parts(episode.messages, earlier=list(map(_turn, earlier)))
        number = int(job.payload["part"])
        part = unread(whole[number], known_of(job)) if number < len(whole) else Part(messages=())
        hidden = self._hidden(job, episode)
        kept = [one for one in part.messages if one[0] not in hidden]
        if not kept:
            return None
        messages = with_attachments(kept, job)
        deleted = [episode.messages[place] for place in hidden]
        part = replace(
            part,
            messages=[(place, one) for (place, _), one in zip(kept, messages, strict=True)],
            context=_without(deleted, part.context),
            between={place: _without(deleted, turns) for place, turns in part.between.items()},
        )
        return Material(
            episode=episode,
            part=part,
            earlier=[*earlier, *self._before(job, episode, part)],
            near=self._near(job, episode, part),
            wishes=self._wishes(job),
            reference=kept[-1][1].at or (told_of(job) if TOLD in job.payload else self._told(episode)),
        )

    def _hidden(self, job: Job, episode: Episode) -> set[int]:
        """Positions whose every statement was deleted: what somebody took away is not brought back as a fact."""
        states: dict[int, set[bool]] = {}
        for record in self._log.made_of_episode(episode.scope, episode.id):
            for position in record.source_positions:
                states.setdefault(position, set()).add(record.state in HIDDEN_STATES)
        for position, memory_ids in job.payload.get(REPEATED, {}).items():
            found = self._log.find_many(episode.scope.project, memory_ids).values()
            states.setdefault(int(position), set()).update(record.state in HIDDEN_STATES for record in found)
        return {position for position, hidden in states.items() if hidden == {True}}

    def _told(self, episode: Episode) -> datetime:
        """When the episode was said, as its statements have it: an import tells of the past."""
        made = self._log.made_of_episode(episode.scope, episode.id)
        return max((record.created_at for record in made), default=episode.recorded_at)

    def _before(self, job: Job, episode: Episode, part: Part) -> list[MemoryRecord]:
        """What was made of the episode's turns before those of a part, or of the same turn, where that is in pieces; by them or by their like."""
        places = {place for place, _ in part.messages}
        first, last = min(places), max(places)
        said: list[tuple[int, str]] = [
            (int(place), one) for place, memory_ids in job.payload.get(REPEATED, {}).items() for one in memory_ids
        ]
        repeated = self._log.find_many(episode.scope.project, [one for _, one in said])
        made = self._log.made_of_episode(episode.scope, episode.id)
        found = [
            *((place, repeated[one]) for place, one in said if one in repeated),
            *((min(record.source_positions, default=first), record) for record in made),
        ]
        before = [(place, one) for place, one in found if place <= first or (place < last and place not in places)]
        ordered = {record.id: record for _, record in sorted(before, key=itemgetter(0))}
        return [record for record in ordered.values() if record.state not in HIDDEN_STATES]

    def _earlier(self, episode: Episode) -> list[MemoryRecord]:
        """The last turns of the episode's session before it, oldest first."""
        return self._session(episode, EARLIER + len(episode.messages))[-EARLIER:]

    def last_turn(self, episode: Episode, repeated: Collection[str]) -> list[Message]:
        """What was said last in the episode's session before it, if anything, but for what it only repeats.

        Facts are made of turns at any time later, and are none.

        Args:
            episode: What was said.
            repeated: Ids of the memories that it repeats.
        """
        own = len(self._log.made_of_episode(episode.scope, episode.id))
        said = self._session(episode, 1 + own + len(repeated), Condition("kind", "ne", "fact"))
        return [_turn(record) for record in said if record.id not in repeated][-1:]

    def _session(self, episode: Episode, limit: int, condition: Condition | None = None) -> list[MemoryRecord]:
        """The last memories of the episode's session without its own, oldest first; others may have a session of the same name."""
        if episode.scope.run_id is None:
            return []
        made = self._log.page(Listing(scope=episode.scope, condition=condition), limit=limit)
        return [
            record
            for record in reversed(made)
            if record.episode_id != episode.id
            and record.recorded_at <= episode.recorded_at
            and reaches(episode.scope, record.scope)
        ]

    def _near(self, job: Job, episode: Episode, part: Part) -> list[MemoryRecord]:
        """Stored memories about the same things, of the same owner, without what was made of these very words.

        All of them are among those that whoever added may see: what a model is shown it may tell, and close.
        """
        seen = tuple(Condition(name, "in", tuple(ids)) for name, ids in job.payload.get(BOUND, {}).items())
        query = "\n".join(message.content for _, message in part.messages)[:NEAR_QUERY].strip()
        scope = Scope(project=episode.scope.project, user_id=episode.scope.user_id)
        if scope.user_id is None:
            scope = replace(scope, agent_id=episode.scope.agent_id, app_id=episode.scope.app_id)
        hits = self._retrieve.search(
            SearchRequest(
                scope=scope,
                query=query,
                condition=And(seen) if seen else None,
                top_k=4 * NEAR,
                latest_only=True,
                explain=False,
                job_id=job.id,
            )
        )
        found = (hit.memory for hit in hits if hit.memory.episode_id != episode.id)
        own = [record for record in found if reaches(episode.scope, record.scope)]
        return _without_echoes(own)[:NEAR]

    def _wishes(self, job: Job) -> Wishes:
        from kept.engine.extraction import Wishes

        called: Mapping[str, Any] = job.payload.get("wishes", {})
        project = self._settings_of(job.scope.project)

        def wish(name: str) -> str | None:
            value = called.get(name, project.get(name))
            return str(value).strip() or None if value is not None else None

        return Wishes(
            instructions=wish("custom_instructions"),
            agent_instructions=wish("agent_custom_instructions"),
            includes=wish("includes"),
            excludes=wish("excludes"),
            categories=self._categories_of(job.scope.project, called.get("custom_categories")),
        )

    def _categories_of(self, project: str, own: object) -> Sequence[Category]:
        return () if self._categories is None else self._categories.known(project, own)


def _without(deleted: Sequence[Message], context: Sequence[Message]) -> list[Message]:
    """Earlier turns, without those that were deleted; a long turn is cut to its end, or to that of a piece of it."""
    gone = [message.content for message in deleted]
    return [turn for turn in context if not any(turn.content.lstrip("… ") in text for text in gone)]


def _without_echoes(records: Sequence[MemoryRecord]) -> list[MemoryRecord]:
    """The memories, without statements of which a fact among them was made."""
    facts = [record for record in records if record.kind == "fact"]
    return [one for one in records if one.kind == "fact" or not any(are_echoes(one, fact) for fact in facts)]


def _turn(record: MemoryRecord) -> Message:
    return Message(role=record.role or "user", content=record.text, name=_name(record), at=record.created_at)


def _words(record: MemoryRecord) -> Sources:
    return Sources([Source(text=record.text, speaker=record.speaker, at=record.created_at)])


def _name(record: MemoryRecord) -> str | None:
    return record.speaker if record.speaker != record.role else None
