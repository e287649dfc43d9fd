"""What a question asks for, by its form: one thing or several, a number, and which part of a history.

Rules of English grammar, no list of topics: "what has Mira read" asks for everything she read, "what did Mira read on
Friday" for one thing. A form that is not recognised asks for nothing special, and the ranking is the ordinary one.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["asks_for_several", "asks_how_many"]

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
# "Which books does …", "what are …", "what has Mira read", "how many …", "in what ways …", "both".
_SEVERAL: Final = re.compile(
    rf"\b(?:what|which)\b(?: {_WORD}){{0,4}}? {_PLURAL}(?: {_PREPOSITION}(?: {_WORD}){{1,4}}?)? {_AUXILIARY}\b"
    r"|\b(?:what|which) (?:are|were)\b"
    rf"|\b(?:has|have)\b(?! to\b)(?: (?!to\b){_WORD}){{1,6}}? {_PARTICIPLE}\b"
    r"|\bhow (?:many|often)\b|\b(?:kind|type|sort)s of\b|\bin (?:what|which) ways\b|\bboth\b"
)
_HOW_MANY: Final = re.compile(r"\bhow (?:many|much|often)\b")


def asks_for_several(question: str) -> bool:
    """Whether the answer is likely to be spread over several memories: a list, a count, what two people share."""
    return bool(_SEVERAL.search(question.lower()))


def asks_how_many(question: str) -> bool:
    """Whether the answer is a number."""
    return bool(_HOW_MANY.search(question.lower()))
