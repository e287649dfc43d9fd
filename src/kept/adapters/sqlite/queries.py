"""Named queries and numbered migrations, loaded once from the `.sql` files beside this module."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

_MARK: Final = "-- name:"
_FILES: Final = ("queries.sql", "control.sql", "ledger.sql", "graph.sql", "touches.sql")


@cache
def queries() -> dict[str, str]:
    """The statements of the `.sql` files by name."""
    found = {}
    for file in _FILES:
        text = (files(__package__) / file).read_text(encoding="utf-8")
        for block in text.split(_MARK)[1:]:
            name, _, statement = block.partition("\n")
            found[name.strip()] = statement.strip()
    return found


@cache
def migrations() -> tuple[tuple[int, str], ...]:
    """Number and script of each migration, rising. The schema's version is the last number."""
    scripts = sorted((files(__package__) / "migrations").iterdir(), key=lambda script: script.name)
    return tuple(
        (int(script.name.partition("_")[0]), script.read_text(encoding="utf-8"))
        for script in scripts
        if script.name.endswith(".sql")
    )


def schema_version() -> int:
    """The schema that this code reads and writes."""
    return migrations()[-1][0]
