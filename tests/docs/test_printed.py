"""What a page shows as printed is what is printed: ids, times, scores and bars aside."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

import kept
from kept.cli.app import cli

if TYPE_CHECKING:
    from conftest import Page

RUN = """
import contextlib, io, json, sys

namespace = {"__name__": "__main__"}
name, blocks = json.load(sys.stdin)
printed = []
for line, text in blocks:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile("\\n" * (line - 1) + text, name, "exec"), namespace)
    printed.append(out.getvalue())
print(json.dumps(printed))
"""
VARYING = (
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "UUID"),
    (re.compile(r"\b[0-9a-f]{8}\b"), "ID"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d UTC"), "NOW"),
    (re.compile(r"[+-]?\d\.\d\d\b"), "SCORE"),
    (re.compile(r"[\u2588\u2591]+ *"), "BAR "),
    (re.compile(r"^\d+(?= of \d+ tokens)"), "SOME"),
)
"""What differs from run to run, and what stands in its place when two are compared."""
LEFT_OUT = "\u2026"
"""A line of a page that ends what is shown of a longer answer."""


def alike(printed: str) -> list[str]:
    """Lines as they are compared."""
    for pattern, name in VARYING:
        printed = re.sub(pattern.pattern, name, printed, flags=re.MULTILINE)
    return [line.rstrip() for line in printed.strip().splitlines()]


def shown_below(page: Page) -> dict[int, str]:
    """The blocks of output that stand directly below a Python block of a page, by the line of that."""
    lines = page.text.splitlines()
    blocks = [block for block in page.blocks if block.info in {"python", "text"}]
    return {
        one.line: other.text
        for one, other in pairwise(blocks)
        if (one.info, other.info) == ("python", "text")
        and not "".join(lines[one.line + one.text.count("\n") + 1 : other.line - 2]).strip()
    }


@pytest.mark.timeout(60)
def test_python_examples_print_what_stands_below_them(page, tmp_path):
    expected = shown_below(page)
    if not expected:
        return
    blocks = [(block.line, block.text) for block in page.blocks if block.info == "python"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KEPT_")} | {
        "KEPT_DATABASE": f"sqlite:///{tmp_path.as_posix()}/kept.db",
        "PYTHONPATH": str(Path(kept.__file__).parents[1]),
        "PYTHONUTF8": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        check=True,
        input=json.dumps([str(page.path), blocks]),
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=tmp_path,
        env=environment,
    )
    printed = dict(zip((line for line, _ in blocks), json.loads(done.stdout), strict=True))
    for line, text in expected.items():
        assert alike(printed[line]) == alike(text), f"{page.name}:{line}"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Gives a function that runs a command line in a store of its own; its output, what goes to stderr included."""
    monkeypatch.setenv("KEPT_DATABASE", str(tmp_path / "kept.db"))
    monkeypatch.setenv("KEPT_USER_ID", "ana")
    monkeypatch.chdir(tmp_path)

    def run_command(*arguments: str) -> str:
        done = CliRunner().invoke(cli, list(arguments))
        assert done.exit_code == 0, done.output
        return done.output

    return run_command


@pytest.fixture
def readme(page_at):
    return page_at("README.md")


def commands(readme: Page, first: str) -> list[str]:
    """The blocks of the README that begin with this command."""
    found = [block.text for block in readme.blocks if block.text.startswith(f"$ kept {first}")]
    assert found
    return found


def test_the_demo_prints_the_pieces_that_the_readme_shows(readme, run):
    told = alike(run("demo"))
    for text in [*commands(readme, "search"), *commands(readme, "context")]:
        expected = alike(text.partition(f"\n      {LEFT_OUT}")[0])
        at = told.index(expected[0])
        assert told[at : at + len(expected)] == expected


def test_the_commands_of_the_readme_print_what_it_shows(readme, run):
    """Ids that a command names are those that the commands before it have printed."""
    (text,) = commands(readme, "add")
    ids: dict[str, str] = {}
    for command in re.split(r"(?m)^\$ kept ", text)[1:]:
        line, _, expected = command.partition("\n")
        typed = [ids.get(word, word) for word in shlex.split(line)]
        printed = run(*typed)
        assert today_aside(alike(printed)) == today_aside(alike(expected)), line
        ids |= dict(zip(re.findall(r"\b[0-9a-f]{8}\b", expected), re.findall(r"\b[0-9a-f]{8}\b", printed), strict=True))


def today_aside(lines: list[str]) -> list[str]:
    return [re.sub(r"\b\d{4}-\d\d-\d\d\b", "TODAY", line) for line in lines]


def test_an_import_prints_what_its_page_shows(page_at, root, run, tmp_path):
    """The page's transcript is the sample session, where Claude Code would have put it."""
    blocks = page_at("docs/how-to/import-sessions.md").blocks
    expected = next(block.text for block in blocks if block.text.startswith("projects/"))
    transcript = tmp_path / expected.split()[0]
    transcript.parent.mkdir(parents=True)
    shutil.copy(root / "examples" / "claude-code-session.jsonl", transcript)
    assert run("import", "projects").strip() == expected
