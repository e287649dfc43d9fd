"""What language models are told: one Markdown file for each task, part of the package."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def instructions(name: str) -> str:
    """The text of a file, such as `summary.md`."""
    return (files(__package__) / name).read_text(encoding="utf-8").strip()
