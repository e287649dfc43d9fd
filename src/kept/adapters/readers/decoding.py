"""Bytes of a file to text, lines and JSON, with errors that name the file and the place.

UTF-8 with or without a byte order mark; UTF-16 and UTF-32 with one. UTF-8 is streamed line by line, so a file of JSON
lines costs the memory of its longest line; the wide encodings are read whole.
"""

from __future__ import annotations

import codecs
import json
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Literal

from kept.errors import InvalidInputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Errors = Literal["strict", "replace"]
"""What a byte outside the encoding does: raise, or become U+FFFD."""

HEAD_BYTES: Final = 1 << 16
"""What of a file is looked at to tell its format; the port promises readers 64 KB."""

_WIDE: Final = (
    # UTF-32 first: its little-endian mark begins with UTF-16's.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_head(path: Path) -> str:
    """The first 64 KB as text, undecodable bytes replaced; a character cut at the end is left out.

    Raises:
        NotFoundError: There is no such file.
        InvalidInputError: It is no regular file, or cannot be read.
    """
    with _opened(path) as file:
        data = file.read(HEAD_BYTES)
    encoding = _encoding(data)
    return codecs.getincrementaldecoder(encoding)("replace").decode(data)


def read_text(path: Path) -> str:
    """The whole file, its line ends as line feeds, without a byte order mark.

    Raises:
        NotFoundError: There is no such file.
        InvalidInputError: It is no regular file, cannot be read, or holds bytes that are no text.
    """
    with _opened(path) as file:
        data = file.read()
    text = _decoded(data, _encoding(data), path, "strict", offset=0)
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def read_lines(path: Path, errors: Errors = "strict") -> Iterator[tuple[int, str]]:
    """Lines with their numbers, from 1, as they stand in the file; only a line feed ends a line, and it is kept.

    Args:
        path: A file.
        errors: What an undecodable byte does.

    Raises:
        NotFoundError: There is no such file.
        InvalidInputError: It is no regular file, cannot be read, or (strict) holds bytes that are no text.
    """
    with _opened(path) as file:
        start = file.read(len(codecs.BOM_UTF32_LE))
        encoding = _encoding(start)
        file.seek(0)
        if encoding != "utf-8-sig":
            text = _decoded(file.read(), encoding, path, errors, offset=0)
            yield from enumerate(_cut_lines(text), 1)
            return
        offset = len(codecs.BOM_UTF8) if start.startswith(codecs.BOM_UTF8) else 0
        file.seek(offset)
        for number, line in enumerate(file, 1):
            yield number, _decoded(line, "utf-8", path, errors, offset=offset)
            offset += len(line)


def parse_json(text: str, path: Path, line: int | None = None) -> Any:
    """The JSON value of a text.

    Args:
        text: All of it must be one value.
        path: Where it stands, for the error.
        line: The file's line when `text` is one line; None when it is the file.

    Raises:
        InvalidInputError: It is not JSON, or nested too deeply to be read; names file, line and column.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"{path}:{line or error.lineno}"
        raise InvalidInputError(f"{place}: not JSON: {error.msg} at column {error.colno}.") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; thousands of nested brackets
        place = f"{path}:{line}" if line else str(path)
        raise InvalidInputError(
            f"{place}: JSON beyond what can be read (a huge number or very deep nesting)."
        ) from error


def _encoding(data: bytes) -> str:
    return next((name for mark, name in _WIDE if data.startswith(mark)), "utf-8-sig")


def _cut_lines(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


def _decoded(data: bytes, encoding: str, path: Path, errors: Errors, *, offset: int) -> str:
    try:
        return data.decode(encoding, errors)
    except UnicodeDecodeError as error:
        at = offset + error.start
        if encoding == "utf-8-sig" and data.startswith(codecs.BOM_UTF8):
            at += len(codecs.BOM_UTF8)  # the codec counts from behind the mark
        name = encoding.removesuffix("-sig").upper()
        raise InvalidInputError(
            f"{path}: not {name} text: byte 0x{error.object[error.start]:02x} at offset {at}. Save it as UTF-8."
        ) from error


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    if path.is_dir():  # opening one fails differently on each platform
        raise InvalidInputError(f"{path} is a folder; give a file, or walk it with discover().")
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe waits for a writer, some devices never end
            raise InvalidInputError(f"{path} is a pipe, socket or device; give a regular file.")
        with path.open("rb") as file:
            yield file
    except FileNotFoundError as error:
        raise NotFoundError(f"{path}: no such file.") from error
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be read: {error.strerror or error}.") from error
