"""What was injected is never captured: sentences that only repeat what a session was given are recognised and left out.

A session keeps a fingerprint of each memory it was given: the hashes of its terms, a number's together with the term before it, and one
of its wording. An assistant repeats a memory when every term of its sentence is in that one memory, and every number where it was. A user's sentence is left out only if its wording is the same: the
same words in another order can be a correction.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, NamedTuple

from kept.domain.text import hashed_terms, sentence_spans, term_hash, terms

TAG: Final = "kept-memory"
"""Of the fence around everything that is injected."""
_FENCED: Final = re.compile(rf"<{TAG}>.*?(?:</{TAG}>|\Z)", re.DOTALL)
_CITATION: Final = re.compile(r"\[[0-9a-f]{8}\]")
_WORD: Final = re.compile(r"\w+(?:['’]\w+)?")
_NEGATION: Final = re.compile(r"\b(?:not|no|never|none|without|cannot)\b|n['’]t\b", re.IGNORECASE)
_NEGATED: Final = term_hash("\x00negated")
"""Stands for a negation, which the stop list takes out: with one, the same terms say the opposite."""
_REPORTING: Final = frozenset(
    hashed_terms(
        "remember remembered memory memories memo recall recalled note noted mention mentioned said say saying state stated store stored "
        "earlier previous previously past session sessions already according per kept know known told tell based record recorded"
    )
)
"""Words with which one says that something was remembered; they add nothing to it."""


class Fingerprint(NamedTuple):
    """Of one memory, without its text.

    Attributes:
        terms: Hashes of its terms and numbers, 32 bits each.
        wording: Hash of its words in order.
    """

    terms: frozenset[int]
    wording: int


def fingerprint(text: str) -> Fingerprint:
    """The fingerprint of a memory's or statement's text."""
    plain = _CITATION.sub(" ", text)
    said = terms(plain)
    found = set(map(term_hash, said))
    found |= {term_hash(f"{before} {number}") for before, number in pairwise(said) if number[0].isdigit()}
    if _NEGATION.search(plain):
        found.add(_NEGATED)
    return Fingerprint(frozenset(found), term_hash(" ".join(_WORD.findall(plain.casefold()))))


@dataclass(slots=True)
class Echoes:
    """What a session was given."""

    _given: list[Fingerprint] = field(default_factory=list)
    _wordings: set[int] = field(default_factory=set)

    def add(self, given: Iterable[Fingerprint]) -> None:
        """More that it was given."""
        for known in given:
            if known.wording not in self._wordings:
                self._wordings.add(known.wording)
                self._given.append(known)

    def without(self, text: str, role: str) -> str:
        """The text without injected blocks and without sentences that say nothing new; blank when nothing is left."""
        text = _FENCED.sub("", text)
        if not self._given:
            return text.strip()
        if self._repeats(text, role):
            return ""
        kept, position = [], 0
        for start, end in sentence_spans(text):
            if self._repeats(text[start:end], role):
                kept.append(text[position:start])
                position = end
        kept.append(text[position:])
        left = "".join(kept).strip()
        return left if _WORD.search(left) else ""

    def _repeats(self, sentence: str, role: str) -> bool:
        said = fingerprint(sentence)
        if said.wording in self._wordings:
            return True
        if role == "user":
            return False
        new = said.terms - _REPORTING
        return any(new <= known.terms and (_NEGATED in new) == (_NEGATED in known.terms) for known in self._given)
