"""Whether what is said to be a fact is in the words it is said to come from. Pure, and the same for every language.

Other words are free, since a fact is a paraphrase. What can be looked up is not: numbers, dates, names, identifiers, addresses and
quotations must be in the sources, or follow from the time at which these were said. So a language model cannot put in what it knows from
elsewhere, what another text ordered it to write, or what it made up; and what was erased at its source does not live on in a fact.

Names alone may also be had from what was seen besides the sources, since `she` says who is meant to whoever heard the sentence before.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import chain
from typing import Final

from kept.domain.entities import is_common
from kept.domain.temporal import DateSpan, resolve_dates
from kept.domain.text import STOP_WORDS, terms


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


LEAST_SHARED: Final = 0.25
"""Least share of a fact's own words that its sources have too, in [0, 1]: the largest at which nothing is lost. Of 418 short answers in
LoCoMo dev 92% pass beside the turns that prove them, as they would without it, and 1.7% beside others, instead of 4.1%
(`benchmarks/support.py`)."""
_ENGLISH_SHARE: Final = 0.25
"""Share of English function words above which a text is English: other European languages have some of their forms too, but fewer."""
_STEM_SHARE: Final = 0.6
_SHORTEST_STEM: Final = 3
"""Inflected forms of one word share their first letters: three at least, and this share of the longer (Praha, Praze)."""
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
"""By `date.weekday()`, whatever the locale."""
_WEEK: Final = timedelta(days=7)
_MONTH: Final = timedelta(days=31)
_LONG_YEAR: Final = timedelta(days=366)
_NEAR: Final = {"day": _MONTH, "time": _MONTH, "week": _MONTH, "month": _LONG_YEAR, "year": 2 * _LONG_YEAR}
"""How far from the time of a message a relative date may lie that no rule can read: `vorgestern`, `el mes pasado`, `il y a deux ans`."""
ROLE_WORDS: Final = frozenset({"user", "assistant", "tool", "document"})
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
_UNSPACED: Final = r"\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef"
_CJK: Final = re.compile(f"[{_UNSPACED}]")
_TOKEN: Final = re.compile(rf"[^\s{_UNSPACED}]+")
_POSSESSIVE: Final = re.compile(r"['\u2019]s?$")
_CJK_DATE: Final = re.compile(r"(\d{4})[年년] ?(\d{1,2})[月월] ?(\d{1,2})[日일]")
_DAY_BEFORE_YEAR: Final = re.compile(r"\b\d{1,2}\b\D{1,20}\b((?:19|20)\d\d)\b")
"""A date of a language whose months no rule knows; what can be checked of it is the year."""
_BESIDE_UNSPACED: Final = re.compile(rf"(?<=[{_UNSPACED}])(?=[A-Za-z0-9])|(?<=[A-Za-z0-9])(?=[{_UNSPACED}])")
_NO_IDENTIFIER: Final = re.compile(r"[\d.,:]+[^\W\d_]{1,4}|(?:[^\W\d_]\.)+[^\W\d_]")
"""`2nd`, `10km`, `5pm`: a number, which is looked up as such; `e.g`."""
_DECLINED: Final = re.compile(r"[\u0370-\u058fčďěňřšťůžąćęłńśźżđőűūėįųķļģņāēī]")
_SHORT: Final = 2
"""Letters of a word that names nothing in any language with capitals, such as articles and prepositions; and of an ending."""
_OPENERS: Final = _set(
    """
    der die das dem den des ein eine einen einem einer eines sein seine seinen seiner ihr ihre ihren ihrer kein keine alle beide auf aus
    bei mit für von vom zum zur nach seit bis über unter vor wegen wenn weil dass dieser diese dieses jeder jede jedes sie wir man nur
    los las del una uno unos unas con para por desde hasta sin sobre cada cuando este esta esto estos estas sus
    les des une aux chez dans pour par avec depuis sans sur sous son ses leur leurs elle ils elles ces cette chaque quand
    gli nel nella dei delle della dal dalla per suo sua loro ogni quando questo questa
    dos das uma com sem seu isso essa esse het een van voor zijn haar
    """
)
"""The same of more letters, in some more languages than English."""
_FIRST_PERSON: Final = frozenset({"I", "I'm", "I've", "I'd", "I'll"})
_OF_SELF: Final = re.compile(r"\b(?:i|we)\b", re.IGNORECASE)
_REFERRING: Final = re.compile(
    r"\b(?:he|him|his|she|hers?|they|them|theirs?|it|its|this|that|these|those|here|there|the|my|our|your|ones?|both|either|same|such|so|too"
    r"|other|another|yes|yeah|yep|ok(?:ay)?|sure|right|exactly|agreed?|let's)\b|\b(?:do|did|does|will|would|can|have|has|am|is|are)\W*$",
    re.IGNORECASE | re.MULTILINE,
)
"""Words that mean what was said before, and `I do`, which leaves it out."""
_ADDRESS: Final = re.compile(r"@|://")
"""Of mail or a page: it says where, not who or what is meant."""
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

_COUNTING: Final = _NUMBER_WORDS.keys() - _set("zero one zeroth first second")
"""Those that count: `one` and `first` also stand for what is not counted, `second` for a time."""


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
    """All that one fact is said to come from.

    Args:
        sources: The words that say it.
        besides: What whoever states the fact has seen with them: names may be had from there, and nothing else.
    """

    def __init__(self, sources: Sequence[Source], besides: Sources | None = None) -> None:
        self._sources = sources
        self._besides = besides

    def support(self, text: str) -> bool:
        """Whether they say all of a text that can be looked up, and enough of its other words."""
        if not self._sources:
            return False
        spans, rest = self._parted(text)
        return all(map(self._has_date, spans)) and self._support_undated(rest)

    def borrowed(self, text: str) -> tuple[str, ...]:
        """Names in a text that they do not have, but what was seen besides does; in the order of the text."""
        if self._besides is None or not self._sources or self._is_of_itself:
            return ()
        _, rest = self._parted(text)
        missing = (name for name in dict.fromkeys(_specifics(rest)) if not self.has_name(name))
        return tuple(name for name in missing if not _ADDRESS.search(name) and self._besides.has_name(name))

    def has_name(self, name: str) -> bool:
        """Whether a name or identifier is theirs."""
        return self._has_identifier(name) if _is_identifier(name) else self._has_word(name)

    def hold(self, value: str) -> bool:
        """Whether they say a value of a form, where their words, names or a date may stand alone; else as `support`."""
        if not self._sources or not plain(value):
            return False
        spans, rest = self._parted(value)
        if spans and not rest.strip(_AROUND + " "):
            return all(map(self._has_date, spans))
        return self._names.issuperset(_words(value) or [""]) or self._has_words(value) or self.support(value)

    def _parted(self, text: str) -> tuple[list[DateSpan], str]:
        """The dates of a text, and what else it says."""
        rest = _spaced(_CJK_DATE.sub(_iso_date, text))
        if self._is_unread and not self._days:
            rest = _DAY_BEFORE_YEAR.sub(r"\1", rest)
        spans = resolve_dates(rest, self._sources[-1].at)
        for span in spans:
            rest = rest.replace(span.text, " ")
        return spans, rest

    def _support_undated(self, rest: str) -> bool:
        borrowed = self.borrowed(rest)
        return (
            all(plain(quotation) in self._plain for quotation in _quotations(rest))
            and all(map(self._has_number, [*_numbers(rest), *_spelled(rest)]))
            and all(name in borrowed or self.has_name(name) for name in _specifics(rest))
            and self._share(rest, without=borrowed) >= LEAST_SHARED
        )

    def date_follows(self, day: date) -> bool:
        """Whether a day (before the last there is) is one that they speak of, or on which they were said."""
        span = DateSpan(start=day, end=day + timedelta(days=1), text=day.isoformat(), granularity="day")
        return any(known.start <= day < known.end for known in self._dates) or self._has_date(span)

    def number_follows(self, number: float) -> bool:
        """Whether a number is one that they say, in digits or in words."""
        whole = isinstance(number, int) or number.is_integer()
        return self._has_number(str(abs(int(number) if whole else number)))

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
        return self._names.union(_words(self._joined), ROLE_WORDS)

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
        found = [span for source in self._sources for span in resolve_dates(_spaced(source.text), source.at)]
        for source in self._sources:
            for count, unit in _COUNTED.findall(source.text.casefold()):
                for counted in (f"{count} {unit}s ago", f"in {count} {unit}s"):
                    found += resolve_dates(counted, source.at)
        return found

    @cached_property
    def _days(self) -> set[int]:
        """Numbers that may be days of a month."""
        return {int(number) for number in self._numbers if number.isdecimal() and 0 < int(number) <= _MONTH.days}

    @cached_property
    def _is_english(self) -> bool:
        words = _words(self._joined)
        return len(STOP_WORDS.intersection(words)) >= _ENGLISH_SHARE * len(set(words))

    @cached_property
    def _is_of_itself(self) -> bool:
        """Whether they only speak of who says them: in `I like tea` nobody else is meant."""
        joined = self._joined.replace("\u2019", "'")
        return self._is_english and bool(_OF_SELF.search(joined)) and not _REFERRING.search(joined)

    @cached_property
    def _declines(self) -> bool:
        """Whether they are in a script or alphabet of languages that decline names: Slavic, Baltic, Greek."""
        return _DECLINED.search(self._plain) is not None

    @cached_property
    def _is_unread(self) -> bool:
        """Whether they may name dates that no rule reads, being in a language of which none is known."""
        return not self._is_english and not self._dates

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
        if not self._is_unread:
            return False
        if self._days and span.granularity in ("day", "time"):
            return span.start.day in self._days and distance <= _LONG_YEAR
        return distance <= _NEAR[span.granularity]

    def _has_number(self, number: str) -> bool:
        """Whether a number is theirs, one of theirs written shorter (2.3 of 2.3.1), or a year that they speak of."""
        if number in self._numbers or any(known.startswith(number + ".") for known in self._numbers):
            return True
        if not _YEAR.fullmatch(number):
            return False
        start = date(int(number), 1, 1)
        return self._has_date(DateSpan(start=start, end=date(start.year + 1, 1, 1), text=number, granularity="year"))

    def _has_word(self, token: str) -> bool:
        """Whether a name or another word is theirs, in any case and form; of what hyphens join each part."""
        found = terms(token)
        if found and all(map(self._has_name, found)):
            return True
        words = re.split(r"[-\u2010]", _POSSESSIVE.sub("", plain(token)))
        return all(word in self._words or word in STOP_WORDS or self._has_name(word) for word in words)

    def _has_identifier(self, token: str) -> bool:
        """Whether an identifier or address is theirs as it is written, but for case."""
        return self._has_words(_POSSESSIVE.sub("", plain(token)).rstrip("/"))

    def _has_words(self, words: str) -> bool:
        """Whether words stand in them as they are, but for case and blanks."""
        bare = re.escape(plain(words))
        return re.search(rf"(?<![a-z0-9_]){bare}(?![a-z0-9_])", self._plain) is not None

    def _has_name(self, term: str) -> bool:
        """Whether a name's term is theirs; most languages add to a name at most, some decline it."""
        if self._declines:
            return self._has_term(term)
        return term in self._terms or (not self._is_english and any(_adds_to(term, known) for known in self._terms))

    def _has_term(self, term: str) -> bool:
        return term in self._terms or (not self._is_english and any(_is_form(term, known) for known in self._terms))

    def _share(self, text: str, *, without: Iterable[str] = ()) -> float:
        """Share of a text's terms that are theirs, in [0, 1]; who says it is not counted, nor what is borrowed."""
        uncounted = map(terms, (*self._names, *ROLE_WORDS, *without))
        own = set(terms(text)).difference(chain.from_iterable(uncounted))
        return sum(map(self._has_term, own)) / len(own) if own else 0.0


def _specifics(text: str) -> Iterator[str]:
    """Names and identifiers of a text: what its letters show to be one, in any language."""
    begins = (
        _CJK.search(text) is None
    )  # where words stand without spaces a capital is never there for a sentence's sake
    for raw in _TOKEN.findall(text):
        token = raw.strip(_AROUND)
        common = token in _FIRST_PERSON or (begins and _opens(token))
        if _is_identifier(token) or (token[:1].isupper() and not common):
            yield token
        ends = raw.rstrip("\"')]\u201d\u2019\u00bb*").endswith((".", "!", "?", ":", "\u2026"))
        begins = ends or (begins and not token)


def _opens(word: str) -> bool:
    """Whether a word may have its capital for beginning a sentence: one that names nothing."""
    return len(word) <= _SHORT or is_common(word) or word.casefold() in _OPENERS


def _is_identifier(token: str) -> bool:
    return bool(_IDENTIFIER.search(token)) and not _NO_IDENTIFIER.fullmatch(token)


def _spaced(text: str) -> str:
    """A text with blanks between scripts with spaces and those without, so that words and dates of the first are seen."""
    return _BESIDE_UNSPACED.sub(" ", text)


def _iso_date(found: re.Match[str]) -> str:
    return f"{found[1]}-{found[2]:0>2}-{found[3]:0>2}"


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
        bare = _POSSESSIVE.sub("", word)
        found += [bare, *(re.split(r"['\u2019\u2010-]", word) if bare != word or "-" in word else ())]
    return found


def _numbers(text: str) -> Iterator[str]:
    """Numbers without the marks between thousands."""
    for found in _NUMBER.findall(unicodedata.normalize("NFKC", text)):
        number = "".join(str(unicodedata.digit(c)) if c.isdigit() else c for c in found)
        yield re.sub(r"[.,]", "", number) if _THOUSANDS.fullmatch(number) else number.replace(",", ".")


def _spelled(text: str) -> Iterator[str]:
    """Numbers that a text writes in words."""
    return (_NUMBER_WORDS[word] for word in _words(text) if word in _COUNTING)


def _quotations(text: str) -> Iterator[str]:
    return (next(filter(None, groups)).strip(_AROUND) for groups in _QUOTED.findall(text))


def _adds_to(left: str, right: str) -> bool:
    """Whether one word is the other with an ending of a letter or two (Hund, Hunde)."""
    short, long = sorted((left, right), key=len)
    return len(short) >= _SHORTEST_STEM and long.startswith(short) and len(long) - len(short) <= _SHORT


def _is_form(left: str, right: str) -> bool:
    """Whether two words may be forms of one."""
    least = max(_SHORTEST_STEM, _STEM_SHARE * max(len(left), len(right)))
    shared = next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
    return shared >= least
