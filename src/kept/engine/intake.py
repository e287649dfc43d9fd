"""What callers pass, checked and made into values: messages, facts, metadata, dates.

Everything that enters the store goes through here once: text is cleaned (no NUL, no lone surrogates) and secrets are
redacted before anything else sees it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from kept.domain.digest import digest
from kept.domain.entities import name_key
from kept.domain.filters import MAX_INTEGER_BITS
from kept.domain.memory import FACT_TYPES, Attachment, AttachmentKind, Draft, EntityRef, FactType, Message, Relation
from kept.domain.redaction import redact, redact_value
from kept.domain.temporal import parse_day, parse_when
from kept.domain.text import clean
from kept.errors import InvalidInputError

MAX_MESSAGES: Final = 50_000
"""Of one call. More belong into an import, which goes in parts."""
MAX_TEXT_CHARACTERS: Final = 1_000_000
"""Of one message. The largest model contexts hold some four of these; more is a file, not a message."""
MAX_METADATA_CHARACTERS: Final = 65_536
"""Of one memory, as JSON: labels and references, not documents."""
MAX_METADATA_DEPTH: Final = 32
_EXPORT_LEVELS: Final = 1
"""A memory's metadata lies one level below the memory in export form."""
MAX_ATTACHMENT_CHARACTERS: Final = 7_000_000
"""Of an address with its content: 5 MB in base64, what the providers of language models take as one image."""
_ATTACHMENT_KINDS: Final[Mapping[str, AttachmentKind]] = {
    "image_url": "image",
    "pdf_url": "document",
    "txt_url": "document",
    "mdx_url": "document",
}
_ATTACHED: Final = re.compile(r"https://[^\s/]\S*|data:[\w.+-]+/[\w.+-]+;base64,[A-Za-z0-9+/]+=*", re.ASCII)

ROLES: Final = ("user", "assistant", "system", "tool", "document")
_FACT_FIELDS: Final = frozenset(
    {
        "text",
        "memory",
        "speaker",
        "role",
        "created_at",
        "timestamp",
        "valid_from",
        "valid_to",
        "expiration_date",
        "metadata",
        "categories",
        "entities",
        "relations",
        "supersedes",
        "immutable",
        "type",
        "confidence",
    }
)


def parse_messages(raw: object) -> list[Message]:
    """Messages from Mem0's forms: a text, one message, or a list of either.

    Raises:
        InvalidInputError: With the position of the message that cannot be used and what would be right.
    """
    if isinstance(raw, (str, Mapping)):
        raw = [raw]
    if isinstance(raw, (bytes, bytearray)) or not isinstance(raw, Sequence):
        raise InvalidInputError(
            "messages must be a text, a message such as {'role': 'user', 'content': '…'}, or a list of messages, "
            f"not {type(raw).__name__}."
        )
    if len(raw) > MAX_MESSAGES:
        raise InvalidInputError(f"{len(raw)} messages in one call; at most {MAX_MESSAGES} are taken. Split them.")
    return [_message(item, f"messages[{number}]") for number, item in enumerate(raw)]


def _message(item: object, where: str) -> Message:
    if isinstance(item, Message):
        return Message(
            role=item.role,
            content=parse_text(item.content, where),
            name=parse_optional_text(item.name, f"{where}.name"),
            at=item.at,
            source_id=parse_opaque_id(item.source_id, f"{where}.id"),
            attachments=item.attachments,
        )
    if isinstance(item, str):
        return Message(role="user", content=parse_text(item, where))
    if not isinstance(item, Mapping):
        raise InvalidInputError(f"{where} must be a text or a mapping with 'role' and 'content', not {_kind(item)}.")
    role = str(item.get("role") or "user").strip().lower()
    if role not in ROLES:
        raise InvalidInputError(f"{where}.role is {role[:40]!r}; it must be one of {', '.join(ROLES)}.")
    if "content" not in item:
        raise InvalidInputError(f"{where} has no 'content'.")
    at = item.get("timestamp", item.get("created_at"))
    return Message(
        role=role,
        content=parse_text(_content(item["content"], where), f"{where}.content"),
        name=parse_optional_text(item.get("name"), f"{where}.name"),
        at=None if at is None else parse_when(at),
        source_id=parse_opaque_id(item.get("id"), f"{where}.id"),
        attachments=_attachments(item["content"]),
    )


def _content(content: object, where: str) -> object:
    """Text of a message's content; of lists of parts (OpenAI, Anthropic, Mem0's multimodal) the text and references."""
    if isinstance(content, Mapping):
        content = [content]
    if not isinstance(content, list):
        return "" if content is None else content
    return "\n".join(part for item in content if (part := _part(item, where)))


def _part(item: object, where: str) -> str:
    if isinstance(item, str):
        return item
    if not isinstance(item, Mapping):
        raise InvalidInputError(f"{where}.content holds {_kind(item)}; its parts must be texts or mappings.")
    if isinstance(item.get("text"), str):
        return str(item["text"])
    kind, address = _referred(item)
    if address and not address.startswith("data:"):
        return f"[{kind.removesuffix('_url')}: {address}]"
    return f"[{kind.removesuffix('_url')}]"


def _referred(item: Mapping[Any, Any]) -> tuple[str, str]:
    """The type of a content's part, and the address that it names; empty when there is none."""
    kind = str(item.get("type", "part"))
    reference = item.get(kind)
    address = reference.get("url") if isinstance(reference, Mapping) else reference
    return kind, address if isinstance(address, str) else ""


def _attachments(content: object) -> tuple[Attachment, ...]:
    """Images and documents that a language model may be shown: at `https:`, or given whole. Others stay references."""
    listed = content if isinstance(content, list) else [content]
    referred = [_referred(item) for item in listed if isinstance(item, Mapping)]
    return tuple(
        Attachment(kind=_ATTACHMENT_KINDS[kind], url=address)
        for kind, address in referred
        if kind in _ATTACHMENT_KINDS and len(address) <= MAX_ATTACHMENT_CHARACTERS and _ATTACHED.fullmatch(address)
    )


def parse_text(value: object, where: str) -> str:
    """Stored text: cleaned, bounded, secrets redacted. May be blank.

    Raises:
        InvalidInputError: Not a text, or too long.
    """
    if not isinstance(value, str):
        raise InvalidInputError(f"{where} must be a text, not {_kind(value)}.")
    if len(value) > MAX_TEXT_CHARACTERS:
        raise InvalidInputError(
            f"{where} is {len(value):,} characters long; at most {MAX_TEXT_CHARACTERS:,} are taken. Split it."
        )
    return redact(clean(value)).text


def parse_optional_text(value: object, where: str) -> str | None:
    """As `parse_text`; blank and None are None, numbers are taken as their text."""
    if value is None:
        return None
    text = parse_text(str(value) if isinstance(value, (int, float)) else value, where).strip()
    return text or None


def parse_whole(value: object, name: str, least: int, most: int) -> int:
    """A whole number between two that are allowed.

    Raises:
        InvalidInputError: It is none; the message names it and what would be right.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidInputError(f"{name} is {value!r}; it must be a whole number from {least:,} to {most:,}.")
    return value


def parse_opaque_id(value: object, where: str) -> str | None:
    """A caller's own id: as given; a digest of it where it looks like a secret, so that two stay two."""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise InvalidInputError(f"{where} must be a text, not {_kind(value)}.")
    text = clean(str(value)).strip()
    if redact(text).text == text:
        return text or None
    return digest(text)


def parse_metadata(raw: object, where: str = "metadata") -> dict[str, Any]:
    """A caller's metadata as plain JSON, cleaned and redacted.

    Raises:
        InvalidInputError: Not a mapping, not JSON, too deep or too large; the message names the place.
    """
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        raise InvalidInputError(f"{where} must be a mapping, not {_kind(raw)}.")
    plain = _json_value(raw, where, MAX_METADATA_DEPTH)
    size = len(json.dumps(plain))
    if size > MAX_METADATA_CHARACTERS:
        raise InvalidInputError(
            f"{where} is {size:,} characters of JSON; at most {MAX_METADATA_CHARACTERS:,} are taken."
        )
    return dict(plain)


def parse_json(value: object, where: str) -> Any:
    """A value of plain JSON, cleaned and redacted, at most as deep as an exported memory.

    Raises:
        InvalidInputError: Not JSON, or too deep; the message names the place.
    """
    return _json_value(value, where, MAX_METADATA_DEPTH + _EXPORT_LEVELS)


def _json_value(value: object, where: str, depth: int) -> Any:
    if depth == 0:
        raise InvalidInputError(f"{where} is nested deeper than {MAX_METADATA_DEPTH} levels.")
    if isinstance(value, Mapping):
        named = {_key(key, where): item for key, item in value.items()}
        plain = {name: _json_value(item, f"{where}.{name}", depth - 1) for name, item in named.items()}
        return {name: redact_value(name, item) if isinstance(item, str) else item for name, item in plain.items()}
    if isinstance(value, (list, tuple)):
        return [_json_value(item, f"{where}[{number}]", depth - 1) for number, item in enumerate(value)]
    return _json_scalar(value, where)


def _json_scalar(value: object, where: str) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidInputError(f"{where} is {value}, which JSON cannot hold.")
    if isinstance(value, int) and value.bit_length() > MAX_INTEGER_BITS:
        raise InvalidInputError(f"{where} is a whole number of more than {MAX_INTEGER_BITS} bits; give it as a text.")
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return redact(clean(value)).text
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    raise InvalidInputError(f"{where} is {_kind(value)}, which JSON cannot hold; give a text, number, list or mapping.")


def _key(key: object, where: str) -> str:
    if not isinstance(key, str):
        raise InvalidInputError(f"{where} has the key {key!r}; keys must be texts.")
    return redact(clean(key)).text


def parse_categories(raw: object) -> tuple[str, ...]:
    """Category names, in the order given, without repeats."""
    if raw is None:
        return ()
    if isinstance(raw, str):
        raw = [raw]
    if not isinstance(raw, Sequence):
        raise InvalidInputError(f"categories must be a list of texts, not {_kind(raw)}.")
    names = (parse_optional_text(name, f"categories[{number}]") for number, name in enumerate(raw))
    return tuple(dict.fromkeys(name for name in names if name))


def parse_facts(raw: object) -> list[Draft]:
    """Finished facts that a caller hands over: texts, or mappings with a `text` and what is known about it.

    Raises:
        InvalidInputError: With the place of what cannot be used.
    """
    if isinstance(raw, (str, Mapping)):
        raw = [raw]
    if not isinstance(raw, Sequence):
        raise InvalidInputError(f"facts must be a list of texts or mappings with 'text', not {_kind(raw)}.")
    if len(raw) > MAX_MESSAGES:
        raise InvalidInputError(f"{len(raw)} facts in one call; at most {MAX_MESSAGES} are taken. Split them.")
    return [_fact(item, f"facts[{number}]") for number, item in enumerate(raw)]


def _fact(item: object, where: str) -> Draft:
    if isinstance(item, str):
        item = {"text": item}
    if not isinstance(item, Mapping):
        raise InvalidInputError(f"{where} must be a text or a mapping with 'text', not {_kind(item)}.")
    unknown = sorted(set(item) - _FACT_FIELDS, key=str)
    if unknown:
        known = ", ".join(sorted(_FACT_FIELDS))
        raise InvalidInputError(f"{where} has the unknown field {unknown[0]!r}; it may have {known}.")
    text = parse_text(item.get("text", item.get("memory")), f"{where}.text").strip()
    if not text:
        raise InvalidInputError(f"{where}.text is blank.")
    valid_from, valid_to = (_when(item.get(name)) for name in ("valid_from", "valid_to"))
    if valid_from and valid_to and valid_to <= valid_from:
        raise InvalidInputError(f"{where}: valid_to {valid_to.isoformat()} is not after valid_from.")
    role = parse_optional_text(item.get("role"), f"{where}.role")
    expires = item.get("expiration_date")
    return Draft(
        text=text,
        kind="fact",
        role=role,
        speaker=parse_optional_text(item.get("speaker"), f"{where}.speaker") or role,
        created_at=_when(item.get("created_at", item.get("timestamp"))),
        valid_from=valid_from,
        valid_to=valid_to,
        expires_on=None if expires is None else parse_day(expires),
        metadata=parse_metadata(item.get("metadata"), f"{where}.metadata"),
        categories=parse_categories(item.get("categories")),
        entity_refs=_entities(item["entities"], where) if item.get("entities") is not None else None,
        relations=_relations(item.get("relations") or (), where),
        supersedes=parse_ids(item.get("supersedes"), f"{where}.supersedes"),
        immutable=bool(item.get("immutable", False)),
        type=_fact_type(item.get("type"), where),
        confidence=_confidence(item.get("confidence"), where),
    )


def parse_ids(raw: object, where: str) -> tuple[str, ...]:
    """Memory ids: one, or a list of them."""
    if raw is None:
        return ()
    if isinstance(raw, str):
        raw = [raw]
    if not isinstance(raw, Sequence) or not all(isinstance(value, str) and value.strip() for value in raw):
        raise InvalidInputError(f"{where} must be a memory id or a list of memory ids.")
    return tuple(dict.fromkeys(clean(value).strip() for value in raw))


def _entities(raw: object, where: str) -> tuple[EntityRef, ...]:
    if not isinstance(raw, Sequence) or isinstance(raw, str):
        raise InvalidInputError(f"{where}.entities must be a list of names or of {{'name', 'kind'}}.")
    found: dict[str, EntityRef] = {}
    for number, item in enumerate(raw):
        fields = {"name": item} if isinstance(item, str) else item
        if not isinstance(fields, Mapping) or not fields.get("name"):
            raise InvalidInputError(f"{where}.entities[{number}] must be a name or have a 'name'.")
        name = parse_text(fields["name"], f"{where}.entities[{number}]").strip()
        kind = str(fields.get("kind") or fields.get("type") or "entity")
        key = name_key(name) or name.casefold()
        entity = EntityRef(name=name, kind=parse_text(kind, f"{where}.entities[{number}].kind"), key=key)
        found.setdefault(entity.key, entity)
    return tuple(found.values())


def _relations(raw: object, where: str) -> tuple[Relation, ...]:
    if not isinstance(raw, Sequence) or isinstance(raw, str):
        raise InvalidInputError(f"{where}.relations must be a list of {{'source', 'relationship', 'target'}}.")
    return tuple(_relation(item, f"{where}.relations[{number}]") for number, item in enumerate(raw))


def _fact_type(value: object, where: str) -> FactType | None:
    if value is None or value in FACT_TYPES:
        return value
    raise InvalidInputError(f"{where}.type must be one of {', '.join(FACT_TYPES)}.")


def _confidence(value: object, where: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise InvalidInputError(f"{where}.confidence must be a number from 0 to 1.")
    return float(value)


def _relation(item: object, where: str) -> Relation:
    if not isinstance(item, Mapping):
        raise InvalidInputError(f"{where} must be a mapping with 'source', 'relationship' and 'target'.")
    parts = (item.get("source"), item.get("relationship"), item.get("target", item.get("destination")))
    source, relationship, target = (parse_optional_text(part, where) for part in parts)
    if not (source and relationship and target):
        raise InvalidInputError(f"{where} needs 'source', 'relationship' and 'target'.")
    return Relation(source=source, relationship=relationship, target=target)


def _when(value: object) -> datetime | None:
    return None if value is None else parse_when(value)


def _kind(value: object) -> str:
    return type(value).__name__
