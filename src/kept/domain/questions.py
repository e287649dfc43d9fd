"""What a question asks for, by its form: one thing or several, a number, and which part of a history.

Rules of English grammar, no list of topics: "what has Mira read" asks for everything she read, "what did Mira read on
Friday" for one thing. A form that is not recognised asks for nothing special, and the ranking is the ordinary one.
"""

from __future__ import annotations

import re
from typing import Final, Literal

__all__ = ["TimeIntent", "anchor", "asks_for_several", "asks_how_many", "time_intent"]

TimeIntent = Literal["now", "upcoming", "latest", "earliest", "before", "after"]
"""Which part of a history a question is about."""

_WORD: Final = r"[\w'\u2019-]+"
_AUXILIARY: Final = r"(?:do|does|did|has|have|had|are|were|can|could|should|would|will|might)"
_SINGULAR_IN_S: Final = (
    r"(?:does|is|was|has|his|this|its|us|as|less|plus|news|series|basis|process|business|boss|class|address|dress|stress|focus"
    r"|status|bus|gas|campus|bonus|virus)"
)
_PLURAL: Final = rf"(?!{_SINGULAR_IN_S}\b)[\w-]{{2,}}s"
_PREPOSITION: Final = r"(?:of|for|in|from|to|about|with|at|on|besides|related)"
_PARTICIPLE: Final = (
    r"(?:[a-z]{2,}ed|been|done|gone|made|met|had|read|seen|found|won|given|bought|written|taken|got|gotten|taught|sent|held|kept"
    r"|lost|told|said|heard|built|begun|come|cut|drawn|driven|eaten|felt|flown|grown|hurt|known|led|left|paid|put|run|shown"
    r"|sold|spent|spoken|sung|swum|thought|tried|used|visited|worn)"
)
# "Which books does …", "what are …", "what has Mira read", "how many …", "in what ways …", "both"; what holds in general: "what does
# Mira do to relax", "what is Mira allergic to".
_SEVERAL: Final = re.compile(
    rf"\b(?:what|which)\b(?: {_WORD}){{0,4}}? {_PLURAL}(?: {_PREPOSITION}(?: {_WORD}){{1,4}}?)? {_AUXILIARY}\b"
    r"|\b(?:what|which) (?:are|were)\b"
    rf"|\b(?:has|have)\b(?! to\b)(?: (?!to\b){_WORD}){{1,6}}? {_PARTICIPLE}\b"
    rf"|\bwhat (?:do|does)(?! (?:this|that|it|i|we) do\b)(?: (?!to\b){_WORD}){{1,3}} (?:do|like|love|enjoy|offer)\b"
    rf"|\bwhat (?:is|are)(?: {_WORD}){{1,2}} [a-z]+ (?:at|by|for|in|of|on|to|with)\W*$"
    r"|\bhow (?:many|often)\b|\b(?:kind|type|sort)s of\b|\bin (?:what|which) ways\b|\bboth\b"
)
_HOW_MANY: Final = re.compile(r"\bhow (?:many|much|often)\b")


def asks_for_several(question: str) -> bool:
    """Whether the answer is likely to be spread over several memories: a list, a count, what two people share."""
    return bool(_SEVERAL.search(question.lower()))


def asks_how_many(question: str) -> bool:
    """Whether the answer is a number."""
    return bool(_HOW_MANY.search(question.lower()))


_UNIT: Final = (
    r"(?:night|evening|week|weekend|month|quarter|year|spring|summer|autumn|fall|winter|monday|tuesday|wednesday|thursday|friday"
    r"|saturday|sunday|january|february|march|april|may|june|july|august|september|october|november|december)"
)
_NO_TIME: Final = r"(?:names?|places?|prizes?|aid|class|grade|floor|hand|language|person|lady|row|degree)"
"""What "first" says another thing of than when."""
# "Last week" is a date, "the last week of May" as well; "the last release" is the latest one. The first that matches counts.
_TIMES: Final[tuple[tuple[TimeIntent, re.Pattern[str]], ...]] = (
    ("before", re.compile(rf"\b(?:before|prior to)\b(?= {_WORD})")),
    ("after", re.compile(rf"\b(?:after|since)\b(?= {_WORD})")),
    ("latest", re.compile(rf"\b(?:latest|newest|most recent(?:ly)?|recently)\b|\blast\b(?! {_UNIT}\b| name\b)")),
    ("earliest", re.compile(rf"\b(?:earliest|oldest|originally|initially)\b|\bfirst\b(?! (?:{_UNIT}|{_NO_TIME})\b)")),
    ("upcoming", re.compile(r"\b(?:upcoming|coming up|scheduled|planned|planning)\b|\bnext\b(?! to\b)")),
    ("now", re.compile(r"\b(?:now|currently|presently|nowadays|still|at the moment|at present|these days)\b")),
)
_AROUND: Final[dict[TimeIntent | None, re.Pattern[str]]] = dict(_TIMES[:2])
"""What counts from something that the question names."""


_DURATION: Final = re.compile(
    r"\bhow (?:long|(?:many|much) (?:time|minutes|hours|days|weeks|months|years))\b(?! ago\b)"
)
"""Of "how long after the move" both ends are wanted, and what came before is no worse than what came after."""
_CLAUSE_END: Final = re.compile(r"[,;?]")
"""What follows is the question again: "after the move, where …"."""


def time_intent(question: str) -> TimeIntent | None:
    """Which part of a history is asked about; None when the question does not say, or asks how long something lasted."""
    lower = question.lower()
    if _DURATION.search(lower):
        return None
    return next((intent for intent, pattern in _TIMES if pattern.search(lower)), None)


def anchor(question: str) -> str:
    """What a question counts from: in "what did we try before the outage?" it is "the outage"; empty if it names nothing."""
    intent = time_intent(question)
    if intent not in _AROUND:
        return ""
    lower = question.lower()
    said = question if len(lower) == len(question) else lower  # some capitals have longer small letters
    found = _AROUND[intent].search(lower)
    return _CLAUSE_END.split(said[found.end() :])[0].strip(" !.") if found else ""
