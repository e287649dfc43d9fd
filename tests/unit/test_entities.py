"""The entities of a text, and the known names of a query."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.domain.entities import MAX_ENTITIES, KnownNames, entities, names_in, without_names

SECONDS = 1.0

# Text, then kind and key of each expected entity.
TEXTS = [
    ("Yesterday Nora told me that she met Dr. Smith.", [("name", "nora"), ("name", "dr. smith")]),
    ("The Museum of Modern Art in New York", [("name", "museum of modern art"), ("name", "new york")]),
    ("Nora's kids love Bj\u00f6rn", [("name", "nora"), ("name", "bj\u00f6rn")]),
    ("Ludwig van Beethoven wrote it", [("name", "ludwig van beethoven")]),
    ("Running tests. Tests passed.", []),
    ("I love Monday in May. OK great.", []),
    ("Hey Mel, how are you?", [("name", "mel")]),
    ("Alex prefers tea", [("name", "alex")]),
    ("THIS IS A SHOUTED LINE OF TEXT", []),
    ("# Getting Started With Things\nbody", []),
    ("We chose PostgreSQL over MySQL", [("name", "postgresql"), ("name", "mysql")]),
    ('enable "dark mode" and \u201cvim keys\u201d', [("quoted", "dark mode"), ("quoted", "vim keys")]),
    ('she said "this is a whole sentence of speech, not a term"', []),
    ("run `ruff check` and `main`", [("quoted", "ruff check"), ("identifier", "main")]),
    (
        "the getUserById call in user_id and MAX_RETRIES",
        [("identifier", "getuserbyid"), ("identifier", "user_id"), ("identifier", "max_retries")],
    ),
    ("use json.loads() and kept.domain.text", [("identifier", "json.loads"), ("identifier", "kept.domain.text")]),
    ("ticket ABC-123 is open", [("identifier", "abc-123")]),
    (
        "see src/app/users.ts:42 and ~/.config/app.toml and /srv",
        [("path", "src/app/users.ts"), ("path", "~/.config/app.toml"), ("path", "/srv")],
    ),
    ("open C:\\Users\\me\\notes.txt", [("path", "c:\\users\\me\\notes.txt")]),
    ("edit main.py:10", [("path", "main.py")]),
    ("and/or yes/no 24/7 e.g. the U.S. army", []),
    ("see https://example.org/a?b=1.", [("url", "https://example.org/a?b=1")]),
    ("example.org is down", [("url", "example.org")]),
    ("mail a.b@example.org or @octocat", [("email", "a.b@example.org"), ("handle", "@octocat")]),
    ("pip install fastapi uvicorn[standard] and go", [("package", "fastapi"), ("package", "uvicorn")]),
    ("npm i @angular/core react", [("package", "@angular/core"), ("package", "react")]),
    ("import numpy as np", [("package", "numpy")]),
    ("from kept.domain import text", [("package", "kept.domain")]),
    ("we import data from a file", []),
    ("since v2.10.3 on Python 3.11", [("version", "v2.10.3"), ("version", "python 3.11")]),
    (
        "E0308, TS2345, HTTP 500 and ECONNREFUSED",
        [("error_code", "e0308"), ("error_code", "ts2345"), ("error_code", "http 500"), ("error_code", "econnrefused")],
    ),
    ("it raised sqlite3.OperationalError", [("error_code", "sqlite3.operationalerror")]),
    ("", []),
    ("\0 \ud800 \U0001f389", []),
]

KNOWN = ["Caroline", "Melanie", "user_id", "Bob Miller", "Bob Dylan", "Anna Smith", "Will", "\u5c0f\u660e"]

QUERIES = [
    ("What did Caroline's dog do with Mel?", ["Caroline", "Melanie"], "What did dog do?"),
    ("When did Caroline and Melanie meet?", ["Caroline", "Melanie"], "When did meet?"),
    ("Did Anna, Caroline and Mel talk?", ["Anna Smith", "Caroline", "Melanie"], "Did talk?"),
    ("what does melanie like", ["Melanie"], "what does like"),
    ("what car did she buy", [], "what car did she buy"),
    ("Can Bob come?", [], "Can Bob come?"),
    ("who is bob miller", ["Bob Miller"], "who is"),
    ("will you go with Will?", ["Will"], "will you go?"),
    ("Where is user_id set?", ["user_id"], "Where is set?"),
    ("What do you know about Caroline?", ["Caroline"], "What do you know?"),
    ("Caroline", ["Caroline"], "Caroline"),
    ("\u5c0f\u660e\u559c\u6b22\u4ec0\u4e48", ["\u5c0f\u660e"], "\u559c\u6b22\u4ec0\u4e48"),
    ("", [], ""),
]


@pytest.mark.parametrize(("text", "expected"), TEXTS)
def test_finds_the_entities_of_a_text(text, expected):
    """Each text of the table gives exactly the kinds and keys beside it."""
    assert [(entity.kind, entity.key) for entity in entities(text)] == expected


def test_an_entity_is_named_as_first_written_and_listed_once():
    """Later mentions join the first by key."""
    assert [entity.name for entity in entities("I told Nora. Nora's brother knows NORA.")] == ["Nora"]


def test_a_text_has_a_bounded_number_of_entities():
    """A list of hundred names does not link everything to everything."""
    assert len(entities(" and ".join(f"user_{number}_id" for number in range(100)))) == MAX_ENTITIES


@given(st.text())
def test_entities_of_any_text_have_distinct_keys(text):
    """Any string is accepted; keys are lower case and never blank."""
    keys = [entity.key for entity in entities(text)]
    assert len(set(keys)) == len(keys)
    assert all(key.strip() for key in keys)


@pytest.mark.parametrize(("query", "expected", "_rest"), QUERIES)
def test_finds_the_known_names_of_a_query(query, expected, _rest):
    """Whole names in any case, capitalised short forms of one name only, possessives."""
    assert [mention.name for mention in names_in(query, KNOWN)] == expected


@pytest.mark.parametrize(("query", "_names", "rest"), QUERIES)
def test_takes_names_out_and_leaves_a_tidy_query(query, _names, rest):
    """Conjunctions and prepositions that lost their objects go too; a bare name stays."""
    assert without_names(query, names_in(query, KNOWN)) == rest


def test_names_may_be_prepared_once():
    """Prepared names and plain ones find the same."""
    query = "What did Mel say to Caroline?"
    assert names_in(query, KnownNames(KNOWN)) == names_in(query, dict.fromkeys(KNOWN))


@given(st.text(), st.lists(st.text(max_size=12), max_size=6))
def test_mentions_lie_in_the_query_and_never_overlap(query, known):
    """Any strings are accepted."""
    end = 0
    for mention in names_in(query, known):
        assert mention.name in known
        assert end <= mention.start < mention.end <= len(query)
        end = mention.end


@given(st.text(), st.lists(st.text(min_size=1, max_size=12), max_size=4))
def test_a_query_without_names_is_never_empty_unless_it_was(query, known):
    """There is always something to embed."""
    rest = without_names(query, names_in(query, known))
    assert bool(rest.strip()) or not any(character.isalnum() for character in query)


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
        "A ",
        "Aa ",
        "a.",
        "/a",
        "a_",
        '"a',
        "http://",
        "pip install ",
        "import a, ",
    ],
)
def test_time_grows_with_the_length_of_a_hostile_text(piece):
    """200 KB of anything take less than a second, for texts and for queries."""
    text = piece * (200_000 // len(piece))
    started = time.process_time()
    entities(text)
    without_names(text, names_in(text, KNOWN))
    assert time.process_time() - started < SECONDS
