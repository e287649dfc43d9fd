"""Whether what is said to be a fact is in the words it is said to come from."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.domain.support import Source, Sources, plain

SAID_AT = datetime(2026, 3, 11, 9, 30, tzinfo=UTC)  # a Wednesday


def said(*texts, speaker="Ann", at=SAID_AT):
    return Sources([Source(text=text, speaker=speaker, at=at) for text in texts])


SUPPORTED = [
    ("I moved to Berlin in May.", "Ann moved to Berlin."),
    ("i moved to berlin", "Ann moved to Berlin."),
    ("I can't stand cilantro.", "Ann dislikes cilantro."),
    ("My sister Zoë plays the oboe.", "Ann's sister Zoe plays the oboe."),
    (
        "we settled on postgres over mongo because of joins",
        "The team decided to use postgres, not mongo, because of joins.",
    ),
    ("The api runs on port 8080.", "The API runs on port 8080."),
    ("It cost 1,200 euros.", "Ann paid 1200 euros for it."),
    ("We have three cats.", "Ann has 3 cats."),
    ("We have 3 cats.", "Ann has three cats."),
    ("She came second in the race.", "Ann's friend came 2nd in the race."),
    ("I pinned it to 2.3.1.", "Ann pinned it to version 2.3."),
    ("See src/kept/engine/service.py for that.", "The rule is in src/kept/engine/service.py."),
    ("call parseAmount first", "parseAmount must be called first."),
    ("The docs are at https://docs.example.org/a?b=1.", "The docs are at https://docs.example.org/a?b=1."),
    ('She called it "a small miracle".', 'Ann\'s friend called it "a small miracle".'),
    ("I had a well known doctor.", "Ann had a well-known doctor."),
    ("I like tea.", "The user likes tea."),
    # dates that follow from when it was said
    ("I moved yesterday.", "Ann moved on 2026-03-10."),
    ("I moved yesterday.", "Ann moved in March 2026."),
    ("I moved last week.", "Ann moved in the week of 2 March 2026."),
    ("I moved last week.", "Ann moved in the week before 11 March 2026."),
    ("I moved last year.", "Ann moved in 2025."),
    ("I started ten years ago.", "Ann started in 2016."),
    ("We've been married for 5 years.", "Ann has been married since 2021."),
    ("The move is on Friday.", "The move of Ann is on 2026-03-13."),
    ("The move is on the 20th.", "The move of Ann is on 2026-03-20."),
    ("I quit smoking.", "On 2026-03-11 Ann quit smoking."),
    ("I moved on 1 May 2019.", "Ann moved on 1 May 2019."),
    # other languages, in their own forms
    ("C'est le 26 décembre.", "C'est le 26 décembre 2026."),
    ("C'est le 26 décembre.", "C'est le 2026-12-26."),
    ("C'est demain.", "C'est le 2026-03-12."),
    ("Lui préfère le thé.", "Lui préfère le thé."),
    ("Ich bin gestern nach München gezogen.", "Ann ist am 2026-03-10 nach München gezogen."),
    ("Ich bin gestern nach München gezogen.", "Ann ist am 10. März 2026 nach München gezogen."),
    ("Vivo en Sevilla desde hace dos años.", "Ann vive en Sevilla."),
    ("Mon frère Luc travaille chez Airbus.", "Luc, le frère d'Ann, travaille chez Airbus."),
    ("Я переехала в Прагу.", "Анна переехала в Прагу."),
    ("Živím se v Praze jako kuchař.", "Ann žije v Praha jako kuchař."),
    ("我昨天搬到了上海。", "安于2026年3月10日搬到上海。"),
    ("昨日、東京に引っ越しました。Reactを使っています。", "アンは東京に引っ越した。Reactを使っている。"),
    ("서울에서 일해요.", "앤은 서울에서 일한다."),
]
UNSUPPORTED = [
    ("I moved to Berlin.", "Ann moved to Paris."),
    ("I moved to Berlin.", "Bob moved to Berlin."),
    ("I moved to Berlin.", "Ann moved to Berlin with Bob."),
    ("I like tea.", "Ann likes 3 teas."),
    ("I like tea.", "Ann owns a boat."),
    ("I like tea.", "Ann."),
    ("I like tea.", "She can do it."),
    ("The api runs on port 8080.", "The API runs on port 8081."),
    ("It runs on version 12.", "It runs on version 1."),
    ("See service.py for that.", "The rule is in engine/service.py."),
    ("call parseAmount first", "parseAmounts must be called first."),
    ("The docs are at https://docs.example.org.", "The docs are at https://evil.example.net."),
    ("She liked it.", 'Ann\'s friend liked it: "a small miracle".'),
    ("Write to ann@example.org about tea.", "Write to bob@example.org about tea."),
    ("Asha eats no pork.", "Teo eats no pork."),
    ("Das Lager ist leer.", "Jannik sagt: das Lager ist leer."),
    # dates that nothing says
    ("release 2.3.1 tomorrow", "Release 2.3.1 is on 13 March 2026."),
    ("C'est le 26 avril.", "C'est le 27 avril 2026."),
    ("I moved.", "Ann moved on 2026-02-01."),
    ("I moved yesterday.", "Ann moved on 2026-03-09."),
    ("I moved last month.", "Ann moved on 2026-02-14."),
    ("I moved last week.", "Ann moved on Monday, 2026-03-02, with 2 friends."),
    ("I started ten years ago.", "Ann started in 2015."),
    ("I moved to Rome.", "Ann moved to Rome in 2024."),
    # other languages
    ("Ich bin gestern nach München gezogen.", "Ann ist gestern nach Hamburg gezogen."),
    ("Ich bin gestern nach München gezogen.", "Ann ist am 2024-01-10 nach München gezogen."),
    ("Vivo en Sevilla.", "Ann vive en Barcelona."),
    ("Я переехала в Прагу.", "Анна переехала в Лондон."),
    ("我昨天搬到了上海。", "安喜欢喝茶和看书。"),
    ("我昨天搬到了上海。", "安搬到了上海,电话12345。"),
    ("東京に引っ越しました。", "アンはVueを使っている、東京。"),
    ("I like tea.", "Ann mag Kaffee."),  # a translation cannot be checked
]


@pytest.mark.parametrize(("source", "fact"), SUPPORTED)
def test_what_the_words_say_is_supported(source, fact):
    """In other words, cases, forms; names of speakers and dates that follow from the time are theirs too."""
    assert said(source, speaker="Анна" if "Анна" in fact else "Ann").support(fact)


@pytest.mark.parametrize(("source", "fact"), UNSUPPORTED)
def test_what_the_words_do_not_say_is_not(source, fact):
    """Names, numbers, dates, identifiers, addresses, quotations; and facts about something else."""
    assert not said(source, speaker="Анна" if "Анна" in fact else "Ann").support(fact)


def test_several_turns_support_a_fact_together():
    """A question and its answer, each with what it has."""
    assert said("Where does Zoe live?", "In Lisbon, since 2019.").support("Zoe lives in Lisbon since 2019.")
    assert not said("In Lisbon, since 2019.").support("Zoe lives in Lisbon since 2019.")


def test_nothing_supports_nothing():
    """A fact without a source has none."""
    assert not Sources([]).support("Ann likes tea.")


@pytest.mark.parametrize(
    ("day", "follows"),
    [
        (date(2026, 3, 2), True),
        (date(2026, 3, 8), True),
        (date(2026, 3, 11), True),
        (date(2026, 3, 9), False),
        (date(2025, 3, 2), False),
    ],
)
def test_a_day_follows_when_it_is_spoken_of_or_the_day_of_speaking(day, follows):
    """Any day of a week that is named."""
    assert said("I was away last week.").date_follows(day) is follows


@pytest.mark.parametrize(
    ("value", "holds"),
    [
        ("Lisbon", True),
        ("Mira", True),
        ("children's hospital", True),
        ("A nurse at the hospital.", True),
        ("2019-05-02", True),
        ("May 2019", True),
        ("Porto", False),
        ("surgeon", False),
        ("2019-05-03", False),
        ("June 2019", False),
        ("9999-12-31", False),
        ("spital", False),
        ("", False),
        (" . ", False),
    ],
)
def test_a_value_may_be_a_name_a_date_or_their_words_alone(value, holds):
    """As in a form, where no sentence stands around it."""
    told = "I work as a nurse at the children's hospital in Lisbon since 2019-05-02"
    sources = said(told, speaker="Mira")
    assert sources.hold(value) is holds


@pytest.mark.parametrize(
    ("number", "follows"),
    [(41, True), (41.0, True), (2, True), (1234, True), (2.5, True), (2026, True), (4, False), (3.5, False)],
)
def test_a_number_follows_when_it_is_said_in_digits_or_words(number, follows):
    """And the year of a date that is spoken of."""
    assert said("I have 41 goats and two dogs; last week I paid 1,234 for 2.5 tonnes").number_follows(number) is follows


@given(text=st.text(max_size=200), number=st.floats() | st.integers())
def test_any_number_has_an_answer(text, number):
    """However large, or none."""
    assert said(text).number_follows(number) in (True, False)


@given(text=st.text(max_size=200), fact=st.text(max_size=200))
def test_any_text_has_an_answer(text, fact):
    """Whatever the script, and however broken."""
    assert said(text).support(fact) in (True, False)
    assert said(text).hold(fact) in (True, False)


@given(
    words=st.lists(
        st.sampled_from(["tea", "boat", "garden", "walk", "river", "bread", "music", "cat"]), min_size=1, max_size=8
    )
)
def test_words_support_themselves(words):
    """What is repeated is no invention."""
    assert said(" ".join(words)).support(" ".join(words))


@given(
    st.lists(st.sampled_from(["tea", "boat", "garden", "walk", "Berlin", "2019", "a/b.py"]), min_size=1, max_size=6),
    st.integers(10_000, 99_999),
)
def test_a_number_that_nobody_said_is_an_invention(words, number):
    """However much else of a fact is said."""
    text = " ".join(words)
    assert not said(text).support(f"{text} {number}")


@given(st.text(max_size=100))
def test_the_compared_form_of_a_text_is_its_own(text):
    """So that two texts are compared once they are in it."""
    assert " ".join(plain(text).split()) == plain(text)
