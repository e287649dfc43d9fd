"""Readers by name: `open_reader("claude-code", path)` and the like; and which files of a folder are worth reading.

A reader understands one format; what it brings is stored under its name as the connector. Each call of `open_reader` gives
a new reader, whose `warnings` belong to the file it read last.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kept.adapters.readers.decoding import read_head
from kept.errors import InvalidInputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kept.ports import Reader

__all__ = ["discover", "open_reader", "reader_names"]

_SUFFIXES: Final = frozenset({".json", ".jsonl", ".ndjson", ".md", ".markdown", ".mdx", ".txt", ".text"})
"""Files of a folder that are looked into; a file that is named itself may be called anything."""

_SKIPPED_FOLDERS: Final = frozenset({"node_modules", "__pycache__", "tool-results"})
"""Other people's packages, caches, and where Claude Code puts the output of tools beside its transcripts."""


def open_reader(name: str | None, path: Path) -> Reader:
    """The reader of this name, or the first that accepts the file.

    Args:
        name: One of `reader_names()`, or None to go by the file's name and first 64 KB.
        path: The file; only looked into when there is no name.

    Raises:
        InvalidInputError: No reader has this name, no reader accepts the file, or it cannot be read.
        NotFoundError: There is no such file.
    """
    readers = _readers()
    if name is not None:
        for reader in readers:
            if reader.name == name:
                return reader
        raise InvalidInputError(f"Unknown format {name!r}; use one of: {', '.join(reader_names())}.")
    found = _accepting(path, readers)
    if found is None:
        raise InvalidInputError(
            f"{path}: no reader recognises this file. If it is one of these formats, name it: {', '.join(reader_names())}."
        )
    return found


def reader_names() -> tuple[str, ...]:
    """The formats' names, in the order in which they are asked whether they accept a file."""
    return tuple(reader.name for reader in _readers())


def discover(path: Path, left_out: list[Path] | None = None, passed_over: list[Path] | None = None) -> Iterator[Path]:
    """The files to read at a path: itself, or what some reader accepts in the folder and those below it.

    Left out of a folder: hidden files and folders, `node_modules` and its like, links to folders, binaries, and
    files that no reader accepts. So are links to files outside the folder: whoever fills a folder must not choose what
    else is read. A file that cannot be opened is given; reading it tells why.

    Args:
        path: A file or a folder.
        left_out: Takes the links that lead outside.
        passed_over: Takes the files that are not hidden and that no reader accepts.

    Returns:
        Files in sorted order, folder by folder: a folder's own files come before those of its sub-folders.

    Raises:
        NotFoundError: There is nothing at the path.
    """
    if not path.is_dir():
        if not path.exists():
            raise NotFoundError(f"{path}: no such file or folder.")
        yield path
        return
    readers = _readers()
    root = path.resolve()
    for folder, subfolders, files in os.walk(path):
        subfolders[:] = sorted(name for name in subfolders if name not in _SKIPPED_FOLDERS and not name.startswith("."))
        for name in sorted(files):
            file = Path(folder, name)
            if name.startswith(".") or not file.is_file():
                continue
            known = file.suffix.lower() in _SUFFIXES
            if known and file.is_symlink() and not file.resolve().is_relative_to(root):
                if left_out is not None:
                    left_out.append(file)
            elif known and _may_be_read(file, readers):
                yield file
            elif passed_over is not None:
                passed_over.append(file)


def _may_be_read(path: Path, readers: tuple[Reader, ...]) -> bool:
    try:
        return _accepting(path, readers) is not None
    except InvalidInputError:
        return True


def _accepting(path: Path, readers: tuple[Reader, ...]) -> Reader | None:
    head = read_head(path)
    if "\0" in head:  # a binary, whatever its name says
        return None
    return next((reader for reader in readers if reader.accepts(path, head)), None)


def _readers() -> tuple[Reader, ...]:
    """New readers, those that recognise a file by what is in it before those that go by its name."""
    from kept.adapters.readers.chat_json import ChatJsonReader
    from kept.adapters.readers.claude_code import ClaudeCodeReader
    from kept.adapters.readers.kept_export import KeptExportReader
    from kept.adapters.readers.markdown import MarkdownReader
    from kept.adapters.readers.plain_text import PlainTextReader

    return KeptExportReader(), ClaudeCodeReader(), ChatJsonReader(), MarkdownReader(), PlainTextReader()
