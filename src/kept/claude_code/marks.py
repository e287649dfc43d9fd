"""What outlives a process of a session: fingerprints of what was injected, and captures that wait for the store.

The session's start is a process of its own, so what it injected must be known to the server that captures. One file for each
session, to which lines are appended; one file for each waiting capture. Where the folder cannot be written, the session goes on with what
the process remembers.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from kept.claude_code.echoes import Fingerprint
from kept.claude_code.memories import Capture
from kept.domain.digest import digest

KEPT_DAYS: Final = 30
"""After its last use a session's file is removed; the client's own transcripts are kept as long."""
_DAY_S: Final = 86_400


class Mark(NamedTuple):
    """One line of a session's file.

    Attributes:
        given: Fingerprints of what was injected.
        ids: Of the memories injected that stay before the model.
        compacted: Whether all before it went out of the model's sight.
        noticed: Whether the user was told that the memory cannot be used.
    """

    given: Sequence[Fingerprint] = ()
    ids: Sequence[str] = ()
    compacted: bool = False
    noticed: bool = False


class Marks:
    """The files of sessions in one folder.

    Args:
        folder: Where they are; made when it is first written.
    """

    def __init__(self, folder: Path) -> None:
        self._sessions = folder / "sessions"
        self._waiting = folder / "waiting"

    def inject(self, session_id: str, given: Iterable[Fingerprint], ids: Iterable[str]) -> None:
        """Note what a session was given."""
        self._append(session_id, {"ids": list(ids), "given": [[known.wording, sorted(known.terms)] for known in given]})

    def compact(self, session_id: str) -> None:
        """Note that a session was compacted: what it was given and what it said is no longer before the model."""
        self._append(session_id, {"compacted": True})

    def notice(self, session_id: str) -> None:
        """Note that a session's user was told that the memory cannot be used."""
        self._append(session_id, {"noticed": True})

    def of(self, session_id: str) -> Iterator[Mark]:
        """What was noted of a session, in order; a line cut short by a crash is left out."""
        try:
            lines = self._file(session_id).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return
        for line in lines:
            with suppress(ValueError, KeyError, TypeError, AttributeError):
                found = json.loads(line)
                yield Mark(
                    given=[Fingerprint(frozenset(terms), wording) for wording, terms in found.get("given", ())],
                    ids=found.get("ids", ()),
                    compacted=bool(found.get("compacted")),
                    noticed=bool(found.get("noticed")),
                )

    def wait(self, capture: Capture) -> bool:
        """Keep a capture until the store can be reached; whether that was possible."""
        try:
            _private(self._waiting)
            target = self._waiting / f"{_digest(capture.key)}.json"
            unfinished = target.with_suffix(f".{os.getpid()}")
            descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(capture.to_json(), file)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(target)
        except OSError:
            return False
        return True

    def waiting(self) -> list[tuple[Path, Capture]]:
        """Captures that wait, oldest first, each with its file; one that cannot be read is left where it is."""
        found: list[tuple[float, Path, Capture]] = []
        with suppress(OSError):
            for path in self._waiting.glob("*.json"):
                with suppress(OSError, ValueError, KeyError, TypeError):
                    capture = Capture.from_json(json.loads(path.read_text(encoding="utf-8")))
                    found.append((path.stat().st_mtime, path, capture))
        return [(path, capture) for _, path, capture in sorted(found, key=lambda entry: entry[:2])]

    def tidy(self) -> None:
        """Remove what sessions of long ago left."""
        oldest = time.time() - KEPT_DAYS * _DAY_S
        with suppress(OSError):
            for path in self._sessions.iterdir():
                if path.stat().st_mtime < oldest:
                    path.unlink(missing_ok=True)

    def _append(self, session_id: str, line: Mapping[str, Any]) -> None:
        with suppress(OSError):
            _private(self._sessions)
            descriptor = os.open(self._file(session_id), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "a", encoding="utf-8") as file:
                file.write(json.dumps(line, separators=(",", ":")) + "\n")

    def _file(self, session_id: str) -> Path:
        return self._sessions / f"{_digest(session_id)}.jsonl"


def _private(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _digest(name: str) -> str:
    """A file's name for whatever id a client chose."""
    return digest(name)
