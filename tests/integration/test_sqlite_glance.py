"""A glance at a store shows what the log lists, and leaves to the log what is not plain."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept import Memory
from kept.adapters.sqlite.glance import SCHEMAS, Glance
from kept.adapters.sqlite.queries import schema_version
from kept.domain.scope import Scope

TODAY = date(2026, 5, 4)


def glance(path: Path, user_id: str | None = "maya", app_id: str = "shop") -> Glance:
    return Glance(path, project="default", user_id=user_id, app_id=app_id, today=TODAY.isoformat())


def test_it_knows_the_schema_that_is_written():
    """A migration that changes what these columns mean takes the older number out."""
    assert schema_version() in SCHEMAS


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Memories of several users, applications, days and fates."""
    path = tmp_path_factory.mktemp("store") / "kept.db"
    with Memory(path) as memory:
        for number in range(60):
            memory.add(
                f"Statement number {number}",
                user_id=("maya", "ben", None)[number % 3],
                agent_id="helper",
                app_id=("shop", "blog", None)[number // 3 % 3],
                infer=False,
                timestamp=1_700_000_000 + number % 7,
                expiration_date=(TODAY + timedelta(days=number % 5 - 2)).isoformat() if number % 2 else None,
                metadata={"number": number} if number % 4 else None,
                related=0,
            )
        for place, record in enumerate(memory.service.list(Scope.everything())[0]):
            if place % 6 == 0:
                memory.delete(record.id)
            elif place % 6 == 1:
                memory.invalidate(record.id)
        yield path, memory.service


@pytest.mark.parametrize("user_id", ["maya", "ben", None, "nobody"])
@pytest.mark.parametrize("app_id", ["shop", "blog", "none"])
@pytest.mark.parametrize("lasting", [False, True])
@pytest.mark.parametrize("limit", [1, 3, 100])
def test_it_lists_what_the_log_lists(stored, user_id, app_id, lasting, limit):
    path, service = stored
    filters = {"AND": [{"OR": [{"expires_on": None}, {"expires_on": {"gte": TODAY.isoformat()}}]}]}
    if lasting:
        filters["AND"].append({"expires_on": None})
    scope = Scope(user_id=user_id, app_id=app_id)
    listed, _ = service.list(scope, filters=filters, limit=limit, latest_only=True, show_expired=True)
    rows = glance(path, user_id, app_id).newest(limit, lasting=lasting)
    assert [(row[0], row[1], row[2], row[5]) for row in rows] == [
        (record.id, record.text, record.speaker, record.run_id) for record in listed
    ]
    _, total = service.list(scope, filters={"AND": filters["AND"][:1]}, limit=0, latest_only=True, show_expired=True)
    assert glance(path, user_id, app_id).count() == total


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_name_is_more_than_a_name(stored, user_id, app_id):
    assert glance(stored[0], user_id, app_id).count() == 0


def test_a_store_that_does_not_exist_is_empty_and_is_not_made(store_path):
    assert glance(store_path).count() == 0
    assert glance(store_path).newest(5) == []
    assert not store_path.exists()


@pytest.mark.parametrize("content", [b"no database at all, but long enough to be one " * 50, b""])
def test_what_is_no_plain_store_is_left_to_the_log(store_path, content):
    store_path.write_bytes(content)
    assert glance(store_path).count() is None


def test_another_schema_is_left_to_the_log(store_path):
    Memory(store_path).close()
    with closing(sqlite3.connect(store_path)) as connection:
        connection.execute(f"PRAGMA user_version = {schema_version() + 1}")
    assert glance(store_path).newest(5) is None
