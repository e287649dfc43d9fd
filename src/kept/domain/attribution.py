"""Whether a fact says of somebody what its turns say of somebody else. Pure, and for English only.

All words of a fact may be in a turn and the fact be wrong: `Tom hates Rome` of `Tom said that Eve hates Rome`. So the subject of the clauses
that hold them is compared with the fact's, with rules that rather let a fact pass than lose one that is right: whoever else may be meant
(`she`, `the cook`), or is mentioned with what is said, is taken to be meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import takewhile
from typing import Final, Literal

from kept.domain.memory import Message
from kept.domain.stance import content, unasked
from kept.domain.subjects import ADDRESSED, ANYBODY, BE, HAVE, SELF, Clause, Person, clauses, person
from kept.domain.text import terms

__all__ = ["Attribution", "attribution"]

Attribution = Literal["same", "unclear", "another"]
"""`same`: nothing speaks against the fact's subject. `unclear`: the turns may mean somebody else. `another`: they say it of somebody else."""

_ROLES: Final = frozenset({"user", "assistant"})
_PERSONAL: Final = frozenset(
    {"hates", "loves", "likes", "dislikes", "prefers", "enjoys", "lives", "wants", "thinks", "hopes", "eats", "drinks"}
)
"""Verbs of persons, which a project, a place or a program is seldom said to do."""
_SILENT: Final = frozenset({"tool", "document", "system"})
"""Roles of texts whose `I` is somebody whom the role does not tell."""
_LABELLED: Final = re.compile(
    r"^[ \t]*(?:>|(?:\[[^\]\n]{1,40}\]\s*)?[A-Z][\w.-]*(?: [A-Z][\w.-]*){0,3}:|[A-Z]\w+(?: [A-Z]\w+){0,2}\s*\Z)",
    re.MULTILINE,
)
"""Lines of a text by others: a quotation, a chat's or mail's `Eve:`, a signature."""
_SIGNED: Final = re.compile(
    r"\b(?:[Cc]heers|[Bb]est|[Rr]egards|[Ww]ishes|[Ll]ove|[Tt]hanks|[Ss]incerely|[Yy]ours)[,!]?\s+[A-Z]\w+(?: [A-Z]\w+)?\W*\Z"
)
"""The end of a letter."""
_INTRODUCING: Final = re.compile(
    r"\b(?:I'm|I am|[Ii]t's|[Tt]his is|[Cc]all me|[Nn]ame is|[Nn]ame's) ([A-Z]\w+(?: [A-Z]\w+)?)\b(?!')|\b([A-Z]\w+) here\b"
)
"""How somebody tells their name."""
_ALIKE: Final = re.compile(
    r"\b(?:[Ss]ame (?:here|for|goes|with|way)|(?:[Ss]o|[Nn]either|[Nn]or|as) (?:do|does|did|am|is|are|was|has|have|can|will|would)|[Ll]ikewise"
    r"|[Dd]itto|both|as well|(?:too|neither|either)(?=\W*(?:$|[.,;!?])))\b"
)
"""Words with which what is said of one is said of another besides."""
_AGREEING: Final = re.compile(
    r"\b(?:too|as well|together|agree[ds]?|exactly|yes|yeah|yep|yup|sure|right|absolutely|definitely|indeed|true|correct"
    r"|(?:i|we) (?:do|did|am|are|was|have))\b",
    re.IGNORECASE,
)
"""Words with which somebody says that what another said holds."""
_WORD: Final = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_SHORT_FORM: Final = 3
"""Least letters of a name that may stand for a longer one: `Mel` for Melanie."""
_NEAR: Final = 4
"""Clauses behind another in which somebody may be joined to it: no sentence that is meant to be read has more."""
_HALF: Final = 0.5
"""Least share of a fact's words in one clause that is about the same, where none has all of them; as for a stance."""


def attribution(fact: str, turns: Sequence[Message], *, persons: Iterable[str] = ()) -> Attribution:
    """Of whom turns say what a fact says.

    Args:
        fact: One sentence.
        turns: What was said, in order, with who said it.
        persons: Names that are known to be of persons, besides those of who says the turns.
    """
    known = [person(name) for name in (*persons, *(turn.name or "" for turn in turns)) if name]
    own = _own_clause(fact, turns, known)
    if own is None or not own.words:
        return "same"
    held = list(_held(own, turns, known))
    whole = [one for one in held if one.is_whole]
    found = _least([one.verdict for one in whole]) if whole else _of_parts(own, held)
    if found == "same":
        return "same"
    last = max(one.turn for one in held if one.verdict != "same")
    is_certain = own.is_person and all(_is_shown(one, turns) for one in own.people)
    return _confirmed(own, turns, last=last, found=found if is_certain else "unclear")


# --- the fact ---


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fact:
    """What a fact says, and of whom.

    Attributes:
        words: Stems of what it says of them.
        is_person: Whether they are persons: what a person does, a project or program may do for them.
    """

    people: tuple[Person, ...]
    verb: str
    words: set[str]
    is_person: bool


def _own_clause(fact: str, turns: Sequence[Message], known: Sequence[Person]) -> _Fact | None:
    """The first clause of a fact, where its subject is known."""
    first = next(iter(clauses(_plain(fact), None, roles=_ROLES)), None)
    if first is None or not first.subjects:
        return None
    people = tuple(_resolved(one, turns) for one in first.subjects)
    words = content(first.said).difference(terms(" ".join(name for one in people for name in one.names)))
    is_person = first.verb in _PERSONAL or all(_is_person(one, known) for one in people)
    return _Fact(people=people, verb=first.verb, words=words, is_person=is_person)


def _resolved(one: Person, turns: Sequence[Message]) -> Person:
    """Whom a fact calls `the user`: by name, where the turns tell one."""
    if one.owner is not None:
        return Person(names=one.names, kin=one.kin, owner=_resolved(one.owner, turns))
    names = {turn.name for turn in turns if turn.role == one.role}
    name = next(iter(names)) if len(names) == 1 else None
    return person(name, role=one.role) if name and not one.names else one


# --- the turns ---


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """A clause that holds words of a fact.

    Attributes:
        share: Of the fact's words, in [0, 1].
        is_whole: Whether it holds all of them, with the fact's verb.
        is_of_known: Whether it is about a person, who is none of the subject's own: of `my wife is a nurse` a part may be true of both.
        verdict: What it says of the fact's subject.
    """

    turn: int
    share: float
    is_whole: bool
    is_of_known: bool
    verdict: Attribution


def _held(fact: _Fact, turns: Sequence[Message], known: Sequence[Person]) -> Iterator[_Held]:
    """The clauses of turns that share words with a fact."""
    speakers = [speaker for turn in turns if (speaker := _speaker(turn)) is not None]
    is_present = any(_is_same(one, speaker) for one in fact.people for speaker in speakers)
    for number, turn in enumerate(turns):
        speaker = _speaker(turn)
        sentences = unasked(turn.content)
        last_named = max((place for place, one in enumerate(sentences) if _is_named(fact, one)), default=-1)
        for where, sentence in enumerate(sentences):
            found = clauses(_plain(sentence), speaker)
            for place, clause in enumerate(found):
                words = fact.words & content(clause.said)
                if not words or _is_about_object(fact, clause):
                    continue
                verdict = _of_clause(fact, clause, found[place + 1 : place + 1 + _NEAR], speaker, is_present=is_present)
                if verdict == "another" and where < last_named:  # `Tom hates Rome. Eve agrees.`
                    verdict = "unclear"
                yield _Held(
                    turn=number,
                    share=len(words) / len(fact.words),
                    is_whole=words == fact.words and _has_verb(fact, clause),
                    is_of_known=any(_is_person(one, known) and not _is_theirs(one, fact) for one in clause.subjects),
                    verdict=verdict,
                )


def _is_person(one: Person, known: Iterable[Person]) -> bool:
    """Whether somebody is known to be a person."""
    return bool(one.kin or one.role) or any(_is_same(one, other) for other in known)


def _is_named(fact: _Fact, sentence: str) -> bool:
    """Whether a sentence names somebody of a fact."""
    return any(_is_alike(one.names, {word}) for word in _spoken(_plain(sentence)) for one in fact.people)


def _is_theirs(one: Person, fact: _Fact) -> bool:
    return one.owner is not None and any(_is_same(one.owner, other) for other in fact.people)


def _is_shown(one: Person, turns: Iterable[Message]) -> bool:
    """Whether turns name somebody of a fact: else they may have another name for them (Becky, a handle)."""
    names = one.names or (one.owner.names if one.owner else frozenset())
    return not names or any(_is_alike(names, person(f"{turn.name or ''} {turn.content}").names) for turn in turns)


def _speaker(turn: Message) -> Person | None:
    """Whom `I` means in a turn, by all names that it tells; None where others speak in it."""
    if turn.role in _SILENT or _LABELLED.search(turn.content) or _SIGNED.search(turn.content):
        return None
    names = (name for names in _INTRODUCING.findall(_plain(turn.content)) for name in names)
    return person(" ".join([turn.name or "", *names]), role=turn.role)


def _is_about_object(fact: _Fact, clause: Clause) -> bool:
    """Whether a clause is about what the fact says something of: `Rome is loud` neither says nor denies who hates Rome."""
    return not fact.words.isdisjoint(terms(" ".join(name for one in clause.subjects for name in (*one.names, one.kin))))


def _has_verb(fact: _Fact, clause: Clause) -> bool:
    """Whether a clause has the verb of a fact, where that is none of the words that are compared."""
    spoken = {clause.verb, *_spoken(clause.said)}
    return all(spoken & verbs for verbs in (BE, HAVE) if fact.verb in verbs)


def _of_clause(
    fact: _Fact, clause: Clause, following: Sequence[Clause], speaker: Person | None, *, is_present: bool
) -> Attribution:
    """Whether what a clause says may be meant of a fact's subject; who is present is not called `her`."""
    trailing = takewhile(lambda other: not other.subjects, following)
    spoken = set(_spoken(" ".join([clause.said, *(other.said for other in trailing)])))
    if not clause.subjects or (spoken & ANYBODY and not is_present) or _mentions(spoken, fact.people, speaker):
        return "same"
    found = _least([_compared(one, other, speaker) for one in fact.people for other in clause.subjects])
    others = (other for one in following for other in one.subjects)
    is_followed = any(_is_same(one, other) for other in others for one in fact.people)
    return "unclear" if found == "another" and is_followed else found  # `Eve moved to Rome and Tom followed`


def _mentions(spoken: AbstractSet[str], people: Iterable[Person], speaker: Person | None) -> bool:
    """Whether words speak of somebody of a fact by name, as who says them, or as whom they are said to."""
    for one in people:
        is_speaker = speaker is None or _is_same(one, speaker) is not False
        if spoken & (SELF if is_speaker else ADDRESSED) or any(_is_alike(one.names, {word}) for word in spoken):
            return True
    return False


# --- who is who ---


def _compared(one: Person, other: Person, speaker: Person | None) -> Attribution:
    same = _is_same(one, other)
    if same is None and not one.names and not one.owner and other.names and speaker is not None:
        return "unclear"  # somebody without a name may speak of themselves by name, but few do
    if same is not False:
        return "same"
    is_ours = other.is_several or (one.kin and other.owner is not None and other.owner.is_several)
    return "unclear" if is_ours else "another"


def _is_same(one: Person, other: Person) -> bool | None:
    """Whether two are one person; None where that is not known."""
    if one.kin and other.kin:
        return _are_relatives_same(one, other)
    if one.kin or other.kin:
        relative, somebody = (one, other) if one.kin else (other, one)
        if relative.owner is not None and _is_same(relative.owner, somebody):
            return False
        return _is_alike(relative.names, somebody.names) if relative.names and somebody.names else None
    if one.names and other.names:
        return _is_alike(one.names, other.names)
    return one.role == other.role if one.role and other.role else None


def _are_relatives_same(one: Person, other: Person) -> bool | None:
    if one.names and other.names:
        return _is_alike(one.names, other.names)
    if one.owner and other.owner and _is_same(one.owner, other.owner) is False:
        return False
    return True if one.kin == other.kin else None


def _is_alike(names: Iterable[str], others: Iterable[str]) -> bool:
    """Whether one name is a part, or a short form, of the other."""
    fewer, more = sorted((set(names), set(others)), key=len)
    return bool(fewer) and all(any(_is_form(name, known) for known in more) for name in fewer)


def _is_form(name: str, other: str) -> bool:
    short, long = sorted((name, other), key=len)
    return short == long or (len(short) >= _SHORT_FORM and long.startswith(short))


# --- what comes of it ---


def _least(found: Sequence[Attribution]) -> Attribution:
    """What speaks least against a fact."""
    return "same" if "same" in found else "unclear" if "unclear" in found else "another"


def _of_parts(fact: _Fact, held: Sequence[_Held]) -> Attribution:
    """The same where no clause says all: unclear at most, and only where those that say some are about known others."""
    against = [one for one in held if one.verdict == "another" and one.is_of_known]
    is_half = max((one.share for one in against), default=0) >= _HALF
    return "unclear" if fact.is_person and is_half and len(against) == len(held) else "same"


def _confirmed(fact: _Fact, turns: Sequence[Message], *, last: int, found: Attribution) -> Attribution:
    """What a turn says of another, somebody may say of themselves in the same or a later one: `Me too`."""
    for turn in turns[last + 1 :]:
        speaker = _speaker(turn)
        if speaker is None or any(_is_same(one, speaker) is not False for one in fact.people):
            is_agreed = _AGREEING.search(turn.content) or _ALIKE.search(turn.content)
            return "same" if is_agreed else "unclear"
    return "same" if _ALIKE.search(turns[last].content) else found


def _plain(text: str) -> str:
    return text.replace("\u2019", "'")


def _spoken(text: str) -> list[str]:
    return [part for word in _WORD.findall(text) for part in (word.casefold(), *_ending(word.casefold()))]


def _ending(word: str) -> list[str]:
    begins, mark, ends = word.partition("'")
    return [begins, mark + ends] if mark else []
