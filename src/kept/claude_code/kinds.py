"""What sort of statement a text is, by its words: a decision, a convention, something to avoid, or work that is still open.

Asked when memories are read, so that a better rule helps what was stored before. A caller's own `type` (in the metadata) wins.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

Kind = Literal["open", "decision", "convention", "anti_pattern"]
LASTING: Final[frozenset[str]] = frozenset({"decision", "convention", "anti_pattern"})
"""What never expires."""

_TYPES: Final[Mapping[str, Kind]] = {
    "open": "open",
    "open_work": "open",
    "todo": "open",
    "task": "open",
    "session_state": "open",
    "decision": "decision",
    "convention": "convention",
    "user_preference": "convention",
    "preference": "convention",
    "project_profile": "convention",
    "anti_pattern": "anti_pattern",
    "bug_fix": "anti_pattern",
}
"""Types that callers give (Mem0's plugin among them), and what each is here."""

_RULES: Final[tuple[tuple[Kind, re.Pattern[str]], ...]] = (
    (
        "open",
        re.compile(
            r"^\W*(?:todo|fixme|next steps?|open|pending|remaining)\b\s*[:(-]"
            r"|\b(?:still (?:to do|needs?|missing|fails?|open)|left to do|remains? to|not (?:yet )?(?:done|finished|implemented)"
            r"|next (?:step|up|thing)s? (?:is|are|will)|have not yet|haven't yet|(?:continue|pick (?:this )?up) (?:with|tomorrow|later|next))\b",
            re.IGNORECASE,
        ),
    ),
    (
        "decision",
        re.compile(
            r"\b(?:(?:we|i|you|they)(?:'ve| have)? (?:decided|agreed|chose|settled|picked|opted)|decision\s*:|decided (?:to|on|against)"
            r"|let'?s (?:go with|use|stick (?:to|with)|switch to)|go(?:ing)? with\b.{1,60}\b(?:instead|because|over)"
            r"|(?:use|using|chose|choose|prefer(?:red)?)\b.{1,60}\b(?:instead of|rather than|over)|switch(?:ed)? (?:from\b.{1,40})?to"
            r"|from now on|we(?:'ll| will| are going to) (?:use|keep|go with|drop|move))\b",
            re.IGNORECASE,
        ),
    ),
    (
        "anti_pattern",
        re.compile(
            r"\b(?:(?:do not|don'?t|never|must not|should not|shouldn'?t|avoid)\b(?! (?:know|think|see|understand|worry|have|mind|remember))"
            r"|(?:does|did) ?n[o']t work (?:because|with|when|on)|breaks? (?:when|if|because|the)|causes? (?:a |the )?(?:deadlock|crash|leak|data loss))",
            re.IGNORECASE,
        ),
    ),
    (
        "convention",
        re.compile(
            r"\b(?:always|by convention|convention|we (?:use|write|name|keep|run|put|prefer)|must (?:be|use|have|run|not)|should (?:always|be)"
            r"|(?:i|we) (?:prefer|like|want) (?:\w+ ){0,3}(?:to|over|in|with)|every (?:commit|module|test|file|function|pull request)\b"
            r"|(?:tests?|code|files|commits|names?|branches) (?:live|go|are|is) (?:in|under|named|written))\b",
            re.IGNORECASE,
        ),
    ),
)
"""In the order in which they are asked: open work first, because "still need to decide" decides nothing."""

MOST_CHARACTERS: Final = 400
"""Of a statement that decides or agrees on something; what is longer reports, and mentions such words by the way."""


def kind_of(text: str, metadata: Mapping[str, Any] | None = None) -> Kind | None:
    """What sort of statement it is; None for none of them, for questions and for long passages."""
    stated = (metadata or {}).get("type")
    if isinstance(stated, str) and stated in _TYPES:
        return _TYPES[stated]
    if len(text) > MOST_CHARACTERS or text.rstrip().endswith("?"):
        return None
    return next((kind for kind, rule in _RULES if rule.search(text)), None)
