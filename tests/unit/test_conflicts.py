"""Which pairs of statements likely contradict each other: a labelled table. The speaker is Ana where nothing else is said."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kept.domain.conflicts import contradiction, newer, slots
from kept.domain.memory import first_person
from kept.domain.relations import relations
from kept.domain.scope import Scope
from kept.testing.fakes import START, record

ANA = Scope(user_id="ana")
DAY = timedelta(days=1)

CONTRADICT = [
    ("I live in Berlin.", "I live in Munich.", "other value"),
    ("I live in Berlin.", "I moved to Munich last month.", "other value"),
    ("I moved to Berlin in 2020.", "I moved to Munich.", "other value"),
    ("I work at Acme.", "I'm working at Globex now.", "other value"),
    ("Bob lives in Rome", "Bob lives in Oslo these days.", "other value"),
    ("My favourite colour is green", "My favorite color is blue.", "other value"),
    ("My favourite food is ramen.", "My favourite food is pizza", "other value"),
    ("My boss is Carla.", "Tom is my boss.", "other value"),
    ("I'm married to Tom.", "I'm married to Paul.", "other value"),
    ("I'm 34 years old", "I'm 35 years old", "other value"),
    ("I'm vegan", "I'm vegetarian now", "other value"),
    ("The API runs on port 8080.", "The API runs on port 9090.", "other value"),
    ("The API's port is 8080", "The API runs on port 9090.", "other value"),
    ("The staging DB is Postgres 16", "The staging DB is MySQL 8", "other value"),
    ("The Python version is 3.11", "The Python version is 3.12", "other value"),
    ("The config is at path /etc/kept.toml", "The config is at path /opt/kept.toml", "other value"),
    ("The release is on Friday", "The release is on Monday", "other value"),
    ("The deadline is March 3", "The deadline is March 10", "other value"),
    ("The default branch is trunk", "The default branch is main", "other value"),
    ("Our database is Postgres.", "Our database is MySQL.", "other value"),
    ("Ich wohne in Berlin.", "Ich wohne in Bonn.", "other value"),
    ("Vivo en Madrid.", "Vivo en Sevilla", "other value"),
    ("J'habite \u00e0 Paris", "J'habite \u00e0 Lyon", "other value"),
    ("I like olives", "I hate olives.", "opposite"),
    ("Tom loves jazz", "Tom hates jazz", "opposite"),
    ("We use Python 3.11", "We use Python 3.12", "other version"),
    ("The worker uses Celery 4", "The worker uses Celery 5", "other version"),
    ("We use Redis for the queue.", "We don't use Redis for the queue anymore.", "denied"),
    ("The build needs Docker", "The build does not need Docker", "denied"),
    ("Tests run in parallel", "Tests no longer run in parallel", "denied"),
    ("I eat meat", "I never eat meat", "denied"),
    ("Deploys need an approval.", "Deploys need no approval.", "denied"),
    ("The request timeout is 30 seconds", "The request timeout is 60 seconds", "other number"),
    ("Uploads are limited to 10 MB per file.", "Uploads are limited to 25 MB per file.", "other number"),
    ("A page has at most 50 rows.", "A page has at most 100 rows.", "other number"),
    ("Line length must be 100 characters", "Line length must be 120 characters", "other number"),
]

AGREE = [
    # the same, or said more exactly
    ("I live in Berlin.", "I live in Berlin, Germany."),
    ("I work at Acme", "I work at Acme Corp."),
    ("The Python version is 3.12", "The Python version is 3.12.1"),
    ("I live in Berlin.", "I moved to Berlin in 2020."),
    ("The staging DB is Postgres", "The staging DB is Postgres 16"),
    # many values
    ("I like jazz", "I like blues"),
    ("We use Postgres", "We use Redis"),
    ("My sister is Maria", "My sister is Eva"),
    ("I speak Italian", "I speak French"),
    ("My dog is Rex", "My dog is Bella"),
    ("I'm allergic to peanuts", "I'm allergic to shrimp"),
    # somebody or something else
    ("I live in Berlin.", "Bob lives in Munich"),
    ("The API runs on port 8080.", "The admin server runs on port 9090."),
    ("The staging DB is Postgres 16", "The production DB is MySQL 8"),
    ("My favourite colour is green", "Bob's favourite colour is blue"),
    ("I like olives", "Tom hates olives"),
    ("My favourite food is ramen", "My favourite film is Alien"),
    ("The release is on Friday", "The standup is on Monday"),
    ("I like olives", "I hate celery"),
    # done once, and again
    ("I ran 5 km on Monday", "I ran 8 km on Tuesday"),
    ("We fixed 3 bugs today", "We fixed 7 bugs today"),
    ("Bought 2 books in Rome", "Bought 4 books in Rome"),
    ("In 2019 the budget was fine", "In 2021 the budget was fine"),
    # questions, and what only sounds alike
    ("Is the timeout 30 seconds?", "The timeout is 60 seconds"),
    ("The tests are slow on Windows", "The docs are not built on Windows"),
    ("I don't like mornings", "I like evenings"),
    ("The cache is not shared", "The cache is written to disk"),
    ("Never commit secrets", "Commit often"),
    ("Chapter 3 is about storage", "Chapter 4 is about ranking"),
    ("The office has 3 floors", "The office has 12 desks"),
    ("Ticket ABC-1 is open", "The milestone is open"),
    ("I prefer tea", "I prefer window seats"),
]


def said(text, **fields):
    """A memory of a statement, with the relations that the rules find in it."""
    fields = {"scope": ANA, "role": "user", "speaker": "user"} | fields
    speaker = first_person(fields["scope"], fields["role"], fields["speaker"])
    return record(text, relations=relations(text, speaker=speaker), **fields)


@pytest.mark.parametrize(("old", "new", "why"), CONTRADICT)
def test_what_likely_contradicts(old, new, why):
    for one, other in ((said(old), said(new)), (said(new), said(old))):
        found = contradiction(one, other)
        assert found is not None
        assert found.why == why


@pytest.mark.parametrize(("old", "new"), AGREE)
def test_what_stands_side_by_side(old, new):
    assert contradiction(said(old), said(new)) is None
    assert contradiction(said(new), said(old)) is None


def test_the_table_is_as_large_as_is_said_of_it():
    assert len({pair[:2] for pair in (*CONTRADICT, *AGREE)}) >= 60


def test_another_speaker_of_the_same_user_contradicts_nothing():
    assert contradiction(said("I eat meat", speaker="Tom"), said("I never eat meat", speaker="Eve")) is None
    assert contradiction(said("I eat meat", speaker="Tom"), said("I never eat meat", speaker="Tom")) is not None


def test_what_ended_before_contradicts_nothing():
    old = said("I live in Berlin", valid_from=START, valid_to=START + DAY)
    assert contradiction(old, said("I live in Munich", valid_from=START + DAY)) is None
    assert contradiction(old, said("I live in Munich", valid_from=START + DAY / 2)) is not None


def test_aliases_are_one_value():
    one, other = said("Our database is Postgres."), said("Our database is PG.")
    assert contradiction(one, other) is not None
    assert contradiction(one, other, {"pg": "postgres"}) is None


def test_the_newer_is_the_one_that_speaks_of_the_later_time():
    told_later = said("I live in Berlin", key=2, created_at=START - DAY)
    assert newer(told_later, said("I live in Munich", key=1, created_at=START)).text == "I live in Munich"
    same = said("I live in Bonn", key=3, created_at=START - DAY)
    assert newer(told_later, same) is same


def test_slots_are_the_subjects_of_relationships_with_one_value():
    assert slots(said("I live in Berlin and I like tea.")) == [("ana", "lives_in"), ("ana", "moved_to")]
    assert slots(said("I like tea")) == []
