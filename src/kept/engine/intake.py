"""What callers pass, checked and made into values: messages, facts, metadata, dates.

Everything that enters the store goes through here once: text is cleaned (no NUL, no lone surrogates) and secrets are
redacted before anything else sees it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from kept.domain.digest import digest
from kept.domain.enclosed import PDF, Enclosed, enclosed, is_reference
from kept.domain.entities import name_key
from kept.domain.filters import MAX_INTEGER_BITS
from kept.domain.memory import (
    FACT_TYPES,
    SOURCE_ROLES,
    Attachment,
    AttachmentKind,
    Draft,
    EntityRef,
    FactType,
    Message,
    Relation,
)
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
_ATTACHED: Final[Mapping[str, AttachmentKind | None]] = {
    "image_url": "image",
    "pdf_url": "document",
    "txt_url": None,
    "mdx_url": None,
    "text_url": None,
}
"""Parts that come with something, and what a language model may be shown of it where only its address is known."""
_DOCUMENTS: Final = frozenset(_ATTACHED) - {"image_url"}
_HTTPS: Final = re.compile(r"https://[^\s/]\S*", re.ASCII)

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
    found = [message for number, item in enumerate(raw) for message in _messages(item, f"messages[{number}]")]
    if len(found) > MAX_MESSAGES:
        raise InvalidInputError(
            f"{len(found)} messages and documents in one call; at most {MAX_MESSAGES} are taken. Split them."
        )
    return found


def _messages(item: object, where: str) -> list[Message]:
    """One message, and after it the documents that it came with, as far as they are text: what they say, nobody in the talk said."""
    if isinstance(item, Message):
        return [_checked(item, where)]
    if isinstance(item, str):
        return [Message(role="user", content=parse_text(item, where))]
    if not isinstance(item, Mapping):
        raise InvalidInputError(f"{where} must be a text or a mapping with 'role' and 'content', not {_kind(item)}.")
    role = str(item.get("role") or "user").strip().lower()
    if role not in ROLES:
        raise InvalidInputError(f"{where}.role is {role[:40]!r}; it must be one of {', '.join(ROLES)}.")
    if "content" not in item:
        raise InvalidInputError(f"{where} has no 'content'.")
    at = item.get("timestamp", item.get("created_at"))
    content = _content(item["content"], where)
    said = Message(
        role=role,
        content=parse_text(content.text, f"{where}.content"),
        name=parse_optional_text(item.get("name"), f"{where}.name"),
        at=None if at is None else parse_when(at),
        source_id=parse_opaque_id(item.get("id"), f"{where}.id"),
        attachments=tuple(content.attachments),
    )
    documents = _documents(content.documents, said, f"{where}.content")
    return documents if documents and not said.content.strip() else [said, *documents]


def _checked(message: Message, where: str) -> Message:
    return Message(
        role=message.role,
        content=parse_text(message.content, where),
        name=parse_optional_text(message.name, f"{where}.name"),
        at=message.at,
        source_id=parse_opaque_id(message.source_id, f"{where}.id"),
        attachments=message.attachments,
    )


def _documents(texts: Sequence[str], said: Message, where: str) -> list[Message]:
    """Texts of documents, each as a message of its own; what came with instructions to a model stays one."""
    return [
        Message(
            role=said.role if said.role in SOURCE_ROLES else "document",
            content=parse_text(text, where),
            at=said.at,
            source_id=said.source_id and f"{said.source_id}#{number}",
        )
        for number, text in enumerate(texts, start=1)
    ]


@dataclass(slots=True)
class _Content:
    """What a message's content holds.

    Attributes:
        text: What it says, with a reference to what came with it.
        attachments: Images and documents that a language model may be shown: at `https:`, or given whole.
        documents: What documents say that are text, and were given whole.
    """

    text: object = ""
    attachments: list[Attachment] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)


def _content(content: object, where: str) -> _Content:
    """Of a text, or of lists of parts (OpenAI, Anthropic, Mem0's multimodal)."""
    if isinstance(content, Mapping):
        content = [content]
    if not isinstance(content, list):
        return _Content(text="" if content is None else content)
    found = _Content()
    found.text = "\n".join(part for item in content if (part := _part(item, where, found)))
    return found


def _part(item: object, where: str, found: _Content) -> str:
    """The text of a part, or a reference to it; what it holds besides is noted."""
    if isinstance(item, str):
        return item
    if not isinstance(item, Mapping):
        raise InvalidInputError(f"{where}.content holds {_kind(item)}; its parts must be texts or mappings.")
    if isinstance(item.get("text"), str):
        return str(item["text"])
    kind, address = _referred(item)
    held = enclosed(address) if kind in _ATTACHED else None
    if held is not None and held.text is not None and kind in _DOCUMENTS:
        found.documents.append(held.text)
        return ""
    if attachment := _attachment(kind, address, held):
        found.attachments.append(attachment)
    label = kind.removesuffix("_url")
    return f"[{label}: {address}]" if is_reference(address) else f"[{label}]"


def _referred(item: Mapping[Any, Any]) -> tuple[str, str]:
    """The type of a content's part, and the address that it names; empty when there is none."""
    kind = str(item.get("type", "part"))
    reference = item.get(kind)
    address = reference.get("url") if isinstance(reference, Mapping) else reference
    return kind, address.strip() if isinstance(address, str) else ""


def _attachment(kind: str, address: str, held: Enclosed | None) -> Attachment | None:
    """What a language model may be shown. Others stay references, also a text elsewhere: no provider opens one."""
    if len(address) > MAX_ATTACHMENT_CHARACTERS:
        return None
    if held is not None:
        attached: AttachmentKind | None = _kind_of(held.media)
        return Attachment(kind=attached, url=held.url) if attached else None
    attached = _ATTACHED.get(kind)
    return Attachment(kind=attached, url=address) if attached and _HTTPS.fullmatch(address) else None


def _kind_of(media: str) -> AttachmentKind | None:
    if media.startswith("image/"):
        return "image"
    return "document" if media == PDF else None


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
