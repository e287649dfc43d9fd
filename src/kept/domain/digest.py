"""Digests: short names for texts that are too long, or that nobody should read, to be names themselves."""

from __future__ import annotations

import hashlib
from typing import Final

DIGEST_BYTES: Final = 16
"""128 bits: no two of a store's digests meet by accident. Stores hold digests, so that it cannot change."""


def digest(text: str, size: int = DIGEST_BYTES) -> str:
    """BLAKE2b of a text, hexadecimal. An identity, not a protection.

    Args:
        text: Any, lone surrogates too.
        size: Bytes, from 1 to 64; the digest has two characters for each.
    """
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).hexdigest()
