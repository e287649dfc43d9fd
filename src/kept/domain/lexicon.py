"""The blobs of an index entry: what ranking needs of a text, without the text.

Terms and entities are kept as 32-bit hashes: small, and no words in clear. They are no protection: the hashes are not
salted, so whoever has the index can find common words in it with a dictionary. It is guarded and erased like the text.
Two terms of a partition share a hash about once in a hundred thousand; the ranking does not notice.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from kept.domain.temporal import has_time_expression, resolve_dates
from kept.domain.text import chunks, hashed_terms, term_hash

if TYPE_CHECKING:
    from datetime import datetime

    import numpy as np

MAX_CHUNKS: Final = 255
"""Chunks are numbered in one byte; text after the first 127,000 characters counts towards the last."""
_MAX_TF: Final = 255
"""Occurrences are counted in one byte; BM25 has saturated long before."""

HAS_TIME: Final = 1
"""Flag: the text holds a time expression."""
IS_QUESTION: Final = 2
"""Flag: the text ends in a question."""
OF_SELF: Final = 4
"""Flag: whoever says it speaks of themselves, alone or with others."""
TO_YOU: Final = 8
"""Flag: it speaks to or of whoever listens."""
HAS_NUMBER: Final = 16
"""Flag: the text holds a number, in digits or in words."""
EMBEDDING_VALUE_BYTES: Final = 2
"""A float16."""
POSTING_BYTES: Final = 6
"""As `posting_type` lays them out."""
HASH_BYTES: Final = 4
"""A uint32."""
SPAN_BYTES: Final = 8
"""Two int32: the first and the last day."""
MAX_SPANS: Final = 8
"""Spans of days kept of one text: a calendar that was pasted is near every date."""

_QUESTION_MARKS: Final = ("?", "？", "؟")
_CLOSING: Final = " \t\n\r\"')]*_”’»"
_SELF: Final = re.compile(r"\b(?:i|me|my|mine|myself|we|us|our|ours)\b")
_YOU: Final = re.compile(r"\b(?:you|your|yours|yourself)\b")
_NUMBER: Final = re.compile(
    r"\b(?:\d+|two|three|four|five|six|seven|eight|nine|ten|twice|couple|dozen|second|third|fourth|fifth)\b"
)


@lru_cache(maxsize=1)
def posting_type() -> np.dtype[np.void]:
    """One posting: term hash, occurrences in the chunk, number of the chunk. Six bytes, little-endian."""
    import numpy as np

    return np.dtype([("term", "<u4"), ("tf", "u1"), ("chunk", "u1")])


def pack_terms(text: str) -> bytes:
    """The postings of a text: for each chunk its distinct terms; layout `posting_type`."""
    counts: dict[tuple[int, int], int] = {}
    for number, chunk in enumerate(chunks(text)):
        place = min(number, MAX_CHUNKS)
        for term, tf in Counter(hashed_terms(chunk)).items():
            counts[place, term] = counts.get((place, term), 0) + tf
    values = [value for (place, term), tf in counts.items() for value in (term, min(tf, _MAX_TF), place)]
    return struct.pack("<" + "IBB" * len(counts), *values)


def flags(text: str) -> int:
    """The bits of an entry."""
    lower = text.lower()
    found = {
        HAS_TIME: has_time_expression(text),
        IS_QUESTION: text.rstrip(_CLOSING).endswith(_QUESTION_MARKS),
        OF_SELF: _SELF.search(lower) is not None,
        TO_YOU: _YOU.search(lower) is not None,
        HAS_NUMBER: _NUMBER.search(lower) is not None,
    }
    return sum(bit for bit, holds in found.items() if holds)


def pack_entities(keys: Iterable[str]) -> bytes:
    """Hashed entity keys: uint32, little-endian, distinct, rising."""
    hashes = sorted({term_hash(key) for key in keys})
    return struct.pack(f"<{len(hashes)}I", *hashes)


def pack_dates(text: str, said: datetime) -> bytes:
    """The days that a text speaks of: pairs of first and last proleptic day number, int32, little-endian, as in the text.

    Args:
        text: What was said.
        said: When; relative dates count from it.
    """
    spans = resolve_dates(text, said)[:MAX_SPANS]
    days = [day for span in spans for day in (span.start.toordinal(), span.end.toordinal() - 1)]
    return struct.pack(f"<{len(days)}i", *days)


def layout_fault(embedding: bytes, terms: bytes, entities: bytes, dates: bytes, dimensions: int) -> str | None:
    """What is wrong with the lengths of an entry's blobs, None when nothing is."""
    if len(embedding) != dimensions * EMBEDDING_VALUE_BYTES:
        return f"its embedding has {len(embedding)} bytes instead of {dimensions * EMBEDDING_VALUE_BYTES}"
    if len(terms) % POSTING_BYTES:
        return f"its postings have {len(terms)} bytes, which is no multiple of {POSTING_BYTES}"
    if len(entities) % HASH_BYTES:
        return f"its entities have {len(entities)} bytes, which is no multiple of {HASH_BYTES}"
    if len(dates) % SPAN_BYTES:
        return f"its dates have {len(dates)} bytes, which is no multiple of {SPAN_BYTES}"
    return None


def is_finite(embedding: bytes) -> bool:
    """Whether every value of an embedding (of a whole number of values) is a finite number."""
    import numpy as np

    return bool(np.isfinite(np.frombuffer(embedding, "<f2")).all())
