"""Filters pushed down to SQLite select exactly the rows `matches` accepts."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kept.adapters.sql import SQLITE, SqliteDialect, register_functions, where
from kept.domain.filters import (
    EVERYTHING,
    FIELD_KINDS,
    MAX_CONDITIONS,
    And,
    Condition,
    Field,
    Filter,
    Not,
    Operator,
    Or,
    matches,
    parse_filter,
)
from kept.testing.filters import (
    DAYS,
    MOMENTS,
    NAMES,
    NEEDLES,
    NUMBERS,
    TEXTS,
    FilterableRecord,
    filters,
    records,
    row_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NEVER_NULL = {"id", "text", "created_at", "updated_at"}

COLUMNS = (
    "id TEXT, user_id TEXT, agent_id TEXT, app_id TEXT, run_id TEXT, text TEXT, metadata TEXT, categories TEXT, "
    "entities TEXT, created_at INTEGER, updated_at INTEGER, valid_from INTEGER, valid_to INTEGER, expires_on TEXT, "
    "speaker TEXT, role TEXT, kind TEXT, connector TEXT, state TEXT, hash TEXT"
)


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as opened:
        register_functions(opened)
        opened.execute(f"CREATE TABLE memory (position INTEGER PRIMARY KEY, {COLUMNS})")
        opened.execute("CREATE INDEX by_user ON memory (user_id)")
        yield opened


def store(connection: sqlite3.Connection, stored: Sequence[FilterableRecord], *, ascii_json: bool = False) -> None:
    connection.execute("DELETE FROM memory")
    for position, record in enumerate(stored):
        row = {"position": position} | row_of(record, ascii_json=ascii_json)
        marks = ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO memory ({', '.join(row)}) VALUES ({marks})", list(row.values()))  # noqa: S608


def selected(connection: sqlite3.Connection, f: Filter, dialect: SqliteDialect = SQLITE) -> list[int] | None:
    pushed = where(f, dialect)
    if pushed is None:
        return None
    sql, parameters = pushed
    query = f"SELECT position FROM memory WHERE position >= 0 AND ({sql}) ORDER BY position"  # noqa: S608
    return [position for (position,) in connection.execute(query, parameters)]


def accepted(f: Filter, stored: Sequence[FilterableRecord]) -> list[int]:
    return [position for position, record in enumerate(stored) if matches(f, record)]


@settings(
    max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(stored=st.lists(records(), min_size=1, max_size=6), f=filters(), ascii_json=st.booleans())
def test_sql_selects_exactly_the_records_that_match(connection, stored, f, ascii_json):
    """The pushed-down filter equals `matches`, whichever way JSON escapes."""
    store(connection, stored, ascii_json=ascii_json)
    assert selected(connection, f) == accepted(f, stored)


POOLS: dict[str, tuple[Any, ...]] = {"name": NAMES, "text": TEXTS, "labels": NAMES, "moment": MOMENTS, "day": DAYS}


def asked_of_pool(target: Field, operands: Sequence[Any], ops: Sequence[Operator]) -> list[Condition]:
    lists = [Condition(target, op, tuple(operands[:3])) for op in ("in", "nin")]
    nulls = [Condition(target, op, None) for op in ("exists", "eq", "ne")]
    both = Condition(target, "in", (None, *operands[:2]))
    return [Condition(target, op, operand) for op in ops for operand in operands] + lists + nulls + [both]


@pytest.mark.parametrize("name", [name for name in FIELD_KINDS if name != "metadata"])
def test_every_operator_on_every_pooled_value_is_exact(connection, name):
    """All pairs of a stored and an asked value, null included."""
    kind = FIELD_KINDS[name]
    values = [(value,) for value in POOLS[kind]] if kind == "labels" else list(POOLS[kind])
    null = () if kind == "labels" else None
    attribute = "entities" if name == "entity" else name
    stored = [FilterableRecord(**{attribute: value}) for value in values + [null] * (name not in NEVER_NULL)]
    store(connection, stored)
    ordered = () if kind in {"labels", "text"} else ("gt", "gte", "lt", "lte")
    asked = asked_of_pool(name, [*POOLS[kind], *DAYS] if kind == "moment" else POOLS[kind], ("eq", "ne", *ordered))
    if kind in {"name", "text", "labels"}:
        asked += [Condition(name, op, needle) for op in ("contains", "icontains") for needle in NEEDLES]
    for f in asked:
        assert selected(connection, f) == accepted(f, stored), f


def test_every_operator_on_every_pooled_metadata_value_is_exact(connection):
    """All pairs of a stored and an asked value, of equal types and not."""
    scalars = [*NUMBERS, *TEXTS, True, False]
    values = [*scalars, None, [], ["a", 1, 0.1], [True], ["é", None], [["a"]], {"a": 1}, '["a"]', "true", "null"]
    stored = [FilterableRecord(metadata={"n": value, "other": 1}) for value in values] + [FilterableRecord()]
    store(connection, stored)
    key: Field = ("metadata", "n")
    asked = asked_of_pool(key, [*scalars, '["a"]'], ("eq", "ne", "gt", "gte", "lt", "lte", "contains", "icontains"))
    asked += [Condition(key, op, tuple(value)) for op in ("eq", "ne") for value in values if isinstance(value, list)]
    asked += [Condition(key, "in", members) for members in ((None, "1"), TEXTS, (1, True, "1"), (2**70, 0.1))]
    asked += [Condition("metadata", op, operand) for op in ("contains", "icontains") for operand in scalars]
    for f in asked:
        assert selected(connection, f) == accepted(f, stored), f


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(stored=st.lists(records(), min_size=1, max_size=4), parts=st.lists(filters(), max_size=4))
def test_trees_built_by_hand_are_exact_too(connection, stored, parts):
    """Shapes the parser never returns: empty groups, groups of one, negations of anything."""
    store(connection, stored)
    built = Not(And((Or(tuple(parts)), Not(And(tuple(parts))), Or((Not(EVERYTHING), *parts)))))
    assert selected(connection, built) == accepted(built, stored)


@pytest.mark.parametrize(("f", "expected"), [(EVERYTHING, [0]), (Or(()), []), (Not(EVERYTHING), [])])
def test_empty_groups_select_everything_and_nothing(connection, f, expected):
    """No conditions are all met; no alternatives are never met."""
    store(connection, [FilterableRecord()])
    assert selected(connection, f) == expected


@pytest.mark.parametrize(
    "hostile", ["' OR 1=1 --", '"; DROP TABLE memory; --', "$.x') OR ('1'='1", "?", ":user_id", "%"]
)
def test_no_value_or_key_reaches_the_sql_text(connection, hostile):
    """Values and metadata keys are parameters, whatever they look like."""
    store(connection, [FilterableRecord(user_id="u1", metadata={"source": "chat"})])
    f = parse_filter({"OR": [{"user_id": hostile}, {f"metadata.{hostile}": hostile}, {"text": {"contains": hostile}}]})
    pushed = where(f)
    assert pushed is not None
    assert hostile == "?" or hostile not in pushed[0]
    assert selected(connection, f) == []


def alternating(depth: int, innermost: dict[str, Any]) -> dict[str, Any]:
    raw = innermost
    for level in range(depth):
        raw = {"run_id": "r1", "AND": [raw]} if level % 2 else {"OR": [{"run_id": "r2"}, raw]}
    return raw


def test_conjunctions_inside_conjunctions_are_pushed_down_at_depth_200(connection):
    """Nesting that can be flattened costs the database nothing."""
    raw: dict[str, Any] = {"user_id": "u1"}
    for _ in range(200):
        raw = {"AND": [raw, {"run_id": "r1"}]}
    store(connection, [FilterableRecord(user_id="u1", run_id="r1"), FilterableRecord(user_id="u2", run_id="r1")])
    assert selected(connection, parse_filter(raw)) == [0]


def test_negations_inside_negations_are_pushed_down_at_depth_200(connection):
    """An even number of negations is none."""
    raw: dict[str, Any] = {"user_id": "u1"}
    for _ in range(200):
        raw = {"NOT": raw}
    store(connection, [FilterableRecord(user_id="u1"), FilterableRecord()])
    assert selected(connection, parse_filter(raw)) == [0]


def test_real_nesting_beyond_the_parser_stack_is_not_pushed_down():
    """Alternating levels cannot be flattened; past the limit the caller filters."""
    assert where(parse_filter(alternating(200, {"user_id": "u1"}))) is None


@pytest.mark.parametrize("depth", range(1, 24))
def test_whatever_nesting_is_pushed_down_can_be_run(connection, depth):
    """The limit leaves room for the tallest conditions and a query around them."""
    costly = {"NOT": [{"metadata.n": {"gt": 0.5}}, {"categories": {"contains": "x"}}]}
    f = parse_filter(alternating(depth, costly))
    store(connection, [FilterableRecord(run_id="r1"), FilterableRecord(run_id="r2"), FilterableRecord()])
    expected = accepted(f, [FilterableRecord(run_id="r1"), FilterableRecord(run_id="r2"), FilterableRecord()])
    assert selected(connection, f, SqliteDialect(table="memory")) in (expected, None)
    assert depth > 14 or where(f) is not None


@pytest.mark.parametrize("logic", ["AND", "OR"])
def test_as_many_siblings_as_a_filter_may_have_are_pushed_down(connection, logic):
    """A long chain becomes a shallow tree, below SQLite's limit on the height of expressions."""
    f = parse_filter({logic: [{"text": {"contains": str(n)}} for n in range(MAX_CONDITIONS - 1)]})
    stored = [FilterableRecord(text=str(MAX_CONDITIONS - 2)), FilterableRecord(text="x")]
    store(connection, stored)
    assert selected(connection, f) == accepted(f, stored)


def test_more_parameters_than_sqlite_takes_are_not_pushed_down(connection):
    """A list within the limit is run, a longer one is left to the caller."""
    ids = [f"m{n}" for n in range(30_001)]
    store(connection, [FilterableRecord(id="m7"), FilterableRecord(id="other")])
    assert selected(connection, parse_filter({"memory_ids": ids[:-1]})) == [0]
    assert where(parse_filter({"memory_ids": ids})) is None


def test_a_long_list_of_days_and_moments_is_run(connection):
    """Each day is a range of its own."""
    days = [datetime(2026, 1, 1, tzinfo=UTC).replace(month=1 + n % 12, day=1 + n % 28).date() for n in range(300)]
    f = parse_filter({"created_at": {"in": days}})
    stored = [FilterableRecord(), FilterableRecord(created_at=datetime(2025, 1, 1, tzinfo=UTC))]
    store(connection, stored)
    assert selected(connection, f) == accepted(f, stored)


def test_an_entity_condition_uses_the_index(connection):
    """Conditions that are not negated stay bare."""
    pushed = where(parse_filter({"user_id": "u1", "created_at": {"gte": "2026-03-01"}}))
    assert pushed is not None
    plan = connection.execute(f"EXPLAIN QUERY PLAN SELECT id FROM memory WHERE {pushed[0]}", pushed[1]).fetchall()  # noqa: S608
    assert any("by_user" in row[3] for row in plan)


def test_columns_can_be_qualified(connection):
    """A dialect with a table name works where another table has the same columns."""
    store(connection, [FilterableRecord(user_id="u1", categories=("a",), metadata={"n": 0.5})])
    f = parse_filter({"user_id": "u1", "categories": "a", "metadata": {"n": {"gt": 0.1}}, "entity": None})
    pushed = where(f, SqliteDialect(table="m"))
    assert pushed is not None
    query = (
        f"SELECT m.position FROM memory AS m JOIN memory AS other ON other.position = m.position WHERE ({pushed[0]})"  # noqa: S608
    )
    assert connection.execute(query, pushed[1]).fetchall() == [(0,)]


def test_numbers_are_compared_to_the_last_bit(connection):
    """Fractions and integers beyond 64 bits are compared as Python reads them."""
    numbers = [0.1 + 0.2, 0.3, 2**53 + 1, float(2**53), 2**63, 2**70 + 1, 5e-324, 1.7976931348623157e308, -(10**25)]
    stored = [FilterableRecord(metadata={"n": number}) for number in numbers]
    store(connection, stored)
    for number in numbers:
        for op in ("eq", "gt", "gte", "lt", "lte"):
            f = Condition(("metadata", "n"), op, number)
            assert selected(connection, f) == accepted(f, stored)
