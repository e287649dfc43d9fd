"""What a message says that is worth remembering, by rule.

A message is split into sentences; small talk, output of machines, orders and suppositions are left out; what cannot stand alone joins its
neighbour; code and commands stay whole with the sentence that introduces them, and words of others with whose they are. A statement is
always a slice of the message, so its source can be shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from kept.domain.noise import is_order, is_output, is_sentence, is_supposition, is_tick, told_spans
from kept.domain.quotation import is_header, is_labelled, mail_in, whole_sentences
from kept.domain.small_talk import content_words, is_announcement, is_guess, is_offer, is_small_talk, is_specific

__all__ = ["MAX_STATEMENT", "Statement", "StatementKind", "Voice", "statements"]

StatementKind = Literal["statement", "code", "command", "question"]
Voice = Literal["person", "model", "tool"]
"""Who speaks: of a language model, announcements, guesses and short sentences without anything specific are left out; of a tool,
whatever is not a sentence or code that one introduces."""

MAX_STATEMENT: Final = 600
"""Characters of a statement of prose: about what one embedding and one chunk can hold."""
_MAX_CODE: Final = 6_000
"""Characters of a code block kept whole: a long function; a pasted file is cut at line ends."""
_STANDS_ALONE: Final = 3
"""Content words with which any sentence can stand alone."""
_FRAGMENT: Final = 2
"""Content words with which a person's fragment says something with nothing before it."""
_SHORT_SENTENCE: Final = 14
"""Words up to which a sentence that begins with a pronoun leans on the one before."""
_REDACTED: Final = "[redacted:"
"""The beginning of the mark in a secret's place (see `domain.redaction`)."""
_SECRET: Final = re.compile(
    r"\[redacted:[^\[\]]{0,40}\]|\b(?:api|access|auth|keys?|tokens?|secrets?|passwords?|passwort|login|credentials?)\b",
    re.IGNORECASE,
)
"""A secret's mark, and what secrets are called."""
_BESIDE_SECRET: Final = 3
"""Content words beside a secret and its name with which a sentence says something as well; as any sentence, see `_STANDS_ALONE`."""
_DOER_WITHIN: Final = 3
"""Words in which a sentence says who did something."""
_MODEL_SAYS: Final = 3
"""Content words from which a sentence of a language model says something without anything specific in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement of a message.

    Attributes:
        text: `message[start:end]`.
        start: Where it begins in the message.
        end: Where it ends, half-open.
        kind: "code" and "command" include the sentence that introduces them.
        speaker: Whose words they are, where the message says that they are not the speaker's own: the sender of a mail in it.
    """

    text: str
    start: int
    end: int
    kind: StatementKind
    speaker: str | None = None


def _words(words: str) -> frozenset[str]:
    return frozenset(words.split())


_DEPENDENT: Final = _words(
    """
    because so and but or nor yet which also then therefore thus hence otherwise plus instead e.g e.g. i.e i.e. namely
    especially particularly including such like
    """
)
_PRONOUNS: Final = _words(
    """
    it it's its they they're they'll their them this that that's these those he he's his him she she's her both
    neither either
    """
)
_SUBJECTS: Final = _words("i i'm i've i'd i'll we we're we've we'd we'll my our user users")
_OWN: Final = _words("i i'm i've i'd i'll we we're we've my our mine ours")
"""With these somebody speaks of himself."""
_VERBS: Final = _words(
    """
    is are was were has have had uses use used prefers prefer likes runs lives works needs wants means must should
    will can cannot
    """
)
_DOERS: Final = _words("i i've we we've")
_DEEDS: Final = _words("wrote made built ran set put found took sent chose began left split cut kept")
"""Irregular ones; the others end in -ed."""
_ITEM: Final = re.compile(r"(?:[-*+\u2022\u2023\u25e6\u2013]|\d{1,3}[.)]|[A-Za-z][.)])[ \t]+")
_HEADING: Final = re.compile(r"#{1,6}[ \t]+")
_BOLD_LINE: Final = re.compile(r"\*\*[^*\n]{1,120}\*\*:?")
_BARE_MARK: Final = re.compile(r"[*_#\s]*(?:\d{1,3}|[IVX]{1,5})[.)][*_\s]*")
_COMMAND: Final = re.compile(
    r"[$%][ ]\S|(?:sudo )?(?:git|npm|npx|pnpm|yarn|pip3?|uvx?|python3?|node|docker|docker-compose"
    r"|kubectl|make|cargo|go|curl|wget|ssh|scp|cd|ls|cp|mv|rm"
    r"|mkdir|chmod|export|brew|apt|apt-get|terraform|aws|gcloud|psql|sqlite3|pytest|ruff|mypy"
    r"|poetry|conda|systemctl|helm|bash|sh|tar|grep|sed|rsync|gh|dotnet|mvn|gradle"
    r"|flutter|bundle|rails|composer|php|deno|bun|just|nox|tox|pre-commit)[ ]+(?!(?:is|are|was"
    r"|has|sure|to|ahead|with|for|and|or|in|on|the|a|an|it|that|can|will|into|use|uses)\b)[\w./@:~\"'-]"
)
_QUESTION_MARKS: Final = ("?", "\uff1f", "\u061f")
_SMILEY: Final = re.compile(r"[\s]*[:;]-?[()DPp|/]+\W*$")
_SMILING: Final = ")(DPp|/"
_CLOSING: Final = "\"'\u201d\u2019)]*_"
_EXCLAIMED: Final = ("!", "\uff01")
_CLAUSE_END: Final = re.compile(
    r"[;:,\u2014\u2013\uff0c\u3001\uff1b][\s]?|\s(?=(?:and|but|because|which|so|then|while|whereas)\s)|\n"
)


@dataclass(slots=True, kw_only=True)
class _Unit:
    """A sentence, list item, heading, command or code block, judged by itself."""

    start: int
    end: int
    kind: StatementKind
    content: int  # words beyond stop words and small talk; 0 when there is nothing to keep
    talk: bool  # small talk, to be left out
    leans: bool  # cannot stand without the sentence before, if there is one
    alone: bool  # says something where there is none
    opens: bool  # introduces what follows
    item: bool  # a list item


@dataclass(slots=True, kw_only=True)
class _Group:
    """Units that will be one statement."""

    start: int
    end: int
    kind: StatementKind
    opens: bool
    unit: int  # position of its last unit


def _says(text: str, words: list[str], content: int, voice: Voice) -> bool:
    """Whether a fragment says something by itself: a person's, also a short one in which he speaks of himself, or a model's deed."""
    if voice != "person":
        return _is_deed(words)
    least = _STANDS_ALONE if text.endswith(_EXCLAIMED) else _FRAGMENT
    return content >= least or (content > 0 and not _OWN.isdisjoint(words))


def _is_deed(words: list[str]) -> bool:
    """Whether somebody says what he has done (`And I changed the parser.`)."""
    return not _DOERS.isdisjoint(words[:_DOER_WITHIN]) and any(word.endswith("ed") or word in _DEEDS for word in words)


def _leans(words: list[str], content: int) -> bool:
    """Whether a sentence needs the one before: it continues it, refers to it, or is a fragment."""
    first = words[0] if words else ""
    if first in _DEPENDENT:
        return True
    if first in _PRONOUNS and len(words) <= _SHORT_SENTENCE:
        return True
    if content >= _STANDS_ALONE or first in _SUBJECTS:
        return False
    return content < _FRAGMENT or _VERBS.isdisjoint(words)


def _unit(text: str, start: int, end: int, voice: Voice) -> _Unit:
    body = text[start:end]
    if body.startswith("```"):
        return _whole(start, end, "code")
    if not any(map(str.isalnum, body)) or (voice == "tool" and not is_sentence(body)):
        return _nothing(start, end)
    if _COMMAND.match(body) and not body.endswith((".", "!", "?", ":")):
        return _whole(start, end, "command")
    mark = _ITEM.match(body)
    heading = _HEADING.match(body)
    opening = mark or heading
    words, content = content_words(body[opening.end() :] if opening else body)
    if not words or (content == 0 and opening is None) or _is_noise(body, words, voice):
        return _nothing(start, end)
    ending = (_SMILEY.sub("", body) if body[-1] in _SMILING else body).rstrip(_CLOSING)
    question = ending.endswith(_QUESTION_MARKS)
    opens = heading is not None or _BOLD_LINE.fullmatch(body) is not None or ending.endswith((":", "\uff1a"))
    leans = opening is None and not question and not opens and _leans(words, content)
    return _Unit(
        start=start,
        end=end,
        kind="question" if question else "statement",
        content=content,
        talk=opening is None and not (opens and content) and _is_talk(body, words, content, voice, question=question),
        leans=leans,
        alone=not leans or is_specific(body, words) or _says(body, words, content, voice),
        opens=opens,
        item=mark is not None,
    )


def _nothing(start: int, end: int) -> _Unit:
    return _Unit(
        start=start, end=end, kind="statement", content=0, talk=True, leans=True, alone=False, opens=False, item=False
    )


def _whole(start: int, end: int, kind: Literal["code", "command"]) -> _Unit:
    return _Unit(
        start=start,
        end=end,
        kind=kind,
        content=_STANDS_ALONE,
        talk=False,
        leans=False,
        alone=True,
        opens=False,
        item=False,
    )


def _is_noise(text: str, words: list[str], voice: Voice) -> bool:
    """Whether a sentence is a bare mark, an order, output of a program, or about a secret that was taken out of it."""
    if (
        _BARE_MARK.fullmatch(text)
        or is_tick(text)
        or is_order(text, words)
        or (_REDACTED in text and content_words(_SECRET.sub(" ", text))[1] < _BESIDE_SECRET)
    ):
        return True
    return voice != "model" and is_output(text) and not is_labelled(text)


def _is_talk(text: str, words: list[str], content: int, voice: Voice, *, question: bool) -> bool:
    """Whether a sentence is small talk or a supposition, or of a language model a guess or nothing of its own."""
    if is_small_talk(text, words, content) or is_supposition(text, words):
        return True
    if voice != "model":
        return False
    if is_guess(text) or is_offer(text) or is_announcement(text, words):
        return True
    return not (question or content >= _MODEL_SAYS or is_specific(text, words) or _is_deed(words))


def _joins(text: str, group: _Group, unit: _Unit, position: int, before: _Unit) -> bool:
    """Whether `unit` belongs to the statement in hand rather than beginning its own."""
    size = unit.end - group.start
    adjacent = group.unit == position - 1
    if unit.kind in ("code", "command"):
        return adjacent and unit.end - unit.start <= _MAX_CODE and _takes_code(group, unit)
    if group.kind in ("code", "command") or size > MAX_STATEMENT:
        return False
    if unit.item:
        fragment = unit.content < _STANDS_ALONE and before.item
        return adjacent and (group.opens or fragment)
    if group.opens and adjacent:
        same_line = "\n" not in text[before.end : unit.start]
        return (not unit.opens or not before.item) and (
            same_line if before.item else not (unit.opens and "#" in text[unit.start : unit.start + 1])
        )
    return unit.leans


def _takes_code(group: _Group, unit: _Unit) -> bool:
    """Code joins a short introduction right above it; commands in a row join each other."""
    if group.kind == "command" and unit.kind == "command":
        return unit.end - group.start <= MAX_STATEMENT
    return group.kind in ("statement", "question") and group.end - group.start <= MAX_STATEMENT // 2


def _groups(text: str, units: list[_Unit]) -> list[_Group]:
    groups: list[_Group] = []
    for position, unit in enumerate(units):
        if unit.talk or not (groups or unit.alone):
            continue
        start = unit.start
        if unit.kind in ("code", "command") and position and units[position - 1].talk and units[position - 1].content:
            start = units[position - 1].start  # "Why does this fail?" says little, but belongs to the code below
        if groups and _joins(text, groups[-1], unit, position, units[position - 1]):
            group = groups[-1]
            group.end = unit.end
            group.unit = position
            if unit.kind in ("code", "command"):
                group.kind = unit.kind
                group.opens = False
            elif unit.kind == "statement" and group.kind == "question":
                group.kind = "statement"
            group.opens = group.opens or unit.opens
        else:
            groups.append(_Group(start=start, end=unit.end, kind=unit.kind, opens=unit.opens, unit=position))
    return groups


def _fragments(units: list[_Unit]) -> list[_Group]:
    return [
        _Group(start=unit.start, end=unit.end, kind=unit.kind, opens=False, unit=position)
        for position, unit in enumerate(units)
        if not unit.talk
    ]


def _bounded(text: str, group: _Group) -> list[tuple[int, int]]:
    """The span of a group, cut where it is too long: code at line ends, prose at clause ends."""
    limit = _MAX_CODE if group.kind == "code" else MAX_STATEMENT
    spans: list[tuple[int, int]] = []
    start, end = group.start, group.end
    while end - start > limit:
        cut = _cut(text, start, start + limit, code=group.kind == "code")
        spans.append((start, cut))
        start = cut
    spans.append((start, end))
    return spans


def _cut(text: str, start: int, limit: int, *, code: bool) -> int:
    middle = (start + limit) // 2
    if code:
        cut = text.rfind("\n", middle, limit) + 1
    else:
        cut = max((m.end() for m in _CLAUSE_END.finditer(text, middle, limit)), default=0)
    return cut or text.rfind(" ", middle, limit) + 1 or limit


def _lone_item(body: str) -> re.Match[str] | None:
    """The mark of a list item that stands alone; in a list each item keeps its mark."""
    mark = _ITEM.match(body)
    return mark if mark and not any(_ITEM.match(line.lstrip()) for line in body.split("\n")[1:]) else None


def _trimmed(text: str, start: int, end: int, kind: StatementKind, speaker: str | None) -> Statement | None:
    """The statement of a span without white space and, for prose, without the list or heading mark it begins with."""
    body = text[start:end]
    if kind in ("statement", "question") and (mark := _lone_item(body) or _HEADING.match(body)):
        start += mark.end()
        body = text[start:end]
    start += len(body) - len(body.lstrip())
    body = body.strip()
    return Statement(text=body, start=start, end=start + len(body), kind=kind, speaker=speaker) if body else None


def statements(text: str, voice: Voice = "person", *, lone: bool = False) -> list[Statement]:
    """The statements of a message, in order.

    Greetings, thanks, acknowledgements, announcements, output of programs, orders and suppositions are left out. Each
    statement is a slice of `text`; none overlap; prose is at most 600 characters long.

    Args:
        text: The message.
        voice: Who speaks.
        lone: Whether it is all that was said: then fragments are kept where there is nothing else (`PostgreSQL`, `Tea.`).
    """
    mail = mail_in(text)
    units = [
        _unit(text, first, last, voice)
        for start, end in told_spans(text)
        for first, last in whole_sentences(text, start, end, MAX_STATEMENT)
        if mail is None or first < mail.start or not is_header(text[first:last])
    ]
    groups = _groups(text, units) or (_fragments(units) if lone else [])
    found = [
        _trimmed(text, start, end, group.kind, mail.sender if mail and start >= mail.start else None)
        for group in groups
        for start, end in _bounded(text, group)
    ]
    return [statement for statement in found if statement]
