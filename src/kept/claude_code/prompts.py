"""What a prompt asks of the memory: nothing, what matters for it, where the work stood, or to remember something."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from kept.domain.text import terms

Wish = Literal["nothing", "recall", "resume", "remember"]

LEAST_TERMS: Final = 2
"""Terms below which a prompt ("yes", "go on") says nothing to look for."""
_ASSENT: Final = frozenset(
    terms(
        "yes no yep nope ok okay sure please thanks thank go continue proceed next fine great good nice perfect right done try again"
    )
)
"""What one says to let things go on."""
QUERY_HEAD: Final = 1_500
QUERY_TAIL: Final = 500
"""Characters of a long prompt that are looked for: what it is about stands at its beginning, what it wants often at its end."""
_LOOKED_AT: Final = 200_000
_BINARY_SHARE: Final = 0.1
"""Share of characters that no text has from which a paste is taken for binary."""

_MACHINE: Final = re.compile(
    r"\s*<(?:task-notification|system-reminder|command-(?:name|message|args)|local-command|bash-(?:input|stdout|stderr)|user-prompt-submit-hook)"
)
_COMMAND: Final = re.compile(r"\s*/[\w:-]+(?:\s|\Z)")
"""A command of the client's; a path has a second slash."""
_UNTEXTUAL: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ufffd\ud800-\udfff]")
_RESUME: Final = re.compile(
    r"\b(?:where (?:were|was|are|did) (?:we|i)\b|(?:pick|picking) up where|what (?:were|was) (?:we|i) (?:doing|working)"
    r"|left off|continue (?:from|where) (?:yesterday|last|we|i)|what(?:'s| is) (?:still )?(?:open|left|next|pending)\b"
    r"|what did (?:we|i|you) do (?:last|yesterday|so far))",
    re.IGNORECASE,
)
_REMEMBER: Final = re.compile(
    r"\s*(?:please\s+|ok(?:ay)?,?\s+|and\s+|also,?\s+)*(?:remember|note|memorise|memorize|keep in mind|don'?t forget|do not forget)"
    r"(?:\s+(?:that|this|it))?\s*[:,]?\s+(?!(?:when|how|what|where|why|who|if|whether|the time)\b)(?P<what>\S.*)",
    re.IGNORECASE | re.DOTALL,
)
_REMEMBERED_CHARACTERS: Final = 2_000
"""Longer texts after "remember" are documents, which the turn's capture takes apart."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt, read.

    Attributes:
        wish: What it asks of the memory.
        query: What to look for; of `remember`, what to store (all of it where the rest alone would be no sentence).
    """

    wish: Wish
    query: str = ""


def read(prompt: str) -> Prompt:
    """What a prompt asks of the memory."""
    if not is_spoken(prompt):
        return Prompt("nothing")
    said = _REMEMBER.match(prompt)
    if said and not prompt.rstrip().endswith("?") and len(said["what"]) <= _REMEMBERED_CHARACTERS:
        return Prompt("remember", (prompt if said["what"].startswith("to ") else said["what"]).strip())
    query = prompt if len(prompt) <= QUERY_HEAD + QUERY_TAIL else f"{prompt[:QUERY_HEAD]}\n{prompt[-QUERY_TAIL:]}"
    if len(prompt) <= QUERY_HEAD and _RESUME.search(prompt):
        return Prompt("resume", query)
    telling = [term for term in terms(query) if term not in _ASSENT]
    return Prompt("recall", query) if len(telling) >= LEAST_TERMS else Prompt("nothing")


def stated(prompt: str) -> str:
    """What is stored of a prompt: what it asks to remember, else all of it."""
    asked = read(prompt)
    return asked.query if asked.wish == "remember" else prompt


def is_spoken(prompt: str) -> bool:
    """Whether a person wrote it, for the model: no command of the client's, no notification, no binary paste."""
    if not prompt.strip() or _MACHINE.match(prompt) or _COMMAND.match(prompt):
        return False
    looked_at = prompt[:_LOOKED_AT]
    return len(_UNTEXTUAL.findall(looked_at)) <= _BINARY_SHARE * len(looked_at)
