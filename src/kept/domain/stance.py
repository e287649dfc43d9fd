"""Whether turns say what a fact says, deny it, or only hold it possible. Pure.

By the negation and hedges of the clauses that hold the fact's words, with rules that rather let a fact pass than lose one that is right:
where a sentence may be read either way, the fact is no more than uncertain.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Final, Literal, NamedTuple

from kept.domain.text import sentences, terms

__all__ = ["NEGATION", "Stance", "content", "stance", "unasked"]

Stance = Literal["says", "hedges", "denies"]
"""`says`: nothing speaks against it. `hedges`: they hold it possible, or may be read either way. `denies`: they say the opposite."""

NEGATION: Final = re.compile(
    r"\b(?:not|no|never|cannot|without|no longer|any ?more|stopped|nicht|keine?[nmr]?|nie|pas|jamais|nunca)\b|n't\b",
    re.IGNORECASE,
)
_PASSING: Final = frozenset(
    {"longer", "anymor", "now", "still", "current", "stop", "more", "do", "doe", "did", "does", "ani"}
)
"""Stems that come and go with a negation and say nothing of what it is about."""
_NO_NEGATION: Final = re.compile(
    r"\b(?:not (?:only|just|bad)|no (?:doubt|problem|wonder|matter|worries)|why not|more often than not|(?:can ?not|can't) (?:wait|help)"
    r"|(?:do not|don't|never) (?:forget|hesitate)|nicht nur|pas seulement|no solo)\b",
    re.IGNORECASE,
)
"""What has the words of a negation and is none."""
_BESIDE_ANOTHER: Final = frozenset({"any more", "anymore"})
"""What stands with another negation and does not undo it."""
_EITHER_WAY: Final = re.compile(
    r"\b(?:except|besides|other than|apart from|unless|until|only|but|than|instead|know|knew|forget|forgot|reali[sz]ed?|remember|think"
    r"|believe|doubt|au(?:ss|ß)er|sauf|excepto|salvo)\b",
    re.IGNORECASE,
)
"""Words beside which a negation may leave a thing true: `no siblings except Eve`, `did not know that she …`."""
_DENYING: Final = re.compile(
    r"\b(?:nobody|none|nothing|neither|nor|nowhere|no one|nope|nah|hardly|rarely|seldom|instead|rather|former\w*|ex|wrong|false|untrue|lacks?"
    r"|un(?:able|used|known|til|less)|dis(?:abl|agree|allow|approv|continu|lik)\w*|hates?d?|avoid\w*|refus\w*|reject\w*|against|quit\w*|left|gave up|gives? up|drop\w*|mov(?:ed?|ing)"
    r"|replac\w*|remov\w*|retir\w*|end(?:s|ed)?|cancel\w*|forbid\w*|forbidden|ban(?:s|ned)?|prohibit\w*|fail\w*|stop\w*|miss(?:es|ing)"
    r"|out of|free of|niemand|nichts|weder|aucun\w*|personne|nadie|nada|ning\w+)\b",
    re.IGNORECASE,
)
"""Words that deny or end something without a negation: a fact may put the one for the other."""
_HEDGE: Final = re.compile(
    r"\b(?:maybe|perhaps|possibly|probably|presumably|likely|supposedly|apparently|might|(?-i:may)(?! \d)|(?:not|un)(?: quite| so)?[ -]?sure"
    r"|uncertain|considering|(?:i|we)(?:'m| am|'re| are)? (?:think(?:ing)?|guess|believe(?! in\b)|suppose|assume|wonder)"
    r"|(?:think|guesse|believe|suppose|assume|wonder|suspect)s(?! in\b)|vielleicht|wahrscheinlich|vermutlich|m\u00f6glicherweise|eventuell"
    r"|peut-\u00eatre|probablement|quiz\u00e1s?|tal vez|probablemente|forse|talvez|misschien|waarschijnlijk)\b",
    re.IGNORECASE,
)
_CLAUSE: Final = re.compile(r"[,;:()\u2013\u2014]|\b(?:but|aber|sondern|mais|pero|sino|ma|maar)\b", re.IGNORECASE)
_SUBCLAUSE: Final = re.compile(
    r"\b(?:and|that|because|since|when|while|where|who|which|if|so|although|though|und|dass|weil|wenn|et|que|car|y|porque|e|che)\b",
    re.IGNORECASE,
)
_QUESTION: Final = re.compile(r"[?\uff1f][\"')\]\u201d\u2019\u00bb]*$")
_HALF: Final = 0.5
"""Least share of a fact's words in a clause that is about the same, where none has all of them: set by hand, as half is more than a thing
that both mention."""


def content(text: str) -> set[str]:
    """Stems of what a text is about: no numbers, and nothing that only denies."""
    return {term for term in terms(NEGATION.sub(" ", text)) if term not in _PASSING and not term[0].isdigit()}


def unasked(text: str) -> list[str]:
    """The sentences of a text that are no questions: those say nothing."""
    return [sentence for sentence in sentences(text) if not _QUESTION.search(sentence.strip())]


def stance(fact: str, turns: Sequence[str], *, uncounted: Iterable[str] = ()) -> Stance:
    """How turns stand to a fact that is said to come from them.

    Args:
        fact: One sentence.
        turns: What was said, in order.
        uncounted: Names that need not stand beside what is said of them: who speaks, and whom a pronoun means.
    """
    names = frozenset(chain.from_iterable(map(terms, uncounted)))
    words = content(_read(fact)) - names
    if not words:
        return "says"
    said = [_Turn(turn, names) for turn in turns]
    polarity = _polarity(_read(fact), words, said)
    return "hedges" if polarity == "says" and _are_hedged(fact, words, said) else polarity


class _Clause(NamedTuple):
    """A clause, the sentence that it is of, and what it is about, names left out."""

    text: str
    sentence: str
    content: set[str]


@dataclass(frozen=True)
class _Turn:
    """What somebody said. Questions say nothing."""

    text: str
    names: frozenset[str]

    @cached_property
    def sentences(self) -> list[str]:
        return unasked(_read(self.text))

    @cached_property
    def clauses(self) -> list[_Clause]:
        return [
            _Clause(clause, sentence, content(clause) - self.names)
            for sentence in self.sentences
            for part in _CLAUSE.split(sentence)
            for clause in _SUBCLAUSE.split(part)
        ]

    @property
    def is_denying(self) -> bool:
        text = _read(self.text)
        return bool(NEGATION.search(text) or _DENYING.search(text))


def _read(text: str) -> str:
    """A text with plain apostrophes, without what only looks like a negation."""
    return _NO_NEGATION.sub(" ", text.replace("\u2019", "'"))


# --- negation ---


def _polarity(fact: str, words: set[str], turns: Sequence[_Turn]) -> Stance:
    """Whether the clauses that hold the words are denied and the fact is not, or the other way round."""
    if any(negation.casefold() != "stopped" for negation in NEGATION.findall(fact)):
        return _of_negated(fact, words, turns)
    if NEGATION.search(fact) or _DENYING.search(fact):
        return "says"
    found = [(clause, turn) for turn in turns for clause in turn.clauses]
    whole = [one for one in found if words <= one[0].content]
    about = whole or [one for one in found if words & one[0].content]
    if not about or not all(NEGATION.search(clause.text) for clause, _ in about):
        return "says"
    if whole and all(turn is turns[-1] and _denies_plainly(clause, words) for clause, turn in whole):
        return "denies"
    shared = max(len(words & clause.content) for clause, _ in about) / len(words)
    return "hedges" if shared >= _HALF else "says"


def _of_negated(fact: str, words: set[str], turns: Sequence[_Turn]) -> Stance:
    """The same of a fact that denies something: what nothing in the turns denies, in one clause with all of its words."""
    if any(turn.is_denying for turn in turns) or len(_parts(fact)) > 1:
        return "says"
    whole = [clause for turn in turns for clause in turn.clauses if words <= clause.content]
    if not whole:
        return "says"
    is_plain = len(turns) == 1 and all(words == clause.content for clause in whole)
    return (
        "denies" if is_plain else "hedges"
    )  # of several turns, or by another word, one may deny without a word that a list has


def _denies_plainly(clause: _Clause, words: set[str]) -> bool:
    """Whether a clause denies the words and says nothing else: by one negation, which stands before some, and without exception."""
    negations = list(NEGATION.finditer(clause.text))
    kinds = {negation[0].casefold() for negation in negations} - _BESIDE_ANOTHER
    return (
        words == clause.content
        and len(kinds) <= 1
        and not words.isdisjoint(content(clause.text[negations[0].end() :]))
        and not _EITHER_WAY.search(clause.sentence)
        and not _DENYING.search(clause.text)
    )


def _parts(text: str) -> list[str]:
    return [part for part in _CLAUSE.split(text) if content(part)]


# --- hedges ---


def _are_hedged(fact: str, words: set[str], turns: Sequence[_Turn]) -> bool:
    """Whether what the last turn says of a fact it says as a supposition. What an earlier one supposes may be confirmed by it."""
    if _HEDGE.search(fact) or not turns:
        return False
    shares = [
        (len(words & content(sentence)), _is_hedged(sentence, words), turn is turns[-1])
        for turn in turns
        for sentence in turn.sentences
    ]
    most = max((share for share, *_ in shares), default=0)
    return most >= _HALF * len(words) and all(hedged and last for share, hedged, last in shares if share == most)


def _is_hedged(sentence: str, words: set[str]) -> bool:
    """Whether a hedge stands in a clause with some of the words, or in one that says nothing else."""
    hedged = (clause for clause in _CLAUSE.split(sentence) if _HEDGE.search(clause))
    return any(not words.isdisjoint(own) or not own for own in _bare(hedged))


def _bare(clauses: Iterable[str]) -> Iterator[set[str]]:
    """What clauses are about beside their hedges."""
    return (content(_HEDGE.sub(" ", clause)) for clause in clauses)
