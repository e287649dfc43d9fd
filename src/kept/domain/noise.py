"""What stands in messages but was said by nobody, or not meant: output of machines, injected text, orders to the memory, suppositions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

__all__ = ["is_order", "is_output", "is_sentence", "is_supposition", "is_tick", "told_spans"]

_BLOCK: Final = re.compile(
    r"<((?:[a-z]{1,20}[-_])?(?:memory|memories|reminder|context|recall|stdout|stderr)(?:[-_][a-z]{1,20})?)>"
)
"""The beginning of what a program put into a message: memories recalled, reminders, output of commands."""
_MOST_BLOCKS: Final = 100
"""Of one message: a bound for hostile ones."""


def told_spans(text: str) -> Iterator[tuple[int, int]]:
    """Half-open spans of what is left of a message when injected blocks are taken out, in order."""
    at = 0
    if "</" in text:
        for number, match in enumerate(_BLOCK.finditer(text)):
            if number == _MOST_BLOCKS:
                break
            closing = f"</{match[1]}>"
            end = text.find(closing, match.end())
            if match.start() >= at and end >= 0:
                yield at, match.start()
                at = end + len(closing)
    yield at, len(text)


# --- output of machines ---

_ODD: Final = re.compile(r"[^\w\s.,;!?'\"()\u2018-\u201d-]|[\d_]|[A-Z]{3}|\s{3}|\t|^(?: ?at|import|from|class) |^--")
"""Without any of these a line is prose; a guess that errs towards yes."""
_LOG_LINE: Final = re.compile(
    r"\[?\d{4}-\d\d-\d\d[T ,]+\d\d:\d\d:\d\d|\[?\d\d:\d\d:\d\d|\[\s*\d+\.\d{3}|(?:TRACE|DEBUG|INFO|NOTICE)(?:[:\]|]|\s\s)"
    r"|FAILED \S+::|diff --git |@@ |(?:\+\+\+|---) [ab]?/|index [0-9a-f]{7}|[+-][ \t]{2,}|\s*at [\w.$<>]+\(|File \"|Traceback|--> |\d+ \||\*\*\* "
    r"|npm (?:ERR|WARN)|remote: |=> |[\u2500-\u259f]|[-=+|*.#~_^ ]{4,}$|\[[\w/-]+ [0-9a-f]{7}\]"
)
"""Beginnings of lines that programs write: logs, differences, stack traces, frames, progress."""
_CODE_LINE: Final = re.compile(
    r"@\w+[\w.]*(?:\(|$)|(?:async )?(?:def|func|fun|fn|function|class|struct|impl|interface) [\w.<>]+ ?[({:<]"
    r"|(?:public|private|protected|static|const|let|var|val|export) [\w\s<>:,\[\]]{1,60}(?:=[^=]|[;{]$)"
    r"|from \S+ import\b|import [\w.]+(?: as \w+|(?:, ?[\w.]+)+)?;?$|#include\b|(?:SELECT|INSERT INTO|CREATE TABLE)\b.*[;*(]"
)
"""Beginnings of lines of code."""
_TABLE: Final = re.compile(r"^\S+(?: \S+)? \| \S+(?: \S+)?$|\s\|\s[^|]*\s\|\s|\S {3,}\S+ {3,}\S|\t\S[^\t]*\t")
_PROSE_WORD: Final = re.compile(
    r"[*_(\"'\u201c\u2018\u00bf\u00a1]*(?:[^\W\d_]{1,24}(?:['\u2019-][^\W\d_]{1,20})*)[*_.,;:!?)\"'\u201d\u2019\u2026]*"
)
_FEWEST_WORDS: Final = 4
"""Words from which their share can tell prose from output."""
_LEAST_PROSE: Final = 0.4
"""Share of words of a line of prose that are ordinary words; tables, listings and traces have fewer."""
_SENTENCE_PROSE: Final = 0.75
"""The same of what a program says in sentences."""
_FEWEST_OF_SENTENCE: Final = 3
"""Words of one: `This command failed:`."""


def is_output(line: str) -> bool:
    """Whether a sentence or line looks as if a program had written it: logs, traces, differences, tables, code."""
    if not _ODD.search(line):
        return False
    if _LOG_LINE.match(line) or _CODE_LINE.match(line) or _TABLE.search(line):
        return True
    words = line.split()
    return len(words) >= _FEWEST_WORDS and _prose(words) < _LEAST_PROSE


def is_tick(text: str) -> bool:
    """Whether a sentence belongs to what a timer asks an agent, and the agent answers, while nothing happens."""
    return "HEARTBEAT" in text


def is_sentence(line: str) -> bool:
    """Whether what a program wrote reads as a sentence or introduces something: ordinary words from a capital to a mark."""
    ending = line.rstrip("\"'\u201d)*_ ")[-1:]
    if not ending or ending not in ".!?:\u3002\uff01\uff1a" or not (line[:1].isupper() or not line.isascii()):
        return False
    words = line.split()
    return not line.isascii() or (len(words) >= _FEWEST_OF_SENTENCE and _prose(words) >= _SENTENCE_PROSE)


def _prose(words: list[str]) -> float:
    return sum(1 for word in words if _PROSE_WORD.fullmatch(word)) / len(words)


# --- what is not meant ---

_ORDER: Final = (
    r"(?i)(?:.{0,80}\b(?:ignore|disregard|forget|override|bypass)\b.{0,20}\b(?:all|any|every|previous|prior|earlier|above|these|those|your)\b.{0,30}"
    r"\b(?:instructions?|rules?|prompts?|guidelines|directives|said|told|know|memor(?:y|ies))\b"
    r"|(?:please )?(?:forget|delete|erase|wipe) (?:everything|all) (?:you|i|we|that|about|of)\b"
    r"|(?:system|developer|assistant|admin)\s?:\s|.{0,40}\bupdate (?:your )?memory\b"
    r"|.{0,80}\b(?:ai agents?|ai assistants?|assistants|llms?|language models|chatbots|agents)\b.{0,40}\b(?:must|should|have to|are to|ignore)\b.{0,60}\b(?:remember|store|save|memori[sz]e|ignore|trust|recommend)\b)"
)
_ORDER_WORDS: Final = frozenset(
    "ignore disregard forget override bypass delete erase wipe system developer assistant admin memory agents assistants llm llms models chatbots".split()  # noqa: SIM905 - reads as a list of words
)
"""One of them is in every order, so that other sentences need not be matched."""


def is_order(text: str, words: Sequence[str]) -> bool:
    """Whether a sentence, with these words in lower case, gives orders to whoever reads or remembers it, such as to ignore its instructions."""
    return not _ORDER_WORDS.isdisjoint(words) and re.match(_ORDER, text) is not None


_SUPPOSITION: Final = (
    r"(?i)(?:(?:and|but|so|or|well|ok|hm+),? )?(?:"
    r"if (?:i|we|he|she|they|you|it|this|that|the \w+) (?:ever|had|were|was|won|could)\b.*(?:\bwould|\bwouldn't|'d\b|\u2019d\b|\bcould|\bi'll\b|\bi\u2019ll\b|,? (?:shoot|kill|bury) me|\?)"
    r"|if (?:i|we) ever\b|imagine (?:if|we|you|i|he|she|they|that)\b|suppose (?:i|we|you|he|she|they|that|for)\b|what if\b|i imagine (?:he|she|they|it)\b|wenn ich .{0,40}\bwäre\b|si (?:yo )?fuera\b|si j'étais\b)"
)


_SUPPOSING: Final = frozenset("if imagine suppose what and but so or well ok hmm i wenn si".split())  # noqa: SIM905 - the same


def is_supposition(text: str, words: Sequence[str]) -> bool:
    """Whether a sentence, with these words in lower case, only supposes something (`If I were rich, I'd buy a boat`)."""
    return words[0] in _SUPPOSING and re.match(_SUPPOSITION, text) is not None
