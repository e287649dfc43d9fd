"""Whether what is said to be a fact is in the words it is said to come from. Pure, and the same for every language.

Other words are free, since a fact is a paraphrase. What can be looked up is not: numbers, dates, names, identifiers, addresses and
quotations must be in the sources, or follow from the time at which these were said. So a language model cannot put in what it knows from
elsewhere, what another text ordered it to write, or what it made up; and what was erased at its source does not live on in a fact.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import chain
from typing import Final

from kept.domain.entities import entities
from kept.domain.temporal import DateSpan, resolve_dates
from kept.domain.text import STOP_WORDS, terms

LEAST_SHARED: Final = 0.25
"""Least share of a fact's own words that its sources have too, in [0, 1]. Measured on short answers with the turns that prove them
(LoCoMo dev, 356 in one hop): 9 in 10 have more; see `benchmarks/README.md`."""
_ENGLISH_SHARE: Final = 0.25
"""Share of English function words above which a text is English: other European languages have some of their forms too, but fewer."""
_STEM_SHARE: Final = 0.6
_SHORTEST_STEM: Final = 3
"""Inflected forms of one word share their first letters: three at least, and this share of the longer (Praha, Praze)."""
_NEAR_DAYS: Final = {"day": 31, "time": 31, "week": 31, "month": 366, "year": 731}
"""How far from the time of a message a relative date may lie that no rule can read: `vorgestern`, `el mes pasado`, `il y a deux ans`."""
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
"""By `date.weekday()`, whatever the locale."""
_WEEK: Final = timedelta(days=7)
_MONTH: Final = timedelta(days=31)
_ROLE_WORDS: Final = frozenset({"user", "assistant", "tool", "document"})
"""What somebody is called whose name is not known."""

_NUMBER: Final = re.compile(r"\d+(?:[.,:]\d+)*")
_YEAR: Final = re.compile(r"(?:19|20)\d\d")
_THOUSANDS: Final = re.compile(r"\d{1,3}(?:[.,]\d{3})+")
_COUNTED: Final = re.compile(r"\b(\w+)[ -](day|week|month|year)s?\b")
_WORD: Final = re.compile(r"[^\W\d_]+(?:['\u2019\u2010-][^\W\d_]+)*")
_QUOTED: Final = re.compile(
    r"\"([^\"]+)\"|\u201c([^\u201d]+)\u201d|\u201e([^\u201c\u201d]+)[\u201c\u201d]|\u00ab([^\u00bb]+)\u00bb|`([^`]+)`"
)
_AROUND: Final = ".,;:!?\u2026\"'`()[]{}<>\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb*"
_IDENTIFIER: Final = re.compile(r"\w[@/\\_]\w|\w\.[^\W\d]|[^\W\d]\d|\d[^\W\d]|[a-z][A-Z]|^[/~@.#]\w|::")
_DIGITS: Final = str.maketrans("\u3007\u4e00\u4e8c\u4e09\u56db\u4e94\u516d\u4e03\u516b\u4e5d", "0123456789")
_COUNTS: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen "
    "twenty"
)
_ORDINALS: Final = "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
_NUMBER_WORDS: Final = {
    word: str(number) for words in (_COUNTS, _ORDINALS) for number, word in enumerate(words.split())
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a fact is said to come from.

    Attributes:
        speaker: The name of who said it, if known.
        at: When it was said.
    """

    text: str
    speaker: str | None
    at: datetime


class Sources:
    """All that one fact is said to come from."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources

    def support(self, text: str) -> bool:
        """Whether they say all of a text that can be looked up, and enough of its other words."""
        spans = resolve_dates(text, self._sources[-1].at) if self._sources else []
        if not self._sources or not all(map(self._has_date, spans)):
            return False
        rest = text
        for span in spans:
            rest = rest.replace(span.text, " ") if span.text in rest else _without(rest, span.text)
        return (
            all(plain(quotation) in self._plain for quotation in _quotations(rest))
            and all(map(self._has_number, _numbers(rest)))
            and all(map(self._has_word, self._specifics(rest)))
            and self._share(rest) >= LEAST_SHARED
        )

    def date_follows(self, day: date) -> bool:
        """Whether a day is one that they speak of, or on which they were said."""
        span = DateSpan(start=day, end=day + timedelta(days=1), text=day.isoformat(), granularity="day")
        return any(known.start <= day < known.end for known in self._dates) or self._has_date(span)

    # --- what they say ---

    @cached_property
    def _joined(self) -> str:
        return "\n".join(source.text for source in self._sources)

    @cached_property
    def _plain(self) -> str:
        return plain(self._joined)

    @cached_property
    def _names(self) -> set[str]:
        """Words of the speakers' names."""
        return set(chain.from_iterable(_words(source.speaker or "") for source in self._sources))

    @cached_property
    def _words(self) -> set[str]:
        return self._names.union(_words(self._joined), _ROLE_WORDS)

    @cached_property
    def _terms(self) -> set[str]:
        return set(terms(self._joined)).union(*(terms(source.speaker or "") for source in self._sources))

    @cached_property
    def _numbers(self) -> set[str]:
        words = (_NUMBER_WORDS[word] for word in self._words if word in _NUMBER_WORDS)
        han = self._joined.translate(_DIGITS)
        return {*_numbers(self._joined), *words, *(_numbers(han) if han != self._joined else ())}

    @cached_property
    def _dates(self) -> list[DateSpan]:
        found = [span for source in self._sources for span in resolve_dates(source.text, source.at)]
        for source in self._sources:
            for count, unit in _COUNTED.findall(source.text.casefold()):
                for counted in (f"{count} {unit}s ago", f"in {count} {unit}s"):
                    found += resolve_dates(counted, source.at)
        return found

    @cached_property
    def _is_english(self) -> bool:
        words = _words(self._joined)
        return len(STOP_WORDS.intersection(words)) >= _ENGLISH_SHARE * len(set(words))

    # --- what they are asked for ---

    def _has_date(self, span: DateSpan) -> bool:
        """Whether a date is one of theirs, or less exact than one of them; the day on which something was said counts."""
        if any(_covers(span, known) for known in self._dates):
            return True
        if plain(span.text) in self._plain or any(span.start <= s.at.date() < span.end for s in self._sources):
            return True
        return any(self._is_near(span, source) for source in self._sources)

    def _is_near(self, span: DateSpan, source: Source) -> bool:
        """Whether a source means this date by a weekday, by `the 15th`, or by words of a language whose dates no rule reads."""
        distance = abs(span.start - source.at.date())
        if span.granularity in ("day", "time"):
            if distance <= _WEEK and WEEKDAYS[span.start.weekday()].casefold() in self._words:
                return True
            if distance <= _MONTH and str(span.start.day) in self._numbers:
                return True
        return not self._is_english and distance <= timedelta(days=_NEAR_DAYS[span.granularity])

    def _has_number(self, number: str) -> bool:
        """Whether a number is theirs, one of theirs written shorter (2.3 of 2.3.1), or a year that they speak of."""
        if number in self._numbers or any(known.startswith(number + ".") for known in self._numbers):
            return True
        if not _YEAR.fullmatch(number):
            return False
        start = date(int(number), 1, 1)
        return self._has_date(DateSpan(start=start, end=date(start.year + 1, 1, 1), text=number, granularity="year"))

    def _has_word(self, token: str) -> bool:
        """Whether a word, name or identifier is theirs, in any case."""
        bare = plain(token)
        if bare in self._words or (not bare.isalpha() and bare in self._plain):
            return True
        found = terms(token)
        if found and all(map(self._has_term, found)):
            return True
        return not found and all(word in self._words or word in STOP_WORDS for word in _words(token))

    def _has_term(self, term: str) -> bool:
        return term in self._terms or (not self._is_english and any(_is_form(term, known) for known in self._terms))

    def _share(self, text: str) -> float:
        """Share of a text's terms that are theirs, in [0, 1]; who says it is not counted."""
        own = set(terms(text)) - set(chain.from_iterable(map(terms, self._names | _ROLE_WORDS)))
        return sum(map(self._has_term, own)) / len(own) if own else float(bool(terms(text)))

    def _specifics(self, text: str) -> Iterator[str]:
        """Names and identifiers of a text: what its letters show to be one, in any language."""
        believed = set(chain.from_iterable(_words(entity.name) for entity in entities(text) if entity.kind == "name"))
        begins = True
        for raw in text.split():
            token = raw.strip(_AROUND)
            ends = raw.rstrip("\"')]\u201d\u2019\u00bb*").endswith((".", "!", "?", ":", "\u2026"))
            common = begins and believed.isdisjoint(_words(token))
            if _IDENTIFIER.search(token) or (token[:1].isupper() and token not in _FIRST_PERSON and not common):
                yield token
            begins = ends or (begins and not token)


_FIRST_PERSON: Final = frozenset({"I", "I'm", "I've", "I'd", "I'll"})


def _covers(span: DateSpan, known: DateSpan) -> bool:
    """Whether a span says, at most as exactly, when the other one is. Weeks before a day and weeks of the calendar overlap."""
    return span.start < known.end and known.start < span.end and span.end - span.start >= known.end - known.start


def plain(text: str) -> str:
    """A text as it is compared: compatibility form, no case, single blanks."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _words(text: str) -> list[str]:
    """Words in lower case without possessive endings; of hyphenated ones also the parts."""
    found = []
    for word in _WORD.findall(plain(text)):
        bare = re.sub(r"['\u2019]s?$", "", word)
        found += [bare, *(re.split(r"['\u2019\u2010-]", word) if bare != word or "-" in word else ())]
    return found


def _numbers(text: str) -> Iterator[str]:
    """Numbers without the marks between thousands."""
    for found in _NUMBER.findall(unicodedata.normalize("NFKC", text)):
        number = "".join(str(unicodedata.digit(c)) if c.isdigit() else c for c in found)
        yield re.sub(r"[.,]", "", number) if _THOUSANDS.fullmatch(number) else number.replace(",", ".")


def _quotations(text: str) -> Iterator[str]:
    return (next(filter(None, groups)).strip(_AROUND) for groups in _QUOTED.findall(text))


def _without(text: str, part: str) -> str:
    """A text without a part of it that is written in another case."""
    return re.sub(re.escape(part), " ", text, flags=re.IGNORECASE)


def _is_form(left: str, right: str) -> bool:
    """Whether two words may be forms of one."""
    least = max(_SHORTEST_STEM, _STEM_SHARE * max(len(left), len(right)))
    shared = next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
    return shared >= least
