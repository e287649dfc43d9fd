"""Reads what Kept exports: JSON lines, a header first, then a memory a line (see `domain.exporting`)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from kept.adapters.readers.decoding import parse_json, read_lines
from kept.domain.exporting import check_header, from_export
from kept.errors import InvalidInputError
from kept.ports import ReadSession

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_HEADER: Final = re.compile(r'(?<!\\)"kept_export"\s*:')
"""The header's key; inside a JSON string the quote would stand behind a back-slash."""

RECORDS_A_PART: Final = 1000
"""Memories are handed on in sessions of this size, so that an export larger than memory can be read."""


@dataclass(slots=True)
class KeptExportReader:
    """Reads Kept's own exports.

    Attributes:
        warnings: Always empty: an export that is not whole is an error.
    """

    warnings: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The format's name."""
        return "kept-export"

    def accepts(self, path: Path, head: str) -> bool:  # noqa: ARG002
        """Whether the first line is an export's header."""
        first = head.lstrip().partition("\n")[0]
        return first.startswith("{") and _HEADER.search(first) is not None

    def read(self, path: Path) -> Iterator[ReadSession]:
        """Sessions of at most 1,000 memories in export form, each checked, in the file's order.

        Raises:
            NotFoundError: There is no such file.
            InvalidInputError: The header or a memory is malformed, the export is cut short, or a newer Kept made it;
                names the file and the line. Sessions before that line have been given by then.
        """
        lines = ((number, line) for number, line in read_lines(path) if not line.isspace())
        number, first = next(lines, (1, ""))
        if not first:
            return
        promised = check_header(parse_json(first, path, number), place=f"{path}:{number}")
        part: list[Mapping[str, Any]] = []
        found = 0
        for number, line in lines:
            record = parse_json(line, path, number)
            from_export(record, place=f"{path}:{number}")
            found += 1
            part.append(record)
            if len(part) == RECORDS_A_PART:
                yield ReadSession(records=tuple(part))
                part.clear()
        if part:
            yield ReadSession(records=tuple(part))
        if promised is not None and found != promised:
            raise InvalidInputError(f"{path} is not whole: its header promises {promised} memories, it holds {found}.")
