"""What the command line does with what it cannot use: one line, an exit code, never a traceback."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest
from click.testing import CliRunner

from kept.cli.app import cli

UNKNOWN = "00000000-0000-4000-8000-000000000000"
WEIRD = {
    "emoji": "I like 🍵 and 👩‍👩‍👧‍👦.",
    "right to left": "مرحبا، أنا أحب القهوة.",
    "lone surrogate": "It was \udcff here.",
    "escape sequence": "It was \x1b[2J here.",
    "direction override": "It was \u202e here.",
    "line ends": "It was\r\nhere\u2028and there.",
}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Gives a function that runs a command line in a store of the test's own, as user ana."""
    monkeypatch.setenv("KEPT_DATABASE", str(tmp_path / "kept.db"))
    monkeypatch.setenv("KEPT_CONFIG", str(tmp_path / "kept.toml"))
    monkeypatch.setenv("KEPT_USER_ID", "ana")
    monkeypatch.chdir(tmp_path)

    def run_command(*arguments: object, stdin: str | bytes | None = None):
        return CliRunner().invoke(cli, [str(argument) for argument in arguments], input=stdin)

    return run_command


REFUSED = [
    (("serch", "x"), 2, "usage", "Did you mean 'search'?"),
    (("list", "--limit", "x"), 2, "usage", "--limit"),
    (("list", "--nonsense"), 2, "usage", "--nonsense"),
    (("add",), 2, "usage", "standard input"),
    (("add", "x", "--metadata", "a"), 2, "usage", "KEY=VALUE"),
    (("add", "x", "--at", "never"), 2, "invalid-input", "ISO 8601"),
    (("add", "x", "--role", "king"), 2, "usage", "--role: 'king' is none of user"),
    (("add", "", "--supersedes", UNKNOWN), 2, "usage", "TEXT is blank"),
    (("graph", "entity", "Nobody"), 3, "not-found", "search the graph for a word"),
    (("add", "x", "--user", "*"), 2, "invalid-scope", "Give one id"),
    (("add", "x", "--supersedes", UNKNOWN), 3, "not-found", UNKNOWN),
    (("add", "--file", "missing.json"), 2, "usage", "missing.json"),
    (("search", " "), 2, "invalid-input", "blank"),
    (("search", "x", "--filter", "{"), 2, "usage", "JSON"),
    (("search", "x", "--filter", "[1]"), 2, "usage", "object"),
    (("search", "x", "--filter", '{"what": {"ever": 1}}'), 2, "invalid-filter", "ever"),
    (("search", "x", "--top-k", "-1"), 2, "invalid-input", "top_k"),
    (("search", "x", "--threshold", "nan"), 2, "invalid-input", "threshold"),
    (("search", "x", "--as-of", "9" * 30), 2, "invalid-input", "9999"),
    (("context", "x", "--budget", "0"), 2, "invalid-input", "budget_tokens"),
    (("list", "--user", " "), 2, "invalid-scope", "blank"),
    (("show", UNKNOWN), 3, "not-found", UNKNOWN),
    (("history", "abcdef"), 3, "not-found", "abcdef"),
    (("update", UNKNOWN, "x"), 3, "not-found", UNKNOWN),
    (("undo",), 3, "not-found", "undo"),
    (("undo", UNKNOWN), 3, "not-found", UNKNOWN),
    (("feedback", UNKNOWN, "splendid"), 2, "usage", "splendid"),
    (("retain", "--days", "-1"), 2, "invalid-input", "days"),
    (("export", "--output", "missing/out.jsonl"), 1, "error", "missing"),
    (("list", "--database", "mysql://here"), 1, "configuration", "mysql://"),
    (("list", "--database", "."), 4, "store-read-only", "folder"),
    (("demo", "--keep", "."), 2, "usage", "directory"),
]


@pytest.mark.parametrize(("arguments", "exit_code", "code", "part"), REFUSED, ids=lambda value: str(value)[:40])
def test_a_refusal_is_one_line_and_an_exit_code(run, arguments, exit_code, code, part):
    """The line says what is wrong; with --json it is one object with a stable code. Nothing goes to stdout."""
    said = run(*arguments)
    assert (said.exit_code, said.stdout, said.stderr.count("\n")) == (exit_code, "", 1)
    assert said.stderr.startswith("kept: error: ")
    assert part in said.stderr
    if arguments[0] != "demo":
        shaped = run("--json", *arguments)
        assert (shaped.exit_code, shaped.stdout, shaped.stderr.count("\n")) == (exit_code, "", 1)
        error = json.loads(shaped.stderr)["error"]
        assert error.keys() == {"code", "message"}
        assert error["code"] == code
        assert part in error["message"]


@pytest.mark.parametrize(
    "content", [b"no database at all", b"SQLite format 3\x00" + b"\x01" * 200], ids=["text", "torn"]
)
@pytest.mark.parametrize("command", [("list",), ("add", "x"), ("search", "x"), ("verify",), ("rebuild",), ("stats",)])
def test_a_broken_store_is_left_as_it_was(run, tmp_path, content, command):
    (tmp_path / "kept.db").write_bytes(content)
    result = run(*command)
    assert (result.exit_code, result.stderr.count("\n")) == (4, 1)
    assert (tmp_path / "kept.db").read_bytes() == content


def test_a_newer_store_is_refused(run, tmp_path):
    run("add", "I like tea.")
    with closing(sqlite3.connect(tmp_path / "kept.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA user_version = 999")
    result = run("list", "--json")
    assert (result.exit_code, json.loads(result.stderr)["error"]["code"]) == (4, "schema-version")


def test_an_unexpected_error_is_one_line_with_a_hint(run, monkeypatch):
    monkeypatch.setattr("kept.engine.service.Service.list", _broken)
    result = run("list")
    assert result.exit_code == 1
    assert result.stderr == "kept: error: Unexpected ZeroDivisionError: a slip (KEPT_DEBUG=1 shows where)\n"
    assert json.loads(run("list", "--json").stderr)["error"]["code"] == "unexpected"


def test_debug_shows_the_traceback(run, monkeypatch):
    monkeypatch.setenv("KEPT_DEBUG", "1")
    monkeypatch.setattr("kept.engine.service.Service.list", _broken)
    result = run("list")
    assert "Traceback" in result.stderr
    assert "in _broken" in result.stderr


def _broken(*_, **__):
    raise ZeroDivisionError("a slip")


@pytest.mark.parametrize("text", WEIRD.values(), ids=WEIRD)
def test_any_text_can_be_stored_found_and_shown(run, text):
    """Whatever an argument holds, no command fails on it, and no control character reaches the terminal."""
    added = run("add", text, "--verbatim", "--metadata", f"key={text}", "--json")
    assert added.exit_code == 0, added.stderr
    memory_id = json.loads(added.stdout)["results"][0]["id"]
    for command in (("list",), ("search", text), ("context", text), ("show", memory_id), ("history", memory_id)):
        result = run(*command)
        assert result.exit_code == 0, result.stderr
        assert not {"\x1b", "\u202e", "\r"} & set(result.stdout)
        assert result.stdout.encode("utf-8", "strict")


@pytest.mark.parametrize("text", [*WEIRD.values(), "nul \0 byte"], ids=[*WEIRD, "nul"])
@pytest.mark.parametrize(
    "command", [("show",), ("delete",), ("undo",), ("list", "--user"), ("add", "x", "--supersedes")]
)
def test_any_text_can_stand_where_an_id_is_asked_for(run, command, text):
    result = run(*command, text)
    assert result.exit_code in {0, 2, 3}
    assert "Unexpected" not in result.stderr


def test_a_large_text_with_strange_bytes_comes_through_standard_input(run):
    result = run("add", "-", "--verbatim", "--json", stdin=b"\xef\xbb\xbf" + b"word \0 \xff " * 20_000)
    assert result.exit_code == 0, result.stderr
    stored = json.loads(result.stdout)["results"][0]["memory"]
    assert len(stored) > 150_000
    assert not {"\0", "\ufeff"} & set(stored)


def test_a_filter_nested_without_end_is_refused(run):
    result = run("search", "x", "--filter", '{"AND":[' * 5_000 + "]}" * 5_000)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
