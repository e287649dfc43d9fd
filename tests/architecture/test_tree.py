"""Names and words that must not be in the tree."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

VAGUE_MODULES = {"common", "helper", "helpers", "manager", "misc", "util", "utils"}
VAGUE_CLASSES = re.compile(r"^(Abstract|Base)[A-Z]|(Base|Helper|Impl|Manager|Utils?)$")

SKIPPED = {".git", ".venv", ".hypothesis", "__pycache__", "build", "dist"}
TEXT = {"", ".cfg", ".json", ".jsonl", ".md", ".py", ".sql", ".toml", ".txt", ".yaml", ".yml"}

SHIPPED = (
    "src",
    "docs",
    "examples",
    "benchmarks",
    "README.md",
    "CHANGELOG.md",
    "AGENTS.md",
    "Makefile",
    ".ci",
    "pyproject.toml",
)
# Written in parts so that this file does not contain what it looks for.
MACHINE_PATH = re.compile(r"(?<![\w.~/])/(" + "|".join(("work", "tmp", "root", "private/" + "tmp")) + r")/\w")
REGISTRY = re.compile(
    "|".join((r"pypi\." + "org", "pythonhosted" + r"\.org", "--index" + "-url", "--extra-index" + "-url"))
)
UNFINISHED = re.compile(r"(?:#|--|//)\s*(?:" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3)) + r")\b")


def test_modules_are_named_for_what_they_hold(package):
    """No module is called by a word that fits any code."""
    vague = {path.name for path in package.rglob("*") if path.stem in VAGUE_MODULES}
    assert vague == set()


def test_classes_are_named_for_what_they_are(trees):
    """No class is called by its place in a pattern."""
    names = {node.name for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    assert {name for name in names if VAGUE_CLASSES.search(name)} == set()


def test_nothing_shipped_names_a_machine(root):
    """No path of some machine's file system is in the code, the documentation or the tools."""
    paths = [path for path in _texts(root) if path.relative_to(root).as_posix().startswith(SHIPPED)]
    assert _lines_with(MACHINE_PATH, paths, root) == []


def test_nothing_names_a_package_registry(root):
    """Where packages come from is the business of whoever installs."""
    assert _lines_with(REGISTRY, _texts(root), root) == []


def test_nothing_is_marked_as_unfinished(root):
    """What is left to do is an issue, not a comment."""
    assert _lines_with(UNFINISHED, [path for path in _texts(root) if path.suffix in {".py", ".sql", ".md"}], root) == []


@pytest.mark.parametrize("pattern", [MACHINE_PATH, REGISTRY, UNFINISHED])
def test_the_patterns_find_what_they_are_for(pattern):
    """A pattern that matches nothing would hold for ever."""
    samples = ["see /" + "work/main", "https://pypi." + "org/simple", "# TO" + "DO: later"]
    assert sum(bool(pattern.search(sample)) for sample in samples) == 1


def _texts(root: Path) -> list[Path]:
    return [
        path
        for path in root.rglob("*")
        if path.is_file()
        and path.suffix in TEXT
        and not any(part in SKIPPED or part.endswith("_cache") for part in path.relative_to(root).parts)
    ]


def _lines_with(pattern: re.Pattern[str], paths: list[Path], root: Path) -> list[str]:
    return [
        f"{path.relative_to(root)}:{number}: {line.strip()[:120]}"
        for path in paths
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1)
        if pattern.search(line)
    ]
