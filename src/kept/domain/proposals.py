"""Consolidation: what of the stored memories could be said in fewer. Pure: it only finds; a person or an agent decides.

Similarity alone finds no repeats: two opening hours, two prices, a sentence and its denial are nearly the same vector. So two memories
repeat each other when their words do, or when they are very near and differ in no number, name or negation.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Final, Literal, get_args

from kept.domain.conflicts import Why, contradiction, newer, slots
from kept.domain.history import permits
from kept.domain.memory import CURRENT, MemoryRecord, are_echoes
from kept.domain.scope import Scope
from kept.domain.statements import statements
from kept.domain.temporal import resolve_dates
from kept.domain.text import terms

ProposalKind = Literal["merge", "supersede", "generalise", "forget"]
"""`merge`: several say the same, one stays. `supersede`: two cannot both hold, one stays. `generalise`: one says what several
show. `forget`: hide what is of no use any more."""
PROPOSAL_KINDS: Final[tuple[ProposalKind, ...]] = get_args(ProposalKind)

ProposalStatus = Literal["pending", "accepted", "declined", "stale"]
"""`stale`: what it was about has changed or is gone."""
PROPOSAL_STATUSES: Final[tuple[ProposalStatus, ...]] = get_args(ProposalStatus)

NEAR: Final = 0.98
"""Cosine similarity from which memories that differ in no number, name or negation say the same: of pairs of LoCoMo, BEAM and RealMem
dev drawn by chance twelve of fourteen do from here on, nine of fourteen between 0.95 and here (with the default embedder)."""
COMPARED: Final = 0.85
"""Below it nothing is compared word by word: of 4,725 pairs of one user of RealMem dev that repeat each other's words 94% lie above."""
LEAST_WORDS: Final = 3
"""Words beyond function words of a memory that is found whole in another: fewer stand in many by chance."""
MOST_LONGER: Final = 2
"""How many times as long the other may be: what is much longer says something else, and is found by other questions."""
CONFLICTING: Final = 0.7
"""Cosine similarity from which two memories are held against each other: the pairs of `tests/unit/test_conflicts.py` that differ by a
number, a version or a denial lie from 0.8 on; what states the same relationship is compared in any case."""
EXPIRED_DAYS: Final = 90
"""After so many days nobody asks for what was only to be kept for a time; as long as a coding session's passing things are."""
CLOSED_DAYS: Final = 365
"""For a year what no longer holds is asked for: what was it before, when did it change."""
MOST_TOGETHER: Final = 20
"""Memories of one proposal to forget: what a person reads at once."""
LEAST_SHOWN: Final = 3
"""Memories that a generalisation follows from: two may agree by chance."""
CLUSTERED: Final = 0.6
"""Cosine similarity of the memories that one may follow from, to the newest of them: some 26 groups for a conversation of LoCoMo dev,
at 0.5 twice as many, which are of less and less."""
MOST_CLUSTERED: Final = 8
"""Memories shown together: some 300 tokens."""

_CONFLICTS: Final[Mapping[Why, str]] = {
    "other value": "Says another value of what has only one.",
    "opposite": "Says the opposite.",
    "other version": "Says another version of the same.",
    "denied": "Denies what the other says.",
    "other number": "The same words with another number.",
}
_NEGATIONS: Final = frozenset({"not", "no", "never", "none", "nothing", "without", "cannot", "nor", "neither"})
_NOT: Final = "\0not"
"""What stands for a negation among the words; no text holds it."""
_WORD: Final = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """A change that could be made.

    Attributes:
        memory_ids: What would be closed or, to forget it, hidden; of a generalisation what it makes needless, perhaps nothing.
        keeps: What stays in their place; None where nothing does, or the text.
        sources: What a text follows from.
        text: Of a generalisation.
        why: In words, without anybody's.
    """

    kind: ProposalKind
    memory_ids: tuple[str, ...]
    why: str
    keeps: str | None = None
    sources: tuple[str, ...] = ()
    text: str | None = None

    @property
    def about(self) -> tuple[str, ...]:
        """All memories that it names, each once."""
        kept = () if self.keeps is None else (self.keeps,)
        return tuple(dict.fromkeys((*kept, *self.memory_ids, *self.sources)))

    @property
    def is_fruitless(self) -> bool:
        """Whether nothing came of it: kept so that it is not tried again."""
        return self.kind == "generalise" and not self.text

    def repeats(self, earlier: Proposed) -> bool:
        """Whether it was proposed before: nobody is asked twice.

        A merge by any two of the same memories, a wish to forget by all of them, a generalisation by most of what it follows from.
        """
        if self.kind != earlier.kind:
            return False
        shared = len({*self.about} & {*earlier.about})
        if self.kind == "forget":
            return shared == len(self.about)
        if self.kind == "generalise":
            return 2 * shared > len(self.about)
        return shared > 1


@dataclass(frozen=True)
class _Compared:
    """A memory as it is compared with others."""

    record: MemoryRecord

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Those that say something."""
        return tuple(_words(self.record.text))

    @cached_property
    def dates(self) -> tuple[tuple[date, date], ...]:
        """The days that it means: `tomorrow` is another one each day."""
        spans = resolve_dates(self.record.text, self.record.created_at)
        return tuple((span.start, span.end) for span in spans)

    @property
    def can_repeat(self) -> bool:
        """Whether it is a current statement; questions and code are repeated for reasons of their own."""
        text = self.record.text.rstrip()
        return self.record.state == CURRENT and self.record.kind != "code" and not text.endswith(("?", "\uff1f"))

    @property
    def rank(self) -> tuple[int, datetime, int]:
        """By which of two that say the same one stays: said more often, else later."""
        return self.record.reinforced, self.record.created_at, self.record.key


def merges(records: Sequence[MemoryRecord], near: Iterable[tuple[int, int, float]]) -> list[Proposed]:
    """What says the same as another memory of the same speaker under the same ids.

    Args:
        records: Memories; of others than current statements nothing is proposed.
        near: Pairs of positions in them, with their cosine similarity; those from `COMPARED` on are enough.
    """
    compared = [_Compared(record) for record in records]
    losers: dict[int, dict[int, str]] = defaultdict(dict)
    for left, right, similarity in near:
        found = _repeat(compared[left], compared[right], similarity)
        if found is not None:
            left_stays, why = found
            winner, loser = (left, right) if left_stays else (right, left)
            losers[winner][loser] = why
    proposed, taken = [], set[int]()
    for winner in sorted(losers, key=lambda place: (len(compared[place].words), compared[place].rank), reverse=True):
        own = [loser for loser in losers[winner] if loser not in taken]
        if winner in taken or not own:
            continue
        taken |= {winner, *own}
        reasons = Counter(losers[winner][loser] for loser in own)
        ids = tuple(records[loser].id for loser in sorted(own))
        proposed.append(
            Proposed(kind="merge", memory_ids=ids, keeps=records[winner].id, why=reasons.most_common(1)[0][0])
        )
    return proposed


def conflicts(records: Sequence[MemoryRecord], near: Iterable[tuple[int, int, float]]) -> list[Proposed]:
    """What likely cannot both hold, by `domain.conflicts`: the one that speaks of the later time would stay.

    Args:
        records: Memories; of others than current ones nothing is proposed.
        near: As of `merges`; those from `CONFLICTING` on are enough.
    """
    pairs = [(left, right) for left, right, similarity in near if similarity >= CONFLICTING]
    found, closed = [], set[str]()
    for left, right in dict.fromkeys((*_in_one_slot(records), *pairs)):
        one, other = records[left], records[right]
        if not _may_conflict(one, other) or (conflict := contradiction(one, other)) is None:
            continue
        stays = newer(one, other)
        goes = other if stays is one else one
        if closed.isdisjoint({one.id, other.id}) and _may_close(stays, goes):
            closed.add(goes.id)
            found.append(
                Proposed(kind="supersede", memory_ids=(goes.id,), keeps=stays.id, why=_CONFLICTS[conflict.why])
            )
    return found


def forgettable(records: Sequence[MemoryRecord], now: datetime) -> list[Proposed]:
    """What is of no use any more: expired or closed long ago, judged as very wrong, an assistant's small talk."""
    grouped: dict[tuple[str, Scope], list[str]] = defaultdict(list)
    for record in records:
        why = _useless(record, now) if permits(record, "delete") else None
        if why is not None:
            grouped[why, owner_of(record)].append(record.id)
    return [
        Proposed(kind="forget", memory_ids=tuple(ids[start : start + MOST_TOGETHER]), why=why)
        for (why, _), ids in grouped.items()
        for start in range(0, len(ids), MOST_TOGETHER)
    ]


def clusters(records: Sequence[MemoryRecord], near: Iterable[tuple[int, int, float]]) -> list[list[MemoryRecord]]:
    """Groups of memories that one could follow from: current ones of one speaker near a newer one; each in one group.

    Args:
        records: Memories.
        near: As of `merges`; those from `CLUSTERED` on are enough.
    """
    beside: dict[int, list[tuple[float, int]]] = defaultdict(list)
    for left, right, similarity in near:
        if similarity >= CLUSTERED and _share_subject(records[left], records[right]):
            beside[left].append((similarity, right))
            beside[right].append((similarity, left))
    found, taken = [], set[int]()
    for place in sorted(beside, key=lambda place: (records[place].created_at, place), reverse=True):
        free = [other for _, other in sorted(beside[place], reverse=True) if other not in taken]
        members = [place, *free[: MOST_CLUSTERED - 1]]
        if place not in taken and len(members) >= LEAST_SHOWN:
            taken.update(members)
            found.append(sorted((records[member] for member in members), key=lambda record: record.created_at))
    return found


def owner_of(record: MemoryRecord) -> Scope:
    """Under whose ids a memory is consolidated with others: all but the run, since people say the same in several."""
    return Scope(project=record.project, user_id=record.user_id, agent_id=record.agent_id, app_id=record.app_id)


def _repeat(left: _Compared, right: _Compared, similarity: float) -> tuple[bool, str] | None:
    """Whether the left one stays, and why; None when they do not say the same."""
    if not _may_merge(left, right):
        return None
    left_stays = (len(left.words), left.rank) > (len(right.words), right.rank)
    if left.words == right.words:
        found: tuple[bool, str] | None = left.rank > right.rank, "The same words, but for small ones."
    elif _is_inside(left.words, right.words) or _is_inside(right.words, left.words):
        found = left_stays, "All of it is said in the other."
    elif similarity >= NEAR and _differ_in_little(left, right):
        found = left.rank > right.rank, "Nearly the same words, the same numbers and names."
    else:
        found = None
    if found is None or not permits((right if found[0] else left).record, "supersede"):
        return None
    return found


def _may_merge(left: _Compared, right: _Compared) -> bool:
    one, other = left.record, right.record
    return (
        left.can_repeat
        and right.can_repeat
        and owner_of(one) == owner_of(other)
        and one.role == other.role
        and (one.speaker or "").casefold() == (other.speaker or "").casefold()
        and not are_echoes(one, other)
        and left.dates == right.dates
    )


def _is_inside(short: Sequence[str], long: Sequence[str]) -> bool:
    """Whether words stand in others, one after the other, and the others deny nothing and say not much more."""
    if not LEAST_WORDS <= len(short) < len(long) <= MOST_LONGER * len(short) or long.count(_NOT) != short.count(_NOT):
        return False
    return any(long[start : start + len(short)] == short for start in range(len(long) - len(short) + 1))


def _differ_in_little(left: _Compared, right: _Compared) -> bool:
    """Whether no number, name or negation is in the one and not in the other, and what is in both comes in one order."""
    one, other = Counter(left.words), Counter(right.words)
    differing = {*(one - other), *(other - one)}
    telling = _NOT in differing or any(any(map(str.isdigit, word)) for word in differing)
    shared = [[word for word in words if word not in differing] for words in (left.words, right.words)]
    return not telling and shared[0] == shared[1] and left.record.entities == right.record.entities


def _share_subject(one: MemoryRecord, other: MemoryRecord) -> bool:
    """Whether both are what the same person said, and no code."""
    return (
        owner_of(one) == owner_of(other)
        and _Compared(one).can_repeat
        and _Compared(other).can_repeat
        and one.role == other.role != "assistant"
        and one.speaker == other.speaker
        and not are_echoes(one, other)
    )


def _in_one_slot(records: Sequence[MemoryRecord]) -> list[tuple[int, int]]:
    """Pairs of which one follows the other among what was said of the same relationship of the same subject."""
    stated: dict[tuple[Scope, str, str], list[int]] = defaultdict(list)
    for place, record in enumerate(records):
        if record.state == CURRENT and record.relations:
            for subject, relationship in slots(record):
                stated[owner_of(record), subject, relationship].append(place)
    return [pair for places in stated.values() for pair in pairwise(dict.fromkeys(places))]


def _may_conflict(one: MemoryRecord, other: MemoryRecord) -> bool:
    """Whether two current memories are held against each other; what an assistant says from turn to turn is not."""
    return (
        one.state == other.state == CURRENT
        and owner_of(one) == owner_of(other)
        and all(record.role != "assistant" or record.kind == "fact" for record in (one, other))
        and not are_echoes(one, other)
    )


def _may_close(stays: MemoryRecord, goes: MemoryRecord) -> bool:
    """Whether the one may close the other: an assistant's word closes none of a person's."""
    return permits(goes, "supersede") and not (stays.role == "assistant" and goes.role == "user")


def _useless(record: MemoryRecord, now: datetime) -> str | None:
    """Why a memory is of no use any more; None when it may be."""
    if record.feedback == "VERY_NEGATIVE":
        return "Judged as very wrong."
    if record.expires_on is not None and record.expires_on < now.date() - timedelta(days=EXPIRED_DAYS):
        return f"Expired more than {EXPIRED_DAYS} days ago."
    if record.is_closed and (record.valid_to or record.updated_at) < now - timedelta(days=CLOSED_DAYS):
        return f"Has not held for more than {CLOSED_DAYS} days."
    if record.role == "assistant" and record.kind == "message" and not statements(record.text):
        return "An assistant's small talk."
    return None


def _words(text: str) -> Iterable[str]:
    """The words of a text that say something, as index terms; a negation as itself."""
    for word in _WORD.findall(text):
        lower = word.casefold().replace("\u2019", "'")
        if lower in _NEGATIONS or lower.endswith("n't"):
            yield _NOT
        else:
            yield from terms(word)
