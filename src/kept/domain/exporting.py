"""Memories as others read them: one JSON object each, from which the same memory can be made again; and Markdown.

The law (a property in the tests): `from_export(to_export(record))` gives back every field of the record but `key` and
`seq`, which are handles of one store and mean nothing in another. The names are Mem0's where Mem0 has one (`memory`,
`expiration_date`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final, get_args
from urllib.parse import quote

from kept.domain.memory import FACT_TYPES, EntityRef, Kind, MemoryRecord, Relation, State
from kept.domain.scope import DEFAULT_PROJECT, Scope
from kept.errors import InvalidInputError, ScopeError

__all__ = [
    "EXPORT_VERSION",
    "check_header",
    "export_header",
    "export_line",
    "from_export",
    "to_export",
    "to_markdown",
]

EXPORT_VERSION: Final = 1
"""Of the export form. It rises when an older Kept could no longer read what is written."""

_SCOPE: Final = ("project", "user_id", "agent_id", "app_id", "run_id")

# --- JSON --------------------------------------------------------------------------------------------------------


def export_header(*, exported_at: datetime, project: str | None = None, memories: int | None = None) -> dict[str, Any]:
    """The first line of an export.

    Args:
        exported_at: Aware.
        project: The only project in it; None when there are several.
        memories: How many follow, if that is known beforehand: by it a reader notices an export that was cut short.
    """
    return {
        "kept_export": EXPORT_VERSION,
        "exported_at": _written(exported_at),
        "project": project,
        "memories": memories,
    }


def check_header(value: Any, *, place: str = "header") -> int | None:
    """Check the first line of an export.

    Args:
        value: What the line holds, as JSON gives it.
        place: Where it stands, for the error.

    Returns:
        How many memories the header promises; None when it does not say.

    Raises:
        InvalidInputError: It is no header, or of a newer version than `EXPORT_VERSION`.
    """
    header: Mapping[str, Any] = value if isinstance(value, Mapping) else {}
    version = header.get("kept_export", 0)
    if not _is_count(version) or version < 1:
        raise InvalidInputError(f"{place}: no header of an export; the first line must hold {{'kept_export': 1, …}}.")
    if version > EXPORT_VERSION:
        raise InvalidInputError(
            f"{place}: version {version} of the export form; this Kept reads up to {EXPORT_VERSION}. Upgrade Kept."
        )
    memories = header.get("memories")
    if memories is None:
        return None
    if not _is_count(memories):
        raise InvalidInputError(f"{place}: field 'memories' must be a whole number from 0 or null.")
    return int(memories)


def export_line(value: Mapping[str, Any]) -> str:
    """One line of an export (header or memory) with its line end: JSON in ASCII, which no tool on the way can break."""
    return json.dumps(value, separators=(",", ":")) + "\n"


def to_export(record: MemoryRecord) -> dict[str, Any]:
    """The memory in export form: every field but `key` and `seq`, always in this order, what is empty as null or `[]`.

    Times are ISO 8601 in UTC, `expiration_date` is a day.
    """
    scope = record.scope
    return {
        "id": record.id,
        "memory": record.text,
        "hash": record.hash,
        "project": scope.project,
        "user_id": scope.user_id,
        "agent_id": scope.agent_id,
        "app_id": scope.app_id,
        "run_id": scope.run_id,
        "state": record.state,
        "kind": record.kind,
        "speaker": record.speaker,
        "role": record.role,
        "metadata": dict(record.metadata),
        "categories": list(record.categories),
        "entities": [{"name": e.name, "kind": e.kind, "key": e.key} for e in record.entity_refs],
        "relations": [
            {"source": r.source, "relationship": r.relationship, "target": r.target} for r in record.relations
        ],
        "created_at": _written(record.created_at),
        "updated_at": _written(record.updated_at),
        "recorded_at": _written(record.recorded_at),
        "valid_from": _written(record.valid_from) if record.valid_from else None,
        "valid_to": _written(record.valid_to) if record.valid_to else None,
        "expiration_date": record.expires_on.isoformat() if record.expires_on else None,
        "supersedes": list(record.supersedes),
        "superseded_by": record.superseded_by,
        "episode_id": record.episode_id,
        "position": record.position,
        "connector": record.connector,
        "reinforced": record.reinforced,
        "immutable": record.immutable,
        "feedback": record.feedback,
        "type": record.type,
        "confidence": record.confidence,
        "positions": list(record.positions),
    }


def from_export(value: Any, *, place: str = "memory") -> dict[str, Any]:
    """Keyword values of the `MemoryRecord` that was exported: all its fields but `key` and `seq`.

    What an export made by hand leaves out gets the record's default; `updated_at` and `recorded_at` are then
    `created_at`. Text is not looked into: its `hash` is given back as it was written.

    Args:
        value: A memory in export form.
        place: Where it stands (`notes.jsonl:12`), for the error.

    Raises:
        InvalidInputError: A field is missing, unknown, of the wrong type, or no value it can have; names the place and
            the field, never what the memory says.
    """
    if not isinstance(value, Mapping):
        raise InvalidInputError(f"{place}: a memory in export form is an object.")
    if unknown := [name for name in value if name not in _FIELDS and name not in _SCOPE]:
        raise InvalidInputError(f"{place}: unknown field {str(unknown[0])[:40]!r}; known are {', '.join(_KNOWN)}.")
    found: dict[str, Any] = {}
    for name, given in value.items():
        if name in _SCOPE:
            continue
        kind = _FIELDS[name]
        if given is None and not kind.required:
            continue
        try:
            found[kind.attribute] = kind.parse(given)
        except (ValueError, OverflowError) as error:  # a time before the year 1 once it is in UTC
            raise InvalidInputError(f"{place}: field {name!r} must be {kind.wanted}.") from error
    for name in _REQUIRED:
        if name not in value:
            raise InvalidInputError(f"{place}: field {name!r} is missing.")
    if _never_holds(found):
        raise InvalidInputError(f"{place}: field 'valid_to' must not be before 'valid_from'.")
    found.setdefault("updated_at", found["created_at"])
    found.setdefault("recorded_at", found["created_at"])
    found["scope"] = _scope(value, place)
    return found


def _never_holds(found: Mapping[str, Any]) -> bool:
    """Whether an active memory ends before it begins; one that was closed may: it was taken back before its time."""
    begins, ends = found.get("valid_from"), found.get("valid_to")
    return bool(begins and ends and ends < begins) and found.get("state", "active") == "active"


def _scope(value: Mapping[str, Any], place: str) -> Scope:
    ids = {name: value[name] for name in _SCOPE if value.get(name) is not None}
    for name, given in ids.items():
        if not isinstance(given, str):
            raise InvalidInputError(f"{place}: field {name!r} must be a string or null.")
    try:
        return Scope.of(**{"project": DEFAULT_PROJECT, **ids})
    except ScopeError as error:
        raise InvalidInputError(f"{place}: {error}") from error


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


# --- fields of the export form -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    """How a field is read: `parse` raises ValueError for what is not `wanted`. Null means the default."""

    attribute: str
    parse: Callable[[Any], Any]
    wanted: str
    required: bool = False


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004 (the caller names the field)
    return value


_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
"""As Kept makes ids: anything else could be taken for the short form of another memory's id, or pose as a line."""
_MOST_COUNTED: Final = 2**31 - 1
"""Above every real count, and far enough below the 64 bits of a store that adding to it cannot overflow."""


def _memory_id(value: Any) -> str:
    if not _UUID.fullmatch(_string(value)):
        raise ValueError
    return str(value)


def _count(value: Any) -> int:
    if not _is_count(value) or value > _MOST_COUNTED:
        raise ValueError
    return int(value)


def _counts(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise ValueError  # noqa: TRY004
    return tuple(map(_count, value))


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ValueError
    return float(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError  # noqa: TRY004
    return value


def _moment(value: Any) -> datetime:
    found = datetime.fromisoformat(_string(value))
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _day(value: Any) -> date:
    return date.fromisoformat(_string(value))


def _strings(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError  # noqa: TRY004
    return tuple(map(_string, value))


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError  # noqa: TRY004
    return dict(value)


def _entities(value: Any) -> tuple[EntityRef, ...]:
    return tuple(EntityRef(name=name, kind=kind, key=key) for name, kind, key in _triples(value, "name", "kind", "key"))


def _relations(value: Any) -> tuple[Relation, ...]:
    triples = _triples(value, "source", "relationship", "target")
    return tuple(Relation(source=source, relationship=kind, target=target) for source, kind, target in triples)


def _triples(value: Any, *names: str) -> Iterator[list[str]]:
    if not isinstance(value, list):
        raise ValueError  # noqa: TRY004
    for item in value:
        if not isinstance(item, Mapping) or item.keys() != set(names):
            raise ValueError
        yield [_string(item[name]) for name in names]


def _one_of(*choices: str) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        if value not in choices:
            raise ValueError
        return str(value)

    return parse


_FEEDBACK: Final = ("POSITIVE", "NEGATIVE", "VERY_NEGATIVE")


def _text_field(attribute: str) -> _Field:
    return _Field(attribute=attribute, parse=_string, wanted="a string")


def _time_field(attribute: str, *, required: bool = False) -> _Field:
    wanted = "an ISO 8601 time between the years 1 and 9999 (2026-03-02T10:15:00Z)"
    return _Field(attribute=attribute, parse=_moment, wanted=wanted, required=required)


def _choice_field(attribute: str, *choices: str) -> _Field:
    return _Field(attribute=attribute, parse=_one_of(*choices), wanted=f"one of {', '.join(choices)}")


_FIELDS: Final[Mapping[str, _Field]] = {
    "id": _Field(
        attribute="id",
        parse=_memory_id,
        wanted="a UUID in lower case (0f8e4c2a-1b3d-4e5f-8a9b-0c1d2e3f4a5b)",
        required=True,
    ),
    "memory": _Field(attribute="text", parse=_string, wanted="a string", required=True),
    "hash": _text_field("hash"),
    "state": _choice_field("state", *get_args(State)),
    "kind": _choice_field("kind", *get_args(Kind)),
    "speaker": _text_field("speaker"),
    "role": _text_field("role"),
    "metadata": _Field(attribute="metadata", parse=_mapping, wanted="an object"),
    "categories": _Field(attribute="categories", parse=_strings, wanted="a list of strings"),
    "entities": _Field(attribute="entity_refs", parse=_entities, wanted="a list of objects of name, kind and key"),
    "relations": _Field(
        attribute="relations", parse=_relations, wanted="a list of objects of source, relationship and target"
    ),
    "created_at": _time_field("created_at", required=True),
    "updated_at": _time_field("updated_at"),
    "recorded_at": _time_field("recorded_at"),
    "valid_from": _time_field("valid_from"),
    "valid_to": _time_field("valid_to"),
    "expiration_date": _Field(attribute="expires_on", parse=_day, wanted="a day in ISO 8601 (2026-03-02)"),
    "supersedes": _Field(attribute="supersedes", parse=_strings, wanted="a list of ids"),
    "superseded_by": _text_field("superseded_by"),
    "episode_id": _text_field("episode_id"),
    "position": _Field(attribute="position", parse=_count, wanted=f"a whole number from 0 to {_MOST_COUNTED}"),
    "connector": _text_field("connector"),
    "reinforced": _Field(attribute="reinforced", parse=_count, wanted=f"a whole number from 0 to {_MOST_COUNTED}"),
    "immutable": _Field(attribute="immutable", parse=_flag, wanted="true or false"),
    "feedback": _choice_field("feedback", *_FEEDBACK),
    "type": _choice_field("type", *FACT_TYPES),
    "confidence": _Field(attribute="confidence", parse=_share, wanted="a number from 0 to 1"),
    "positions": _Field(
        attribute="positions", parse=_counts, wanted=f"a list of whole numbers from 0 to {_MOST_COUNTED}"
    ),
}
_REQUIRED: Final = tuple(name for name, kind in _FIELDS.items() if kind.required)
_KNOWN: Final = (*_FIELDS, *_SCOPE)

# --- Markdown ----------------------------------------------------------------------------------------------------

_INLINE: Final = re.compile(r"[\\`*\[\]<>&|~$]|(?<![^\W_])_|_(?![^\W_])|(?<!\S)#")
"""What has a meaning anywhere in a line; an underscore inside a word (`snake_case`) and a number sign inside one have none."""
_LINE_START: Final = re.compile(r"[-+=:]|\d+(?=[.)])")
"""What has a meaning only at the beginning of a line: a list, an underline, an ordered list's number."""


def to_markdown(records: Iterable[MemoryRecord]) -> Iterator[str]:
    """Memories as a Markdown document: a heading per user, month and day (UTC), a bullet per memory, oldest first.

    A bullet has the speaker in bold, the text with Markdown's specials escaped (code in a fence instead), and the
    memory's id, percent-encoded, in an HTML comment. What is no longer true is struck through. Hidden memories have no place in it:
    leave them out beforehand.

    Args:
        records: In any order; users come by name, what belongs to no user last.

    Returns:
        Lines without line ends.
    """
    user: object = _NOBODY
    month = day = ""
    for record in sorted(records, key=_reading_order):
        created = record.created_at.astimezone(UTC)
        if record.user_id != user:
            if user is not _NOBODY:
                yield ""
            user, month, day = record.user_id, "", ""
            yield f"# {_escaped(record.user_id) if record.user_id else 'No user'}"
        if created.strftime("%Y-%m") != month:
            month, day = created.strftime("%Y-%m"), ""
            yield from ("", f"## {created.year:04d}-{created.month:02d}")
        if created.date().isoformat() != day:
            day = created.date().isoformat()
            yield from ("", f"### {day}", "")
        yield from _bullet(record)


_NOBODY: Final = object()
"""No user yet, not even the absent one."""


def _reading_order(record: MemoryRecord) -> tuple[bool, str, datetime, int, str]:
    return record.user_id is None, record.user_id or "", record.created_at, record.key, record.id


def _bullet(record: MemoryRecord) -> Iterator[str]:
    comment = f"<!-- {quote(record.id, safe='', errors='replace')} -->"
    speaker = f"**{_escaped(record.speaker)}:** " if record.speaker else ""
    if record.kind == "code":
        yield f"- {speaker}{'(no longer true) ' if record.is_closed else ''}{comment}"
        yield from ("  " + line if line else "" for line in _fenced(record.text))
        return
    lines = [_escaped(line) for line in record.text.splitlines() if line.strip()] or [""]
    if record.is_closed and lines != [""]:
        lines = [f"~~{line}~~" for line in lines]  # line by line: no stroke reaches over a line break in every renderer
    lines[0] = f"- {speaker}{lines[0]}"
    lines[-1] = f"{lines[-1]} {comment}"
    yield from ("\\\n  ".join(lines)).split("\n")


def _escaped(line: str) -> str:
    """One line as text: every character that Markdown, HTML or a wiki link would read otherwise behind a back-slash."""
    text = _INLINE.sub(r"\\\g<0>", " ".join(line.split()))
    return _LINE_START.sub(_escaped_start, text, count=1) if _LINE_START.match(text) else text


def _escaped_start(match: re.Match[str]) -> str:
    return f"{match[0]}\\" if match[0].isdigit() else f"\\{match[0]}"


def _fenced(code: str) -> list[str]:
    """Code inside a fence that is longer than any in it."""
    lines = code.strip("\n").splitlines()
    longest = max((len(run) for run in re.findall("`{3,}", code)), default=2)
    return [fence := "`" * (longest + 1), *lines, fence]
