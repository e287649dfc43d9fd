"""What a language model must answer when it reads a conversation, and what may become a memory of it. Pure.

The model proposes; nothing of its answer is believed that the turns it cites do not say.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from kept.domain.attribution import attribution
from kept.domain.entities import entity_refs, name_key
from kept.domain.memory import (
    FACT_TYPES,
    SOURCE_ROLES,
    Attachment,
    Draft,
    EntityRef,
    FactType,
    MemoryRecord,
    Message,
    Relation,
    speaker_of,
)
from kept.domain.parts import Part
from kept.domain.redaction import redact
from kept.domain.relationships import canonical
from kept.domain.stance import stance
from kept.domain.support import ROLE_WORDS, Source, Sources, plain
from kept.domain.temporal import dated, parse_when
from kept.domain.text import clean, normalise
from kept.errors import InvalidInputError

MAX_NEAR: Final = 10
"""Stored memories that a model sees with a part; more are not told apart by it, and cost as much as the part."""
MAX_FACT_CHARACTERS: Final = 500
"""A fact is a sentence. What is longer retells a message, which is stored already."""
MAX_FACTS: Final = 200
"""Of one answer. The longest that is asked for (a part of 3,000 tokens, and room for ten facts) holds some 130 of 30 tokens each;
who writes more does not answer what it was asked."""
MAX_NAME_CHARACTERS: Final = 100
"""Of an entity or relationship: longer ones are phrases."""
UNCONFIRMED: Final = 0.5
"""Most confidence in what no person said, or what a model saw in an image: a guess that somebody has yet to confirm."""
EARLIEST: Final = datetime(1900, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
"""Dates outside are slips, or stand for ever (9999): nobody's preferences or tasks are as old, nor as far off."""
UNKNOWN_KIND: Final = "entity"
_IMPERSONAL: Final = frozenset({"assistant", "tool"})
"""Roles of machines. Their word counts when a person confirms it."""
_KIND: Final = re.compile(r"[^\W\d_][^\W_]{1,29}(?: [^\W_]{1,29})?")
_AFTER_I: Final = (
    r"am|was|have|had|do|did|don't|didn't|can|can't|could|will|won't|would|should|must|may|might|need|want|like|love|hate|prefer|enjoy|live|work"
    r"|use|think|know|believe|feel|hope|plan|go|went|get|got|make|made|take|took|own|drive|eat|ate|drink|play|read|run|ran|study|speak|say|said"
    r"|see|saw|found|left|met|bought|wrote|built|began|keep|kept|give|gave|always|never|usually|often|sometimes|also|just|really|still|no"
    r"|only|recently|currently|now"
)
"""What follows `I` in English, beside regular pasts: `I genitori` are Italian parents, and `I september` is a month in Swedish."""
_PRONOUN: Final = re.compile(
    r"(?-i:[Hh]e|[Ss]he|[Tt]hey|[Ii]t(?!(?:'s| is| was| will be)(?: \w+){1,4} (?:to|that|if|when|who)\b| takes?\b))(?=[ '])"
    r"|(?:this|that|these|those)(?= (?:is|are|was|were|will|would|has|had|have|can|could|should|must|may|might|does|did|do)\b|'s )"
    rf"|(?-i:I(?='[a-z]| (?:{_AFTER_I}|[a-z]+ed)\b)|[Mm]e and |(?:[Ww]e|[Mm]y|[Oo]ur)(?=[ '])(?! [A-Z]))",
    re.IGNORECASE,
)
"""A subject that only other sentences name. `It is forbidden to …` and `This project …` name theirs; `IT` is a department, and `My Fair Lady` a
title."""
_PARTIAL_DATE: Final = re.compile(r"(\d{4})(?:-(\d{2}))?")
_DAY: Final = timedelta(days=1)

Reason = Literal[
    "not a fact",
    "blank",
    "too long",
    "too many",
    "no source turn",
    "system turn",
    "unknown type",
    "not in the text",
    "denied in the text",
    "said of another",
    "does not stand alone",
    "duplicate",
    "bad confidence",
    "bad date",
    "unknown category",
    "invented id",
    "entity not in the text",
    "relation not in the text",
]
"""Why something was dropped. From `bad confidence` on it is a detail, and the fact is kept without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A fact that a model proposes.

    Attributes:
        draft: Of kind `fact`, with its speaker, type, confidence, times, entities, relations, categories and positions.
        same_as: Id of a memory that says the same.
        refines: Id of a memory that it says more exactly.
        contradicts: Ids of memories that cannot be true together with it.
        borrowed: Names in it that its turns do not say, but earlier turns or near memories.
    """

    draft: Draft
    same_as: str | None = None
    refines: str | None = None
    contradicts: tuple[str, ...] = ()
    borrowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What was taken from one answer.

    Attributes:
        proposals: In the order of the answer.
        dropped: How many facts, or details of facts, were not taken, by reason.
    """

    proposals: Sequence[Proposal] = ()
    dropped: Mapping[Reason, int] = field(default_factory=dict)


# --- what is asked for ---


def schema(*, near: bool, categories: bool) -> dict[str, Any]:
    """JSON schema of an answer. Its keys are short, since every fact repeats them; the instructions say what they mean.

    Args:
        near: Whether stored memories are shown, that a fact may refer to.
        categories: Whether there are categories to choose from.
    """
    text = {"type": "string"}
    maybe = {"type": ["string", "null"]}  # many models write null for what they mean to leave out
    texts = {"type": ["array", "null"], "items": text}
    lists = {"type": ["array", "null"], "items": {"type": "array", "items": text}}
    fields: dict[str, Any] = {
        "t": text,
        "s": {"type": "array", "items": {"type": "integer"}},
        "k": {"type": "string", "enum": list(FACT_TYPES)},
        "c": {"type": "number"},
        "from": maybe,
        "to": maybe,
        "e": lists,
        "r": lists,
    }
    fields |= {"g": texts} if categories else {}
    fields |= {"same": maybe, "refines": maybe, "contradicts": texts} if near else {}
    fact = {"type": "object", "properties": fields, "required": ["t", "s", "k", "c"]}
    return {"type": "object", "properties": {"f": {"type": "array", "items": fact}}, "required": ["f"]}


# --- what is taken ---


class _DroppedError(Exception):
    """A fact is not taken."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


def read(
    value: Mapping[str, Any],
    part: Part,
    *,
    near: Sequence[MemoryRecord],
    reference: datetime,
    categories: Sequence[str] = (),
    shown: Collection[Attachment] = (),
) -> Read:
    """What may be taken from an answer; never an error, whatever it holds.

    Args:
        value: The answer, in the form of `schema`.
        part: What was read, its turns numbered from 1.
        near: The memories that were shown as m1, m2, ….
        reference: When turns without a time of their own were said.
        categories: Names that may be chosen.
        shown: Attachments of the part that the model was shown: of their turns the text alone does not tell what was said.
    """
    reading = _Reading(part, near[:MAX_NEAR], reference, categories, shown)
    facts = _list(value.get("f")) if isinstance(value, Mapping) else []
    reading.dropped["too many"] += len(facts[MAX_FACTS:])
    proposals: dict[str, Proposal] = {}
    for item in facts[:MAX_FACTS]:
        try:
            proposal = reading.proposal(item)
        except _DroppedError as error:
            reading.dropped[error.reason] += 1
            continue
        first = proposals.setdefault(plain(proposal.draft.text), proposal)
        reading.dropped["duplicate"] += first is not proposal
    return Read(proposals=tuple(proposals.values()), dropped=dict(+reading.dropped))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """A turn that a fact cites.

    Attributes:
        is_seen: Whether an image or document came with it in which the model may have read what its text does not say.
    """

    position: int
    message: Message
    source: Source
    is_seen: bool

    @property
    def is_personal(self) -> bool:
        return self.message.role not in _IMPERSONAL


class _Reading:
    """The taking of one answer."""

    def __init__(
        self,
        part: Part,
        near: Sequence[MemoryRecord],
        reference: datetime,
        categories: Sequence[str],
        shown: Collection[Attachment],
    ) -> None:
        self.dropped: Counter[Reason] = Counter()
        self._near = {f"m{number}": record.id for number, record in enumerate(near, start=1)}
        self._besides = Sources(
            [
                *(Source(text=turn.content, speaker=turn.name, at=turn.at or reference) for turn in part.besides),
                *(Source(text=record.text, speaker=record.speaker, at=record.created_at) for record in near),
            ]
        )
        said = (*part.context, *(message for _, message in part.messages))
        self._persons = {turn.name for turn in said if turn.name and turn.role not in SOURCE_ROLES}
        self._categories = {plain(name): name for name in categories}
        self._turns = {
            number: _Turn(
                position=position,
                message=message,
                source=Source(text=message.content, speaker=message.name, at=message.at or reference),
                is_seen=any(attachment in shown for attachment in message.attachments),
            )
            for number, (position, message) in enumerate(part.messages, start=1)
        }

    def proposal(self, item: object) -> Proposal:
        """A fact of the answer; _DroppedError when it is not taken."""
        if not isinstance(item, Mapping):
            raise _DroppedError("not a fact")
        text, type_, cited = _text(item.get("t")), _type(item.get("k")), self._cited(item.get("s"))
        if _PRONOUN.match(text.replace("\u2019", "'")):
            raise _DroppedError("does not stand alone")
        sources = self._sources(cited)
        seen = any(turn.is_seen for turn in cited)
        if not seen and not sources.support(text):
            raise _DroppedError("not in the text")
        said, is_sure = self._said_by(cited, text)
        is_said = sources.support(text) if seen else self._is_said(text, cited, sources)
        entities = self._entities(item.get("e"), text)
        valid_from, valid_to = self._validity(item, None if seen else sources)
        positions = tuple(sorted({turn.position for turn in cited}))
        draft = Draft(
            text=text,
            kind="fact",
            role=said.message.role,
            speaker=speaker_of(said.message.role, said.message.name),
            created_at=said.source.at,
            valid_from=valid_from,
            valid_to=valid_to,
            metadata=dated(text, said.source.at),
            categories=self._chosen(item.get("g")),
            entity_refs=entities,
            relations=self._relations(item.get("r"), text),
            position=positions[0],
            positions=positions if len(positions) > 1 else (),
            type=type_,
            confidence=self._confidence(item.get("c"), most=1.0 if is_sure and is_said else UNCONFIRMED),
        )
        return replace(self._related(draft, item), borrowed=sources.borrowed(text))

    def _is_said(self, text: str, cited: Sequence[_Turn], sources: Sources) -> bool:
        """Whether turns say a fact, and not only that it may be so; _DroppedError where they say the opposite, or say it of another."""
        whose = attribution(text, [turn.message for turn in cited], persons=self._persons)
        if whose == "another":
            raise _DroppedError("said of another")
        speakers = (turn.message.name or "" for turn in cited)
        uncounted = (*speakers, *ROLE_WORDS, *sources.borrowed(text))
        found = stance(text, [turn.message.content for turn in cited], uncounted=uncounted)
        if found == "denies":
            raise _DroppedError("denied in the text")
        return found == "says" and whose == "same"

    def _sources(self, turns: Sequence[_Turn]) -> Sources:
        """What some turns say, beside what was shown with them: who `she` is."""
        return Sources([turn.source for turn in turns], besides=self._besides)

    def _cited(self, value: object) -> list[_Turn]:
        """The turns that a fact comes from, as they were said; those that are none are left out."""
        numbers = {number for number in _list(value) if isinstance(number, int) and not isinstance(number, bool)}
        found = [self._turns[number] for number in sorted(numbers) if number in self._turns]
        if not found:
            raise _DroppedError("no source turn")
        if any(turn.message.role in SOURCE_ROLES for turn in found):
            raise _DroppedError("system turn")
        self._drop("invented id", len(numbers) - len(found))
        return found

    def _said_by(self, cited: Sequence[_Turn], text: str) -> tuple[_Turn, bool]:
        """The turn whose speaker says a fact, and whether a person stands behind it.

        A person does who says it, or who speaks after a machine did. The speaker is whoever is named in the fact and says it
        alone; else the last who says it alone; else the last.
        """
        persons = [turn for turn in cited if turn.is_personal]
        machines = [turn for turn in cited if not turn.is_personal]
        is_sure = bool(persons) and (
            not machines or persons[-1].position > machines[-1].position or self._sources(persons).support(text)
        )
        sayers = persons if is_sure else machines
        named = [turn for turn in (*machines, *persons) if turn.message.name and _occurs(turn.message.name, text)]
        likely = (*reversed(named), *reversed(sayers))
        alone = (turn for turn in likely if self._sources([turn]).support(text))
        return next(alone, ([turn for turn in named if turn in sayers] or sayers)[-1]), is_sure

    def _confidence(self, value: object, *, most: float) -> float | None:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1:
            return min(float(value), most)
        self._drop("bad confidence")
        return None if most == 1 else most

    def _validity(self, item: Mapping[str, Any], sources: Sources | None) -> tuple[datetime | None, datetime | None]:
        """From when until when a fact holds, where its sources say so (None: they cannot be asked)."""
        begins, ends = self._day(item.get("from"), sources), self._day(item.get("to"), sources)
        if begins and ends and ends <= begins:
            self._drop("bad date")
            return begins, None
        return begins, ends

    def _day(self, value: object, sources: Sources | None) -> datetime | None:
        if value in (None, ""):
            return None
        day = _when(value)
        if day is None or (
            sources and not (sources.date_follows(day.date()) or sources.date_follows((day - _DAY).date()))
        ):
            self._drop("bad date")
            return None
        return day

    def _entities(self, value: object, text: str) -> tuple[EntityRef, ...]:
        """What the model names, then what the rules find besides."""
        found: dict[str, EntityRef] = {}
        for item in _list(value):
            words = [word for word in _list(item) if isinstance(word, str)]
            name = normalise(clean(words[0])) if words else ""
            if not _occurs(name, text):
                self._drop("entity not in the text")
                continue
            kind = normalise(words[1]).casefold() if len(words) > 1 else ""
            known = EntityRef(name=name, kind=kind if _KIND.fullmatch(kind) else UNKNOWN_KIND, key=name_key(name))
            found.setdefault(known.key, known)
        for ref in entity_refs(text):
            found.setdefault(ref.key, ref)
        return tuple(found.values())

    def _relations(self, value: object, text: str) -> tuple[Relation, ...]:
        found: dict[tuple[str, str, str], Relation] = {}
        for item in _list(value):
            words = [normalise(clean(word)) for word in _list(item) if isinstance(word, str)]
            if len(words) != 3 or not _is_relation(*words, text=text):  # noqa: PLR2004 - source, relationship, target
                self._drop("relation not in the text")
                continue
            relation = Relation(source=words[0], relationship=canonical(words[1]), target=words[2])
            found.setdefault((name_key(relation.source), relation.relationship, name_key(relation.target)), relation)
        return tuple(found.values())

    def _chosen(self, value: object) -> tuple[str, ...]:
        """Categories of the list; what is not on it is left out."""
        names = [plain(name) if isinstance(name, str) else "" for name in _list(value)]
        found = dict.fromkeys(self._categories[name] for name in names if name in self._categories)
        self._drop("unknown category", sum(name not in self._categories for name in names))
        return tuple(found)

    def _related(self, draft: Draft, item: Mapping[str, Any]) -> Proposal:
        """The fact with the memories that it refers to; each stands to it in one way."""
        same = self._referred([item.get("same")])
        refines = [found for found in self._referred([item.get("refines")]) if found not in same]
        contradicts = self._referred(_list(item.get("contradicts")))
        return Proposal(
            draft=draft,
            same_as=same[0] if same else None,
            refines=refines[0] if refines else None,
            contradicts=tuple(found for found in contradicts if found not in (*same, *refines)),
        )

    def _referred(self, numbers: Iterable[object]) -> list[str]:
        named = [number for number in numbers if number not in (None, "")]
        found = [self._near[number] for number in named if isinstance(number, str) and number in self._near]
        self._drop("invented id", len(named) - len(found))
        return list(dict.fromkeys(found))

    def _drop(self, reason: Reason, times: int = 1) -> None:
        if times:
            self.dropped[reason] += times


def _is_relation(source: str, relationship: str, target: str, *, text: str) -> bool:
    """Whether two different things of a text stand in a relation that has a name."""
    return (
        _occurs(source, text)
        and _occurs(target, text)
        and name_key(source) != name_key(target)
        and bool(canonical(relationship))
        and len(relationship) <= MAX_NAME_CHARACTERS
    )


def _text(value: object) -> str:
    text = normalise(redact(clean(value)).text) if isinstance(value, str) else ""
    if not text:
        raise _DroppedError("blank")
    if len(text) > MAX_FACT_CHARACTERS:
        raise _DroppedError("too long")
    return text


def _type(value: object) -> FactType:
    found = next((known for known in FACT_TYPES if known == value), None)
    if found is None:
        raise _DroppedError("unknown type")
    return found


def _when(value: object) -> datetime | None:
    """An instant, of a day, month or year its first; None for what is none, or absurd."""
    if not isinstance(value, str):
        return None
    partial = _PARTIAL_DATE.fullmatch(value.strip())
    try:
        found = parse_when(f"{partial[1]}-{partial[2] or '01'}-01" if partial else value)
    except InvalidInputError:
        return None
    return found if EARLIEST <= found < LATEST else None


def _occurs(name: str, text: str) -> bool:
    """Whether a name is in a text as a whole, in any case; in scripts without spaces, as part of one."""
    sought = plain(name)
    if not sought or len(name) > MAX_NAME_CHARACTERS:
        return False
    before = r"(?<![^\W_])" if sought[0].isascii() else ""
    after = r"(?![^\W_])" if sought[-1].isascii() else ""
    return re.search(before + re.escape(sought) + after, plain(text)) is not None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
