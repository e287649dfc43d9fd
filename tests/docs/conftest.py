"""What the tests of the documentation read: its pages, their headings, tables, code blocks and links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<info>.*)$")


@dataclass(frozen=True)
class Block:
    """A fenced code block: what it says it is, its text, and the line in its page where the text begins."""

    info: str
    text: str
    line: int


@dataclass(frozen=True)
class Page:
    """A page of Markdown."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def blocks(self) -> list[Block]:
        found: list[Block] = []
        opened: re.Match[str] | None = None
        lines: list[str] = []
        for number, line in enumerate(self.text.splitlines(), start=1):
            fence = FENCE.match(line)
            if opened is None:
                if fence:
                    opened, lines, start = fence, [], number + 1
            elif fence and fence["fence"].startswith(opened["fence"]) and not fence["info"].strip():
                found.append(Block(info=opened["info"].strip(), text="\n".join(lines), line=start))
                opened = None
            else:
                lines.append(line.removeprefix(opened["indent"]))
        assert opened is None, f"{self.name}: a code block is not closed"
        return found

    @property
    def prose(self) -> str:
        """The page without its code blocks."""
        return re.sub(r"(?ms)^ *(`{3,}|~{3,}).*?^ *\1 *$", "", self.text)

    def section(self, heading: str) -> str:
        """The text under a heading, up to the next one of its own level or above."""
        levels = re.search(rf"(?m)^(#+) {re.escape(heading)}$", self.text)
        assert levels, f"{self.name} has no heading {heading!r}"
        rest = self.text[levels.end() :]
        after = re.search(rf"(?m)^#{{1,{len(levels[1])}}} ", rest)
        return rest[: after.start()] if after else rest

    def headings(self, level: int) -> list[str]:
        return re.findall(rf"(?m)^{'#' * level} (.+)$", self.prose)

    def rows(self) -> list[list[str]]:
        """Cells of every table row, without its head and rule."""
        lines = [line for line in self.prose.splitlines() if line.startswith("|")]
        cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
        return [row for row in cells if not all(re.fullmatch(r":?-+:?", cell) for cell in row)]


def page_paths() -> list[Path]:
    """Every page that a reader of the repository may open."""
    tops = [ROOT / name for name in ("README.md", "AGENTS.md", "CHANGELOG.md")]
    below = [path for folder in ("docs", "examples", "benchmarks") for path in (ROOT / folder).rglob("*.md")]
    return [path for path in tops if path.exists()] + sorted(below)


@pytest.fixture(scope="session")
def reference():
    """Gives a function that opens a page of the reference by its name."""
    return lambda name: Page(ROOT / "docs" / "reference" / f"{name}.md")


@pytest.fixture(scope="session")
def page_at():
    """Gives a function that opens a page by its path in the repository."""
    return lambda path: Page(ROOT / path)


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the repository."""
    return ROOT


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `page` runs once for each page."""
    if "page" in metafunc.fixturenames:
        pages = [Page(path) for path in page_paths()]
        metafunc.parametrize("page", pages, ids=[page.name for page in pages])
