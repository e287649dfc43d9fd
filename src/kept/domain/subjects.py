"""Who the clauses of an English sentence are about. Pure.

A clause reaches from one subject to the next. Its subject is known where it is a name, the speaker (`I`, `we`, `my laptop`), or somebody
of theirs (`my sister Eve`) with a verb behind it; whoever else it is about (`she`, `the cook`, `everybody`) is nobody known.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from kept.domain.entities import is_common
from kept.domain.relation_words import ADVERBS, KIN, OPENERS, PETS, TITLES
from kept.domain.text import STOP_WORDS

__all__ = ["ADDRESSED", "ANYBODY", "BE", "HAVE", "SELF", "Clause", "Person", "clauses", "person"]


def _words(words: str) -> frozenset[str]:
    return frozenset(words.split())


SELF: Final = _words("i me my mine myself we us our ours ourselves")
ADDRESSED: Final = _words("you your yours yourself u we us our ours ourselves let's")
"""Who may be the one that is spoken to."""
ANYBODY: Final = _words(
    "he him his she her hers they them their theirs everyone everybody anyone anybody somebody someone both together"
)
"""Who may be anybody."""
BE: Final = _words("am is are was were be been being 's 'm 're")
HAVE: Final = _words("have has had having got 've")
_AUXILIARIES: Final = (
    _words("am is are was were 's 'm 're have has had do does did") | _words(
        "will would can could should shall may might must cannot 'll 'd 've"
    )
)  # fmt: skip
_PASTS: Final = _words(
    "went got made met bought saw took came gave found left felt began ran won lost wrote read taught grew chose drove ate drank spoke told "
    "said thought knew kept built sold sent spent sang drew flew broke fell heard held led paid stood understood wore woke swam hurt put "
    "set quit cut hit let slept caught fought rode"
)
"""Verbs that no ending shows."""
_ENDING: Final = re.compile(r"[a-z]{2,}(?:[^s\W]s|ed)")
"""Of verbs of the third person, and of past ones."""
_REPORTING: Final = _words(
    "say says said tell tells told think thinks thought believe believes believed hear hears heard mention mentions mentioned hope hopes "
    "hoped know knows knew guess guesses suppose supposes assume assumes assumed feel feels felt claim claims claimed explain explains "
    "explained add adds added insist insists insisted swear swears realise realised realize realized notice noticed see sees saw remember "
    "remembers wish wishes bet bets doubt doubts admit admits admitted figure learned wonder wonders glad happy sorry sure afraid worried "
    "surprised proud"
)
"""Words after which a clause may begin without a joint: `I think Eve …`."""
_TOLD: Final = _words("me him her us them you everyone everybody out")
"""What may stand between such a word and the clause."""
_WHEN: Final = _words("yesterday tonight tomorrow sometimes sadly luckily")
"""Words with which a sentence may begin before its subject, besides those of `kept.domain.relation_words`."""
_JOINTS: Final = _words("and or but so that than as & plus then")
_SUBORDINATORS: Final = _words(
    "because since when while where if although though until unless whereas who which whom whose before after why how what whether"
)
_OTHERS: Final = _words(
    "the a an this that these those it you your his her its their everyone everybody someone somebody anyone anybody nobody people some many "
    "most all both no each every one there here he she they who which"
)
"""Words with which a clause about nobody known begins."""
_NOMINATIVE: Final = _words("he she they he's she's they're he'd she'd they've they'd he'll she'll they'll")
"""Always a subject."""
_FIRST_PERSON: Final = re.compile(r"([Ii]|[Ww]e)(?:'[a-z]+)?")
_OWN: Final = {"my": False, "our": True}
_MARK: Final = re.compile(r"[^\w&]")
_TOKEN: Final = re.compile(r"(?:[^\W_][\w@+&/.-]*)?[^\W_](?:'[^\W_]+|s'(?![^\W_]))?|&|[^\s\w.]|[.](?=\s)")
_NAME: Final = re.compile(r"[A-Z\u00c0-\u00de\u0100-\u024f][^\W_]*(?:-[^\W_]+)*\.?")
_CONTRACTED: Final = re.compile(r"'(?:s|m|re|ve|d|ll)$")
_NEVER: Final = _words("never not no longer")
_CONTRACTION: Final = re.compile(r"(.+)('s|'d|'ll)")
_POSSESSIVE: Final = re.compile(r"(.+?)(?:'s|(?<=s)')")
_AFTER_IS: Final = re.compile(r"[a-z]{2,}(?:ing|ed)")
_NO_NAME: Final = re.compile(r".+(?:ing|tion|ment|ness)")
"""A word that has its capital for beginning a sentence."""
_QUOTES: Final = frozenset("\"'\u2018\u201c\u201d\u201e\u00ab\u00bb")
_MOST_ADVERBS: Final = 3
"""Words between subject and verb: `Eve really never …`."""
_MOST_ADJECTIVES: Final = 3
"""Words before what somebody is to another: `my very best friend`."""
_MOST_JOINED: Final = 8
"""Words before an `and` in which a verb must show that it joins clauses, not people."""
_MOST_PEOPLE: Final = 8
"""Joined by `and`: what is longer is a list."""
_MOST_NAMES: Final = 4
"""Words of a name: what is longer is a heading."""
RELATIVES: Final = (
    KIN
    | PETS
    | _words(
        "parents siblings sibling kids kid children child baby sisters brothers sons daughters friends cousins family grandparents "
        "colleagues neighbours neighbors buddy pal spouse parent mama papa mommy daddy granny ex fiance fiancee dogs cats in-laws"
    )
)
"""Who is somebody's and not the same as they; whatever else is somebody's counts as them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whom a clause is about.

    Attributes:
        names: Words of the name, in lower case; none where it is not known.
        role: `user` or `assistant`, of who speaks.
        kin: What they are to `owner`: a sister.
        owner: Whose they are.
        is_several: Whether others may be meant too: `we`.
    """

    names: frozenset[str] = frozenset()
    role: str = ""
    kin: str = ""
    owner: Person | None = None
    is_several: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """What a sentence says of one subject.

    Attributes:
        subjects: Whom it is about; nobody where that is not known.
        said: What it says of them, from behind the subject on.
        verb: Its first verb, in lower case; blank where the subject is not known.
    """

    subjects: tuple[Person, ...]
    said: str
    verb: str = ""


def person(name: str, *, role: str = "") -> Person:
    """Who has a name; of none, who has a role."""
    return Person(names=_name_words(re.findall(r"[^\W\d_]+", name)), role=role)


def clauses(sentence: str, speaker: Person | None, *, roles: Collection[str] = ()) -> list[Clause]:
    """The clauses of a sentence, in order.

    Args:
        sentence: With plain apostrophes.
        speaker: Who says `I`; None where that is not known.
        roles: Words that mean somebody (`the user`), as a fact has them.
    """
    return list(_Reader(sentence, speaker, roles).clauses())


def _name_words(words: Sequence[str]) -> frozenset[str]:
    return frozenset(word.rstrip(".").casefold() for word in words if word.rstrip(".").casefold() + "." not in TITLES)


@dataclass(frozen=True, slots=True)
class _Subject:
    """Who begins a clause, the tokens that name them, and its verb."""

    people: tuple[Person, ...]
    end: int
    verb: str = ""


_NOBODY: Final = _Subject((), 0)


class _Reader:
    """The reading of one sentence."""

    def __init__(self, sentence: str, speaker: Person | None, roles: Collection[str]) -> None:
        self._tokens = _TOKEN.findall(sentence)
        self._lower = [token.casefold() for token in self._tokens]
        self._speaker = speaker
        self._roles = roles
        self._breaks = self._boundaries()
        self._cited = self._in_others_words()

    def clauses(self) -> Iterator[Clause]:
        subject, begin, at = _NOBODY, 0, 0
        while at < len(self._tokens):
            if (found := self._subject(at)) is None:
                at += 1
                continue
            if at > begin:
                yield self._clause(subject, begin, at)
            subject, begin = found, found.end or at
            at = max(found.end, at + 1)
        yield self._clause(subject, begin, len(self._tokens))

    def _clause(self, subject: _Subject, begin: int, end: int) -> Clause:
        said = [token for token in self._tokens[begin:end] if not _MARK.fullmatch(token)]
        return Clause(subjects=subject.people, said=" ".join(said), verb=subject.verb)

    # --- where clauses begin ---

    def _boundaries(self) -> list[str]:
        """What stands before each token: a `mark`, a `joint`, a `report`, or nothing that a clause begins after."""
        found: list[str] = []
        for at in range(len(self._tokens)):
            before = self._lower[at - 1] if at else ","
            if _MARK.fullmatch(before) or before in _SUBORDINATORS:
                found.append("mark")
            elif before in _JOINTS:
                found.append("joint")
            elif before in _REPORTING or (at > 1 and before in _TOLD and self._lower[at - 2] in _REPORTING):
                found.append("report")
            else:
                found.append(found[-1] if before in OPENERS or before in _WHEN else "")
        return found

    def _in_others_words(self) -> list[bool]:
        """Whether each token may be of another's words: in quotation marks, or behind a colon."""
        marks, is_announced = 0, False
        found: list[bool] = []
        for word in self._tokens:
            marks += word in _QUOTES
            is_announced = is_announced or word == ":"
            found.append(is_announced or marks % 2 == 1)
        return found

    def _subject(self, at: int) -> _Subject | None:
        """Who begins a clause at a token; None where none begins."""
        if self._lower[at] in _NOMINATIVE:
            return _NOBODY
        boundary = self._breaks[at]
        if not boundary and not _FIRST_PERSON.fullmatch(self._tokens[at]):
            return None
        people, end = self._people(at)
        if people:
            if verb := self._verb(end, people):
                is_known = None not in people and not self._is_joined(at)
                return _Subject(tuple(filter(None, people)) if is_known else (), end, verb)
            return _NOBODY if at == 0 else None
        begins = boundary == "mark" or self._lower[at] in _OTHERS
        return _NOBODY if begins and not _MARK.fullmatch(self._tokens[at]) else None

    def _is_joined(self, at: int) -> bool:
        """Whether somebody nobody knows is joined by an `and` to whom a token names: `the cook and I`."""
        if at == 0 or self._lower[at - 1] != "and":
            return False
        for place in range(at - 2, max(-1, at - 2 - _MOST_JOINED), -1):
            if _is_verb(self._lower[place], is_third=True) or _FIRST_PERSON.fullmatch(self._lower[place]):
                return False
            if self._breaks[place] == "mark":
                break
        return True

    # --- subjects ---

    def _people(self, at: int) -> tuple[tuple[Person | None, ...], int]:
        """Who is named from a token on, joined by `and`, and where that ends; None is who is not known."""
        people: list[Person | None] = []
        end = at
        while len(people) < _MOST_PEOPLE and (found := self._person(end)) is not None:
            is_shared = (
                bool(people) and found[0] is not None and found[0].owner is not None and self._lower[end] not in _OWN
            )
            people.append(None if is_shared else found[0])  # `Eve and Tom's dog` is of one or of both
            end = found[1]
            joint = self._joint(end)
            if joint == end or self._person(joint) is None:
                break
            end = joint
        return tuple(people), end

    def _joint(self, at: int) -> int:
        """Where the next of several named begins: behind `and`, or a comma with an `and` to follow."""
        ahead = self._lower[at : at + 2]
        if ahead[:1] == [","] and ahead[1:] in (["and"], ["or"]):
            return at + 2
        is_list = ahead[:1] == [","] and "and" in self._lower[at : at + 2 * _MOST_NAMES]
        return at + 1 if ahead[:1] in (["and"], ["or"], ["&"]) or (is_list and self._is_listed(at + 1)) else at

    def _is_listed(self, at: int) -> bool:
        """Whether a name with another comma or an `and` behind it stands at a token."""
        end = self._name_end(at)
        return end > at and self._lower[end : end + 1] in ([","], ["and"], ["or"], ["&"])

    def _person(self, at: int) -> tuple[Person | None, int] | None:
        """One person named at a token, and where that ends; None where nobody is."""
        if at >= len(self._tokens):
            return None
        if (own := _OWN.get(self._lower[at])) is not None:
            return self._owned(self._own(at, is_several=own), at + 1)
        if found := _FIRST_PERSON.fullmatch(self._tokens[at]):
            return self._own(at, is_several=len(found[1]) > 1), at + 1
        if self._lower[at] == "the" and self._lower[at + 1 : at + 2] and self._bare(at + 1) in self._roles:
            at += 1
        if self._bare(at) in self._roles:
            return self._named(Person(role=self._bare(at)), at + 1)
        end = self._name_end(at)
        return self._named(Person(names=self._names(at, end)), end) if end > at else None

    def _own(self, at: int, *, is_several: bool) -> Person | None:
        return None if self._speaker is None or self._cited[at] else replace(self._speaker, is_several=is_several)

    def _named(self, one: Person, end: int) -> tuple[Person | None, int]:
        """Who is named, or who is theirs."""
        return self._owned(one, end) if self._is_possessive(end - 1) else (one, end)

    def _owned(self, owner: Person | None, at: int) -> tuple[Person | None, int]:
        """Who is somebody's: a relative with a name perhaps, or the owner, whom what is theirs is about."""
        for end in range(at, min(at + _MOST_ADJECTIVES + 1, len(self._tokens))):
            kin = self._bare(end)
            if kin in RELATIVES:
                return self._relative(owner, kin, end + 1)
            if _MARK.fullmatch(kin) or kin in STOP_WORDS or self._is_possessive(end):
                break
        return owner, at

    def _relative(self, owner: Person | None, kin: str, at: int) -> tuple[Person | None, int]:
        end = self._name_end(at)
        one = Person(names=self._names(at, end), kin=kin, owner=owner)
        is_owner = self._is_possessive(at - 1) or (end > at and self._is_possessive(end - 1))
        is_near = owner is None or owner.owner is None or owner.owner.owner is None
        return self._owned(one, end) if is_owner and is_near else (one, end)

    def _names(self, at: int, end: int) -> frozenset[str]:
        return _name_words([self._plain(token) for token in range(at, end)])

    def _name_end(self, at: int) -> int:
        """Behind the name that stands at a token."""
        end = at
        if at == 0 and _NO_NAME.fullmatch(self._tokens[at]):
            return at
        while end < min(at + _MOST_NAMES, len(self._tokens)):
            word, is_title = self._plain(end), self._lower[end] + "." in TITLES
            if not _NAME.fullmatch(word) or word.casefold() in RELATIVES or (is_common(word) and not is_title):
                break
            end += 1
            if word != self._tokens[end - 1]:
                break
        return end

    def _plain(self, at: int) -> str:
        """A token without a possessive or contracted ending."""
        token = self._tokens[at]
        found = _POSSESSIVE.fullmatch(token) or _CONTRACTION.fullmatch(token)
        return found[1] if found else token

    def _bare(self, at: int) -> str:
        return self._plain(at).casefold() if at < len(self._tokens) else ""

    def _is_possessive(self, at: int) -> bool:
        """Whether a token with an ending owns what follows: `Eve's dog`, not `Eve's happy that` (which may be either) or `Eve's in`."""
        following = self._lower[at + 1] if at + 1 < len(self._tokens) else ","
        return bool(_POSSESSIVE.fullmatch(self._tokens[at])) and not (
            _MARK.fullmatch(following)
            or following in STOP_WORDS
            or following in ADVERBS
            or _AFTER_IS.fullmatch(following)
        )

    # --- verbs ---

    def _verb(self, at: int, people: Sequence[Person | None]) -> str:
        """The verb of who is named before a token; blank where none follows."""
        contracted = _CONTRACTED.search(self._lower[at - 1])
        if contracted and not self._is_possessive(at - 1):
            return contracted[0]
        verb = next((token for token in self._lower[at : at + _MOST_ADVERBS + 1] if not _is_adverb(token)), ",")
        if len(people) == 1 and _FIRST_PERSON.fullmatch(self._tokens[at - 1]):
            return verb
        one = people[0] if len(people) == 1 else None
        is_named = one is not None and bool(one.names or one.role) and not self._is_owning(at - 1)
        is_verb = _is_verb(verb, is_third=is_named) or not (is_named or verb in STOP_WORDS or _MARK.fullmatch(verb))
        return verb if is_verb else ""

    def _is_owning(self, at: int) -> bool:
        return self._lower[at] in _OWN or self._is_possessive(at)


def _is_adverb(token: str) -> bool:
    return token in ADVERBS or token in _NEVER or token.endswith("ly")


def _is_verb(token: str, *, is_third: bool) -> bool:
    if token in _AUXILIARIES or token in _PASTS or token.endswith("n't"):
        return True
    return is_third and bool(_ENDING.fullmatch(token)) and token not in STOP_WORDS
