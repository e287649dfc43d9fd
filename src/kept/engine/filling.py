"""Fills a caller's JSON schema from memories, by rule; or holds what a language model filled in against what they say.

The rule, in full: a property that has the name of a memory's own field, inside a list, is that field of each memory. Any other
property is what the best memories say about its name and description: a text is their words, a list their words one by one, a number
the first number in the best of them, an enumeration the first of its values that the best of them contains, a truth value null.
Where nothing relevant enough is found, the value is null (an empty list).

Of what a model filled in, sentences stay that the memories say, and numbers and dates that are in them. A truth value is in no words that
can be looked up, so it is null here too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from kept.domain.memory import MemoryRecord
from kept.domain.support import Sources
from kept.domain.text import sentences
from kept.engine.retrieve import Hit
from kept.errors import InvalidInputError

Find = Callable[[str, int], Sequence[MemoryRecord]]
"""The memories that matter for a query, best first, at most so many."""

MAX_PROPERTIES: Final = 200
"""Of a schema that is filled, each of which is searched for: a choice."""
MAX_DEPTH: Final = 8
"""Levels of a schema: a choice that keeps the walk through it bounded."""
LISTED: Final = 20
"""Memories in a list of texts."""
LEAST_SCORE: Final = 0.05
"""Against the descriptions in the tests, statements about something else score up to 0.03, the weakest right one 0.07."""
LEAST_SHARE: Final = 0.5
"""Of the best hit's score: a statement's neighbours score a little below it."""
_NUMBER: Final = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?![\w])")
_TYPES: Final[Mapping[str, type | tuple[type, ...]]] = {"string": str, "number": (int, float), "integer": int}
_FIELDS: Final[Mapping[str, Callable[[MemoryRecord], Any]]] = {
    "id": lambda record: record.id,
    "memory_id": lambda record: record.id,
    "memory": lambda record: record.text,
    "text": lambda record: record.text,
    "content": lambda record: record.text,
    "user_id": lambda record: record.user_id,
    "agent_id": lambda record: record.agent_id,
    "app_id": lambda record: record.app_id,
    "run_id": lambda record: record.run_id,
    "metadata": lambda record: dict(record.metadata),
    "categories": lambda record: list(record.categories),
    "category": lambda record: next(iter(record.categories), None),
    "created_at": lambda record: record.created_at.isoformat(),
    "updated_at": lambda record: record.updated_at.isoformat(),
    "date": lambda record: record.created_at.date().isoformat(),
    "speaker": lambda record: record.speaker,
    "role": lambda record: record.role,
    "state": lambda record: record.state,
}


class Filling:
    """One schema being filled.

    Args:
        find: Looks for memories.
        everything: The memories that lists of whole memories hold.
        texts: How many memories' words a text takes at most.
    """

    def __init__(self, find: Find, everything: Sequence[MemoryRecord], *, texts: int = 1) -> None:
        self._find = find
        self._everything = everything
        self._texts = texts
        self.used: dict[str, None] = {}

    def fill(self, schema: Mapping[str, Any], name: str = "", depth: int = 0) -> Any:
        """The value of a schema's place."""
        schema = _plain(schema)
        kind = _kind(schema)
        about = f"{name.replace('_', ' ')} {schema.get('description', '')}".strip()
        if kind == "object":
            properties: Mapping[str, Any] = schema.get("properties", {})
            return {key: self.fill(part, key, depth + 1) for key, part in properties.items()}
        if kind == "array":
            return self._list(_plain(schema.get("items") or {}), about)
        return self._value(schema, kind, self._found(about, self._texts))

    def _list(self, items: Mapping[str, Any], about: str) -> list[Any]:
        properties: Mapping[str, Any] = items.get("properties", {})
        if properties.keys() & _FIELDS.keys():
            return [self._row(record, properties) for record in self._everything]
        found = self._found(about, LISTED)
        if properties:
            return [
                {key: self._value(_plain(part), "string", [record]) for key, part in properties.items()}
                for record in found
            ]
        values = [self._value(items, items.get("type", "string"), [record]) for record in found]
        return [value for value in values if value is not None]

    def _row(self, record: MemoryRecord, properties: Mapping[str, Any]) -> dict[str, Any]:
        self.used[record.id] = None
        return {name: _FIELDS[name](record) if name in _FIELDS else None for name in properties}

    def _found(self, about: str, limit: int) -> Sequence[MemoryRecord]:
        return self._find(about, limit) if about else ()

    def _value(self, schema: Mapping[str, Any], kind: str, found: Sequence[MemoryRecord]) -> Any:
        if not found:
            return None
        best = found[0].text
        value: Any = None
        if choices := schema.get("enum"):
            value = next((choice for choice in choices if str(choice).casefold() in best.casefold()), None)
        elif kind in {"number", "integer"}:
            number = _NUMBER.search(best)
            value = None if number is None else float(number[0]) if kind == "number" else int(float(number[0]))
        elif kind == "string":
            value = " ".join(record.text for record in found)
        if value is not None:
            self.used |= dict.fromkeys(record.id for record in found)
        return value


def asked(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema as a language model is given it: types, descriptions and choices, where any value may be null."""
    properties: Mapping[str, Any] = schema.get("properties", {})
    return {"type": "object", "properties": {name: _asked_for(part) for name, part in properties.items()}}


def _asked_for(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A place of a schema as `asked` gives it."""
    schema = _plain(schema)
    kind, choices = _kind(schema), list(schema.get("enum") or ())
    value: dict[str, Any] = {"type": kind}
    if kind == "object":
        value = asked(schema)
    elif kind == "array":
        value["items"] = _asked_for(schema.get("items") or {})
    elif choices:
        typed = all(isinstance(choice, _TYPES.get(kind, ())) for choice in choices)
        value = {**(value if typed else {}), "enum": choices}
    described = {"description": schema["description"]} if schema.get("description") else {}
    return {"anyOf": [value, {"type": "null"}], **described}


def held(schema: Mapping[str, Any], value: Any, sources: Sources) -> Any:
    """What a language model filled in for a schema's place, as far as the sources say it; in a list, what is left."""
    schema = _plain(schema)
    kind = _kind(schema)
    if kind == "object":
        given = value if isinstance(value, Mapping) else {}
        return {name: held(part, given.get(name), sources) for name, part in schema.get("properties", {}).items()}
    if kind == "array":
        items = schema.get("items") or {}
        found = [held(items, one, sources) for one in (value if isinstance(value, list) else ())]
        return [one for one in found if not is_empty(one)]
    choices = schema.get("enum")
    fits = value in choices if choices else isinstance(value, _TYPES.get(kind, ()))
    return _said(value, sources) if fits else None


def is_empty(value: Any) -> bool:
    """Whether nothing is filled in, at any depth."""
    if isinstance(value, Mapping):
        return all(map(is_empty, value.values()))
    return value is None or value in ("", [])


def _said(value: Any, sources: Sources) -> Any:
    """A value that the sources say, a text as far as they say it; else None."""
    if isinstance(value, str):
        return " ".join(filter(sources.hold, sentences(value))) or None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if sources.number_follows(value) else None


def relevant(hits: Sequence[Hit]) -> list[MemoryRecord]:
    """The memories of those hits that say something about what was asked, best first."""
    least = max(LEAST_SCORE, hits[0].score * LEAST_SHARE) if hits else 0.0
    return [hit.memory for hit in hits if hit.score >= least]


def check_schema(schema: object, *, described: bool = False) -> dict[str, Any]:
    """A caller's schema: an object schema, in bounds.

    Args:
        schema: JSON schema of an object, or of properties alone.
        described: Whether each property must have a description.

    Raises:
        InvalidInputError: It is none, too large, or a property is not described.
    """
    if not isinstance(schema, Mapping) or not schema:
        raise InvalidInputError("schema must be a JSON schema of an object, with properties.")
    whole = dict(schema)
    if "properties" not in whole and all(isinstance(part, Mapping) for part in whole.values()):
        whole = {"type": "object", "properties": whole}
    if whole.get("type", "object") != "object" or not isinstance(whole.get("properties"), Mapping):
        raise InvalidInputError("schema must be of type object, and have properties.")
    count = _check_properties(whole, described, 0)
    if count > MAX_PROPERTIES:
        raise InvalidInputError(f"schema has {count} properties; at most {MAX_PROPERTIES} are filled.")
    return whole


def count_properties(schema: Mapping[str, Any]) -> int:
    """How many properties a checked schema has, at all depths."""
    return _check_properties(schema, described=False, depth=0)


def _check_properties(schema: Mapping[str, Any], described: bool, depth: int) -> int:
    if depth > MAX_DEPTH:
        raise InvalidInputError(f"schema is nested deeper than {MAX_DEPTH} levels.")
    properties = schema.get("properties", {})
    if not isinstance(properties, Mapping):
        raise InvalidInputError("properties must be an object.")
    count = len(properties)
    for name, part in properties.items():
        if not isinstance(part, Mapping):
            raise InvalidInputError(f"schema: property {str(name)[:60]!r} must be an object.")
        if described and not str(part.get("description") or "").strip():
            raise InvalidInputError(f"schema: property {str(name)[:60]!r} needs a description, by which it is filled.")
        items = part.get("items")
        inner = _plain(items if isinstance(items, Mapping) else part)
        count += _check_properties(inner, described=False, depth=depth + 1)
    return count


def _kind(schema: Mapping[str, Any]) -> str:
    """The type of a plain schema's place."""
    return str(schema.get("type") or ("object" if "properties" in schema else "string"))


def _plain(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """A schema without the wrapping that generators put around optional parts: `anyOf` with null, lists of types."""
    options = schema.get("anyOf") or schema.get("oneOf")
    if isinstance(options, list):
        real = [option for option in options if isinstance(option, Mapping) and option.get("type") != "null"]
        schema = {**schema, **(real[0] if real else {})}
    kinds = schema.get("type")
    if isinstance(kinds, list):
        schema = {**schema, "type": next((kind for kind in kinds if kind != "null"), "string")}
    return schema
