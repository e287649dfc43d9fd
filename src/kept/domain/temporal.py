"""Dates in text and in arguments: which days a text speaks of, whether a question asks for a time, what an instant means.

Resolution is relative to a reference the caller gives; nothing here reads a clock. Weeks begin on Monday. Spans are
half-open and stay within the years 1 to 9999: what would leave them is clipped or, if nothing is left, not reported.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal

from kept.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "DATES",
    "DateSpan",
    "Granularity",
    "asks_when",
    "dated",
    "has_time_expression",
    "parse_day",
    "parse_when",
    "resolve_dates",
]

Granularity = Literal["day", "week", "month", "year", "time"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DateSpan:
    """The days an expression speaks of.

    Attributes:
        start: First day.
        end: The day after the last one (half-open), at most `date.max`.
        text: The expression as written.
        granularity: How exact it is; "time" when it also names a part of the day. A quarter or season has "month", a
            weekend "week".
    """

    start: date
    end: date
    text: str
    granularity: Granularity


DATES: Final = "dates"
"""The key of the metadata under which a memory has the days that it speaks of."""


def _words(words: str) -> list[str]:
    return words.split()


_Resolved = tuple[date, date, Granularity]

# --- calendar ---

_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            "january jan",
            "february feb",
            "march mar",
            "april apr",
            "may",
            "june jun",
            "july jul",
            "august aug",
            "september sept sep",
            "october oct",
            "november nov",
            "december dec",
        ),
        start=1,
    )
    for name in names.split()
}
_MONTHS_ELSEWHERE: Final = {
    name: number
    for number, names in enumerate(
        (
            "januar janvier enero gennaio janeiro januari",
            "februar février fevrier febrero febbraio fevereiro februari",
            "märz maerz mars marzo março marco maart",
            "april avril abril aprile",
            "mai mayo maggio maio mei",
            "juni juin junio giugno junho",
            "juli juillet julio luglio julho",
            "august août aout agosto augustus",
            "september septembre septiembre settembre setembro",
            "oktober octobre octubre ottobre outubro",
            "november novembre noviembre novembro",
            "dezember décembre decembre diciembre dicembre dezembro",
        ),
        start=1,
    )
    for name in names.split()
}
"""In German, French, Spanish, Italian, Portuguese and Dutch; read only where a date is written as these languages do."""
_WEEKDAYS: Final = {
    name: number
    for number, names in enumerate(
        (
            "monday mon",
            "tuesday tue tues",
            "wednesday wed",
            "thursday thu thur thurs",
            "friday fri",
            "saturday sat",
            "sunday sun",
        )
    )
    for name in names.split()
}
_SEASONS: Final = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}
"""First month of each season, as the northern hemisphere and meteorologists count."""
_NUMBERS: Final = {
    name: number
    for number, name in enumerate(
        _words("one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"), start=1
    )
} | {"a": 1, "an": 1, "couple of": 2, "a couple of": 2, "a couple": 2, "a few": 3, "few": 3, "several": 4}
"""Words for small numbers; vague ones as their commonest reading."""
_ORDINALS: Final = {"first": 1, "second": 2, "third": 3, "fourth": 4}
_SATURDAY: Final = 5
_LAST_US_MONTH: Final = 12
_CENTURY_PIVOT: Final = 69
"""Two-digit years up to this belong to the 2000s, as in POSIX `strptime`."""


def _after(day: date, days: int) -> date:
    """`day` moved by `days`, kept within what a date can hold."""
    ordinal = day.toordinal() + days
    return date.fromordinal(min(max(ordinal, 1), date.max.toordinal()))


def _days(start: date, count: int, granularity: Granularity) -> _Resolved:
    return start, _after(start, count), granularity


def _month(year: int, month: int, count: int = 1) -> _Resolved | None:
    """`count` whole months from a month that may lie outside 1..12."""
    first = year * 12 + month - 1
    last = first + count
    if not (date.min.year * 12 <= first < (date.max.year + 1) * 12):
        return None
    end = date.max if last >= (date.max.year + 1) * 12 else date(last // 12, last % 12 + 1, 1)
    return date(first // 12, first % 12 + 1, 1), end, "month"


def _year(year: int) -> _Resolved | None:
    if not date.min.year <= year <= date.max.year:
        return None
    return date(year, 1, 1), date.max if year == date.max.year else date(year + 1, 1, 1), "year"


def _week(day: date) -> _Resolved:
    return _days(_after(day, -day.weekday()), 7, "week")


def _day(year: int, month: int, day: int) -> _Resolved | None:
    try:
        return _days(date(year, month, day), 1, "day")
    except ValueError:
        return None


def _nearest_year(month: int, day: int, reference: date) -> int:
    """The year in which that day of the year lies nearest to `reference`."""
    position = (month - reference.month) * 30 + day - reference.day  # months of 30 days are exact enough for halves
    half = 183
    return reference.year - (position > half) + (position < -half)


# --- what a text says ---

_MONTH = r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
_MONTH_ELSEWHERE = rf"(?:{'|'.join(sorted(_MONTHS_ELSEWHERE, key=len, reverse=True))})"
_WEEKDAY = (
    r"(?:mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:r(?:s(?:day)?)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?)"
)
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_SPACE = r"[ \t\n]{1,3}"
_COUNT = (
    r"(?:\d{1,4}|an?(?: couple of| couple| few)?|couple of|few|several|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
    r"|thirteen|fourteen|fifteen)"
)
_WHICH = r"(?:last|past|previous|this|next|coming|upcoming)"
_NO_NOUN = (
    r"(?=[ \t]{0,2}(?:$|[.,;:!?)\n]|(?:and|at|from|to|with|without|by|i|we|he|she|they|it|the|in the|already)\b))"
)
"""After "the 22nd" of a month: of something else (`the 22nd floor`) the thing follows."""
_CLOCK = r"(?:[t ]\d{1,2}:\d{2}(?::\d{2})?)?"

# The outer group's name chooses the reading. The families are sought together, in one alternation, so that matches come in
# order and never overlap; a text pays for those families only whose words or digits it holds.
_FAMILIES: Final = {
    "numeric": (
        rf"(?P<iso>(?P<iso_y>\d{{4}})(?P<iso_s>[-/.])(?P<iso_m>\d{{1,2}})(?P=iso_s)(?P<iso_d>\d{{1,2}})(?P<iso_t>{_CLOCK}))(?![\d/-])"
        r"|(?P<iso_month>(?P<im_y>\d{4})-(?P<im_m>0[1-9]|1[0-2]))(?![\w/-])"
        r"|(?P<us>(?P<us_m>\d{1,2})(?P<us_s>[/-])(?P<us_d>\d{1,2})(?P=us_s)(?P<us_y>\d{4}|\d{2}))(?![\w/-])"
        r"|(?P<eu>(?P<eu_d>\d{1,2})\.(?P<eu_m>\d{1,2})\.(?P<eu_y>\d{4}))(?![\w/-])"
        r"|(?P<quarter>q(?P<q_n>[1-4])[ /-]?(?P<q_y>\d{4}))\b"
        rf"|(?P<quarter_of>(?:the )?(?P<qo_n>first|second|third|fourth){_SPACE}quarter{_SPACE}(?:of )?(?P<qo_y>\d{{4}}))\b"
        rf"|(?P<in_year>(?:in|since|by|during|until|till|from|before|after|of|around|early|mid|late|year){_SPACE}(?:the year )?"
        rf"(?P<y_y>(?:1[89]|20|21)\d{{2}}))(?!\w|[-/.,:]\d|{_SPACE}[a-z]+s\b)"
    ),
    "month": (
        rf"(?P<dmy>(?P<dm_d>{_DAY})(?P<dm_o>st|nd|rd|th)?(?:{_SPACE}of)?(?:{_SPACE}|-)(?P<dm_m>{_MONTH})\b\.?(?:(?:,?{_SPACE}"
        rf"|-)(?P<dm_y>\d{{4}})\b)?)"
        rf"|(?P<mdy>(?P<md_m>{_MONTH})\b\.?{_SPACE}(?:the )?(?P<md_d>{_DAY})(?P<md_o>st|nd|rd|th)?\b(?![:.]\d)(?:(?:,{_SPACE}"
        rf"|{_SPACE}|,)(?P<md_y>\d{{4}})\b)?)"
        rf"|(?P<my>(?P<my_m>{_MONTH})\b\.?(?:,?{_SPACE}(?:of )?|-)(?P<my_y>\d{{4}}))\b"
        rf"|(?P<which_month>(?P<wm_w>{_WHICH}){_SPACE}(?P<wm_m>{_MONTH}))\b"
        rf"|(?P<in_month>(?:in|since|by|during|until|till|early|mid|late|of|from)(?:{_SPACE}|-)(?:early "
        rf"|mid |late |mid-)?(?P<n_m>{_MONTH}))\b(?![-'\u2019]|,?[ ]\d)"
    ),
    "elsewhere": (
        rf"(?P<dot>(?P<dot_d>{_DAY})\.{_SPACE}(?P<dot_m>{_MONTH_ELSEWHERE})\b(?:{_SPACE}(?P<dot_y>\d{{4}})\b)?)"
        rf"|(?P<de>(?P<de_d>{_DAY})(?:er|º|°)?{_SPACE}(?:de|di){_SPACE}(?P<de_m>{_MONTH_ELSEWHERE})\b(?:{_SPACE}(?:del? )?(?P<de_y>\d{{4}})\b)?)"
        rf"|(?P<le>(?:le|du|au|il|dal|al|op|tot|vanaf){_SPACE}(?P<le_d>{_DAY})(?:er|º|°)?{_SPACE}(?P<le_m>{_MONTH_ELSEWHERE})\b"
        rf"(?:{_SPACE}(?P<le_y>\d{{4}})\b)?)"
        rf"|(?P<year_elsewhere>(?:en|im|em|de|desde|seit|ab|bis|dal|nel|vanaf|depuis){_SPACE}(?P<ye_m>{_MONTH_ELSEWHERE}){_SPACE}(?:del? )?(?P<ye_y>(?:19|20)\d{{2}}))\b"
    ),
    "relative": (
        r"(?P<today>today|tonight|this (?:morning|afternoon|evening|noon))\b"
        r"|(?P<yesterday>(?:the )?day before yesterday|last (?:night|evening)|yesterday(?: (?:morning|afternoon|evening|night))?)\b"
        r"|(?P<tomorrow>(?:the )?day after tomorrow|tomorrow(?: (?:morning|afternoon|evening|night))?)\b"
        rf"|(?P<which>(?P<w_w>{_WHICH}){_SPACE}(?P<w_u>weekend|week|month|year|quarter|{_WEEKDAY}))\b"
        rf"|(?P<both>(?P<b_d>{_WEEKDAY}),?{_SPACE}the{_SPACE}(?P<b_n>{_DAY})(?:st|nd|rd|th))\b(?!{_SPACE}of\b)"
        rf"|(?P<weekday>(?P<k_p>on|by|for|until|till|since){_SPACE}(?P<k_d>{_WEEKDAY}))\b(?!,?{_SPACE}(?:the )?(?:\d|{_MONTH}\b))"
        rf"|(?P<ordinal>(?P<l_p>on|by|for|until|till|since){_SPACE}the{_SPACE}(?P<l_d>{_DAY})(?:st|nd|rd|th))\b{_NO_NOUN}"
        rf"|(?P<ahead>in{_SPACE}(?P<h_n>{_COUNT}){_SPACE}(?P<h_u>day|week|month|year)s?)(?:'|\u2019)?(?: time)?\b"
        rf"|(?P<ago>(?P<a_n>{_COUNT}){_SPACE}(?P<a_u>hour|minute|day|week|month|year)s?{_SPACE}(?P<a_w>ago|earlier|back|from now|later|from today))\b"
    ),
    "season": (
        rf"(?P<season>(?:(?P<s_w>{_WHICH}){_SPACE})?(?P<s_n>spring|summer|autumn|fall|winter)(?:{_SPACE}(?:of )?(?P<s_y>\d{{4}}))?)\b"
    ),
}


@cache
def _expression(families: tuple[str, ...]) -> re.Pattern[str]:
    """One pattern of several families, compiled on first use."""
    return re.compile(r"(?<![\w/.-])(?:" + "|".join(_FAMILIES[family] for family in families) + ")")


_RELATIVE_WORDS: Final = frozenset(
    _words(
        "today tonight yesterday tomorrow ago week weeks weekend month months year years day days quarter hour hours minute minutes "
        "earlier later morning afternoon evening night noon"
    )
).union(_WEEKDAYS)
_FAMILY_WORDS: Final = {
    "elsewhere": frozenset(_MONTHS_ELSEWHERE),
    "month": frozenset(_MONTHS),
    "relative": _RELATIVE_WORDS.union(_words("st nd rd th")),
    "season": frozenset(_SEASONS),
}
_AMBIGUOUS: Final = frozenset({"may", "march", "mar", "sat", "sun", "wed", "mon", "fall", "dec", "night"})
"""Names that are also common words: in lower case they need firmer ground."""
_TIME_WORDS: Final = (
    _RELATIVE_WORDS.union(_MONTHS, _SEASONS, _words("weekends fortnight decade nowadays recently"))
    - _AMBIGUOUS
    - {"day", "hour", "hours", "minute", "minutes", "back", "tue", "thu", "fri"}
)
"""Words that by themselves make a text one about time."""
_WORD: Final = re.compile(r"[^\W\d_]+")
_DATE_DIGITS: Final = re.compile(r"\d(?:\d{3}|\d?[/-]\d{1,2}[/-]\d)")
# Each begins with a digit, so that the search skips to one.
_NUMERIC_TIME: Final = re.compile(
    r"\d(?<![\w.]\d)(?:\d?:\d{2}\b|\d?[ ]?[ap]\.?m\b|(?:(?<=1)[89]|(?<=2)0)\d{2}(?![\w.]\w)|\d?[/.-]\d{1,2}[/.-]\d{2,4}\b"
    r"|\d{3}-\d{2}\b|\d?(?:st|nd|rd|th)\b"
    r"|\d?(?:st|nd|rd|th)? (?:of )?(?:may|mar(?:ch)?|dec|sun|sat)\b)"
)
_NAMED_TIME: Final = re.compile(r"\b(?:q[1-4]\b|(?:may|mar|march|dec)\.? \d)")
_PREPOSED_TIME: Final = re.compile(
    r"\b(?:in|on|last|next|this|since|until|by|during|early|late|mid|of) (?:may|march|mon|tue|wed|thu|fri|sat|sun|dec|night)\b"
)


def _lower(text: str) -> str:
    """`text` in lower case, character by character where that would change its length, so that offsets hold."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(folded if len(folded := character.lower()) == 1 else character for character in text)


def _count(word: str) -> int:
    return int(word) if word.isdecimal() else _NUMBERS.get(" ".join(word.split()), 1)


def _shifted(reference: date, count: int, unit: str) -> _Resolved | None:
    """The day, week, month or year that lies `count` units from `reference`."""
    if unit in ("hour", "minute"):
        return _days(_after(reference, round(count / 24) if unit == "hour" else 0), 1, "time")
    if unit == "day":
        return _days(_after(reference, count), 1, "day")
    if unit == "week":
        return _week(_after(reference, 7 * count))
    if unit == "month":
        return _month(reference.year, reference.month + count)
    return _year(reference.year + count)


def _iso(m: re.Match[str], _: date) -> _Resolved | None:
    found = _day(int(m["iso_y"]), int(m["iso_m"]), int(m["iso_d"]))
    return (found[0], found[1], "time") if found and m["iso_t"] else found


def _us(m: re.Match[str], _: date) -> _Resolved | None:
    month, day, year = int(m["us_m"]), int(m["us_d"]), int(m["us_y"])
    if len(m["us_y"]) == 2:  # noqa: PLR2004 - digits
        year += 2000 if year < _CENTURY_PIVOT else 1900
    if month > _LAST_US_MONTH:
        month, day = day, month
    return _day(year, month, day)


def _day_of_month(day: str, month: str, year: str | None, reference: date) -> _Resolved | None:
    number = _MONTHS.get(month) or _MONTHS_ELSEWHERE[month]
    return _day(int(year) if year else _nearest_year(number, int(day), reference), number, int(day))


def _day_elsewhere(day: str, month: str, year: str | None, reference: date) -> _Resolved | None:
    """Of a language whose tenses are not known a day without a year is one of these months, or none."""
    found = _day_of_month(day, month, year, reference)
    return found if found and (year or abs((found[0] - reference).days) <= _SURELY_DAYS) else None


def _season(m: re.Match[str], reference: date) -> _Resolved | None:
    month = _SEASONS[m["s_n"]]
    if m["s_y"]:
        return _month(int(m["s_y"]), month, 3)
    if not m["s_w"]:
        return None
    return _which_month(m["s_w"], month, reference, months=3)


def _which_month(which: str, month: int, reference: date, months: int = 1) -> _Resolved | None:
    year = reference.year
    if which in ("last", "past", "previous"):
        year -= (month + months - 1) >= reference.month
    elif which != "this":
        year += month <= reference.month
    return _month(year, month, months)


def _which(m: re.Match[str], reference: date) -> _Resolved | None:
    which, unit = m["w_w"], m["w_u"]
    step = -1 if which in ("last", "past", "previous") else 0 if which == "this" else 1
    if unit in _WEEKDAYS:
        return _days(_which_weekday(step, _WEEKDAYS[unit], reference), 1, "day")
    if unit == "weekend":
        return _days(_after(reference, _SATURDAY - reference.weekday() + 7 * step), 2, "week")
    if unit == "quarter":
        return _month(reference.year, (reference.month - 1) // 3 * 3 + 1 + 3 * step, 3)
    return _shifted(reference, step, unit)


def _which_weekday(step: int, weekday: int, reference: date) -> date:
    """The last one before, the one of this week, or the first one after `reference`."""
    distance = weekday - reference.weekday()
    if step < 0:
        distance = distance % 7 - 7
    elif step > 0:
        distance = distance % 7 or 7
    return _after(reference, distance)


# What says whether a sentence is about what was or what will be; where both speak, nobody knows. What was said, or agreed upon, may be of either.
_WILL_BE: Final = re.compile(
    r"\b(?:will|won't|shall|gonna|going to|due|deadline|plans? to|planning|planned for|scheduled|upcoming|let's|remind|must|ha(?:ve|s) to|needs? to"
    r"|should|would|wants? to|hopes? to|tomorrow)\b|'ll\b|(?:\b(?:is|are|am)|'s|'re|'m)(?: not)? \w+ing\b"
)
_AGREED: Final = (
    "need|agreed|announced|arranged|asked|booked|changed|confirmed|decided|delayed|expected|hoped|invited|moved|offered|ordered|planned"
    "|postponed|promised|proposed|pushed|rescheduled|reserved|scheduled|settled|shifted|suggested|wanted"
)
_WAS: Final = re.compile(
    r"\b(?:was|were|wasn't|weren't|did|didn't|had|went|saw|met|got|came|made|took|gave|bought|found|left|lost|won|ran|began|broke"
    rf"|wrote|ate|felt|fell|drove|flew|spoke|sent|spent|built|held|heard|brought|kept|paid|taught|(?!(?:{_AGREED})\b)\w{{2,}}ed)\b"
)
_SENTENCE_END: Final = re.compile(r"[.!?;\n]")
_SURELY_DAYS: Final = 60
"""Within two months the nearest day of a date without a year is the one that is meant: a choice."""
_NEAR_DAYS: Final = 45
"""Two days of the same name and number as near as this, on either side, are told apart by the tense alone: such months touch."""
_SENTENCE_WITHIN: Final = 200
"""Characters on either side in which the tense of a sentence is looked for."""


def _is_past(m: re.Match[str], preposition: str) -> bool | None:
    """Whether the sentence speaks of what was, or of what will be; None where it does not say."""
    before = _SENTENCE_END.split(m.string[max(0, m.start() - _SENTENCE_WITHIN) : m.start()])[-1]
    after = _SENTENCE_END.split(m.string[m.end() : m.end() + _SENTENCE_WITHIN])[0]
    sentence = f"{before} {after}"
    was, will_be = bool(_WAS.search(sentence)), bool(_WILL_BE.search(sentence))
    if was == will_be:
        was, will_be = preposition == "since", preposition in ("by", "until", "till")
    return None if was == will_be else was


def _weekday(m: re.Match[str], reference: date) -> _Resolved | None:
    """A day of the week without "last" or "next": the one before or after, as the sentence's tense says; else none.

    Nor that of the reference itself: whoever means it says "today".
    """
    distance, past = _WEEKDAYS[m["k_d"]] - reference.weekday(), _is_past(m, m["k_p"])
    if not distance or past is None:
        return None
    return _days(_after(reference, distance % 7 - 7 if past else distance % 7), 1, "day")


def _weekday_and_ordinal(m: re.Match[str], reference: date) -> _Resolved | None:
    """The day of that number that is that day of the week, within half a year: the last or next, as the tense says, else the only one near."""
    number, weekday = int(m["b_n"]), _WEEKDAYS[m["b_d"]]
    months = (_month(reference.year, reference.month + step) for step in range(-6, 7))
    days = (_day(month[0].year, month[0].month, number) for month in months if month)
    fitting = [day for day in days if day and day[0].weekday() == weekday]
    past = _is_past(m, "")
    if past is not None:
        fitting = [day for day in fitting if (day[0] <= reference if past else day[0] >= reference)]
    near = sorted(fitting, key=lambda day: abs((day[0] - reference).days))
    unclear = past is None and len(near) > 1 and abs((near[1][0] - reference).days) <= _NEAR_DAYS
    return None if unclear or not near else near[0]


def _ordinal(m: re.Match[str], reference: date) -> _Resolved | None:
    """A day without a month: the last or next of that number, as the sentence's tense says; else none."""
    number, past = int(m["l_d"]), _is_past(m, m["l_p"])
    if past is None or number == reference.day:
        return None
    step = (number > reference.day) * -1 if past else int(number < reference.day)
    month = _month(reference.year, reference.month + step)
    return None if month is None else _day(month[0].year, month[0].month, number)


def _ago(m: re.Match[str], reference: date) -> _Resolved | None:
    past = m["a_w"] in ("ago", "earlier", "back")
    return _shifted(reference, -_count(m["a_n"]) if past else _count(m["a_n"]), m["a_u"])


def _today(m: re.Match[str], reference: date) -> _Resolved | None:
    return _days(reference, 1, "day" if m["today"] == "today" else "time")


def _yesterday(m: re.Match[str], reference: date) -> _Resolved | None:
    text = m["yesterday"]
    whole = text.endswith("yesterday")
    return _days(_after(reference, -2 if "before" in text else -1), 1, "day" if whole else "time")


def _tomorrow(m: re.Match[str], reference: date) -> _Resolved | None:
    text = m["tomorrow"]
    whole = text.endswith("tomorrow")
    return _days(_after(reference, 2 if "after " in text else 1), 1, "day" if whole else "time")


def _in_month(m: re.Match[str], reference: date) -> _Resolved | None:
    month = _MONTHS[m["n_m"]]
    return _month(_nearest_year(month, 15, reference), month)


_READINGS: Final[dict[str, Callable[[re.Match[str], date], _Resolved | None]]] = {
    "iso": _iso,
    "iso_month": lambda m, _: _month(int(m["im_y"]), int(m["im_m"])) if int(m["im_y"]) else None,
    "us": _us,
    "eu": lambda m, _: _day(int(m["eu_y"]), int(m["eu_m"]), int(m["eu_d"])),
    "dmy": lambda m, reference: _day_of_month(m["dm_d"], m["dm_m"], m["dm_y"], reference),
    "dot": lambda m, reference: _day_elsewhere(m["dot_d"], m["dot_m"], m["dot_y"], reference),
    "de": lambda m, reference: _day_elsewhere(m["de_d"], m["de_m"], m["de_y"], reference),
    "le": lambda m, reference: _day_elsewhere(m["le_d"], m["le_m"], m["le_y"], reference),
    "year_elsewhere": lambda m, _: _month(int(m["ye_y"]), _MONTHS_ELSEWHERE[m["ye_m"]]),
    "mdy": lambda m, reference: _day_of_month(m["md_d"], m["md_m"], m["md_y"], reference),
    "my": lambda m, _: _month(int(m["my_y"]), _MONTHS[m["my_m"]]),
    "season": _season,
    "quarter": lambda m, _: _month(int(m["q_y"]), int(m["q_n"]) * 3 - 2, 3),
    "quarter_of": lambda m, _: _month(int(m["qo_y"]), _ORDINALS[m["qo_n"]] * 3 - 2, 3),
    "in_year": lambda m, _: _year(int(m["y_y"])),
    "today": _today,
    "yesterday": _yesterday,
    "tomorrow": _tomorrow,
    "which": _which,
    "ago": _ago,
    "both": _weekday_and_ordinal,
    "weekday": _weekday,
    "ordinal": _ordinal,
    "ahead": lambda m, reference: _shifted(reference, _count(m["h_n"]), m["h_u"]),
    "in_month": _in_month,
    "which_month": lambda m, reference: _which_month(m["wm_w"], _MONTHS[m["wm_m"]], reference),
}
_MONTH_GROUPS: Final = {
    "dmy": "dm_m",
    "mdy": "md_m",
    "my": "my_m",
    "which": "w_u",
    "both": "b_d",
    "weekday": "k_d",
    "which_month": "wm_m",
    "in_month": "n_m",
    "season": "s_n",
}
_FIRM_GROUPS: Final = ("dm_y", "md_y", "my_y", "dm_o", "md_o", "s_y", "s_w", "wm_w", "w_w")


def _is_named(text: str, match: re.Match[str], kind: str) -> bool:
    """Whether the month or weekday in `match` is a name there, not a verb or a common word (`it may 7 times`)."""
    group = _MONTH_GROUPS.get(kind)
    if group is None or match[group] not in _AMBIGUOUS or text[match.start(group)].isupper():
        return True
    if any(match.groupdict().get(firm) for firm in _FIRM_GROUPS):
        return True
    following = text[match.end() : match.end() + 2].strip()
    return kind in ("dmy", "mdy") and not following.isalpha()


_RELATION: Final = (
    rf"(?:\bthe{_SPACE})?(?:\b(?P<n>{_COUNT}){_SPACE})?\b(?P<u>day|week|weekend|month|year|{_WEEKDAY})s?{_SPACE}"
    rf"(?P<r>before|after|of|following|prior to|from){_SPACE}(?:the )?$"
)
_RELATION_ENDS: Final = ("before ", "after ", "of ", "following ", "to ", "from ", "the ")
_RELATION_WITHIN: Final = 48
"""Characters before a date in which `the two weeks before` can stand."""


def _related(lower: str, start: int, found: _Resolved) -> tuple[int, _Resolved | None]:
    """The span meant by `the week before <date>`, and where that expression begins."""
    window = max(0, start - _RELATION_WITHIN)
    before = lower[window:start]
    if found[2] not in ("day", "time") or not before.endswith(_RELATION_ENDS):
        return start, found
    relation = re.search(_RELATION, before)
    if not relation:
        return start, found
    step = {"of": 0, "before": -1, "prior to": -1}.get(relation["r"], 1)
    related = _counted(relation, step, found[0]) if relation["n"] else _adjacent(relation["u"], step, found[0])
    return (window + relation.start(), related) if related else (start, found)


def _counted(relation: re.Match[str], step: int, day: date) -> _Resolved | None:
    """Two weeks before `day`; nothing for two Mondays before it."""
    unit = relation["u"]
    return _shifted(day, step * _count(relation["n"]), unit) if unit in ("day", "week", "month", "year") else None


def _adjacent(unit: str, step: int, day: date) -> _Resolved | None:
    """The Monday, weekend, week, month or year before, of or after `day`; a week before or after touches it."""
    if unit in _WEEKDAYS:
        return _days(_which_weekday(step, _WEEKDAYS[unit], day), 1, "day")
    if unit == "weekend":
        return _days(_which_weekday(step, _SATURDAY, day), 2, "week")
    if unit == "week" and step:
        return _days(_after(day, -7 if step < 0 else 1), 7, "week")
    return _shifted(day, step, unit)


def resolve_dates(text: str, reference: datetime) -> list[DateSpan]:
    """The dates that `text` names, absolute or relative to `reference`.

    Without a year, the one nearest to the reference is meant. A weekday alone ("on Friday"), or a day without a month ("by the 22nd"), is the
    one before or after, as the tense of its sentence says; where that says nothing, it is left out. `3/14/2026` is month first unless the first number is above
    12; `14.3.2026` is day first. `may` and `march` are months only beside a number, a preposition or a capital.

    Args:
        text: What was said.
        reference: When it was said; its own calendar day counts, whatever its zone.

    Returns:
        Spans in order of appearance, never overlapping; impossible dates (`2026-02-30`) are left out.
    """
    lower = _lower(text)
    words = frozenset(_WORD.findall(lower))
    families = tuple(family for family, listed in _FAMILY_WORDS.items() if not words.isdisjoint(listed))
    if _DATE_DIGITS.search(lower):
        families = ("numeric", *families)
    if not families:
        return []
    day = reference.date()
    spans: list[DateSpan] = []
    for match in _expression(families).finditer(lower):
        kind = match.lastgroup or ""
        if not _is_named(text, match, kind):
            continue
        found = _READINGS[kind](match, day)
        start = match.start()
        if found:
            start, found = _related(lower, start, found)
        if found and found[0] < found[1]:
            spans.append(DateSpan(start=found[0], end=found[1], text=text[start : match.end()], granularity=found[2]))
    return spans


def dated(text: str, said_at: datetime) -> dict[str, Any]:
    """Metadata of a text: under `dates` the days that it names, counted from when it was said; empty where it names none."""
    dates = [
        {"from": span.start.isoformat(), "to": span.end.isoformat(), "text": span.text, "granularity": span.granularity}
        for span in resolve_dates(text, said_at)
    ]
    return {DATES: dates} if dates else {}


def has_time_expression(text: str) -> bool:
    """Whether `text` names a date, a time or a span of days; a cheap guess that errs towards yes."""
    lower = text.lower()
    words = _WORD.findall(lower)
    if not _TIME_WORDS.isdisjoint(words) or _NUMERIC_TIME.search(lower):
        return True
    if not _AMBIGUOUS.isdisjoint(words) and (_PREPOSED_TIME.search(lower) or _NAMED_TIME.search(lower)):
        return True
    if not _FAMILY_WORDS["elsewhere"].isdisjoint(words) and any(map(str.isdigit, lower)):
        return True
    return "q" in words and bool(_NAMED_TIME.search(lower))


_ASKS_WHEN: Final = re.compile(
    r"\bwhen (?:did|does|do|was|were|is|are|am|will|would|has|have|had|can|could|should|shall|might|exactly)\b|\bwhen\W*$"
    r"|\b(?:what|which) (?:exact )?(?:date|day|month|year|time|week|weekday|weekend|season|century|decade)\b|\bwhat's the (?:date|time)\b"
    r"|\bhow (?:long ago|recently|soon|long since)\b|\b(?:since|until|till|by) when\b|\bwhat(?: i|')s the date\b"
)


def asks_when(query: str) -> bool:
    """Whether `query` asks for a time (`when did`, `which month`, `how long ago`)."""
    return bool(_ASKS_WHEN.search(query.lower()))


# --- what an argument says ---

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECONDS_FROM: Final = 1e11
"""Epoch numbers above this are milliseconds: as seconds they would lie in the year 5138."""
_SHOWN: Final = 80
"""Characters of a bad value that its error repeats."""
_EPOCH_TEXT: Final = re.compile(r"-?[0-9]{9,16}(?:\.[0-9]{1,9})?")


def _bad(value: object, wanted: str) -> InvalidInputError:
    shown = ascii(value)
    shown = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "..."
    return InvalidInputError(f"{shown} is not {wanted}.")


def _from_epoch(value: float) -> datetime:
    seconds = value / 1000 if abs(value) > _MILLISECONDS_FROM else value
    if not math.isfinite(seconds):
        raise _bad(value, "a finite number of seconds")
    return _EPOCH + timedelta(seconds=seconds)


def parse_when(value: object) -> datetime:
    """An instant, aware and in UTC.

    Args:
        value: ISO 8601 text (without a zone it is UTC, a bare date its midnight), a number of seconds since 1970 (of
            milliseconds above 1e11), a date or a datetime.

    Raises:
        InvalidInputError: If the value is malformed or outside the years 1 to 9999; the message names it.
    """
    wanted = "a time between the years 1 and 9999: use ISO 8601 (2026-03-02T10:15:00Z) or seconds since 1970"
    try:
        if isinstance(value, str):
            text = value.strip()
            found = _from_epoch(float(text)) if _EPOCH_TEXT.fullmatch(text) else datetime.fromisoformat(text)
        elif isinstance(value, datetime):
            found = value
        elif isinstance(value, date):
            found = datetime(value.year, value.month, value.day, tzinfo=UTC)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found = _from_epoch(value)
        else:
            raise _bad(value, wanted)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except InvalidInputError:
        raise
    except (ValueError, OverflowError) as error:
        raise _bad(value, wanted) from error


def parse_day(value: object) -> date:
    """A calendar day, as expiration dates use it; an instant gives its day in UTC.

    Raises:
        InvalidInputError: If the value is not a day between the years 1 and 9999; the message names it.
    """
    if isinstance(value, datetime):
        return parse_when(value).date()
    if isinstance(value, date):
        return value
    if not isinstance(value, str):
        raise _bad(value, "a day: use ISO 8601 (2026-03-02)")
    try:
        return parse_when(value).date()
    except InvalidInputError as error:
        raise _bad(value, "a day: use ISO 8601 (2026-03-02)") from error
