"""Filters as SQL: a parameterised WHERE fragment that selects exactly the rows `kept.domain.filters.matches` accepts.

`where` gives None for a filter a dialect cannot take (nested too deep, too many parameters); the caller then applies
`matches` to the rows. Nothing a user wrote is ever part of the SQL text: values and metadata keys are parameters.

SQL has three truth values and the filter language two. Negations are therefore first pushed down to single conditions,
where ``(…) IS NOT TRUE`` turns both false and NULL into true; elsewhere NULL and false both leave the row out. Conditions
that are not negated stay bare, so that an index can serve them.

A dialect expects the table ``memory`` with these columns::

    id, user_id, agent_id, app_id, run_id, text, speaker, role, kind, connector, state, hash    text
    metadata        JSON object or NULL
    categories      JSON array of strings or NULL
    entities        JSON array of objects with a "key", or NULL
    created_at, updated_at, valid_from, valid_to    integer, microseconds since 1970 UTC
    expires_on      YYYY-MM-DD

Text holds no NUL character, and JSON is strictly JSON (no NaN).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias, cast

from kept.domain.filters import (
    FIELD_KINDS,
    And,
    Condition,
    FieldKind,
    Filter,
    Not,
    Operator,
    RecordField,
    Scalar,
    Value,
    fold,
    folded_contains,
    metadata_holds,
    moment_span,
    push_negations_down,
    value_holds,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

_Connective: TypeAlias = Literal["AND", "OR"]

_ORDER: Final[Mapping[str, str]] = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_UNNEGATED: Final[Mapping[str, Operator]] = {"ne": "eq", "nin": "in"}

_LEAF_HEIGHT: Final = 12
"""Height of the expression tree of the tallest condition a dialect writes, with room to spare."""

_CHAIN: Final = 64
"""Terms joined without parentheses: SQLite builds ``a AND b AND …`` as a tree as tall as the chain is long."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Clause:
    """A piece of SQL and the parameters of its placeholders, in order."""

    sql: str
    parameters: tuple[object, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What a database accepts in one statement, less the share left to the query around the filter.

    Attributes:
        parameters: Placeholders.
        nesting: Parentheses inside parentheses.
        height: Of the expression tree.
    """

    parameters: int
    nesting: int
    height: int


class Dialect(Protocol):
    """How one database writes the conditions that databases write differently.

    The clauses are true or not (false or NULL). Operators are never negated and operands never null or hold null; an ``in``
    is never empty.
    """

    @property
    def placeholder(self) -> str:
        """What stands for one parameter."""

    @property
    def limits(self) -> Limits:
        """Beyond these `where` gives up."""

    def column(self, name: str) -> str:
        """The column as it is written in the query."""

    def substring(self, name: RecordField, needle: str, *, fold_case: bool) -> Clause:
        """Whether a text column contains `needle`."""

    def any_label(self, name: RecordField, op: Operator, operand: Value) -> Clause:
        """Whether `categories` or `entity` satisfies ``exists``, ``eq``, ``in``, ``contains`` or ``icontains``."""

    def metadata_value(self, key: str, op: Operator, operand: Value) -> Clause:
        """Whether the value under one metadata key satisfies any operator but the negated ones."""

    def metadata_object(self, op: Operator, operand: Value) -> Clause:
        """Whether metadata as a whole satisfies ``exists``, ``contains`` or ``icontains``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Fragment:
    """Terms under one connective, not yet joined, so that an enclosing equal connective can take them over.

    `height` and `nesting` are those of the tallest term and of the most nested one.
    """

    connective: _Connective | None
    terms: tuple[str, ...]
    parameters: tuple[object, ...]
    height: int = _LEAF_HEIGHT
    nesting: int = 1


def where(f: Filter, dialect: Dialect | None = None) -> tuple[str, list[object]] | None:
    """Translate a filter.

    Args:
        f: Any filter.
        dialect: `SQLITE` when None.

    Returns:
        A boolean expression and its parameters in order, to be put into parentheses beside other conditions; or None when
        the dialect cannot take the filter. A connection that runs it must have been given to `register_functions`.
    """
    used = SQLITE if dialect is None else dialect

    def visit(node: Filter, parts: tuple[_Fragment | None, ...]) -> _Fragment | None:
        if isinstance(node, Condition):
            return _condition(node, used)
        if isinstance(node, Not):
            # Negations are pushed down, so there is a condition inside; its own fragment is not used.
            return _leaf(_negated(_clause(cast("Condition", node.part), used)))
        known = [part for part in parts if part is not None]
        return _join("AND" if isinstance(node, And) else "OR", known, used.limits) if len(known) == len(parts) else None

    fragment = fold(push_negations_down(f), visit)
    if fragment is None:
        return None
    whole = _closed(fragment)
    return (whole.terms[0], list(whole.parameters)) if _fits(whole, used.limits) else None


# --- joining ---


def _join(connective: _Connective, parts: Sequence[_Fragment], limits: Limits) -> _Fragment | None:
    if not parts:
        return _leaf(Clause(sql="TRUE" if connective == "AND" else "FALSE"))
    closed = [part if part.connective in {None, connective} else _closed(part) for part in parts]
    joined = _Fragment(
        connective=connective,
        terms=tuple(term for part in closed for term in part.terms),
        parameters=tuple(parameter for part in closed for parameter in part.parameters),
        height=max(part.height for part in closed),
        nesting=max(part.nesting for part in closed),
    )
    return joined if _fits(joined, limits) else None


def _closed(fragment: _Fragment) -> _Fragment:
    """The fragment as a single term in parentheses; long chains become shallow trees."""
    terms, height, nesting = fragment.terms, fragment.height, fragment.nesting
    while len(terms) > 1:
        groups = [terms[start : start + _CHAIN] for start in range(0, len(terms), _CHAIN)]
        height += len(groups[0])
        nesting += 1
        terms = tuple(f"({f' {fragment.connective} '.join(group)})" for group in groups)
    return _Fragment(connective=None, terms=terms, parameters=fragment.parameters, height=height, nesting=nesting)


def _fits(fragment: _Fragment, limits: Limits) -> bool:
    return (
        len(fragment.parameters) <= limits.parameters
        and fragment.nesting <= limits.nesting
        and fragment.height <= limits.height
    )


def _leaf(clause: Clause) -> _Fragment:
    return _Fragment(connective=None, terms=(clause.sql,), parameters=clause.parameters)


def _negated(clause: Clause) -> Clause:
    return Clause(sql=f"({clause.sql}) IS NOT TRUE", parameters=clause.parameters)


# --- conditions ---


def _condition(condition: Condition, dialect: Dialect) -> _Fragment | None:
    """One condition; a list becomes one clause where a column can be looked up in it, and alternatives where it cannot."""
    if condition.op not in {"in", "nin"}:
        return _leaf(_clause(condition, dialect))
    members = cast("tuple[Scalar, ...]", condition.value)
    negated = condition.op == "nin"
    if _kind(condition) == "moment":
        singly: tuple[Scalar, ...] = members
        together: tuple[Scalar, ...] = ()
    else:
        singly = (None,) if None in members else ()
        together = tuple(member for member in members if member is not None)
    parts = [Condition(condition.field, "ne" if negated else "eq", member) for member in singly]
    parts += [Condition(condition.field, condition.op, together)] if together else []
    return _join("AND" if negated else "OR", [_leaf(_clause(part, dialect)) for part in parts], dialect.limits)


def _clause(condition: Condition, dialect: Dialect) -> Clause:
    name, op, operand = condition.field, condition.op, condition.value
    if op in _UNNEGATED:
        return _negated(_clause(Condition(name, _UNNEGATED[op], operand), dialect))
    if op == "eq" and operand is None:
        return _null(condition, dialect)
    if isinstance(name, tuple):
        clause = dialect.metadata_value(name[1], op, operand)
    elif name == "metadata":
        clause = dialect.metadata_object(op, operand)
    elif FIELD_KINDS[name] == "labels":
        clause = dialect.any_label(name, op, operand)
    elif FIELD_KINDS[name] == "moment":
        clause = _moment_clause(name, op, operand, dialect)
    else:
        clause = _column_clause(name, op, operand, dialect)
    return clause


def _kind(condition: Condition) -> FieldKind:
    return "metadata_key" if isinstance(condition.field, tuple) else FIELD_KINDS[condition.field]


def _null(condition: Condition, dialect: Dialect) -> Clause:
    name = condition.field
    if isinstance(name, tuple) or _kind(condition) in {"metadata", "labels"}:
        return _negated(_clause(Condition(name, "exists", None), dialect))
    return Clause(sql=f"{dialect.column(name)} IS NULL")


def _column_clause(name: RecordField, op: Operator, operand: Value, dialect: Dialect) -> Clause:
    """A column of text, or a day, whose ISO form sorts as the day does."""
    column = dialect.column(name)
    if op == "exists":
        return Clause(sql=f"{column} IS NOT NULL")
    if op in {"contains", "icontains"}:
        return dialect.substring(name, cast("str", operand), fold_case=op == "icontains")
    if isinstance(operand, tuple):
        return _in(column, [_stored(member) for member in operand], dialect)
    return Clause(sql=f"{column} {_ORDER[op]} {dialect.placeholder}", parameters=(_stored(operand),))


def _stored(operand: Value) -> object:
    return operand.isoformat() if isinstance(operand, date) else operand


def _in(expression: str, members: Sequence[object], dialect: Dialect) -> Clause:
    return Clause(sql=f"{expression} IN ({', '.join([dialect.placeholder] * len(members))})", parameters=tuple(members))


def _moment_clause(name: RecordField, op: Operator, operand: Value, dialect: Dialect) -> Clause:
    column, mark = dialect.column(name), dialect.placeholder
    if op == "exists":
        return Clause(sql=f"{column} IS NOT NULL")
    start, end = moment_span(cast("Scalar", operand))
    match op:
        case "gt":
            return Clause(sql=f"{column} >= {mark}", parameters=(end,))
        case "gte":
            return Clause(sql=f"{column} >= {mark}", parameters=(start,))
        case "lt":
            return Clause(sql=f"{column} < {mark}", parameters=(start,))
        case "lte":
            return Clause(sql=f"{column} < {mark}", parameters=(end,))
        case _:
            return Clause(sql=f"({column} >= {mark} AND {column} < {mark})", parameters=(start, end))


# --- SQLite ---


_INT64_MIN: Final = -(2**63)
_INT64_MAX: Final = 2**63 - 1
"""What an SQLite integer, and so a bound Python one, can be."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SqliteDialect:
    """SQLite 3.38 or later with its JSON functions, and the two functions of `register_functions`.

    Attributes:
        table: Name or alias that qualifies the columns; none when empty.
    """

    table: str = ""

    @property
    def placeholder(self) -> str:
        """A question mark."""
        return "?"

    @property
    def limits(self) -> Limits:
        """Below SQLite's defaults: 32,766 parameters, height 1,000, a parser stack of 100 (some 26 parentheses)."""
        return Limits(parameters=30_000, nesting=16, height=800)

    def column(self, name: str) -> str:
        """The name, qualified if there is a table name."""
        return f"{self.table}.{name}" if self.table else name

    def substring(self, name: RecordField, needle: str, *, fold_case: bool) -> Clause:
        """SQLite's own functions ignore case for ASCII only, so folding calls back into Python."""
        text = self.column(name)
        return Clause(sql=f"kept_contains({text}, ?)" if fold_case else f"instr({text}, ?) > 0", parameters=(needle,))

    def any_label(self, name: RecordField, op: Operator, operand: Value) -> Clause:
        """Over the elements of the JSON array."""
        array, label = (
            (self.column("categories"), "label.value")
            if name == "categories"
            else (self.column("entities"), "json_extract(label.value, '$.key')")
        )
        if op == "exists":
            return Clause(sql=f"json_array_length({array}) > 0")
        if isinstance(operand, tuple):
            test = _in(label, operand, self)
        elif op == "eq":
            test = Clause(sql=f"{label} = ?", parameters=(operand,))
        else:
            sql = f"kept_contains({label}, ?)" if op == "icontains" else f"instr({label}, ?) > 0"
            test = Clause(sql=sql, parameters=(operand,))
        return _some(array, "label", test)

    def metadata_value(self, key: str, op: Operator, operand: Value) -> Clause:
        """In SQL where its comparison is exact; what is left (lists, substrings, mixed types) calls back into Python."""
        test = self._value_test(op, operand)
        if test is None:
            return self._called(key, op, operand)
        under_key = Clause(sql=f"item.key = ? AND {test.sql}", parameters=(key, *test.parameters))
        return _some(self.column("metadata"), "item", under_key)

    def _value_test(self, op: Operator, operand: Value) -> Clause | None:
        if op == "exists":
            return Clause(sql="item.type <> 'null'")
        if op == "in" and all(isinstance(member, str) for member in cast("tuple[Scalar, ...]", operand)):
            test = _in("item.atom", cast("tuple[Scalar, ...]", operand), self)
            return Clause(sql=f"item.type = 'text' AND {test.sql}", parameters=test.parameters)
        if op not in _ORDER or (isinstance(operand, bool) and op != "eq"):
            return None
        if isinstance(operand, bool):
            return Clause(sql="item.type = ?", parameters=("true" if operand else "false",))
        if isinstance(operand, str):
            return Clause(sql=f"item.type = 'text' AND item.atom {_ORDER[op]} ?", parameters=(operand,))
        return self._number_test(op, operand) if isinstance(operand, (int, float)) else None

    def _number_test(self, op: Operator, operand: float) -> Clause | None:
        """Compare integers in SQL.

        A number with a fraction or exponent, or beyond 64 bits, is compared in Python, because SQLite does not promise to
        read it to the last bit.
        """
        if isinstance(operand, int) and not _INT64_MIN <= operand <= _INT64_MAX:
            return None
        return Clause(
            sql=f"CASE WHEN item.type = 'integer' AND typeof(item.atom) = 'integer' THEN item.atom {_ORDER[op]} ? "
            f"WHEN item.type IN ('integer', 'real') THEN kept_metadata({self.column('metadata')}, item.key, ?, ?) END",
            parameters=(operand, op, json.dumps(operand)),
        )

    def metadata_object(self, op: Operator, operand: Value) -> Clause:
        """Whether it has a key, or a value that contains the operand."""
        if op == "exists":
            return _some(self.column("metadata"), "item", Clause(sql="TRUE"))
        return self._called(None, op, operand)

    def _called(self, key: str | None, op: Operator, operand: Value) -> Clause:
        return Clause(
            sql=f"kept_metadata({self.column('metadata')}, ?, ?, ?)",
            parameters=(key, op, json.dumps(operand, ensure_ascii=False)),
        )


def _some(array: str, alias: str, test: Clause) -> Clause:
    """Whether an element (of an array) or a value (of an object) passes the test."""
    # Only this module's column names, aliases and placeholders are put into the text.
    sql = f"EXISTS (SELECT 1 FROM json_each({array}) AS {alias} WHERE {test.sql})"  # noqa: S608
    return Clause(sql=sql, parameters=test.parameters)


SQLITE: Final = SqliteDialect()


def register_functions(connection: sqlite3.Connection) -> None:
    """Give the connection the functions that `where` calls; registering again is harmless."""
    connection.create_function("kept_contains", 2, _kept_contains, deterministic=True)
    connection.create_function("kept_metadata", 4, _kept_metadata, deterministic=True)


def _kept_contains(text: object, needle: str) -> bool:
    return isinstance(text, str) and folded_contains(text, needle)


def _kept_metadata(metadata: str | None, key: str | None, op: Operator, operand: str) -> bool:
    values = {} if metadata is None else json.loads(metadata)
    asked = json.loads(operand)
    return metadata_holds(values, op, asked) if key is None else value_holds(values.get(key), op, asked)
