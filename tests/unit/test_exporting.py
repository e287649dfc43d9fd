"""The export form of a memory, and its Markdown."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.domain.exporting import (
    EXPORT_VERSION,
    check_header,
    export_header,
    export_line,
    from_export,
    to_export,
    to_markdown,
)
from kept.domain.memory import EntityRef, Kind, MemoryRecord, Relation, State
from kept.domain.scope import Scope
from kept.errors import InvalidInputError

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ID = "00000000-0000-4000-8000-000000000001"

texts = st.text(max_size=40)
names = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=12)
zones = st.sampled_from([UTC, timezone(timedelta(hours=2)), timezone(timedelta(hours=-11, minutes=-30))])
margin = timedelta(days=2)  # no zone may carry a time out of the years 1 to 9999
times = st.datetimes(
    min_value=datetime.min + margin,  # noqa: DTZ901 (Hypothesis takes naive bounds and adds the zone)
    max_value=datetime.max - margin,  # noqa: DTZ901
    timezones=zones,
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
records = st.builds(
    MemoryRecord,
    id=st.uuids().map(str),
    key=st.just(7),
    seq=st.just(9),
    scope=st.builds(
        Scope, project=names, user_id=st.none() | names, agent_id=st.none() | names, run_id=st.none() | names
    ),
    state=st.sampled_from(get_args(State)),
    text=texts,
    hash=texts,
    kind=st.sampled_from(get_args(Kind)),
    speaker=st.none() | texts,
    role=st.none() | texts,
    metadata=st.dictionaries(texts, json_values, max_size=3),
    categories=st.lists(texts, max_size=3).map(tuple),
    entity_refs=st.lists(st.builds(EntityRef, name=texts, kind=texts, key=texts), max_size=2).map(tuple),
    relations=st.lists(st.builds(Relation, source=texts, relationship=texts, target=texts), max_size=2).map(tuple),
    created_at=times,
    updated_at=times,
    recorded_at=times,
    expires_on=st.none() | st.dates(),
    superseded_by=st.none() | names,
    supersedes=st.lists(names, max_size=3).map(tuple),
    episode_id=st.none() | names,
    position=st.none() | st.integers(0, 10**6),
    connector=names,
    reinforced=st.integers(0, 10**6),
    immutable=st.booleans(),
    feedback=st.sampled_from([None, "POSITIVE", "NEGATIVE", "VERY_NEGATIVE"]),
)
spans = st.lists(times, min_size=2, max_size=2).map(sorted)
records = st.builds(
    lambda record, span, begins, ends: replace(
        record, valid_from=span[0] if begins else None, valid_to=span[1] if ends else None
    ),
    records,
    spans,
    st.booleans(),
    st.booleans(),
)


def record(**fields):
    """A memory of Ann's, with the given fields."""
    defaults = {"id": ID, "key": 1, "seq": 1, "scope": Scope(user_id="ann"), "text": "Ann likes tea."}
    times_of = {"created_at": NOON, "updated_at": NOON, "recorded_at": NOON}
    return MemoryRecord(**(defaults | times_of | fields))


def exported(**fields):
    """The export form of Ann's memory with some fields replaced; `...` takes one out."""
    form = to_export(record()) | fields
    return {name: value for name, value in form.items() if value is not ...}


def document(*memories):
    return "\n".join(to_markdown(memories))


# --- JSON ---


@given(records)
def test_an_exported_memory_comes_back_with_every_field(original):
    """Through the very bytes of the file, so that nothing depends on Python's own types."""
    line = export_line(to_export(original)).encode("ascii")
    assert MemoryRecord(key=original.key, seq=original.seq, **from_export(json.loads(line))) == original


@given(records)
def test_every_export_has_the_same_names_in_the_same_order(original):
    """A reader of the file can rely on each column."""
    assert list(to_export(original)) == list(to_export(record()))


def test_the_export_form_covers_every_field_of_a_memory():
    """A field that is added to the memory cannot be forgotten here."""
    assert set(from_export(to_export(full_record()))) == set(MemoryRecord.__dataclass_fields__) - {"key", "seq"}


def full_record():
    return record(
        type="preference",
        confidence=0.5,
        positions=(1, 4),
        speaker="Ann",
        role="user",
        valid_from=NOON,
        valid_to=NOON,
        expires_on=date(2026, 4, 1),
        superseded_by="m2",
        episode_id="e1",
        position=0,
        feedback="POSITIVE",
    )


def test_times_are_written_in_utc():
    """Whatever zone the value came with."""
    berlin = timezone(timedelta(hours=1))
    form = to_export(record(created_at=datetime(2026, 3, 2, 13, 0, tzinfo=berlin), expires_on=date(2026, 4, 1)))
    assert (form["created_at"], form["expiration_date"]) == ("2026-03-02T12:00:00Z", "2026-04-01")


def test_a_line_is_ascii_and_has_one_line_end():
    """Neither a lone surrogate nor U+2028 can break the file."""
    line = export_line(to_export(record(text="a\nb\u2028c\ud800")))
    assert line.isascii()
    assert line.count("\n") == 1


def test_what_a_handmade_export_leaves_out_gets_its_default():
    """Three fields are enough."""
    values = from_export({"id": ID, "memory": "Ann likes tea.", "created_at": "2026-03-02T12:00:00Z"})
    made = MemoryRecord(key=1, seq=1, **values)
    assert (made.updated_at, made.recorded_at, made.project, made.kind) == (NOON, NOON, "default", "statement")


def test_a_null_is_the_default():
    """As it is written for what is empty."""
    assert MemoryRecord(key=1, seq=1, **from_export(exported(metadata=None, connector=None))).connector == "sdk"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", ""),
        ("id", 5),
        ("id", "m1"),
        ("id", "00000000"),
        ("id", ID + "\n"),
        ("id", ID[:-1] + "\u0661"),
        ("id", ID.replace("-", "")),
        ("id", "0000000A-0000-4000-8000-000000000001"),
        ("memory", None),
        ("memory", ["Ann likes tea."]),
        ("state", "gone"),
        ("state", []),
        ("kind", "poem"),
        ("metadata", []),
        ("categories", "hobby"),
        ("categories", [1]),
        ("entities", [{"name": "Ann"}]),
        ("entities", [{"name": "Ann", "kind": 1, "key": "ann"}]),
        ("relations", {"source": "Ann"}),
        ("created_at", None),
        ("created_at", 1767225600),
        ("created_at", "yesterday"),
        ("valid_to", "2026-13-01"),
        ("valid_from", "0001-01-01T00:00:00+05:00"),
        ("expiration_date", "soon"),
        ("supersedes", "m0"),
        ("position", -1),
        ("position", True),
        ("position", 2**31),
        ("reinforced", 2**63),
        ("reinforced", 1.5),
        ("immutable", 1),
        ("feedback", "GOOD"),
        ("user_id", 12),
        ("run_id", " "),
        ("colour", "red"),
    ],
)
def test_a_field_that_cannot_be_used_is_named_with_its_place(field, value):
    """And nothing of what the memory says is in the message."""
    with pytest.raises(InvalidInputError, match=rf"^e\.jsonl:12: .*{field}") as caught:
        from_export(exported(**{field: value}), place="e.jsonl:12")
    assert "likes tea" not in str(caught.value)


def test_what_ends_before_it_begins_is_refused():
    """Such a memory would hold at no time."""
    with pytest.raises(InvalidInputError, match=r"^e\.jsonl:12: field 'valid_to'"):
        from_export(exported(valid_from="2026-03-02T00:00:00Z", valid_to="2026-03-01T00:00:00Z"), place="e.jsonl:12")


def test_a_fact_taken_back_before_its_time_comes_back():
    """Closing a planned fact leaves it with an end before its beginning; its export must not be refused."""
    times = {"valid_from": "2026-03-02T00:00:00Z", "valid_to": "2026-03-01T00:00:00Z"}
    assert from_export(exported(state="invalidated", **times))["state"] == "invalidated"


@pytest.mark.parametrize("field", ["id", "memory", "created_at"])
def test_a_missing_field_is_named(field):
    """The three without which there is no memory."""
    with pytest.raises(InvalidInputError, match=f"'{field}' is missing"):
        from_export(exported(**{field: ...}))


@pytest.mark.parametrize("value", [None, [], "text", 1])
def test_a_memory_is_an_object(value):
    """Any other JSON is refused."""
    with pytest.raises(InvalidInputError, match="is an object"):
        from_export(value)


def test_the_header_tells_how_many_memories_follow():
    """And is read as it was written."""
    header = json.loads(export_line(export_header(exported_at=NOON, project="shop", memories=3)))
    assert header == {
        "kept_export": EXPORT_VERSION,
        "exported_at": "2026-03-02T12:00:00Z",
        "project": "shop",
        "memories": 3,
    }
    assert check_header(header) == 3


def test_a_header_need_not_know_how_many_follow():
    """A streamed export cannot count beforehand."""
    assert check_header(export_header(exported_at=NOON)) is None


@pytest.mark.parametrize("value", [None, [], {}, {"kept_export": "1"}, {"kept_export": True}, {"kept_export": 0}])
def test_what_is_no_header_is_refused(value):
    """With what a header looks like."""
    with pytest.raises(InvalidInputError, match="no header"):
        check_header(value)


def test_a_newer_export_asks_for_an_upgrade():
    """Instead of being half understood."""
    with pytest.raises(InvalidInputError, match="Upgrade Kept"):
        check_header({"kept_export": EXPORT_VERSION + 1})


def test_a_header_that_counts_wrongly_is_refused():
    """A negative number is none of memories."""
    with pytest.raises(InvalidInputError, match="'memories'"):
        check_header({"kept_export": 1, "memories": -1})


# --- Markdown ---


def test_markdown_is_grouped_by_user_month_and_day():
    """Users by name, what belongs to nobody last, and time rising within each."""
    april = datetime(2026, 4, 1, tzinfo=UTC)
    found = document(
        record(id="m4", scope=Scope(agent_id="bot"), text="Nobody's."),
        record(id="m3", scope=Scope(user_id="bob"), text="Bob's."),
        record(id="m2", text="In April.", created_at=april),
        record(id="m1", text="In March."),
    )
    assert found == (
        "# ann\n\n## 2026-03\n\n### 2026-03-02\n\n- In March. <!-- m1 -->\n"
        "\n## 2026-04\n\n### 2026-04-01\n\n- In April. <!-- m2 -->\n"
        "\n# bob\n\n## 2026-03\n\n### 2026-03-02\n\n- Bob's. <!-- m3 -->\n"
        "\n# No user\n\n## 2026-03\n\n### 2026-03-02\n\n- Nobody's. <!-- m4 -->"
    )


def test_a_bullet_names_the_speaker():
    """In bold, before the text."""
    assert "- **Ann:** I like tea. <!-- m1 -->" in document(record(id="m1", speaker="Ann", text="I like tea."))


@pytest.mark.parametrize("state", ["superseded", "invalidated"])
def test_closed_facts_are_struck_through(state):
    """But still there."""
    assert "- ~~Ann likes tea.~~ <!-- m1 -->" in document(record(id="m1", state=state))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("*bold* and `code`", r"\*bold\* and \`code\`"),
        ("<b>&amp;</b> [x](y) [[wiki]]", r"\<b\>\&amp;\</b\> \[x\](y) \[\[wiki\]\]"),
        ("snake_case and _emphasis_", r"snake_case and \_emphasis\_"),
        ("# heading, issue #5, C#", r"\# heading, issue \#5, C#"),
        ("- item", r"\- item"),
        ("12. May", r"12\. May"),
        ("=== underline", r"\=== underline"),
        (r"a\b | c ~~d~~", r"a\\b \| c \~\~d\~\~"),
    ],
)
def test_specials_are_escaped(text, written):
    """So that a memory reads as it was said."""
    assert f"- {written} <!-- m1 -->" in document(record(id="m1", text=text))


def test_lines_of_a_memory_stay_lines_of_its_bullet():
    """By hard breaks; blank ones would end the bullet."""
    assert "- one\\\n  two <!-- m1 -->" in document(record(id="m1", text="one\n\n  two\n"))


def test_code_stands_in_a_fence_longer_than_any_in_it():
    """And is not escaped."""
    code = "```py\nx = a*b\n```"
    assert "- <!-- m1 -->\n  ````\n  ```py\n  x = a*b\n  ```\n  ````" in document(
        record(id="m1", kind="code", text=code)
    )


def test_closed_code_says_that_it_is_no_longer_true():
    """A fence cannot be struck through."""
    assert "- (no longer true) <!-- m1 -->" in document(record(id="m1", kind="code", text="x = 1", state="superseded"))


@given(st.text(max_size=30))
def test_no_id_ends_its_comment_early(identifier):
    """Whatever an import brought as an id."""
    last = list(to_markdown([record(id="x" + identifier)]))[-1]
    assert last.count("-->") == 1
    assert last.endswith(" -->")


def test_nothing_gives_no_document():
    """Not even a heading."""
    assert document() == ""
