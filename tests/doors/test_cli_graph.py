"""`kept graph`."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from kept.cli.app import cli

SAID = ("Tom is my boss.", "Tom is married to Eve.", "Eve works at Globex.", "We use Postgres.", "Bob uses PostgreSQL.")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a command line in a store of the test's own, as user Alice, with things said."""
    for name, value in (("DATABASE", tmp_path / "kept.db"), ("CONFIG", tmp_path / "kept.toml"), ("USER_ID", "Alice")):
        monkeypatch.setenv(f"KEPT_{name}", str(value))

    def run(*words, code=0):
        result = CliRunner().invoke(cli, [str(word) for word in words])
        assert result.exit_code == code, result.output
        run.said = result.stderr
        return result.stdout

    for text in SAID:
        run("add", text)
    return run


def test_entities_are_shown_with_their_relations_and_memories(run):
    lines = run("graph", "search", "tom").splitlines()
    assert lines[0].startswith("Tom (person)  2 memories, last ")
    assert [line.rsplit("  ", 1)[0].strip() for line in lines[1:]] == ["Tom married_to Eve", "Alice boss Tom"]
    run("graph", "search", "nobody", code=3)


def test_one_entity_is_shown_with_what_it_is_mentioned_with(run):
    shown = run("graph", "entity", "Eve")
    assert "Eve works_at Globex" in shown
    assert "mentioned with: Globex (1), Tom (1)" in shown
    assert json.loads(run("graph", "entity", "Eve", "--json"))["name"] == "Eve"
    run("graph", "entity", "Nobody", code=3)


def test_what_is_near_and_how_two_belong_together(run):
    rows = run("graph", "neighbours", "Tom", "--depth", "2").splitlines()
    assert [row.split()[:2] for row in rows if row[0] != " "] == [
        ["1", "Eve"],
        ["1", "Alice"],
        ["2", "Postgres"],
        ["2", "Globex"],
    ]
    path = run("graph", "paths", "Alice", "Globex").splitlines()
    assert path[0] == "3 steps"
    assert [line.split()[:3] for line in path[1:]] == [
        ["Alice", "boss", "Tom"], ["Tom", "married_to", "Eve"], ["Eve", "works_at", "Globex"]
    ]  # fmt: skip
    run("graph", "paths", "Alice", "Globex", "--max-length", "2", code=3)
    assert "no path of at most 2 steps" in run.said


def test_merges_are_made_shown_and_taken_back(run):
    assert run("graph", "likenesses") == "Postgres, PostgreSQL: one begins with the other\n"
    assert run("graph", "merge", "Postgres", "PostgreSQL").startswith("merged  Postgres")
    assert "also: PostgreSQL" in run("graph", "entity", "Postgres")
    assert run("graph", "split", "PostgreSQL") == "split  postgresql\n"
    run("graph", "split", "PostgreSQL", code=3)


def test_an_entity_that_nothing_relates_to_is_said_so_by_its_name(run):
    run("add", "I met Bruno Costa.")
    assert run("graph", "neighbours", "bruno costa").startswith("Bruno Costa (name)  1 memory")
    assert "Nothing relates to it." in run.said


def test_an_entity_is_called_by_its_name_where_it_is_only_mentioned_with_others(run):
    run("add", "Dinner with Mia and Noa.")
    assert "Mia mentioned_with Noa" in run("graph", "neighbours", "mia")


def test_an_entity_is_not_merged_with_itself(run):
    run("graph", "merge", "Tom", "tom", code=2)
    assert "'tom' and 'Tom' are one entity already" in run.said


def test_that_nothing_looks_alike_is_said(run):
    run("graph", "merge", "Postgres", "PostgreSQL")
    assert run("graph", "likenesses") == ""
    assert "No two entities look like one" in run.said


def test_what_no_longer_holds_says_so(run):
    old = json.loads(run("list", "--json"))["results"]
    boss = next(one["id"] for one in old if "boss" in one["memory"])
    run("add", "Zoe is my boss.", "--supersedes", boss)
    shown = run("graph", "neighbours", "Alice", "--relationship", "boss")
    assert "Alice boss Tom  [superseded until " in shown


@pytest.mark.parametrize("words", [("search", "tom"), ("neighbours", "Tom"), ("paths", "Tom", "Eve"), ("likenesses",)])
def test_every_answer_is_one_document_when_asked(run, words):
    assert json.loads(run("graph", *words, "--json"))["results"]


def test_an_add_shows_what_it_may_contradict(run):
    assert "likely contradicts (other value): " in run("add", "Zoe is my boss.")
