"""Settings, errors, filters and the store's tables are documented as they are."""

from __future__ import annotations

import re
import sqlite3
import tomllib
from contextlib import closing
from dataclasses import MISSING, fields
from typing import get_args

import pytest

import kept
from kept import errors
from kept.adapters.sqlite.connections import migrate
from kept.adapters.sqlite.queries import migrations
from kept.domain import filters
from kept.domain.history import Op
from kept.domain.memory import Kind, State
from kept.settings import PREFIX, Settings, setting_names

SETTINGS = {field.name: field for field in fields(Settings)}
ERRORS = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, errors.KeptError)]


@pytest.mark.parametrize("name", setting_names())
def test_every_setting_is_documented(reference, name):
    """With its variable and its default."""
    rows = {row[0]: row for row in reference("settings").rows() if row[1].startswith(f"`{PREFIX}")}
    _, variable, default, meaning = rows[f"`{name}`"]
    assert variable == f"`{PREFIX}{name.upper()}`"
    assert meaning
    if SETTINGS[name].default is not MISSING:
        value = SETTINGS[name].default
        written = f"`{str(value).lower() if isinstance(value, bool) else value}`"
        assert "`" not in default if value in (None, ()) else default == written  # what has no value is said in words


def test_no_setting_is_documented_that_is_not_there(reference):
    """The table holds the settings and nothing else."""
    documented = {row[0].strip("`") for row in reference("settings").rows() if row[1].startswith(f"`{PREFIX}")}
    assert documented == set(setting_names())


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_every_error_is_documented(reference, error):
    """With its code and what it is a kind of."""
    rows = {row[0]: row for row in reference("errors").rows()}
    _, code, parents, meaning = rows[f"`{error.__name__}`"]
    assert code == f"`{error.code}`"
    assert parents == ", ".join(f"`{base.__name__}`" for base in error.__bases__)
    assert meaning


def test_no_error_is_documented_that_is_not_there(reference):
    """The table holds the errors and nothing else."""
    documented = {row[0].strip("`") for row in reference("errors").rows() if row[0].endswith("Error`")}
    assert documented == {error.__name__ for error in ERRORS}


def test_codes_are_distinct():
    """A program can tell errors apart by their code."""
    assert len({error.code for error in ERRORS}) == len(ERRORS)


def test_every_field_of_a_filter_is_documented(reference):
    """With the operators that it takes."""
    rows = {name: row[1] for row in reference("filters").rows() if len(row) == 3 for name in _quoted(row[0])}
    taken = {name: _operators(name, filters.FIELD_KINDS[name]) for name in get_args(filters.RecordField)}
    assert {name: _quoted(rows[name]) for name in taken} == taken


def test_every_operator_of_a_filter_is_documented(reference):
    """In the table of operators."""
    documented = {
        name
        for row in reference("filters").rows()
        if row[0].startswith("`") and len(row) == 2
        for name in _quoted(row[0])
    }
    assert set(get_args(filters.Operator)) - {"exists"} == documented


@pytest.mark.parametrize("limit", ["MAX_DEPTH", "MAX_CONDITIONS", "MAX_VALUES", "MAX_TEXT_CHARS"])
def test_limits_of_filters_are_documented(reference, limit):
    """As numbers that a reader can rely on."""
    assert f"{getattr(filters, limit):,}" in reference("filters").section("Limits")


def test_every_table_and_column_is_documented(reference):
    """The reference of the store holds what the migrations make."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        columns = {
            table: {row[1] for row in connection.execute(f"PRAGMA table_info('{table}')")}
            for table in tables
            if not table.startswith("sqlite_")
        }
    page = reference("store")
    for table, names in columns.items():
        described = set(re.findall(r"`(\w+)`", page.section(f"`{table}`")))
        assert names - described == set(), table


def test_the_schema_version_is_documented(reference):
    """The number of the last migration."""
    assert f"Schema version: {max(number for number, _ in migrations())}" in reference("store").text


@pytest.mark.parametrize("words", [get_args(State), get_args(Kind), get_args(Op)], ids=["state", "kind", "op"])
def test_closed_sets_of_words_are_documented(reference, words):
    """Every state, kind and operation that a column may hold."""
    text = reference("store").text
    assert [word for word in words if f"`{word}`" not in text] == []


def test_the_version_is_the_same_everywhere(root):
    """In the package, in its metadata, and at the top of the changelog."""
    with (root / "pyproject.toml").open("rb") as file:
        declared = tomllib.load(file)["project"]["version"]
    newest = re.search(r"(?m)^## (\S+)", (root / "CHANGELOG.md").read_text(encoding="utf-8"))
    assert kept.__version__ == declared == newest[1]


def _quoted(cell: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", cell))


def _operators(name: str, kind: str) -> set[str]:
    """The operators that the parser takes for a field, found by asking it."""
    taken = set()
    for operator in set(get_args(filters.Operator)) - {"exists"}:
        operand = _OPERANDS[kind]
        try:
            filters.parse_filter({name: {operator: [operand] if operator in {"in", "nin"} else operand}})
        except errors.FilterError:
            continue
        taken.add(operator)
    return taken if name != "metadata" else set()


_OPERANDS = {
    "name": "x",
    "text": "x",
    "labels": "x",
    "moment": "2026-03-02",
    "day": "2026-03-02",
    "metadata": "x",
    "metadata_key": "x",
}
