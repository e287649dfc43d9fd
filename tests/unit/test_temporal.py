"""Dates in texts, questions about time, and times in arguments."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.domain.temporal import asks_when, has_time_expression, parse_day, parse_when, resolve_dates
from kept.errors import InvalidInputError

SECONDS = 1.0
NOW = datetime(2026, 3, 18, 12, tzinfo=UTC)  # a Wednesday

# Text, then first day, day after the last, expression and granularity of each expected span.
DATES = [
    ("on 2026-03-02", [("2026-03-02", "2026-03-03", "2026-03-02", "day")]),
    ("at 2026-03-02T10:15:00Z", [("2026-03-02", "2026-03-03", "2026-03-02T10:15:00", "time")]),
    ("2 March 2026", [("2026-03-02", "2026-03-03", "2 March 2026", "day")]),
    ("the 6th of July, 2023", [("2023-07-06", "2023-07-07", "6th of July, 2023", "day")]),
    ("on March 2nd", [("2026-03-02", "2026-03-03", "March 2nd", "day")]),
    ("Sept. 5", [("2026-09-05", "2026-09-06", "Sept. 5", "day")]),
    ("December 24", [("2025-12-24", "2025-12-25", "December 24", "day")]),
    ("3/14/2026", [("2026-03-14", "2026-03-15", "3/14/2026", "day")]),
    ("14/3/2026", [("2026-03-14", "2026-03-15", "14/3/2026", "day")]),
    ("14.3.2026", [("2026-03-14", "2026-03-15", "14.3.2026", "day")]),
    ("12/31/99", [("1999-12-31", "2000-01-01", "12/31/99", "day")]),
    ("May 2023", [("2023-05-01", "2023-06-01", "May 2023", "month")]),
    ("2023-05", [("2023-05-01", "2023-06-01", "2023-05", "month")]),
    ("in 2022", [("2022-01-01", "2023-01-01", "in 2022", "year")]),
    ("Q3 2025", [("2025-07-01", "2025-10-01", "Q3 2025", "month")]),
    ("the first quarter of 2024", [("2024-01-01", "2024-04-01", "the first quarter of 2024", "month")]),
    ("summer of 2022", [("2022-06-01", "2022-09-01", "summer of 2022", "month")]),
    ("today", [("2026-03-18", "2026-03-19", "today", "day")]),
    ("yesterday", [("2026-03-17", "2026-03-18", "yesterday", "day")]),
    ("the day before yesterday", [("2026-03-16", "2026-03-17", "the day before yesterday", "day")]),
    ("tomorrow", [("2026-03-19", "2026-03-20", "tomorrow", "day")]),
    ("the day after tomorrow", [("2026-03-20", "2026-03-21", "the day after tomorrow", "day")]),
    ("last night", [("2026-03-17", "2026-03-18", "last night", "time")]),
    ("this morning", [("2026-03-18", "2026-03-19", "this morning", "time")]),
    ("last Monday", [("2026-03-16", "2026-03-17", "last Monday", "day")]),
    ("last Wednesday", [("2026-03-11", "2026-03-12", "last Wednesday", "day")]),
    ("next Wednesday", [("2026-03-25", "2026-03-26", "next Wednesday", "day")]),
    ("this Friday", [("2026-03-20", "2026-03-21", "this Friday", "day")]),
    ("last week", [("2026-03-09", "2026-03-16", "last week", "week")]),
    ("next week", [("2026-03-23", "2026-03-30", "next week", "week")]),
    ("this month", [("2026-03-01", "2026-04-01", "this month", "month")]),
    ("last year", [("2025-01-01", "2026-01-01", "last year", "year")]),
    ("last weekend", [("2026-03-14", "2026-03-16", "last weekend", "week")]),
    ("last March", [("2025-03-01", "2025-04-01", "last March", "month")]),
    ("in May", [("2026-05-01", "2026-06-01", "in May", "month")]),
    ("two days ago", [("2026-03-16", "2026-03-17", "two days ago", "day")]),
    ("a month ago", [("2026-02-01", "2026-03-01", "a month ago", "month")]),
    ("in three weeks", [("2026-04-06", "2026-04-13", "in three weeks", "week")]),
    ("10 years ago", [("2016-01-01", "2017-01-01", "10 years ago", "year")]),
    ("the week before 9 June 2023", [("2023-06-02", "2023-06-09", "the week before 9 June 2023", "week")]),
    ("the Sunday before 25 May 2023", [("2023-05-21", "2023-05-22", "the Sunday before 25 May 2023", "day")]),
    ("two days after March 1, 2026", [("2026-03-03", "2026-03-04", "two days after March 1, 2026", "day")]),
    ("May 7", [("2026-05-07", "2026-05-08", "May 7", "day")]),
    ("may 7.", [("2026-05-07", "2026-05-08", "may 7", "day")]),
    ("in march 2024", [("2024-03-01", "2024-04-01", "march 2024", "month")]),
    ("\u0130stanbul yesterday", [("2026-03-17", "2026-03-18", "yesterday", "day")]),
    ("you may go", []),
    ("March is here", []),
    ("they march 5 miles", []),
    ("he sat 7 times", []),
    ("version 2.1.3", []),
    ("after 2000 tokens", []),
    ("2026-02-30", []),
    ("5000 years ago", []),
    ("in 9999 years", []),
    ("", []),
    ("\0\ud800", []),
]


@pytest.mark.parametrize(("text", "expected"), DATES)
def test_resolves_the_dates_of_a_text(text, expected):
    """Each text of the table gives exactly the spans beside it, as said on Wednesday, 18 March 2026."""
    found = [(str(span.start), str(span.end), span.text, span.granularity) for span in resolve_dates(text, NOW)]
    assert found == expected


WORDS = st.sampled_from(
    [
        "last",
        "next",
        "the",
        "a",
        "week",
        "before",
        "after",
        "of",
        "in",
        "March",
        "2",
        "2026-03-02",
        "9999-12-31",
        "0001-01-01",
        "May",
        "7",
        "two",
        "days",
        "ago",
        "yesterday",
        "9999",
        "weeks",
        "years",
        "months",
        "Sunday",
        "weekend",
        "31",
        "february",
    ]
)


@given(st.lists(WORDS, max_size=8).map(" ".join), st.datetimes())
def test_no_date_leaves_the_calendar(text, reference):
    """Whatever the text and the reference, spans are not empty and nothing raises."""
    assert all(span.start < span.end for span in resolve_dates(text, reference))


@given(st.text(), st.datetimes())
def test_any_text_can_be_resolved(text, reference):
    """Expressions come back as written."""
    assert all(span.text in text for span in resolve_dates(text, reference))


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "at 5 pm",
        "at 17:30",
        "since 2019",
        "on May 7",
        "in March",
        "two weeks",
        "on Friday",
        "3/14/26",
        "the 5th",
        "last Sat",
        "Q3 numbers",
    ],
)
def test_sees_that_a_text_speaks_of_time(text):
    """Dates, clock times, weekdays and spans."""
    assert has_time_expression(text)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("Wir ziehen am 1. Mai um", ["2026-05-01"]),
        ("Gekündigt zum 31. März 2027", ["2027-03-31"]),
        ("Du 26 avril au 3 mai", ["2026-04-26", "2026-05-03"]),
        ("C'est le 1er août 2026", ["2026-08-01"]),
        ("Del 28 de abril al 5 de mayo", ["2026-04-28", "2026-05-05"]),
        ("Em 7 de setembro de 2026", ["2026-09-07"]),
        ("Arriva il 3 maggio", ["2026-05-03"]),
        ("Vanaf 5 maart", ["2026-03-05"]),
        ("Desde octubre de 2025", ["2025-10-01"]),
        ("Del 28 de octubre al 5 de noviembre", []),
        ("I ate 3 mars bars and 5 mai tai", []),
        ("The Mars 2020 rover is her favourite, Marco 2019 was not", []),
    ],
)
def test_dates_of_some_other_languages_are_read_as_those_write_them(text, days):
    """As said on 18 March 2026: German, French, Spanish, Portuguese, Italian, Dutch; without a year only within some months."""
    assert [span.start.isoformat() for span in resolve_dates(text, datetime(2026, 3, 18, tzinfo=UTC))] == days
    assert has_time_expression(text) or not days


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("I met Ana on Friday.", ["2026-03-13"]),
        ("We will meet on Friday.", ["2026-03-20"]),
        ("I'm flying to Rome on Saturday", ["2026-03-21"]),
        ("The release is scheduled for Monday", ["2026-03-23"]),
        ("It rained on Sunday. We'll go on Thursday.", ["2026-03-15", "2026-03-19"]),
        ("Done by Friday please", ["2026-03-20"]),
        ("It has been broken since Monday", ["2026-03-16"]),
        ("What did we do on Monday?", ["2026-03-16"]),
        ("We arrived on the 22nd.", ["2026-02-22"]),
        ("We arrived on the 5th and slept badly", ["2026-03-05"]),
        ("The invoice must be paid by the 22nd", ["2026-03-22"]),
        ("The rent is due on the 1st, as always", ["2026-04-01"]),
        ("We shall meet on the 31st", ["2026-03-31"]),
        ("They moved it; we are going to fly on Friday", ["2026-03-20"]),
        ("Sunday the 22nd would be better", ["2026-03-22"]),
        ("It was on Sunday, the 8th", ["2026-03-08"]),
    ],
)
def test_a_day_without_last_or_next_is_the_one_that_the_tense_means(text, days):
    """Of a weekday, and of a number without a month, as said on a Wednesday, 18 March 2026."""
    found = resolve_dates(text, datetime(2026, 3, 18, tzinfo=UTC))
    assert [span.start.isoformat() for span in found] == days
    assert all(span.end == span.start + timedelta(days=1) for span in found)


@pytest.mark.parametrize(
    "text",
    [
        "We meet on Friday",
        "We met on Wednesday",
        "We met and will meet on Friday",
        "I swim on Fridays, as I did",
        "He sat on sun loungers and talked",
        "We lived on the 5th floor",
        "I called for the 22nd time",
        "We met on the 18th.",
        "They invited me to a second round on the 24th.",
        "She said we meet on Friday.",
        "Tuesday the 32nd",
        "Sunday the 22nd works",
        "Sunday the 5th of nothing",
        "We shall meet on the 31st.",
    ],
)
def test_a_day_that_no_tense_settles_is_left_out(text):
    """Nor is the day itself meant by its name, a recurring one, the number of something else, or a day that the month lacks."""
    assert resolve_dates(text, datetime(2026, 3 if "31st" not in text else 4, 18, tzinfo=UTC)) == []


@pytest.mark.parametrize(
    "text", ["", "you may go", "we march on", "port 8080", "he sat down", "v2.10.3", "a great day"]
)
def test_sees_that_a_text_does_not_speak_of_time(text):
    """Verbs, versions and numbers are no times."""
    assert not has_time_expression(text)


@pytest.mark.parametrize(("text", "spans"), [(text, spans) for text, spans in DATES if spans])
def test_what_resolves_is_a_time_expression(text, spans):
    """The cheap guess never misses what the exact one finds."""
    assert has_time_expression(text)
    assert spans


@pytest.mark.parametrize(
    "query",
    [
        "When did she go?",
        "what date was it",
        "how long ago was that",
        "Which month?",
        "Since when?",
        "do you know when",
        "When exactly?",
    ],
)
def test_sees_that_a_question_asks_when(query):
    """The forms in which people ask for a time."""
    assert asks_when(query)


@pytest.mark.parametrize(
    "query", ["", "What does he like?", "When I was young, what did I play?", "how long is the cable", "whenever"]
)
def test_sees_that_a_question_asks_for_something_else(query):
    """A clause of time is no question."""
    assert not asks_when(query)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-03-02", datetime(2026, 3, 2, tzinfo=UTC)),
        (" 2026-03-02T10:00:00Z ", datetime(2026, 3, 2, 10, tzinfo=UTC)),
        ("2026-03-02T10:00:00+02:00", datetime(2026, 3, 2, 8, tzinfo=UTC)),
        ("2026-03-02 10:00", datetime(2026, 3, 2, 10, tzinfo=UTC)),
        (1_700_000_000, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        (1_700_000_000_000, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        ("1700000000", datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        (0.5, datetime(1970, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)),
        (-1, datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (date(2026, 3, 2), datetime(2026, 3, 2, tzinfo=UTC)),
        (datetime(2026, 3, 2, 10), datetime(2026, 3, 2, 10, tzinfo=UTC)),  # noqa: DTZ001 - a naive time is meant
        (datetime(2026, 3, 2, 10, tzinfo=timezone(timedelta(hours=2))), datetime(2026, 3, 2, 8, tzinfo=UTC)),
    ],
)
def test_reads_a_time_in_every_form(value, expected):
    """Without a zone it is UTC."""
    found = parse_when(value)
    assert found == expected
    assert found.tzinfo is UTC


BAD_TIMES = [
    "",
    "soon",
    "2026-13-01",
    "10000-01-01",
    "0001-01-01T00:00:00+10:00",
    "9999-12-31T23:59:59-10:00",
    1e300,
    10**400,
    float("nan"),
    float("inf"),
    True,
    None,
    [],
    "\ud800",
    "9" * 5000,
]


@pytest.mark.parametrize("value", BAD_TIMES, ids=lambda value: ascii(value)[:20])
def test_a_bad_time_is_refused_by_name(value):
    """Malformed and far-away values are the caller's mistake; a number too long to print in full is cut."""
    with pytest.raises(InvalidInputError) as caught:
        parse_when(value)
    assert ascii(value)[:20] in str(caught.value)
    assert len(str(caught.value)) < 250


@given(st.text() | st.integers() | st.floats() | st.datetimes() | st.dates() | st.none() | st.booleans())
def test_a_time_is_read_or_refused(value):
    """Nothing else ever comes out."""
    try:
        assert parse_when(value).tzinfo is UTC
    except InvalidInputError:
        assert not isinstance(value, date)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-03-02", date(2026, 3, 2)),
        (date(2026, 3, 2), date(2026, 3, 2)),
        (datetime(2026, 3, 2, 23, tzinfo=UTC), date(2026, 3, 2)),
        ("2026-03-02T23:30:00-02:00", date(2026, 3, 3)),
    ],
)
def test_reads_a_day(value, expected):
    """An instant gives its day in UTC."""
    assert parse_day(value) == expected


@pytest.mark.parametrize("value", ["", "tomorrow", "2026-02-30", 20260302, None])
def test_a_bad_day_is_refused_by_name(value):
    """The message says what would be right."""
    with pytest.raises(InvalidInputError, match="2026-03-02") as caught:
        parse_day(value)
    assert repr(value) in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "1",
        "(",
        " ",
        "@",
        "<private>",
        "next ",
        "2 ",
        "March ",
        "1/1/",
        "in ",
        "a few ",
        "2026-",
        "may 1 ",
        "the week of ",
    ],
)
def test_time_grows_with_the_length_of_a_hostile_text(piece):
    """200 KB of anything take less than a second."""
    text = piece * (200_000 // len(piece))
    started = time.process_time()
    resolve_dates(text, NOW)
    has_time_expression(text)
    asks_when(text)
    assert time.process_time() - started < SECONDS
