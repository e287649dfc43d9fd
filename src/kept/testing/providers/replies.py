"""What a scripted provider may reply, good and bad, whatever its wire format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """An object, by the call of the tool that was asked for, or as JSON where no tool was.

    Attributes:
        cached_tokens: Of the input tokens, those read from a cache.
    """

    value: Mapping[str, Any]
    input_tokens: int = 100
    output_tokens: int = 20
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class HalfAnswer(Answer):
    """The first half of the object's JSON, as if it were all."""


@dataclass(frozen=True, slots=True)
class CutOff(Answer):
    """The first half of the object's JSON, at the longest answer."""


@dataclass(frozen=True, slots=True)
class OtherTool(Answer):
    """The object, by the call of a tool that nobody offered."""


@dataclass(frozen=True, slots=True)
class Prose:
    """Words in place of an object."""

    text: str
    input_tokens: int = 100
    output_tokens: int = 20


@dataclass(frozen=True, slots=True)
class Refusal:
    """The provider's way to decline."""

    input_tokens: int = 100
    output_tokens: int = 2


@dataclass(frozen=True, slots=True)
class Failure:
    """An error.

    Attributes:
        status: Of HTTP.
        retry_after_s: When to come again; in a header.
        midway: Inside an answer that began well, where one is streamed.
    """

    status: int
    retry_after_s: int | None = None
    midway: bool = False


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing at all, until the server is closed."""


@dataclass(frozen=True, slots=True)
class Stall:
    """The beginning of an answer, then nothing until the server is closed."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A connection that breaks.

    Attributes:
        midway: After the beginning of an answer.
    """

    midway: bool = False


@dataclass(frozen=True, slots=True)
class Vectors:
    """An embedding of each text, by its words: texts that share words are near each other, as with `FakeEmbedder`.

    Attributes:
        dimensions: Length of each.
        scale: Of each; 1 is unit length.
        missing: How many of the last are left out.
        tokens: Said to have been read, where the format says it; None for a server that says nothing.
    """

    dimensions: int = 32
    scale: float = 1.0
    missing: int = 0
    tokens: int | None = 10


@dataclass(frozen=True, slots=True)
class Raw:
    """What no format allows, with status 200."""

    body: bytes
    content_type: str = "text/html"
    headers: Mapping[str, str] = field(default_factory=dict)


Said = Answer | Prose | Refusal
"""What a model says."""
Reply = Said | Failure | Silence | Stall | Broken | Vectors | Raw
