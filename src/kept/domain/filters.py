"""The filter language: what callers write, parsed once into an immutable tree, and what that tree means.

`parse_filter` reads the nested dictionaries callers write, in one of three grammars, and returns a `Filter`. `matches` is
the meaning of a `Filter`; an adapter that translates filters (to SQL, say) is right exactly when it agrees with `matches`.
A `Filter` only ever narrows what a scope allows; it cannot widen it, because the scope is applied beside it, never inside.

Nothing here recurses over a filter, so a deeply nested one costs memory, not the stack.

The grammar::

    filter   := { KEY: value, ... }             siblings must all hold
    KEY      := "AND" | "OR" | "NOT" | field
    AND, OR  := [ filter, ... ]                 never empty
    NOT      := filter | [ filter, ... ]        of a list: none of these
    value    := scalar                          equal to
              | "*"                             any value but null
              | [ scalar, ... ]                 equal to one of these
              | { operator: operand, ... }      all of these; here "*" is an ordinary string

Three grammars decide which keys and operators are known:

* ``platform``: a closed list of keys; others are an error. ``metadata.key`` is accepted for ``{"metadata": {key: …}}``.
* ``oss``: the few keys a stored payload has of its own are fields; any other is a metadata key.
* ``any``: every field is known by its name and aliases; any other key is a metadata key.

What the operators mean:

* Null: a field without a value, an empty `categories` or `entity`, a missing metadata key and JSON null are all null.
  ``"*"`` holds for all but null; ``eq None`` for null only; ``ne`` and ``nin`` are the opposites of ``eq`` and ``in`` and so
  hold for null; every other operator is false for null.
* ``contains`` is a case-sensitive substring and ``icontains`` one without regard to case (Unicode case folding). On
  `categories`, `entity` and metadata, ``contains`` is read as ``icontains``.
* `categories` and `entity` hold several values: ``eq`` and ``in`` ask whether one of them is equal, ``contains`` whether one
  of them contains.
* Metadata values have JSON's types, and values of two types are never equal and never ordered: 1 is 1.0, but neither
  ``True`` nor ``"1"``. Numbers are ordered by size and strings by code point; nothing else is ordered. A list equals a list
  with equal members in the same order; ``contains`` on a list is membership. ``{"metadata": {"contains": x}}`` asks this
  of every top-level key.
* Times: a date without a time is the whole day in UTC. ``eq`` then means during that day, ``gte`` from its start, ``lte``
  through its end, ``gt`` after its end, ``lt`` before its start. Moments are compared to the microsecond; without a zone
  they are UTC; numbers are seconds since 1970. `expires_on` is a day, and a moment compared with it is cut to its UTC day.
"""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as field_
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Literal, Protocol, TypeAlias, TypeGuard, TypeVar, cast, get_args

from kept.errors import FilterError

Grammar: TypeAlias = Literal["platform", "oss", "any"]
Operator: TypeAlias = Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "contains", "icontains", "exists"]
RecordField: TypeAlias = Literal[
    "id",
    "user_id",
    "agent_id",
    "app_id",
    "run_id",
    "text",
    "metadata",
    "categories",
    "entity",
    "created_at",
    "updated_at",
    "expires_on",
    "valid_from",
    "valid_to",
    "speaker",
    "role",
    "kind",
    "connector",
    "state",
    "hash",
]
MetadataKey: TypeAlias = tuple[Literal["metadata"], str]
Field: TypeAlias = RecordField | MetadataKey
Scalar: TypeAlias = str | int | float | bool | datetime | date | None
Value: TypeAlias = Scalar | tuple[Scalar, ...]
FieldKind: TypeAlias = Literal["name", "text", "labels", "moment", "day", "metadata", "metadata_key"]

ENTITY_FIELDS: Final[tuple[RecordField, ...]] = ("user_id", "agent_id", "app_id", "run_id")

MAX_DEPTH: Final = 400
"""Levels of logic: each AND, OR and NOT is one, each object with several keys another. 200 nested objects always fit,
and the canonical form stays within what the standard JSON encoder can nest under Python's default recursion limit."""

MAX_CONDITIONS: Final = 1_000
"""Conditions and groups in one filter: far above any written by hand. Each is held against each memory of a scope: a thousand
against 50,000 memories take some eight seconds."""

MAX_VALUES: Final = 50_000
"""Members of one list: five pages of ten thousand memory ids."""

MAX_TEXT_CHARS: Final = 262_144
"""Characters `parse_filter_text` reads: four times the longest query string common servers accept (64 KiB)."""

MAX_INTEGER_BITS: Final = 1024
"""Integers up to the range of a double, so that they can be compared with one and written as JSON."""

MICROSECONDS_PER_DAY: Final = 86_400_000_000
"""A UTC day, which has no leap seconds in Python, in the unit moments are compared in."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NAME_CHARS: Final = 60
"""Characters of a caller's key shown in an error: enough to find it, too few to flood a log."""


# --- the tree ---


class _Structural:
    """Equality, hash and repr of the whole tree, without recursion; ``True`` and ``1`` are different values."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Structural):
            return NotImplemented
        return _signature(cast("Filter", self)) == _signature(cast("Filter", other))

    def __hash__(self) -> int:
        return hash(_signature(cast("Filter", self)))

    def __repr__(self) -> str:
        return f"parse_filter({to_dict(cast('Filter', self))!r})"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Condition(_Structural):
    """One field compared with one operand.

    `value` is a tuple for ``in``, ``nin`` and a metadata list, None for ``exists``, a UTC `datetime` (a moment) or a `date`
    (a whole day) for fields that hold times, and a `date` for `expires_on`.
    """

    field: Field
    op: Operator
    value: Value
    listed: frozenset[str] = field_(init=False)
    """The strings of a list, so that asking a long one takes no longer than asking a short one."""

    def __post_init__(self) -> None:
        members = self.value if isinstance(self.value, tuple) else ()
        object.__setattr__(self, "listed", frozenset(member for member in members if isinstance(member, str)))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class And(_Structural):
    """All parts hold; with no parts, always true."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Or(_Structural):
    """At least one part holds; with no parts, never true."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Not(_Structural):
    """The part does not hold."""

    part: Filter


Filter: TypeAlias = And | Or | Not | Condition
T = TypeVar("T")
_Span: TypeAlias = Callable[[Scalar], tuple[int, int]]

EVERYTHING: Final = And(())
"""The filter that every record matches."""


class Filterable(Protocol):
    """What a record must offer to be filtered."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def user_id(self) -> str | None: ...  # noqa: D102
    @property
    def agent_id(self) -> str | None: ...  # noqa: D102
    @property
    def app_id(self) -> str | None: ...  # noqa: D102
    @property
    def run_id(self) -> str | None: ...  # noqa: D102
    @property
    def text(self) -> str: ...  # noqa: D102
    @property
    def metadata(self) -> Mapping[str, Any]:
        """Values of JSON's types."""

    @property
    def categories(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def entities(self) -> tuple[str, ...]:
        """Keys of the entities the memory mentions."""

    @property
    def created_at(self) -> datetime:
        """Aware."""

    @property
    def updated_at(self) -> datetime:
        """Aware."""

    @property
    def expires_on(self) -> date | None: ...  # noqa: D102
    @property
    def valid_from(self) -> datetime | None:
        """Aware."""

    @property
    def valid_to(self) -> datetime | None:
        """Aware."""

    @property
    def speaker(self) -> str | None: ...  # noqa: D102
    @property
    def role(self) -> str | None: ...  # noqa: D102
    @property
    def kind(self) -> str | None: ...  # noqa: D102
    @property
    def connector(self) -> str | None: ...  # noqa: D102
    @property
    def state(self) -> str | None: ...  # noqa: D102
    @property
    def hash(self) -> str | None: ...  # noqa: D102


# --- fields and operators ---

FIELD_KINDS: Final[Mapping[RecordField, FieldKind]] = {
    **dict.fromkeys(get_args(RecordField), "name"),
    "text": "text",
    "metadata": "metadata",
    "categories": "labels",
    "entity": "labels",
    "created_at": "moment",
    "updated_at": "moment",
    "valid_from": "moment",
    "valid_to": "moment",
    "expires_on": "day",
}

_ALIASES: Final[Mapping[str, RecordField]] = {
    "session_id": "run_id",
    "timestamp": "created_at",
    "expiration_date": "expires_on",
    "keywords": "text",
    "keywords_search": "text",
    "memory_ids": "id",
}
_NAMES: Final[Mapping[str, RecordField]] = {**{name: name for name in get_args(RecordField)}, **_ALIASES}

# A stored payload in the oss grammar has metadata flattened beside these; `data` is its text, `actor_id` its speaker.
_PAYLOAD_NAMES: Final[Mapping[str, RecordField]] = {
    **{name: _NAMES[name] for name in (*ENTITY_FIELDS, "id", "memory_ids", "created_at", "updated_at")},
    **{name: _NAMES[name] for name in ("expiration_date", "hash", "role", "metadata")},
    "data": "text",
    "actor_id": "speaker",
}

_KNOWN: Final[Mapping[Grammar, Mapping[str, RecordField]]] = {
    "platform": _NAMES,
    "oss": _PAYLOAD_NAMES,
    "any": {**_NAMES, "actor_id": "speaker"},
}

_EQUALITY: Final[tuple[Operator, ...]] = ("eq", "ne", "in", "nin")
_ORDER: Final[tuple[Operator, ...]] = ("gt", "gte", "lt", "lte")
_SUBSTRING: Final[tuple[Operator, ...]] = ("contains", "icontains")

_WRITTEN_OPERATORS: Final = (*_EQUALITY, *_ORDER, *_SUBSTRING)

_KIND_OPERATORS: Final[Mapping[FieldKind, tuple[Operator, ...]]] = {
    "name": _WRITTEN_OPERATORS,
    "text": (*_EQUALITY, *_SUBSTRING),
    "labels": (*_EQUALITY, *_SUBSTRING),
    "moment": (*_EQUALITY, *_ORDER),
    "day": (*_EQUALITY, *_ORDER),
    "metadata": _SUBSTRING,
    "metadata_key": _WRITTEN_OPERATORS,
}

# Keys whose operators the platform grammar narrows. Where its documents disagree (eq on times and categories), both hold.
_PLATFORM_OPERATORS: Final[Mapping[str, tuple[Operator, ...]]] = {
    **dict.fromkeys((*ENTITY_FIELDS, "session_id"), ("eq", "ne", "in")),
    **dict.fromkeys(("created_at", "updated_at", "timestamp", "expiration_date"), ("eq", "ne", "in", *_ORDER)),
    "categories": ("eq", "ne", "in", "contains"),
    "metadata": ("eq", "ne", "contains"),
    "memory_ids": ("eq", "in"),
    "text": ("eq", "ne", "in", *_SUBSTRING),
    "keywords": _SUBSTRING,
    "keywords_search": _SUBSTRING,
}

# What a bare value means where it is not equality, and so a bare list is refused.
_BARE_OPERATORS: Final[Mapping[str, Operator]] = {"keywords": "contains", "keywords_search": "icontains"}

_Logic: TypeAlias = Literal["AND", "OR", "NOT"]
_LOGIC: Final[tuple[_Logic, ...]] = get_args(_Logic)
_LOGIC_SLIPS: Final = {spelling: key for key in _LOGIC for spelling in (key.lower(), key.title(), f"${key.lower()}")}
_OPERATOR_HINTS: Final[Mapping[str, str]] = {
    "=": "eq",
    "==": "eq",
    "===": "eq",
    "!=": "ne",
    "<>": "ne",
    ">": "gt",
    ">=": "gte",
    "<": "lt",
    "<=": "lte",
    "like": "icontains",
    "ilike": "icontains",
    "exists": 'the value "*"',
    "not in": 'NOT with "in"',
    "not_in": 'NOT with "in"',
}

_PATH_STEPS: Final = 12
"""Steps of a place shown in an error: deeper than filters written by hand."""

# Where an error is: the enclosing place and the step from it. Rendered only when there is an error.
_Path: TypeAlias = tuple["_Path | None", str]
_ROOT: Final[_Path] = (None, "filters")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Target:
    """A key as written, the field it names, and the operators it takes there."""

    key: str
    field: Field
    kind: FieldKind
    operators: tuple[Operator, ...]


# --- parsing ---


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pending:
    """A raw object still to be read, or (with `logic`) the raw list under a logical key."""

    raw: Any
    path: _Path
    logic: _Logic | None = None


@dataclass(kw_only=True, slots=True)
class _Frame:
    """An object or group being read: what is left of it (last part first), what is done, and how the parts join."""

    join: Callable[[list[Filter]], Filter]
    todo: list[_Pending | Filter]
    depth: int
    done: list[Filter] = field_(default_factory=list)


def parse_filter(raw: Mapping[str, Any] | None, grammar: Grammar = "any", *, allow_empty: bool = False) -> Filter:
    """Read a filter as callers write it.

    Args:
        raw: The nested dictionaries; None counts as empty.
        grammar: Which keys and operators are known; see the module docstring.
        allow_empty: Whether an empty filter means everything rather than an error.

    Returns:
        The tree, with conjunctions inside conjunctions (and likewise disjunctions) merged and single parts unwrapped.

    Raises:
        FilterError: If anything in it is unknown, of the wrong type, empty, or beyond the limits above. The message names
            the place and what would be right; it never repeats a value.
    """
    if raw is None or raw == {}:
        if allow_empty:
            return EVERYTHING
        raise FilterError('filters is empty; give at least one condition, for example {"user_id": "…"}')
    frames = [_open_object(_Pending(raw=raw, path=_ROOT), grammar, depth=0)]
    size = 0
    while True:
        frame = frames[-1]
        if not frame.todo:
            built = frame.join(frame.done)
            frames.pop()
            if not frames:
                return built
            frames[-1].done.append(built)
            continue
        item = frame.todo.pop()
        size += not isinstance(item, _Pending) or item.logic is not None
        if size > MAX_CONDITIONS:
            raise FilterError(f"filters has more than {MAX_CONDITIONS} conditions; use lists or split the request")
        if not isinstance(item, _Pending):
            frame.done.append(item)
        elif item.logic:
            frames.append(_open_group(item, item.logic, frame.depth))
        else:
            frames.append(_open_object(item, grammar, frame.depth))


def parse_filter_text(text: str, grammar: Grammar = "any", *, allow_empty: bool = False) -> Filter:
    """Read a filter from text: JSON, or the text of a Python dictionary (which some clients put into a query string).

    Nothing is evaluated: the second form is read as a literal.

    Args:
        text: At most `MAX_TEXT_CHARS` characters.
        grammar: As for `parse_filter`.
        allow_empty: As for `parse_filter`; concerns ``{}``, never text that cannot be read.

    Raises:
        FilterError: If the text is too long, is neither form, is not an object, repeats a key (in JSON), or is no filter.
    """
    return parse_filter(read_object(text), grammar, allow_empty=allow_empty)


def read_object(text: str) -> dict[str, Any]:
    """The object that a text says, in JSON or as a Python dictionary.

    Raises:
        FilterError: As `parse_filter_text`.
    """
    if len(text) > MAX_TEXT_CHARS:
        raise FilterError(f"filters is {len(text)} characters long; at most {MAX_TEXT_CHARS} are read")
    raw = _read_literal(text)
    if not isinstance(raw, dict):
        raise FilterError(f"filters is {_type_name(raw)}; it must be an object")
    return raw


def narrowing(
    *,
    categories: object = None,
    metadata: object = None,
    keywords: object = None,
    start_date: object = None,
    end_date: object = None,
) -> tuple[Filter, ...]:
    """What Mem0 takes beside `filters`, as conditions that must hold as well; none for what says nothing.

    Args:
        categories: One name, or several of which a memory has one at least.
        metadata: Keys and values.
        keywords: A part of the text.
        start_date: Created on this day or later.
        end_date: Created on this day or earlier.

    Raises:
        FilterError: One of them is malformed.
    """
    span = {"gte": start_date or None, "lte": end_date or None}
    asked = {
        "categories": {"in": [categories] if isinstance(categories, str) else categories} if categories else None,
        "metadata": metadata or None,
        "keywords": {"contains": keywords} if keywords else None,
        "created_at": {operator: day for operator, day in span.items() if day is not None} or None,
    }
    given = {name: condition for name, condition in asked.items() if condition is not None}
    return (parse_filter(given, "platform"),) if given else ()


NARROWING: Final = ("categories", "metadata", "keywords", "start_date", "end_date")
"""Names of what `narrowing` takes."""


def _read_literal(text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_distinct_keys)
    except FilterError:
        raise
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise FilterError('filters is not readable; write a JSON object, for example {"user_id": "…"}') from None


def _distinct_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise FilterError("filters repeats a key within one object; put the conditions into an AND list")
    return found


def _open_object(pending: _Pending, grammar: Grammar, depth: int) -> _Frame:
    raw, path = pending.raw, pending.path
    if not isinstance(raw, Mapping):
        raise FilterError(f"{_at(path)} is {_type_name(raw)}; it must be an object with at least one condition")
    if not raw:
        raise FilterError(f"{_at(path)} is empty; it must hold at least one condition")
    items: list[_Pending | Filter] = []
    for key, value in raw.items():
        if not isinstance(key, str):
            raise FilterError(f"{_at(path)} has a key that is {_type_name(key)}; keys are strings")
        here: _Path = (path, f".{_shown(key)}")
        if key in _LOGIC:
            items.append(_Pending(raw=value, path=here, logic=key))
        else:
            items.extend(_conditions(key, value, grammar, here))
    return _Frame(join=_all_of, todo=items[::-1], depth=_deeper(depth, path) if len(items) > 1 else depth)


def _open_group(pending: _Pending, logic: _Logic, depth: int) -> _Frame:
    raw, path = pending.raw, pending.path
    if logic == "NOT" and isinstance(raw, Mapping):
        raw = [raw]
    if not isinstance(raw, (list, tuple)):
        form = "an object or a list of objects" if logic == "NOT" else "a list of objects"
        raise FilterError(f"{_at(path)} is {_type_name(raw)}; it must be {form}")
    if not raw:
        raise FilterError(f"{_at(path)} is empty; it must hold at least one condition")
    todo: list[_Pending | Filter] = [_Pending(raw=part, path=(path, f"[{n}]")) for n, part in enumerate(raw)]
    return _Frame(join=_JOINS[logic], todo=todo[::-1], depth=_deeper(depth, path))


def _deeper(depth: int, path: _Path) -> int:
    if depth >= MAX_DEPTH:
        raise FilterError(f"filters is nested more than {MAX_DEPTH} levels deep (at {_at(path)}); write it flatter")
    return depth + 1


def _all_of(parts: list[Filter]) -> Filter:
    merged = [part for outer in parts for part in (outer.parts if isinstance(outer, And) else (outer,))]
    return merged[0] if len(merged) == 1 else And(tuple(merged))


def _any_of(parts: list[Filter]) -> Filter:
    merged = [part for outer in parts for part in (outer.parts if isinstance(outer, Or) else (outer,))]
    return merged[0] if len(merged) == 1 else Or(tuple(merged))


def _none_of(parts: list[Filter]) -> Filter:
    return Not(_any_of(parts))


_JOINS: Final[Mapping[_Logic, Callable[[list[Filter]], Filter]]] = {"AND": _all_of, "OR": _any_of, "NOT": _none_of}


# --- one key and its value ---


def _conditions(key: str, raw: object, grammar: Grammar, path: _Path) -> list[Condition]:
    target = _target(key, grammar, path)
    if target.field == "metadata":
        return _metadata_conditions(raw, target, path)
    return _field_conditions(raw, target, path)


def _target(key: str, grammar: Grammar, path: _Path) -> _Target:
    if key in _LOGIC_SLIPS:
        raise FilterError(f"{_at(path)}: write {_LOGIC_SLIPS[key]} (a metadata key of this name is metadata.{key})")
    known = _KNOWN[grammar].get(key)
    if known is not None:
        kind = FIELD_KINDS[known]
        return _Target(key=key, field=known, kind=kind, operators=_operators(key, kind, grammar))
    dotted = key.startswith("metadata.")
    if grammar == "platform" and not dotted:
        allowed = ", ".join(
            (*_LOGIC, *_PLATFORM_OPERATORS, *(name for name in _NAMES if name not in _PLATFORM_OPERATORS))
        )
        raise FilterError(f"{_at(path)}: unknown key; allowed are {allowed} and metadata.<key>")
    name = key.removeprefix("metadata.") if dotted else key
    return _metadata_target(name, _operators("metadata", "metadata_key", grammar), path)


def _metadata_target(name: str, operators: tuple[Operator, ...], path: _Path) -> _Target:
    if not name:
        raise FilterError(f"{_at(path)}: the metadata key is empty")
    return _Target(
        key=f"metadata.{name}", field=("metadata", _text(name, path)), kind="metadata_key", operators=operators
    )


def _operators(key: str, kind: FieldKind, grammar: Grammar) -> tuple[Operator, ...]:
    if grammar == "platform" and key in _PLATFORM_OPERATORS:
        return _PLATFORM_OPERATORS[key]
    return _KIND_OPERATORS[kind]


def _metadata_conditions(raw: object, target: _Target, path: _Path) -> list[Condition]:
    """Read ``metadata``: an object of keys, in which a substring operator with a plain operand asks every key."""
    if raw is None or raw == "*":
        return [Condition("metadata", "eq" if raw is None else "exists", None)]
    if not isinstance(raw, Mapping) or not raw:
        raise FilterError(
            f'{_at(path)} must be an object of at least one metadata key, for example {{"source": "chat"}}'
        )
    # The platform grammar narrows the keys' operators; any other leaves them all.
    operators = _KIND_OPERATORS["metadata_key"] if target.operators == _SUBSTRING else target.operators
    found: list[Condition] = []
    for key, value in raw.items():
        if not isinstance(key, str):
            raise FilterError(f"{_at(path)} has a key that is {_type_name(key)}; keys are strings")
        here: _Path = (path, f".{_shown(key)}")
        if isinstance(value, Mapping) or key not in _WRITTEN_OPERATORS:
            found += _field_conditions(value, _metadata_target(key, operators, here), here)
        elif key in _SUBSTRING:
            found.append(Condition("metadata", "icontains", _metadata_scalar(value, here)))
        else:
            raise FilterError(f'{_at(here)}: an operator goes under a metadata key: {{"source": {{"{key}": …}}}}')
    return found


def _field_conditions(raw: object, target: _Target, path: _Path) -> list[Condition]:
    if isinstance(raw, Mapping):
        if not raw:
            raise FilterError(f"{_at(path)} is empty; give a value or {{operator: value}}")
        return [_condition(op, operand, target, path) for op, operand in raw.items()]
    if isinstance(raw, str) and raw == "*":
        return [Condition(target.field, "exists", None)]
    default: Operator = "in" if isinstance(raw, (list, tuple)) else "eq"
    return [_condition(_BARE_OPERATORS.get(target.key, default), raw, target, path)]


def _condition(op: object, operand: object, target: _Target, path: _Path) -> Condition:
    if op not in target.operators:
        raise FilterError(
            f"{_at(path)} does not take the operator {_shown(op)!r}{_hint(op)}; allowed are {', '.join(target.operators)}"
        )
    known = op
    value = _operand(known, operand, target.kind, (path, f".{known}"))
    if known == "contains" and target.kind in {"labels", "metadata_key"}:
        known = "icontains"
    return Condition(target.field, known, value)


def _hint(op: object) -> str:
    if op == "nin":
        return ' (use {"NOT": [{key: {"in": [...]}}]})'
    if not isinstance(op, str):
        return ""
    plain = op.strip().lower().lstrip("$")
    meant = _OPERATOR_HINTS.get(plain) or (plain if plain in _WRITTEN_OPERATORS and plain != op else "")
    return f" (use {meant})" if meant else ""


# --- operands ---


def _operand(op: Operator, raw: object, kind: FieldKind, path: _Path) -> Value:
    if op in {"in", "nin"}:
        return _distinct([_READERS[kind](item, path) for item in _members(raw, path)])
    if op in _SUBSTRING:
        return _metadata_scalar(raw, path) if kind == "metadata_key" else _name(raw, path, nullable=False)
    if op in _ORDER:
        return _ordered_operand(raw, kind, path)
    if kind == "metadata_key" and isinstance(raw, (list, tuple)):
        return tuple(_json_scalar(item, path) for item in _members(raw, path))
    return _READERS[kind](raw, path)


def _members(raw: object, path: _Path) -> Sequence[object]:
    if not isinstance(raw, (list, tuple)):
        raise FilterError(f"{_at(path)} is {_type_name(raw)}; it takes a list")
    if len(raw) > MAX_VALUES:
        raise FilterError(f"{_at(path)} has {len(raw)} members; at most {MAX_VALUES} are read")
    return raw


def _distinct(values: list[Scalar]) -> tuple[Scalar, ...]:
    return tuple({_typed(value): value for value in values}.values())


def _ordered_operand(raw: object, kind: FieldKind, path: _Path) -> Scalar:
    value = _READERS[kind](raw, path)
    if value is None or isinstance(value, bool):
        raise FilterError(f"{_at(path)} is {_type_name(raw)}, which has no order; use eq or ne")
    return value


def _metadata_scalar(raw: object, path: _Path) -> Scalar:
    value = _json_scalar(raw, path)
    if value is None:
        raise FilterError(f"{_at(path)} is null; it takes a string, number or boolean")
    return value


def _json_scalar(raw: object, path: _Path) -> Scalar:
    if raw is None or isinstance(raw, bool):
        return raw
    if isinstance(raw, str):
        return _text(raw, path)
    if isinstance(raw, int):
        if raw.bit_length() > MAX_INTEGER_BITS:
            raise FilterError(f"{_at(path)} is an integer of more than {MAX_INTEGER_BITS} bits")
        return int(raw)
    if isinstance(raw, float):
        if not math.isfinite(raw):
            raise FilterError(f"{_at(path)} is not a finite number")
        return float(raw)
    raise FilterError(f"{_at(path)} is {_type_name(raw)}; it takes a string, number, boolean or null")


def _text(raw: str, path: _Path) -> str:
    try:
        raw.encode()
    except UnicodeEncodeError:
        raise FilterError(f"{_at(path)} is not valid Unicode: it has an unpaired surrogate") from None
    return str.__str__(raw)


def _name(raw: object, path: _Path, *, nullable: bool = True) -> str | None:
    if raw is None and nullable:
        return None
    if not isinstance(raw, str):
        raise FilterError(f"{_at(path)} is {_type_name(raw)}; it takes a string")
    return _text(raw, path)


def _moment(raw: object, path: _Path) -> datetime | date | None:
    """A moment in UTC, or the day a bare date names."""
    try:
        if isinstance(raw, datetime):
            return raw.replace(tzinfo=UTC) if raw.tzinfo is None else raw.astimezone(UTC)
        if raw is None or isinstance(raw, date):
            return raw
        if isinstance(raw, (int, float)) and not isinstance(raw, bool):
            return _EPOCH + timedelta(seconds=raw)
        if isinstance(raw, str):
            return _moment(_iso(raw), path)
    except OverflowError:
        raise FilterError(
            f"{_at(path)} is outside the years 1 to 9999; numbers are seconds since 1970, not milliseconds"
        ) from None
    except ValueError:
        raise FilterError(
            f"{_at(path)} is no date; write 2026-03-01, 2026-03-01T09:30:00Z or seconds since 1970"
        ) from None
    raise FilterError(f"{_at(path)} is {_type_name(raw)}; it takes an ISO date, an ISO datetime or seconds since 1970")


def _iso(text: str) -> date | datetime:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return datetime.fromisoformat(text)


def _day(raw: object, path: _Path) -> date | None:
    value = _moment(raw, path)
    return value.date() if isinstance(value, datetime) else value


_READERS: Final[Mapping[FieldKind, Callable[[object, _Path], Scalar]]] = {
    "name": _name,
    "text": _name,
    "labels": _name,
    "moment": _moment,
    "day": _day,
    "metadata_key": _json_scalar,
}


# --- places and names in errors ---


def _at(path: _Path) -> str:
    steps: list[str] = []
    place: _Path | None = path
    while place is not None:
        place, step = place
        steps.append(step)
    # The root and the last few steps locate an error; a path of hundreds would not be read.
    shown = steps[::-1] if len(steps) <= _PATH_STEPS else [steps[-1], "…", *steps[_PATH_STEPS - 1 :: -1]]
    return "".join(shown)


def _shown(key: object) -> str:
    text = key.encode(errors="replace").decode() if isinstance(key, str) else _type_name(key)
    return text if len(text) <= _NAME_CHARS else text[:_NAME_CHARS] + "…"


def _type_name(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), f"of type {type(value).__name__}")


# --- walking ---


def parts_of(f: Filter) -> tuple[Filter, ...]:
    """The filters directly inside this one; none for a condition."""
    if isinstance(f, Condition):
        return ()
    return (f.part,) if isinstance(f, Not) else f.parts


def walk(f: Filter) -> Iterator[Filter]:
    """Every node, each before its parts, parts in order."""
    todo = [f]
    while todo:
        node = todo.pop()
        yield node
        todo.extend(reversed(parts_of(node)))


def fold(f: Filter, visit: Callable[[Filter, tuple[T, ...]], T]) -> T:
    """Compute a value bottom-up: `visit` gets each node after its parts, with their values in order."""
    values: list[T] = []
    todo = [(f, False)]
    while todo:
        node, parts_done = todo.pop()
        parts = parts_of(node)
        if not parts_done and parts:
            todo.append((node, True))
            todo.extend((part, False) for part in reversed(parts))
            continue
        start = len(values) - len(parts)
        inner = tuple(values[start:])
        del values[start:]
        values.append(visit(node, inner))
    return values[0]


def push_negations_down(f: Filter) -> Filter:
    """The same filter with `Not` only directly around conditions, and around none that have an opposite operator."""
    return fold(f, _both_senses)[0]


_OPPOSITES: Final[Mapping[Operator, Operator]] = {"eq": "ne", "ne": "eq", "in": "nin", "nin": "in"}


def _both_senses(node: Filter, parts: tuple[tuple[Filter, Filter], ...]) -> tuple[Filter, Filter]:
    """The node and its negation, both with negations pushed down."""
    if isinstance(node, Condition):
        opposite = _OPPOSITES.get(node.op)
        return node, Not(node) if opposite is None else Condition(node.field, opposite, node.value)
    if isinstance(node, Not):
        held, negated = parts[0]
        return negated, held
    held_parts, negated_parts = tuple(part[0] for part in parts), tuple(part[1] for part in parts)
    if isinstance(node, And):
        return And(held_parts), Or(negated_parts)
    return Or(held_parts), And(negated_parts)


def _signature(f: Filter) -> tuple[object, ...]:
    """All nodes in `walk` order with their number of parts, which determines the tree."""
    return tuple(
        (node.field, node.op, _typed(node.value))
        if isinstance(node, Condition)
        else (type(node).__name__, len(parts_of(node)))
        for node in walk(f)
    )


def _typed(value: Value) -> object:
    if isinstance(value, tuple):
        return tuple(_typed(item) for item in value)
    return (type(value).__name__, value)


# --- meaning ---


def matches(f: Filter, record: Filterable) -> bool:
    """Whether the record satisfies the filter. Every other evaluation of filters is held to this one.

    Parts are tried in order, and only until they decide.
    """
    enclosing: list[tuple[Filter, Iterator[Filter]]] = []
    node = f
    while True:
        if isinstance(node, Condition):
            verdict = _holds(node, record)
        else:
            # The verdict of no parts: true for And, false for Or. Not has a part, whose verdict replaces this one.
            verdict = isinstance(node, And)
            enclosing.append((node, iter(parts_of(node))))
        following = None
        while enclosing and following is None:
            parent, rest = enclosing[-1]
            following = next(rest, None) if isinstance(parent, Not) or verdict == isinstance(parent, And) else None
            if following is None:
                enclosing.pop()
                verdict = verdict != isinstance(parent, Not)
        if following is None:
            return verdict
        node = following


def _holds(condition: Condition, record: Filterable) -> bool:
    target, op, operand = condition.field, condition.op, condition.value
    if isinstance(target, tuple):
        return _value_among(record.metadata.get(target[1]), condition)
    kind = FIELD_KINDS[target]
    if kind == "labels":
        return _labels_hold(record.categories if target == "categories" else record.entities, condition)
    if kind == "metadata":
        return metadata_holds(record.metadata, op, operand)
    value = getattr(record, target)
    if kind == "moment":
        return _point_holds(None if value is None else microseconds(value), op, operand, moment_span)
    if kind == "day":
        return _point_holds(None if value is None else value.toordinal(), op, operand, _day_span)
    return _value_among(value, condition)


def _value_among(value: object, condition: Condition) -> bool:
    """`value_holds`, with a string looked up in a list rather than compared with each member."""
    if condition.op in {"in", "nin"} and isinstance(value, str):
        return (value in condition.listed) == (condition.op == "in")
    return value_holds(value, condition.op, condition.value)


def value_holds(value: object, op: Operator, operand: Value) -> bool:
    """Whether one value of JSON's types satisfies the operator; a list satisfies ``contains`` by membership."""
    match op:
        case "exists":
            return value is not None
        case "eq" | "ne":
            return _same(value, operand) == (op == "eq")
        case "in" | "nin":
            return any(_same(value, member) for member in cast("tuple[Scalar, ...]", operand)) == (op == "in")
        case "contains" | "icontains":
            if isinstance(value, (list, tuple)):
                return any(_same(member, operand) for member in value)
            return isinstance(value, str) and isinstance(operand, str) and _has(value, operand, op)
        case _:
            return _json_type(value) == _json_type(operand) in {"number", "string"} and _ordered(value, op, operand)


def metadata_holds(metadata: Mapping[str, Any], op: Operator, operand: Value) -> bool:
    """Whether metadata as a whole satisfies the operator: null when empty; ``contains`` if the value of any key does."""
    if op in _SUBSTRING:
        return any(value_holds(value, op, operand) for value in metadata.values())
    # Only null and its opposite are left to ask of a whole object.
    return bool(metadata) == (op in {"exists", "ne"})


def _labels_hold(labels: tuple[str, ...], condition: Condition) -> bool:
    op, operand = condition.op, condition.value
    match op:
        case "exists":
            return bool(labels)
        case "eq" | "ne":
            return (operand in labels if labels else operand is None) == (op == "eq")
        case "in" | "nin":
            listed = not condition.listed.isdisjoint(labels) if labels else None in cast("tuple[Scalar, ...]", operand)
            return listed == (op == "in")
        case _:
            return any(_has(label, cast("str", operand), op) for label in labels)


def _point_holds(point: int | None, op: Operator, operand: Value, span: _Span) -> bool:
    """Compare a point with operands that are half-open spans `[start, end)`."""
    match op:
        case "exists":
            return point is not None
        case "eq" | "ne":
            return _within(point, operand, span) == (op == "eq")
        case "in" | "nin":
            return any(_within(point, member, span) for member in cast("tuple[Scalar, ...]", operand)) == (op == "in")
        case _:
            return point is not None and _beside(point, op, span(cast("Scalar", operand)))


def _within(point: int | None, operand: Value, span: _Span) -> bool:
    if point is None or operand is None:
        return point is operand
    start, end = span(cast("Scalar", operand))
    return start <= point < end


def _beside(point: int, op: Operator, span: tuple[int, int]) -> bool:
    start, end = span
    match op:
        case "gt":
            return point >= end
        case "gte":
            return point >= start
        case "lt":
            return point < start
        case _:
            return point < end


def microseconds(moment: datetime) -> int:
    """Whole microseconds since 1970 in UTC of an aware datetime; exact, negative before."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment_span(operand: Scalar) -> tuple[int, int]:
    """The half-open span of microseconds since 1970 that a moment (one of them) or a whole UTC day covers."""
    if isinstance(operand, datetime):
        start = microseconds(operand)
        return start, start + 1
    start = (cast("date", operand).toordinal() - _EPOCH.toordinal()) * MICROSECONDS_PER_DAY
    return start, start + MICROSECONDS_PER_DAY


def _day_span(operand: Scalar) -> tuple[int, int]:
    start = cast("date", operand).toordinal()
    return start, start + 1


def _json_type(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    if isinstance(value, (list, tuple)):
        return "list"
    return "null" if value is None else "object"


def _same(value: object, operand: object) -> bool:
    shared = _json_type(value)
    if shared != _json_type(operand):
        return False
    if shared == "list":
        left, right = cast("Sequence[object]", value), cast("Sequence[object]", operand)
        # Operands hold no lists, so this goes one level down at most.
        return len(left) == len(right) and all(map(_same, left, right))
    return shared != "object" and value == operand


def _ordered(value: Any, op: Operator, operand: Any) -> bool:
    match op:
        case "gt":
            return bool(value > operand)
        case "gte":
            return bool(value >= operand)
        case "lt":
            return bool(value < operand)
        case _:
            return bool(value <= operand)


def _has(text: str, needle: str, op: Operator) -> bool:
    return needle in text if op == "contains" else folded_contains(text, needle)


def folded_contains(text: str, needle: str) -> bool:
    """Whether `needle` is a substring of `text` without regard to case, by Unicode's full case folding."""
    return needle.casefold() in text.casefold()


# --- questions about a filter ---


def positive_entities(f: Filter) -> bool:
    """Whether some condition says whose memories are meant, as list and search require.

    That is a condition on `user_id`, `agent_id`, `app_id` or `run_id`, anywhere, that is not negated and does not ask for
    null; the wildcard ``"*"`` counts.
    """
    return fold(push_negations_down(f), _names_entity)


def _names_entity(node: Filter, parts: tuple[bool, ...]) -> bool:
    if not isinstance(node, Condition):
        return any(parts) and not isinstance(node, Not)
    asks_null = node.op in {"eq", "in"} and node.value in (None, (None,))
    return node.field in ENTITY_FIELDS and node.op not in {"ne", "nin"} and not asks_null


def named_ids(f: Filter) -> dict[str, set[str]]:
    """The values of `user_id` and the other three that a filter names anywhere, but where it says what is not wanted."""
    named: dict[str, set[str]] = {}
    for node in walk(push_negations_down(f)):
        if isinstance(node, Condition) and node.field in ENTITY_FIELDS and node.op in {"eq", "in"}:
            values = node.value if isinstance(node.value, tuple) else (node.value,)
            named.setdefault(node.field, set()).update(value for value in values if isinstance(value, str))
    return named


def pinned(f: Filter, name: RecordField) -> frozenset[str] | None:
    """The values a string field must have one of, for a record to match.

    Returns:
        A finite set such that `name` of every matching record is in it (an empty set: nothing matches), or None if no such
        set follows from the filter. Null is never a member: a filter that admits null gives None. Fields that hold times
        or several values are never pinned.
    """
    if FIELD_KINDS[name] not in {"name", "text"}:
        return None

    def bound(node: Filter, parts: tuple[frozenset[str] | None, ...]) -> frozenset[str] | None:
        if isinstance(node, Condition):
            return _pinned_by(node) if node.field == name else None
        if isinstance(node, Not):
            return None
        bounded = [part for part in parts if part is not None]
        if isinstance(node, And):
            return frozenset.intersection(*bounded) if bounded else None
        return frozenset().union(*bounded) if len(bounded) == len(parts) else None

    return fold(push_negations_down(f), bound)


def _pinned_by(condition: Condition) -> frozenset[str] | None:
    values = {"eq": (condition.value,), "in": condition.value}.get(condition.op)
    if not isinstance(values, tuple) or None in values:
        return None
    return frozenset(cast("tuple[str, ...]", values))


def separate_ids(f: Filter) -> tuple[dict[str, str], Filter | None]:
    """The ids that a record must be stored under, and what is left of the filter without them.

    Only whole conditions are taken out (`user_id` equals one text, and all else must hold as well), so that both together
    mean what `f` means. None is left when there was nothing else.
    """
    ids: dict[str, str] = {}
    rest: list[Filter] = []
    waiting = [f]
    while waiting:
        part = waiting.pop()
        if isinstance(part, And):
            waiting += reversed(part.parts)
        elif not (_names_one(part) and ids.setdefault(part.field, part.value) == part.value):
            rest.append(part)
    return ids, None if not rest else rest[0] if len(rest) == 1 else And(tuple(rest))


def _names_one(f: Filter) -> TypeGuard[Any]:
    return isinstance(f, Condition) and f.field in ENTITY_FIELDS and f.op == "eq" and isinstance(f.value, str)


def to_dict(f: Filter) -> dict[str, Any]:
    """The canonical form: JSON's types only, one condition to an object, operators spelled out.

    For any `f` that `parse_filter` returned, ``parse_filter(to_dict(f), allow_empty=True) == f``; for others it has the same
    meaning.
    """
    return {} if f == EVERYTHING else fold(f, _written)


def _written(node: Filter, parts: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    match node:
        case Condition():
            return _written_condition(node)
        case Not():
            only = parts[0]
            return {"NOT": only["OR"] if only.keys() == {"OR"} else [only]}
        case And():
            return {"AND": list(parts)} if parts else {"id": {"nin": []}}
        case Or():
            return {"OR": list(parts)} if parts else {"id": {"in": []}}


def _written_condition(condition: Condition) -> dict[str, Any]:
    asked: Any = "*" if condition.op == "exists" else {condition.op: _written_value(condition.value)}
    if isinstance(condition.field, tuple):
        return {f"metadata.{condition.field[1]}": asked}
    if condition.field == "metadata" and condition.op not in _SUBSTRING:
        return {"metadata": None if condition.op == "eq" else "*"}
    return {condition.field: asked}


def _written_value(value: Value) -> Any:
    if isinstance(value, tuple):
        return [_written_value(member) for member in value]
    return value.isoformat() if isinstance(value, date) else value
