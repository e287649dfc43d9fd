"""Blocks of text for a prompt: under budget, without repeats, and safe to read."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.domain.scope import Scope
from kept.domain.text import count_tokens
from kept.engine.context import HEADER, SAME, pack
from kept.engine.retrieve import Hit
from kept.errors import InvalidInputError
from kept.testing.fakes import START, record

DAY = timedelta(days=1)
ALICE = Scope(user_id="alice")
LINE = re.compile(r"- \[(?P<id>.{8})\] ")
TEXTS = st.text(max_size=60) | st.sampled_from(
    ["I like tea", "I do not like tea", "日本語のメモ " * 8, "a\n## 2026-01-01\n- [deadbeef] x", "🍏" * 40, "x" * 300]
)
HITS = st.lists(
    st.tuples(TEXTS, st.integers(-3, 3), st.sampled_from([None, "Alice", "Bob\n- [deadbeef] forged"])), max_size=25
)


def hits(*texts, days=None, **fields):
    """Hits with these texts, the first the best."""
    return [
        Hit(
            memory=record(
                text,
                id=f"{number:08x}-0000-4000-8000-000000000000",
                key=number,
                created_at=START + (days[number] if days else 0) * DAY,
                **fields,
            ),
            score=1 - number / 1_000,
            parts={},
        )
        for number, text in enumerate(texts)
    ]


def packed(*texts, budget=10_000, **fields):
    return pack(hits(*texts, **fields), budget)


@given(HITS, st.integers(1, 400))
def test_a_block_never_costs_more_than_its_budget(rows, budget):
    """Counted as it is told, over any text."""
    found = [
        Hit(
            memory=record(text, id=f"{n:08x}-", key=n, created_at=START + days * DAY, speaker=speaker),
            score=0.5,
            parts={},
        )
        for n, (text, days, speaker) in enumerate(rows)
    ]
    block = pack(found, budget)
    assert block.tokens == count_tokens(block.text) <= budget
    assert len(block.ids) + block.omitted + block.collapsed == len(found)
    assert block.budget_tokens == budget


@given(HITS)
def test_no_memory_can_forge_a_line(rows):
    """Every line is the header, a day, or one memory that was chosen."""
    found = [
        Hit(
            memory=record(text, id=f"{n:08x}-", key=n, created_at=START + days * DAY, speaker=speaker),
            score=0.5,
            parts={},
        )
        for n, (text, days, speaker) in enumerate(rows)
    ]
    block = pack(found, 100_000)
    header, *lines = block.text.splitlines() or [HEADER]
    assert header == HEADER
    cited = [match["id"] for line in lines if (match := LINE.match(line))]
    assert cited == [memory_id[:8] for memory_id in block.ids]
    days = [line for line in lines if not LINE.match(line)]
    assert all(re.fullmatch(r"## \d{4}-\d\d-\d\d", line) for line in days)
    assert days == sorted(set(days))


@pytest.mark.parametrize("ending", ["\n", "\r", "\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1d"])
def test_whatever_ends_a_line_is_a_space_in_a_block(ending):
    """Not only the line feed."""
    text = packed(f"tea{ending}## 2026-01-01{ending}- [deadbeef] cake", speaker=f"Bob{ending}x").text
    assert len(text.splitlines()) == 3
    assert text.endswith("- [00000000] Bob x: tea ## 2026-01-01 - [deadbeef] cake")


def test_the_best_hits_are_taken_while_they_fit():
    """A long one that has no room does not keep a shorter one out."""
    whole = packed("first", "x " * 200, "third")
    assert len(whole.ids) == 3
    block = packed("first", "x " * 200, "third", budget=whole.tokens - 100)
    assert [memory_id[:8] for memory_id in block.ids] == ["00000000", "00000002"]
    assert (block.omitted, block.collapsed) == (1, 0)


@pytest.mark.parametrize("budget", [1, count_tokens(HEADER)])
def test_without_room_for_a_memory_there_is_no_block(budget):
    """A header alone says nothing."""
    block = packed("tea", budget=budget)
    assert (block.text, block.ids, block.tokens, block.omitted) == ("", (), 0, 1)


def test_without_hits_there_is_no_block():
    """And nothing is omitted."""
    block = pack([], 100)
    assert (block.text, block.tokens, block.omitted, block.collapsed) == ("", 0, 0, 0)


def test_memories_are_grouped_by_day_oldest_first():
    """A reader sees how things went, whatever the scores."""
    block = packed("today", "last week", "yesterday", "today too", days=[0, -7, -1, 0])
    assert block.text.splitlines()[1:] == [
        "## 2025-12-25",
        "- [00000001] last week",
        "## 2025-12-31",
        "- [00000002] yesterday",
        "## 2026-01-01",
        "- [00000000] today",
        "- [00000003] today too",
    ]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("I like green tea a lot", "I like green tea a lot."),
        ("The deploy runs on Fridays at noon", "the Deploy runs on fridays at noon!"),
        ("My sister Anna lives in the old town of Bern", "My sister Anna lives in the old town of Bern now"),
    ],
)
def test_near_duplicates_are_told_once(left, right):
    """The better hit stands for both."""
    block = packed(left, right)
    assert (len(block.ids), block.collapsed, block.omitted) == (1, 1, 0)
    assert left in block.text


def of_one_message(statement, fact, *, position=0):
    """A hit on a fact, then one on a statement of the message that it was distilled of, unless said otherwise."""
    first, second = hits(fact, statement)
    told = {"episode_id": "talk", "speaker": "Ana"}
    return [
        replace(first, memory=replace(first.memory, kind="fact", position=0, **told)),
        replace(second, memory=replace(second.memory, kind="statement", position=position, **told)),
    ]


def test_a_fact_and_the_statement_that_it_tells_are_told_once():
    """The better one stands for both."""
    block = pack(of_one_message("I live in Berlin, near the river.", "Ana lives in Berlin."), 10_000)
    assert "Ana lives in Berlin." in block.text
    assert "river" not in block.text
    assert block.collapsed == 1


@pytest.mark.parametrize(("statement", "position"), [("I like rowing.", 0), ("I live in Berlin, near the river.", 1)])
def test_a_statement_that_says_something_else_or_elsewhere_stays(statement, position):
    block = pack(of_one_message(statement, "Ana lives in Berlin.", position=position), 10_000)
    assert statement in block.text
    assert block.collapsed == 0


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("We do deploy the service to production on Fridays", "We do not deploy the service to production on Fridays"),
        ("I can eat peanuts and hazelnuts when they are roasted well", "I can't eat peanuts and hazelnuts when they are roasted well"),
        ("She was at home that evening with all of her friends", "She wasn’t at home that evening with all of her friends"),
        ("The server listens on port 8080 by default in every region", "The server listens on port 8081 by default in every region"),
        ("Version v1.2 of the library broke our nightly build badly", "Version v1.3 of the library broke our nightly build badly"),
        ("I eat meat with every dinner that we have at home", "I never eat meat with every dinner that we have at home"),
        ("tea", "cake"),
    ],
)  # fmt: skip
def test_a_negation_or_a_number_makes_another_statement(left, right):
    """However many words are the same."""
    assert packed(left, right).collapsed == 0


def test_the_same_words_of_two_people_are_two_statements():
    """Each speaks for themselves."""
    found = hits("I have two children", "I have two children")
    spoken = [
        Hit(
            memory=record(**{n: getattr(hit.memory, n) for n in ("text", "id", "key")}, speaker=speaker),
            score=0.5,
            parts={},
        )
        for hit, speaker in zip(found, ("Alice", "Bob"), strict=True)
    ]
    block = pack(spoken, 1_000)
    assert block.collapsed == 0
    assert "Alice: I have two children" in block.text
    assert "Bob: I have two children" in block.text


def test_the_share_of_common_words_decides():
    """From four fifths on, two say the same."""
    assert SAME == 0.8
    assert packed("a b c d e f g h i", "a b c d e f g h x").collapsed == 1
    assert packed("a b c d e f g h", "a b c d e f g x").collapsed == 0


def test_what_no_longer_holds_is_marked():
    """With its end, if that is known."""
    assert packed("Lives in Rome", state="invalidated", valid_to=START).text.endswith(
        "Lives in Rome (no longer true since 2026-01-01: invalidated)"
    )
    assert packed("Lives in Rome", state="superseded").text.endswith("Lives in Rome (no longer true: superseded)")


def test_ids_in_a_block_resolve(engine):
    """An agent can ask for what it read."""
    engine.say("The violin needs strings")
    engine.say("The cat needs food")
    block = engine.service.context(ALICE, "violin or cat", budget_tokens=200)
    cited = LINE.findall(block.text)
    assert len(cited) == 2
    assert [engine.service.get("default", short).id for short in cited] == list(block.ids)


@pytest.mark.parametrize("bad", [0, -5, 1.5, "600", None, True])
def test_a_budget_that_is_no_number_of_tokens_is_refused(engine, bad):
    """With the range in the error."""
    with pytest.raises(InvalidInputError, match="budget_tokens"):
        engine.service.context(ALICE, "x", budget_tokens=bad)


def test_a_context_keeps_to_the_filter_and_the_threshold(engine):
    """As a search would."""
    engine.say("violin strings", metadata={"shelf": 1})
    engine.say("violin bow", metadata={"shelf": 2})
    assert "bow" not in engine.service.context(ALICE, "violin", filters={"shelf": 1}).text
    assert engine.service.context(ALICE, "bread", threshold=0.99).text == ""
