"""Ids for messages whose file gives them none, so that a second import of the same messages is recognised."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

_DIGEST_BYTES: Final = 16
"""128 bits: no collision among any number of messages a person can have."""


@dataclass(slots=True)
class SourceIds:
    """Gives each message of one file an id that depends on what it says, not on where the file lies.

    The same parts again get another id, by their ordinal among the identical ones ("ok" said twice was said twice).
    """

    _seen: Counter[tuple[str, ...]] = field(default_factory=Counter)

    def next(self, *parts: str | None) -> str:
        """The id of the next message with these parts: 32 hexadecimal digits. None is the empty part."""
        key = tuple(part or "" for part in parts)
        ordinal = self._seen[key]
        self._seen[key] = ordinal + 1
        # Lengths stand before the parts, so that no two lists of parts run together to the same bytes.
        encoded = [part.encode("utf-8", "surrogatepass") for part in (*key, str(ordinal))]
        digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
        for part in encoded:
            digest.update(b"%d:" % len(part) + part)
        return digest.hexdigest()
