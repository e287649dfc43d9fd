"""Files that tell agents about a repository, and the client's own memory files: read into memories, again when they change.

A document's passages are stored as finished facts. What a change took out of the document is hidden, what it brought is added, and
the rest stays as it was, with its history.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kept.claude_code.memories import Capture, Memories, Owner
from kept.domain.redaction import redact
from kept.domain.text import normalise
from kept.errors import KeptError

RULES: Final = (
    "CLAUDE.md",
    "CLAUDE.local.md",
    ".claude/CLAUDE.md",
    ".claude/rules/**/*.md",
    "AGENTS.md",
    "GEMINI.md",
    ".cursorrules",
    ".cursor/rules/**/*.mdc",
    ".windsurfrules",
    ".windsurf/rules/**/*.md",
    ".clinerules",
    ".continue/rules.md",
    ".github/copilot-instructions.md",
    "memory-bank/*.md",
    "mem0.md",
)
"""Where agents' rules stand in a repository, for this client and others."""
LOADED: Final = frozenset({"CLAUDE.md", "CLAUDE.local.md", ".claude/CLAUDE.md", "memory/MEMORY.md"})
"""Documents that the client itself puts before the model, whole."""
NATIVE: Final = "*.md"
"""In the client's own memory folder: one file for each fact, and their index."""
INDEX: Final = "MEMORY.md"
"""The index names what the other files say in full."""

MOST_BYTES: Final = 100_000
"""Of one document; a larger one is no set of rules."""
MOST_DOCUMENTS: Final = 200
_DIGEST_BYTES: Final = 8
_LEAST_CHARACTERS: Final = 12
"""A passage below that is a heading or a rule of dashes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file to read.

    Attributes:
        name: Under which its memories are known: its path in the repository, or `memory/NAME`.
        source: `rules` or `native-memory`.
    """

    name: str
    path: Path
    source: str


def refresh(
    memories: Memories, owner: Owner, wanted: Iterable[Document], digests: MutableMapping[tuple[str, str], str]
) -> int:
    """Bring memories in step with documents; how many were added or hidden.

    Args:
        memories: Where they are stored.
        owner: Whose they are.
        wanted: The documents.
        digests: Of what was read before, by repository and name: an unchanged file costs a look, not a search. Updated.

    Raises:
        KeptError: The store cannot be used; the documents after that are read the next time.
    """
    changed = 0
    for document in wanted:
        content = _content(document.path)
        if content is None:
            continue
        digest = hashlib.blake2b(content, digest_size=_DIGEST_BYTES).hexdigest()
        if digests.get((owner.app_id, document.name)) == digest:
            continue
        changed += _bring(memories, owner, document, digest)
        digests[owner.app_id, document.name] = digest
    return changed


def rules_of(root: Path) -> Iterator[Document]:
    """The documents of a repository that are there."""
    for pattern in RULES:
        for path in _found(root, pattern):
            yield Document(name=path.relative_to(root).as_posix(), path=path, source="rules")


def native_of(folder: Path) -> Iterator[Document]:
    """The client's own memory files: the index only where there is nothing else, because it repeats the others."""
    found = _found(folder, NATIVE)
    facts = [path for path in found if path.name != INDEX]
    for path in facts or found:
        yield Document(name=f"memory/{path.name}", path=path, source="native-memory")


def native_folder(transcript_path: str) -> Path | None:
    """The client's memory folder of the project whose transcript this is."""
    return Path(transcript_path).parent / "memory" if transcript_path else None


def _bring(memories: Memories, owner: Owner, document: Document, digest: str) -> int:
    wanted = {normalise(passage): passage for passage in _passages(document.path)}
    stored = memories.of_document(owner, document.name)
    gone = [memory.id for memory in stored if normalise(memory.text) not in wanted]
    known = {normalise(memory.text) for memory in stored}
    fresh = [passage for key, passage in wanted.items() if key not in known]
    if gone:
        memories.forget(owner, gone)
    if fresh:
        capture = Capture(
            key=f"document:{owner.app_id}:{document.name}:{digest}:{_state(known)}",
            project=owner.project,
            user_id=owner.user_id,
            app_id=owner.app_id,
            facts=tuple(fresh),
            metadata={"source": document.source, "document": document.name},
        )
        memories.store([capture])
    return len(gone) + len(fresh)


def _found(root: Path, pattern: str) -> list[Path]:
    with suppress(OSError, ValueError):
        return sorted(path for path in root.glob(pattern) if path.is_file())[:MOST_DOCUMENTS]
    return []


def _content(path: Path) -> bytes | None:
    """The file's bytes; None when it vanished, cannot be read, or is too large."""
    with suppress(OSError):
        if path.stat().st_size <= MOST_BYTES:
            return path.read_bytes()
    return None


def _passages(path: Path) -> list[str]:
    """What a document says, secrets out, each passage with its headings."""
    from kept.adapters.readers.markdown import MarkdownReader

    try:
        sessions = list(MarkdownReader().read(path))
    except KeptError:
        return []  # it vanished meanwhile, or is no text
    said = [redact(message.content).text.strip() for session in sessions for message in session.messages]
    return [text for text in said if len(text) >= _LEAST_CHARACTERS]


def _state(known: set[str]) -> str:
    """Tells an add apart from one of the same document after its memories were taken away."""
    return hashlib.blake2b("\n".join(sorted(known)).encode(), digest_size=_DIGEST_BYTES).hexdigest()
