"""The glossary is the authority on words: code uses them, and not their synonyms."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import kept

if TYPE_CHECKING:
    from collections.abc import Iterable


SURFACE = (
    "settings.py",
    "ports.py",
    "sdk",
    "engine/service.py",
    "domain/memory.py",
    "domain/history.py",
    "domain/scope.py",
)
"""Where names are given that others use."""

PACKAGE = Path(kept.__file__).parent


def names_in(paths: Iterable[Path]) -> set[str]:
    """Every name that modules define (classes, functions, arguments, attributes) and SQL files give to columns."""
    found: set[str] = set()
    for path in paths:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".sql":
            found |= set(re.findall(r"(?m)^    (\w+) +(?:TEXT|INTEGER|BLOB)", text))
            continue
        found.add(path.stem)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.arg):
                found.add(node.arg)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found.add(node.target.id)
    return {re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower() for name in found if not name.startswith("_")}


@pytest.fixture(scope="module")
def names() -> set[str]:
    """Names anywhere in the package."""
    return names_in([*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.sql")])


@pytest.fixture(scope="module")
def public_names() -> set[str]:
    """Names that callers, adapter authors and readers of the store meet."""
    modules = [
        path for place in SURFACE for path in ([PACKAGE / place] if "." in place else (PACKAGE / place).rglob("*.py"))
    ]
    return names_in([*modules, *(PACKAGE / "adapters" / "sqlite" / "migrations").glob("*.sql")])


def test_every_word_is_used(reference, names):
    """A word that names nothing in the code explains nothing."""
    parts = {f"_{name}_" for name in names}
    unused = [word for word, _ in _words(reference) if not any(f"_{word}" in name for name in parts)]
    assert unused == []


def test_no_synonym_is_used(reference, public_names):
    """What the glossary rules out is in no name."""
    parts = {name: f"_{name}_" for name in public_names}
    used = {
        (synonym, name)
        for _, synonyms in _words(reference)
        for synonym in synonyms
        for name, padded in parts.items()
        if f"_{synonym}_" in padded
    }
    assert used == set()


def test_no_word_is_a_synonym_of_another(reference):
    """Each idea has one word."""
    words = [word for word, _ in _words(reference)]
    assert len(set(words)) == len(words)
    assert set(words) & {synonym for _, synonyms in _words(reference) for synonym in synonyms} == set()


@pytest.mark.parametrize("phrase", ["semantic search", "namespace", "tenant", "vector store of", "memory item"])
def test_pages_use_the_words(page, phrase):
    """Documentation speaks as the code does."""
    if page.name.endswith("glossary.md"):
        return
    assert phrase not in page.prose.lower()


def _words(reference) -> list[tuple[str, list[str]]]:
    rows = [row for row in reference("glossary").rows() if row[0].startswith("`")]
    return [(row[0].strip("`"), re.findall(r"`(\w+)`", row[2])) for row in rows]
