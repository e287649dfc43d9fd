"""Tool arguments: short ways to write their JSON Schema, and the check of what a model sends against it.

Imported before a client's handshake is answered, so the standard library's cheap part is all it uses.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from kept.errors import InvalidInputError

Schema = Mapping[str, Any]

_SAID: Final = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}
_NUMBERS: Final[Mapping[str, tuple[type, ...]]] = {"integer": (int,), "number": (int, float)}
_TYPES: Final[Mapping[str, type]] = {"string": str, "boolean": bool, "object": dict, "array": list, "null": type(None)}
_TRUTH: Final = {"true": True, "false": False}
_SHOWN: Final = 60
"""Characters of a wrong value that an error repeats: enough to recognise it, too few to carry a memory."""


def text(description: str = "", **more: Any) -> Schema:
    """A string."""
    return _typed("string", description, more)


def whole(description: str = "", **more: Any) -> Schema:
    """An integer."""
    return _typed("integer", description, more)


def number(description: str = "", **more: Any) -> Schema:
    """A number."""
    return _typed("number", description, more)


def flag(description: str = "", **more: Any) -> Schema:
    """A boolean."""
    return _typed("boolean", description, more)


def mapping(description: str = "", **more: Any) -> Schema:
    """An object with any members."""
    return _typed("object", description, more)


def listing(items: Schema | None = None, description: str = "", **more: Any) -> Schema:
    """An array."""
    return _typed("array", description, ({"items": items} if items else {}) | more)


def clearable(schema: Schema) -> Schema:
    """The same, or null to clear what is stored."""
    return {**schema, "type": [schema["type"], "null"]}


def _typed(kind: str, description: str, more: Mapping[str, Any]) -> Schema:
    return {"type": kind, **({"description": description} if description else {}), **more}


def check(
    given: object, properties: Mapping[str, Schema], required: Sequence[str] = (), *, tool: str = "this tool"
) -> dict[str, Any]:
    """The arguments as the schema wants them.

    Models write numbers, truth values, objects and lists as text often enough that such a text is read. Null means not
    given, unless the schema takes null.

    Raises:
        InvalidInputError: An argument that is missing, unknown, or of another type, and what would be right.
    """
    if not isinstance(given, Mapping):
        raise InvalidInputError(f"The arguments of {tool} must be an object, in braces.")
    found: dict[str, Any] = {}
    for name, value in given.items():
        schema = properties.get(name)
        if schema is None:
            raise InvalidInputError(f"{tool} has no argument {str(name)[:_SHOWN]!r}; it takes {', '.join(properties)}.")
        if value is not None or "null" in _types(schema):
            found[name] = _checked(value, schema, name)
    missing = [name for name in required if name not in found]
    if missing:
        raise InvalidInputError(f"{tool} needs {' and '.join(missing)}.")
    return found


def _types(schema: Schema) -> Sequence[str]:
    kinds: str | Sequence[str] = schema.get("type", ())
    return (kinds,) if isinstance(kinds, str) else kinds


def _checked(value: object, schema: Schema, where: str) -> Any:
    kinds = _types(schema)
    if kinds:
        value = _as_one_of(value, kinds, where)
    if "enum" in schema and value not in schema["enum"]:
        raise InvalidInputError(f"{where} is {_shown(value)}; it must be one of {', '.join(schema['enum'])}.")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        _in_range(value, schema, where)
    if isinstance(value, list) and "items" in schema:
        return [_checked(item, schema["items"], f"{where}[{place}]") for place, item in enumerate(value)]
    return value


def _as_one_of(value: object, kinds: Sequence[str], where: str) -> object:
    if any(_is(value, kind) for kind in kinds):
        return value
    if isinstance(value, float) and value.is_integer() and "integer" in kinds:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and "string" in kinds:
        return str(value)  # an id that happens to be a number
    if isinstance(value, str):
        read = _read(value)
        if any(_is(read, kind) for kind in kinds if kind != "string"):
            return read
    raise InvalidInputError(f"{where} is {_shown(value)}; it must be {' or '.join(_SAID[kind] for kind in kinds)}.")


def _is(value: object, kind: str) -> bool:
    if kind in _NUMBERS:
        return isinstance(value, _NUMBERS[kind]) and not isinstance(value, bool)
    return isinstance(value, _TYPES[kind])


def _read(value: str) -> object:
    """What a text says in JSON, else the text."""
    if (truth := _TRUTH.get(value.strip().lower())) is not None:
        return truth
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _in_range(value: float, schema: Schema, where: str) -> None:
    least, most = schema.get("minimum"), schema.get("maximum")
    if (least is None or value >= least) and (most is None or value <= most):
        return
    allowed = f"from {least} to {most}" if None not in (least, most) else f"at least {least}" if most is None else ""
    raise InvalidInputError(f"{where} is {value!r}; it must be {allowed or f'at most {most}'}.")


def _shown(value: object) -> str:
    try:
        written = json.dumps(value)
    except (TypeError, ValueError):
        written = repr(value)
    return written if len(written) <= _SHOWN else f"{written[:_SHOWN]}…"
