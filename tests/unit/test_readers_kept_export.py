"""Kept's own exports: whole, or not at all."""

import json
from datetime import UTC, datetime

import pytest

from kept.adapters.readers.kept_export import RECORDS_A_PART, KeptExportReader
from kept.domain.exporting import export_header, export_line
from kept.errors import InvalidInputError

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ID = "00000000-0000-4000-8000-000000000001"
OTHER_ID = "00000000-0000-4000-8000-000000000002"
MEMORY = {"id": ID, "memory": "Ann likes tea.", "created_at": "2026-03-02T12:00:00Z"}


@pytest.fixture
def read(tmp_path):
    """Write header and memories (or raw lines) and read the sessions."""

    def write_and_read(*values, memories=None):
        path = tmp_path / "e.jsonl"
        header = export_header(exported_at=NOON, memories=memories)
        lines = [value if isinstance(value, str) else export_line(value) for value in (header, *values)]
        path.write_text("".join(lines))
        return list(KeptExportReader().read(path))

    return write_and_read


def test_memories_are_given_as_records(read):
    [session] = read(MEMORY, MEMORY | {"id": OTHER_ID})
    assert [record["id"] for record in session.records] == [ID, OTHER_ID]
    assert session.messages == ()


def test_many_memories_come_in_parts(read):
    found = read(*[MEMORY] * (RECORDS_A_PART + 1))
    assert [len(session.records) for session in found] == [RECORDS_A_PART, 1]


def test_an_export_of_nothing_has_no_sessions(read):
    assert read(memories=0) == []


def test_a_memory_that_cannot_be_used_is_named_with_its_line(read):
    with pytest.raises(InvalidInputError, match=r"e\.jsonl:4: field 'created_at'"):
        read(MEMORY, "\n", MEMORY | {"created_at": "soon"})


def test_a_line_that_is_cut_is_an_error(read):
    with pytest.raises(InvalidInputError, match=r"e\.jsonl:3: not JSON"):
        read(MEMORY, json.dumps(MEMORY)[:20])


@pytest.mark.parametrize("promised", [1, 3])
def test_an_export_that_holds_other_than_its_header_promises_is_not_whole(read, promised):
    with pytest.raises(InvalidInputError, match=f"promises {promised} memories, it holds 2"):
        read(MEMORY, MEMORY, memories=promised)


def test_a_file_without_a_header_is_refused(tmp_path):
    path = tmp_path / "e.jsonl"
    path.write_text(export_line(MEMORY))
    with pytest.raises(InvalidInputError, match=r"e\.jsonl:1: no header"):
        list(KeptExportReader().read(path))
