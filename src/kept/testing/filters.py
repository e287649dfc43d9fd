"""Hypothesis strategies for filters and for records to filter, for tests of an adapter that translates filters.

Values are drawn from small pools shared by filters and records, so that a condition holds about as often as it does not,
and the pools are full of what goes wrong: letters whose case changes their length, quotes and wildcards of SQL, numbers
that are equal across types, days at the edge of a day.

Needs ``hypothesis``; nothing else in Kept imports this module.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

from kept.domain.filters import FIELD_KINDS, Filter, RecordField, microseconds, parse_filter

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES: Final = (
    "u1",
    "u2",
    "Ünal",
    "ÜNAL",
    "straße",
    "STRASSE",
    "*",
    "",
    "a%b_c",
    "it's",
    'say "x"',
    "日本",
    "\U0001f9e0",
)
TEXTS: Final = (
    *NAMES,
    "I moved to Oslo in May",
    "i MOVED to oslo",
    "İstanbul",
    "ΣΊΣΥΦΟΣ σίσυφος",
    "100% of it",
    "[]",
    "1",
)
NEEDLES: Final = ("", "o", "O", "oslo", "ß", "ss", "i̇", "σ", "ς", "%", "_", "'", '"', "u1", "\U0001f9e0", "\\", "1")
KEYS: Final = (
    "source",
    "n",
    "tags",
    "a.b",
    "$",
    'q"k',
    "back\\slash",
    "é",
    "日本",
    "key with space",
    "[0]",
    "contains",
    "OR",
)
STATES: Final = ("active", "superseded")

_START: Final = datetime(2026, 3, 1, tzinfo=UTC)
MOMENTS: Final = tuple(
    _START + offset
    for offset in (
        timedelta(0),
        timedelta(microseconds=1),
        timedelta(hours=12),
        timedelta(days=1, microseconds=-1),
        timedelta(days=1),
        timedelta(days=-20_000, microseconds=-1),
        timedelta(days=365, hours=3, microseconds=7),
    )
)
DAYS: Final = (date(2026, 2, 28), date(2026, 3, 1), date(2026, 3, 2), date(1971, 5, 28), date.min, date.max)
NUMBERS: Final = (0, 1, -1, 1.0, 0.1, 0.30000000000000004, 1e300, 2**53 + 1, float(2**53), 2**63, -(2**63), 2**70, 1.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterableRecord:
    """The least a filter can be asked about; satisfies `kept.domain.filters.Filterable`."""

    id: str = "m1"
    user_id: str | None = None
    agent_id: str | None = None
    app_id: str | None = None
    run_id: str | None = None
    text: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    categories: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    created_at: datetime = _START
    updated_at: datetime = _START
    expires_on: date | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    speaker: str | None = None
    role: str | None = None
    kind: str | None = None
    connector: str | None = None
    state: str | None = "active"
    hash: str | None = None


def row_of(record: FilterableRecord, *, ascii_json: bool = False) -> dict[str, object]:
    """The record as a row of the table `kept.adapters.sql` describes, by column.

    Args:
        record: The record.
        ascii_json: Whether JSON escapes what is not ASCII; both forms must read the same.
    """

    def written(value: Any) -> str | None:
        return json.dumps(value, ensure_ascii=ascii_json) if value else None

    def stamp(value: datetime | None) -> int | None:
        return None if value is None else microseconds(value)

    row: dict[str, object] = {
        name: getattr(record, name) for name, kind in FIELD_KINDS.items() if kind in {"name", "text"}
    }
    row |= {name: stamp(getattr(record, name)) for name, kind in FIELD_KINDS.items() if kind == "moment"}
    return row | {
        "metadata": written(dict(record.metadata)),
        "categories": written(list(record.categories)),
        "entities": written([{"name": key, "kind": "thing", "key": key} for key in record.entities]),
        "expires_on": None if record.expires_on is None else record.expires_on.isoformat(),
    }


# --- records ---


def json_scalars() -> st.SearchStrategy[Any]:
    """Strings, numbers, booleans and null, as metadata holds them and filters name them."""
    return st.one_of(st.sampled_from(TEXTS), st.sampled_from(NUMBERS), st.booleans(), st.none(), _free_numbers())


def _free_numbers() -> st.SearchStrategy[float]:
    return st.one_of(st.integers(-5, 5), st.floats(allow_nan=False, allow_infinity=False))


def metadata() -> st.SearchStrategy[dict[str, Any]]:
    """Metadata with scalars, lists of them and objects under a few keys."""
    nested = st.dictionaries(st.sampled_from(KEYS), json_scalars(), max_size=2)
    values = st.one_of(json_scalars(), st.lists(json_scalars(), max_size=3), nested, st.just([["a"]]))
    return st.dictionaries(st.sampled_from(KEYS), values, max_size=5)


def records() -> st.SearchStrategy[FilterableRecord]:
    """Records, some fields null, drawn from the pools above and from free text without NUL."""
    names = st.none() | st.sampled_from(NAMES)
    labels = st.lists(st.sampled_from(NAMES), max_size=3, unique=True).map(tuple)
    moments = st.sampled_from(MOMENTS)
    free_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
    return st.builds(
        FilterableRecord,
        id=st.sampled_from(NAMES),
        **dict.fromkeys(
            ("user_id", "agent_id", "app_id", "run_id", "speaker", "role", "kind", "connector", "hash"), names
        ),
        state=st.sampled_from(STATES),
        text=st.sampled_from(TEXTS) | free_text,
        metadata=metadata(),
        categories=labels,
        entities=labels,
        created_at=moments,
        updated_at=moments,
        valid_from=st.none() | moments,
        valid_to=st.none() | moments,
        expires_on=st.none() | st.sampled_from(DAYS),
    )


# --- filters ---


def raw_filters(*, max_leaves: int = 12) -> st.SearchStrategy[dict[str, Any]]:
    """Filters as callers write them, valid in the ``any`` grammar: every field, every operator, nested logic.

    Args:
        max_leaves: Conditions in one filter, about.
    """
    return st.recursive(_raw_conditions(), _raw_groups, max_leaves=max_leaves)


def filters(*, max_leaves: int = 12) -> st.SearchStrategy[Filter]:
    """Parsed filters, from `raw_filters`."""
    return raw_filters(max_leaves=max_leaves).map(parse_filter)


def _raw_groups(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    parts = st.lists(inner, min_size=1, max_size=3)
    groups = {"AND": parts, "OR": parts, "NOT": inner | parts}
    logic = st.one_of(*(st.fixed_dictionaries({key: value}) for key, value in groups.items()))
    siblings = st.tuples(_raw_conditions(), st.fixed_dictionaries({}, optional=groups)).map(
        lambda both: both[0] | both[1]
    )
    return logic | siblings


def _raw_conditions() -> st.SearchStrategy[dict[str, Any]]:
    fields = [name for name in FIELD_KINDS if name != "metadata"]
    on_field = st.sampled_from(fields).flatmap(
        lambda name: _raw_asked(_operands(name)).map(lambda asked: {name: asked})
    )
    return st.one_of(on_field, _raw_metadata(), on_field)


def _raw_metadata() -> st.SearchStrategy[dict[str, Any]]:
    order = st.tuples(st.sampled_from(["gt", "gte", "lt", "lte"]), st.sampled_from(NUMBERS + TEXTS) | _free_numbers())
    equality = st.tuples(st.sampled_from(["eq", "ne"]), json_scalars() | st.lists(json_scalars(), max_size=3))
    lists = st.tuples(st.sampled_from(["in", "nin"]), st.lists(json_scalars(), max_size=3))
    contains = st.tuples(
        st.just("contains"), st.sampled_from(NEEDLES) | json_scalars().filter(lambda value: value is not None)
    )
    asked = st.just("*") | _operator_objects(st.one_of(order, equality, lists, contains))
    on_key = st.tuples(st.sampled_from(KEYS), asked).map(lambda pair: {f"metadata.{pair[0]}": pair[1]})
    whole = st.none() | st.just("*") | st.sampled_from(NEEDLES).map(lambda needle: {"contains": needle})
    return on_key | whole.map(lambda value: {"metadata": value})


def _operands(name: RecordField) -> st.SearchStrategy[tuple[str, Any]]:
    """Pairs of an operator and an operand that a field takes."""
    kind = FIELD_KINDS[name]
    needles = st.tuples(st.sampled_from(["contains", "icontains"]), st.sampled_from(NEEDLES))
    pools: dict[str, tuple[Any, ...]] = {"moment": (*MOMENTS, *DAYS), "day": DAYS, "text": TEXTS}
    pool = STATES if name == "state" else pools.get(kind, NAMES)
    values = st.sampled_from(pool)
    equality = st.tuples(st.sampled_from(["eq", "ne"]), st.none() | values)
    lists = st.tuples(st.sampled_from(["in", "nin"]), st.lists(st.none() | values, max_size=4))
    order = st.tuples(st.sampled_from(["gt", "gte", "lt", "lte"]), values)
    taken = {"name": (order, needles), "text": (needles,), "labels": (needles,)}.get(kind, (order,))
    return st.one_of(equality, lists, *taken)


def _raw_asked(pairs: st.SearchStrategy[tuple[str, Any]]) -> st.SearchStrategy[Any]:
    return st.just("*") | _operator_objects(pairs)


def _operator_objects(pairs: st.SearchStrategy[tuple[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.lists(pairs, min_size=1, max_size=2).map(dict)
