"""The filter language: what is read, what is refused, and what it means."""

from __future__ import annotations

import inspect
import json
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kept.domain.filters import (
    EVERYTHING,
    FIELD_KINDS,
    MAX_CONDITIONS,
    MAX_DEPTH,
    MAX_TEXT_CHARS,
    MAX_VALUES,
    NARROWING,
    And,
    Condition,
    Grammar,
    Not,
    Or,
    matches,
    narrowing,
    parse_filter,
    parse_filter_text,
    pinned,
    positive_entities,
    push_negations_down,
    to_dict,
    walk,
)
from kept.errors import FilterError
from kept.testing.filters import FilterableRecord, filters, json_scalars, raw_filters, records

GRAMMARS = get_args(Grammar)
MARCH_1 = datetime(2026, 3, 1, tzinfo=UTC)
RECORD = FilterableRecord(
    id="m1",
    user_id="u1",
    run_id="s1",
    text="Moved to Oslo in May",
    metadata={"source": "Chat", "n": 3, "flag": True, "none": None, "tags": ["a", 1], "nested": {"a": 1}},
    categories=("Travel", "home"),
    entities=("oslo",),
    created_at=MARCH_1 + timedelta(hours=12),
    updated_at=MARCH_1,
    expires_on=date(2026, 3, 31),
    speaker="Ada",
)


def says(raw: dict[str, Any], grammar: Grammar = "any") -> bool:
    return matches(parse_filter(raw, grammar), RECORD)


def fields_used(f):
    """Every field that some condition names."""
    return {node.field for node in walk(f) if isinstance(node, Condition)}


def refusal(raw: Any, grammar: Grammar = "any") -> str:
    with pytest.raises(FilterError) as caught:
        parse_filter(raw, grammar)
    return str(caught.value)


# --- shape ---


def test_a_bare_value_is_equality():
    assert parse_filter({"user_id": "u1"}) == Condition("user_id", "eq", "u1")


def test_siblings_must_all_hold():
    expected = And((Condition("user_id", "eq", "u1"), Condition("run_id", "eq", "s1")))
    assert parse_filter({"user_id": "u1", "run_id": "s1"}) == expected


def test_several_operators_on_one_field_must_all_hold():
    assert says({"created_at": {"gte": "2026-03-01", "lt": "2026-03-02"}})
    assert not says({"created_at": {"gte": "2026-03-01", "lt": "2026-03-01"}})


def test_an_or_beside_an_and_is_not_dropped():
    """A known fault of the Platform, not copied."""
    raw = {"AND": [{"user_id": "u1"}], "OR": [{"run_id": "other"}]}
    assert not says(raw)
    assert parse_filter(raw) == And((Condition("user_id", "eq", "u1"), Condition("run_id", "eq", "other")))


def test_contradicting_users_match_nothing():
    """A filter cannot widen what a sibling narrowed."""
    f = parse_filter({"user_id": "u1", "AND": [{"user_id": "u2"}]})
    assert not any(matches(f, FilterableRecord(user_id=user)) for user in ("u1", "u2", None))
    assert pinned(f, "user_id") == frozenset()


def test_not_of_an_object_denies_the_whole_object():
    assert says({"NOT": {"user_id": "u1", "run_id": "other"}})


def test_not_of_a_list_means_none_of_these():
    assert not says({"NOT": [{"user_id": "u1"}, {"run_id": "other"}]})
    assert says({"NOT": [{"user_id": "u2"}, {"run_id": "other"}]})


def test_logic_nests_in_any_order():
    assert says({"AND": [{"NOT": {"OR": [{"user_id": "u2"}, {"NOT": {"user_id": "u1"}}]}}, {"OR": [{"run_id": "s1"}]}]})


def test_nested_groups_of_one_kind_are_merged():
    raw = {"AND": [{"AND": [{"user_id": "u1"}, {"run_id": "r"}]}, {"app_id": "a"}]}
    assert parse_filter(raw) == parse_filter({"user_id": "u1", "run_id": "r", "app_id": "a"})


@pytest.mark.parametrize("raw", [None, {}])
def test_an_empty_filter_is_refused_unless_allowed(raw):
    assert "empty" in refusal(raw)
    assert parse_filter(raw, allow_empty=True) == EVERYTHING
    assert matches(EVERYTHING, RECORD)


@pytest.mark.parametrize(
    "raw",
    [
        {"AND": []},
        {"OR": []},
        {"NOT": []},
        {"NOT": {}},
        {"AND": [{}]},
        {"OR": [{"user_id": "u1"}, {}]},
        {"user_id": {}},
        {"metadata": {}},
        {"metadata": {"k": {}}},
    ],
)
def test_nothing_empty_inside_a_filter_is_taken_for_everything(raw):
    with pytest.raises(FilterError):
        parse_filter(raw, allow_empty=True)


@pytest.mark.parametrize(
    "raw",
    [
        [],
        "user_id",
        {"AND": {"user_id": "u1"}},
        {"AND": ["user_id"]},
        {"OR": None},
        {"NOT": "x"},
        {"NOT": None},
        {1: 2},
        {"metadata": {1: 2}},
        {"metadata": ["a"]},
        {"user_id": {1: "a"}},
        {"": 1},
        {"metadata.": 1},
    ],
)
def test_what_has_the_wrong_shape_is_refused(raw):
    with pytest.raises(FilterError):
        parse_filter(raw)


def test_an_error_names_the_place():
    assert "filters.OR[1].AND[0].user_id" in refusal({"OR": [{"user_id": "a"}, {"AND": [{"user_id": {"near": "b"}}]}]})


def test_an_error_repeats_no_value():
    """A filter's values can be as private as the memories."""
    for raw in ({"user_id": ["secret", 1]}, {"created_at": "secret"}, {"user_id": {"gt": {"secret": 1}}}):
        assert "secret" not in refusal(raw)


# --- keys ---


@pytest.mark.parametrize("key", ["AND", "user_id", "keywords_search", "memory_ids", "speaker", "metadata.<key>"])
def test_the_platform_grammar_lists_the_keys_it_allows(key):
    assert key in refusal({"colour": "red"}, "platform")


@pytest.mark.parametrize("grammar", ["oss", "any"])
def test_the_other_grammars_take_an_unknown_key_for_metadata(grammar):
    assert parse_filter({"colour": "red"}, grammar) == Condition(("metadata", "colour"), "eq", "red")


def test_the_oss_grammar_takes_keys_no_payload_has_for_metadata():
    """A flattened payload may have a `state` or a `kind` of its own."""
    assert parse_filter({"state": "CA"}, "oss") == Condition(("metadata", "state"), "eq", "CA")
    assert parse_filter({"state": "active"}, "any") == Condition("state", "eq", "active")


@pytest.mark.parametrize("grammar", GRAMMARS)
def test_metadata_is_named_by_object_or_by_dots(grammar):
    """Everything after the first dot is the key; keys do not nest."""
    assert parse_filter({"metadata": {"a.b": "x"}}, grammar) == parse_filter({"metadata.a.b": "x"}, grammar)


@pytest.mark.parametrize(
    ("alias", "name", "value"),
    [
        ("session_id", "run_id", "s1"),
        ("timestamp", "created_at", "2026-03-01"),
        ("expiration_date", "expires_on", "2026-03-31"),
        ("memory_ids", "id", ["m1"]),
    ],
)
def test_aliases_name_our_fields(alias, name, value):
    assert parse_filter({alias: value}) == parse_filter({name: value})
    assert fields_used(parse_filter({alias: value})) == {name}
    assert says({alias: value})


@pytest.mark.parametrize("slip", ["and", "or", "not", "Or", "$and", "$or", "$not"])
@pytest.mark.parametrize("grammar", GRAMMARS)
def test_logic_in_another_spelling_is_not_taken_for_metadata(slip, grammar):
    assert slip.lstrip("$").upper() in refusal({slip: [{"user_id": "u1"}]}, grammar)


def test_every_field_of_ours_is_a_key():
    for name in FIELD_KINDS:
        assert fields_used(parse_filter({name: "*"})) == {name}


# --- operators ---


@pytest.mark.parametrize("symbol", [">=", "!=", "==", "<>", "<", "LIKE"])
@pytest.mark.parametrize("grammar", GRAMMARS)
def test_sql_symbols_are_refused_with_the_operator_meant(symbol, grammar):
    assert "(use " in refusal({"created_at": {symbol: "2026-03-01"}}, grammar)


@pytest.mark.parametrize(("written", "meant"), [("$gte", "gte"), ("GTE", "gte"), ("In", "in")])
def test_an_operator_in_another_spelling_is_refused_with_the_right_one(written, meant):
    assert f"(use {meant})" in refusal({"created_at": {written: "2026-03-01"}})


def test_an_unknown_operator_is_refused_with_those_allowed():
    assert "allowed are eq, ne, in, gt, gte, lt, lte" in refusal({"created_at": {"near": 1}}, "platform")


@pytest.mark.parametrize(
    "raw",
    [
        {"user_id": {"nin": ["a"]}},
        {"user_id": {"gt": "a"}},
        {"created_at": {"contains": "2026"}},
        {"metadata": {"k": {"gt": 1}}},
        {"metadata": {"k": {"in": [1]}}},
        {"metadata": {"k": [1]}},
        {"keywords": {"eq": "x"}},
        {"keywords": ["x"]},
    ],
)
def test_the_platform_grammar_narrows_operators_by_field(raw):
    refusal(raw, "platform")


def test_what_stands_beside_the_filter_narrows_like_the_same_inside_it():
    asked = {"categories": "food", "metadata": {"k": 1}, "keywords": "tea", "start_date": "2026-03-01"}
    inside = {
        "categories": {"in": ["food"]},
        "metadata": {"k": 1},
        "keywords": {"contains": "tea"},
        "created_at": {"gte": "2026-03-01"},
    }
    assert narrowing(**asked) == (parse_filter(inside, "platform"),)


@pytest.mark.parametrize("name", NARROWING)
@pytest.mark.parametrize("nothing", [None, "", [], {}])
def test_what_says_nothing_beside_the_filter_narrows_nothing(name, nothing):
    assert narrowing(**{name: nothing}) == ()


def test_every_argument_beside_the_filter_is_named():
    assert set(NARROWING) == set(inspect.signature(narrowing).parameters)


def test_the_platform_grammar_says_what_to_write_for_nin():
    assert "NOT" in refusal({"user_id": {"nin": ["a"]}}, "platform")


@pytest.mark.parametrize(
    "raw",
    [
        {"created_at": {"eq": "2026-03-01"}},
        {"categories": {"eq": "home"}},
        {"categories": {"ne": "work"}},
        {"user_id": {"in": ["u1"]}},
        {"user_id": ["u1"]},
        {"memory_ids": ["m1"]},
        {"keywords": {"contains": "Oslo"}},
        {"keywords": {"icontains": "oslo"}},
        {"keywords_search": "oslo"},
        {"text": {"contains": "Oslo"}},
        {"metadata": {"source": {"contains": "cha"}}},
        {"metadata": {"contains": "cha"}},
        {"speaker": "Ada"},
        {"entity": ["oslo"]},
    ],
)
def test_the_platform_grammar_takes_what_any_of_its_documents_shows(raw):
    assert says(raw, "platform")


@pytest.mark.parametrize("op", ["eq", "ne", "gt", "gte", "lt", "lte", "contains", "icontains"])
def test_the_oss_grammar_takes_its_operators_on_metadata(op):
    assert parse_filter({"k": {op: "x"}}, "oss").field == ("metadata", "k")


@pytest.mark.parametrize("key", ["ne", "in", "eq", "gt"])
def test_an_operator_in_place_of_a_metadata_key_is_refused(key):
    assert "under a metadata key" in refusal({"metadata": {key: "x"}})


def test_a_metadata_key_named_like_an_operator_can_be_reached():
    expected = Condition(("metadata", "contains"), "eq", "x")
    assert parse_filter({"metadata": {"contains": {"eq": "x"}}}) == expected
    assert parse_filter({"metadata.contains": "x"}) == expected


@pytest.mark.parametrize(
    ("raw", "grammar"),
    [({"metadata": {"keywords": "x"}}, "any"), ({"metadata.keywords": "x"}, "any"), ({"keywords": "x"}, "oss")],
)
def test_a_metadata_key_named_like_a_field_is_compared_as_metadata(raw, grammar):
    assert parse_filter(raw, grammar) == Condition(("metadata", "keywords"), "eq", "x")


@pytest.mark.parametrize(
    "raw",
    [
        {"user_id": 1},
        {"user_id": True},
        {"user_id": {"in": "u1"}},
        {"user_id": {"eq": ["u1"]}},
        {"user_id": {"contains": None}},
        {"user_id": {"gt": None}},
        {"text": {"contains": ["a"]}},
        {"categories": {"eq": ["home"]}},
        {"k": {"gt": True}},
        {"k": {"gt": None}},
        {"k": {"eq": {"a": 1}}},
        {"k": {"eq": [["a"]]}},
        {"k": {"contains": None}},
        {"k": float("nan")},
        {"k": float("inf")},
        {"k": 2**2000},
        {"k": b"bytes"},
        {"k": {1, 2}},
        {"k": "\ud800"},
        {"\ud800": 1},
        {"user_id": "\ud800"},
        {"created_at": True},
        {"created_at": "yesterday"},
        {"created_at": 1_760_000_000_000},
        {"created_at": float("nan")},
        {"created_at": {"lt": None}},
        {"created_at": "0001-01-01T00:00:00+10:00"},
        {"created_at": [["2026-03-01"]]},
    ],
)
def test_an_operand_of_the_wrong_type_is_refused(raw):
    refusal(raw)


def test_milliseconds_are_recognised():
    assert "not milliseconds" in refusal({"created_at": {"gt": 1_760_000_000_000}})


def test_operands_of_two_types_make_two_filters():
    """Though Python holds True and 1 to be equal."""
    assert len({parse_filter({"k": value}) for value in (True, 1, 1.0, "1")}) == 4
    assert matches(parse_filter({"k": [1, True]}), FilterableRecord(metadata={"k": True}))


def test_a_string_enumeration_counts_as_its_value():
    class User(StrEnum):
        ADA = "u1"

    assert parse_filter({"user_id": User.ADA}) == parse_filter({"user_id": "u1"})


# --- limits ---


def nested(depth: int, key: str) -> dict[str, Any]:
    raw: dict[str, Any] = {"user_id": "u1"}
    for _ in range(depth):
        raw = {"run_id": "s1", key: raw if key == "NOT" else [raw]}
    return raw


@pytest.mark.parametrize("key", ["AND", "OR", "NOT"])
def test_two_hundred_levels_work_throughout(key):
    """Reading, meaning, equality, canonical form and text."""
    f = parse_filter(nested(200, key))
    assert matches(f, RECORD)
    assert not matches(Not(f), RECORD)
    assert parse_filter(json.loads(json.dumps(to_dict(f)))) == f
    assert hash(f) == hash(parse_filter(nested(200, key)))
    assert pinned(f, "user_id") is None or pinned(f, "user_id") == {"u1"}
    assert "u1" in repr(f)


def test_alternating_levels_keep_their_meaning_at_depth_200():
    raw: dict[str, Any] = {"user_id": "u1"}
    for level in range(200):
        raw = {"NOT": [raw, {"run_id": "other"}]} if level % 2 else {"OR": [raw, {"run_id": "other"}]}
    f = parse_filter(raw)
    assert matches(f, RECORD)
    assert not matches(Not(f), RECORD)


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 1000, 20_000])
@pytest.mark.parametrize("key", ["AND", "NOT"])
def test_deeper_nesting_is_refused_without_overflowing_the_stack(depth, key):
    assert f"{MAX_DEPTH} levels" in refusal(nested(depth, key))


def test_too_many_conditions_are_refused():
    parts = [{"user_id": "u1"}] * (MAX_CONDITIONS + 1)
    assert str(MAX_CONDITIONS) in refusal({"OR": parts})


def test_too_long_a_list_is_refused():
    assert str(MAX_VALUES) in refusal({"memory_ids": ["m"] * (MAX_VALUES + 1)})


def test_a_condition_cannot_be_changed():
    with pytest.raises(AttributeError):
        Condition("user_id", "eq", "u1").value = "u2"


# --- meaning ---


def test_the_wildcard_means_any_value_but_null():
    assert says({"user_id": "*"})
    assert not says({"agent_id": "*"})
    assert says({"metadata.source": "*"})
    assert not says({"metadata.none": "*"})
    assert not says({"metadata.missing": "*"})


def test_an_explicit_operator_takes_the_asterisk_as_text():
    assert not says({"user_id": {"eq": "*"}})
    assert matches(parse_filter({"user_id": {"in": ["*"]}}), FilterableRecord(user_id="*"))


def test_ne_and_nin_hold_for_null():
    assert says({"agent_id": {"ne": "a"}})
    assert says({"agent_id": {"nin": ["a"]}})
    assert says({"metadata.missing": {"ne": 1}})
    assert not says({"agent_id": {"ne": "a"}, "AND": [{"agent_id": "*"}]})


def test_null_is_equal_to_null_only():
    assert says({"agent_id": None})
    assert says({"agent_id": {"in": [None, "a"]}})
    assert not says({"agent_id": {"ne": None}})
    assert not says({"user_id": None})
    assert says({"metadata.missing": None, "AND": [{"metadata.none": None}]})


@pytest.mark.parametrize("op", ["gt", "gte", "lt", "lte"])
def test_null_is_never_ordered(op):
    assert not says({"valid_from": {op: "2026-03-01"}})
    assert not says({"metadata.missing": {op: 1}})
    assert not matches(parse_filter({"expires_on": {op: "2026-03-01"}}), FilterableRecord())


def test_an_empty_list_matches_nothing():
    """Never everything: a program that found no ids must not delete all memories."""
    assert not says({"memory_ids": []})
    assert says({"NOT": {"memory_ids": []}})


@pytest.mark.parametrize(
    ("stored", "asked", "equal"),
    [
        (1, 1.0, True),
        (1, True, False),
        (1, "1", False),
        (True, True, True),
        (False, 0, False),
        ("a", "a", True),
        ("a", "A", False),
        (["a", 1], ["a", 1], True),
        (["a", 1], ["a", True], False),
        (["a"], "a", False),
        ([], [], True),
        ({"a": 1}, "a", False),
        (2**53 + 1, float(2**53), False),
    ],
)
def test_metadata_values_of_two_types_are_never_equal(stored, asked, equal):
    record = FilterableRecord(metadata={"k": stored})
    assert matches(parse_filter({"k": {"eq": asked}}), record) is equal
    assert matches(parse_filter({"k": {"ne": asked}}), record) is not equal


@pytest.mark.parametrize(
    ("stored", "asked", "greater"),
    [
        (2, 1, True),
        (2, 1.5, True),
        ("b", "a", True),
        ("10", "9", False),
        ("b", 1, False),
        (2, "1", False),
        (True, 0, False),
    ],
)
def test_only_numbers_and_strings_are_ordered_each_among_themselves(stored, asked, greater):
    record = FilterableRecord(metadata={"k": stored})
    assert matches(parse_filter({"k": {"gt": asked}}), record) is greater


def test_contains_on_metadata_is_a_substring_or_a_member():
    assert says({"metadata": {"source": {"contains": "chat"}}})
    assert says({"metadata": {"tags": {"contains": "a"}}})
    assert says({"metadata": {"tags": {"contains": 1}}})
    assert not says({"metadata": {"tags": {"contains": True}}})
    assert not says({"metadata": {"n": {"contains": "3"}}})


def test_contains_on_metadata_as_a_whole_asks_every_key():
    assert says({"metadata": {"contains": "HAT"}})
    assert not says({"metadata": {"contains": "nowhere"}})


def test_metadata_without_keys_is_null():
    assert says({"metadata": "*"})
    assert matches(parse_filter({"metadata": None}), FilterableRecord())


def test_contains_minds_case_and_icontains_does_not():
    assert says({"keywords": {"contains": "Oslo"}})
    assert not says({"keywords": {"contains": "oslo"}})
    assert says({"keywords": {"icontains": "oslo"}})
    assert says({"keywords": "Oslo"})


def test_case_is_folded_beyond_ascii():
    record = FilterableRecord(text="Straße nach ÅLESUND")
    assert matches(parse_filter({"text": {"icontains": "STRASSE NACH ålesund"}}), record)


def test_categories_are_asked_one_by_one():
    assert says({"categories": "home"})
    assert says({"categories": ["work", "home"]})
    assert not says({"categories": "hom"})
    assert says({"categories": {"contains": "trav"}})
    assert not says({"categories": {"ne": "home"}})
    assert says({"NOT": {"categories": {"in": ["work"]}}})
    assert matches(parse_filter({"categories": None}), FilterableRecord())


def test_entities_are_asked_by_key():
    assert says({"entity": "oslo"})
    assert not says({"entity": "bergen"})


# --- times ---


@pytest.mark.parametrize(
    ("op", "before", "first", "noon", "last", "after"),
    [
        ("eq", False, True, True, True, False),
        ("ne", True, False, False, False, True),
        ("gt", False, False, False, False, True),
        ("gte", False, True, True, True, True),
        ("lt", True, False, False, False, False),
        ("lte", True, True, True, True, False),
    ],
)
def test_a_bare_date_is_the_whole_day_in_utc(op, before, first, noon, last, after):
    f = parse_filter({"created_at": {op: "2026-03-01"}})
    tick, day = timedelta(microseconds=1), timedelta(days=1)
    moments = (MARCH_1 - tick, MARCH_1, MARCH_1 + day / 2, MARCH_1 + day - tick, MARCH_1 + day)
    assert [matches(f, FilterableRecord(created_at=at)) for at in moments] == [before, first, noon, last, after]


@pytest.mark.parametrize(
    "noon",
    [
        "2026-03-01T12:00:00",
        "2026-03-01T12:00:00Z",
        "2026-03-01 14:00:00+02:00",
        1_772_366_400,
        1_772_366_400.0,
        datetime(2026, 3, 1, 12),  # noqa: DTZ001 - naive on purpose
        datetime(2026, 3, 1, 13, tzinfo=timezone(timedelta(hours=1))),
    ],
)
def test_a_moment_can_be_written_in_many_ways(noon):
    """Without a zone it is UTC."""
    assert parse_filter({"created_at": noon}) == Condition("created_at", "eq", MARCH_1 + timedelta(hours=12))
    assert says({"created_at": noon})
    assert not says({"created_at": {"gt": noon}})


def test_a_list_of_days_and_moments_means_any_of_them():
    assert says({"created_at": ["2025-01-01", "2026-03-01"]})
    assert not says({"created_at": {"nin": [date(2026, 3, 1)]}})


def test_the_last_day_there_is_has_an_end():
    assert says({"created_at": {"lte": "9999-12-31"}})


def test_an_expiry_is_a_day_and_a_moment_is_cut_to_its_day():
    assert says({"expiration_date": "2026-03-31"})
    assert says({"expiration_date": {"gte": "2026-03-31T23:00:00Z"}})
    assert not says({"expiration_date": {"gt": "2026-03-31"}})


# --- questions about a filter ---


@pytest.mark.parametrize(
    "raw",
    [
        {"user_id": "u1"},
        {"OR": [{"user_id": "*"}]},
        {"AND": [{"text": {"contains": "x"}}, {"OR": [{"run_id": ["a"]}, {"speaker": "s"}]}]},
        {"NOT": {"NOT": {"app_id": "a"}}},
        {"NOT": {"user_id": {"ne": "u1"}}},
        {"session_id": "s1"},
    ],
)
def test_a_positive_entity_condition_is_found_anywhere(raw):
    assert positive_entities(parse_filter(raw))


@pytest.mark.parametrize(
    "raw",
    [
        {"text": {"contains": "x"}},
        {"user_id": {"ne": "u1"}},
        {"user_id": {"nin": ["u1"]}},
        {"user_id": None},
        {"user_id": [None]},
        {"NOT": {"user_id": "u1"}},
        {"NOT": {"user_id": "*"}},
        {"metadata.user_id": "u1"},
        {"speaker": "Ada"},
    ],
)
def test_negated_and_null_conditions_are_not_positive(raw):
    assert not positive_entities(parse_filter(raw))


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"user_id": "u1"}, {"u1"}),
        ({"user_id": ["u1", "u2"]}, {"u1", "u2"}),
        ({"OR": [{"user_id": "u1"}, {"user_id": "u2", "run_id": "r"}]}, {"u1", "u2"}),
        ({"user_id": ["u1", "u2"], "AND": [{"user_id": ["u2", "u3"]}]}, {"u2"}),
        ({"NOT": {"user_id": {"ne": "u1"}}}, {"u1"}),
        ({"NOT": {"user_id": {"nin": ["u1"]}}}, {"u1"}),
        ({"user_id": []}, set()),
        ({"OR": [{"user_id": "u1"}, {"run_id": "r"}]}, None),
        ({"user_id": "*"}, None),
        ({"user_id": None}, None),
        ({"user_id": ["u1", None]}, None),
        ({"user_id": {"ne": "u1"}}, None),
        ({"NOT": {"user_id": "u1"}}, None),
        ({"metadata.user_id": "u1"}, None),
    ],
)
def test_pinned_names_the_values_a_match_must_have(raw, expected):
    assert pinned(parse_filter(raw), "user_id") == (None if expected is None else frozenset(expected))


@pytest.mark.parametrize("name", ["categories", "entity", "created_at", "metadata"])
def test_fields_of_several_values_and_times_are_never_pinned(name):
    assert pinned(parse_filter({"categories": "a", "entity": "b", "created_at": "2026-03-01"}), name) is None


def test_fields_used_names_each_field_and_metadata_key():
    f = parse_filter({"user_id": "u1", "NOT": [{"metadata.k": 1}, {"metadata": {"contains": "x"}}]})
    assert fields_used(f) == {"user_id", ("metadata", "k"), "metadata"}


# --- text ---


@pytest.mark.parametrize(
    "text",
    [
        '{"user_id": "u1", "NOT": [{"agent_id": "a"}]}',
        "{'user_id': 'u1', 'NOT': [{'agent_id': 'a'}]}",
        " {'user_id': 'u1', 'agent_id': None} ",
        '{"user_id": "u1", "agent_id": null}',
    ],
)
def test_json_and_the_text_of_a_dictionary_are_read(text):
    assert matches(parse_filter_text(text), RECORD)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "{}",
        "null",
        "None",
        "[]",
        "u1",
        "__import__('os')",
        "{'user_id': open('x')}",
        "{'user_id': f'x'}",
        "{'k': NaN}",
        '{"k": NaN}',
        '{"k": 1e999}',
        '{"user_id": "a", "user_id": "b"}',
        "{[]: 1}",
        "{'a\\d': 1}{",
        "{'k': \0}",
        '{"AND":' * 5_000,
        "{'NOT':" * 5_000 + "{'user_id': 'u1'}" + "}" * 5_000,
        "(" * 5_000,
        "-" * 100_000 + "1",
        '{"k": ' + "9" * 10_000 + "}",
    ],
)
def test_text_that_is_no_filter_is_refused_and_never_means_everything(text):
    with pytest.raises(FilterError):
        parse_filter_text(text)


def test_text_beyond_the_limit_is_not_read():
    with pytest.raises(FilterError, match=str(MAX_TEXT_CHARS)):
        parse_filter_text("{'user_id': '" + "x" * MAX_TEXT_CHARS + "'}")


# --- laws ---


@given(raw=raw_filters())
def test_the_canonical_form_reads_back_as_the_same_filter(raw):
    f = parse_filter(raw)
    canonical = to_dict(f)
    assert parse_filter(json.loads(json.dumps(canonical))) == f
    assert to_dict(parse_filter(canonical)) == canonical


@given(f=filters(), record=records())
def test_a_negation_is_the_opposite(f, record):
    assert matches(Not(f), record) is not matches(f, record)


@given(f=filters(), record=records())
def test_pushing_negations_down_keeps_the_meaning(f, record):
    pushed = push_negations_down(Not(f))
    assert matches(pushed, record) is not matches(f, record)
    assert parse_filter(to_dict(And((pushed, f)))) is not None


@given(parts=st.lists(filters(max_leaves=3), max_size=4), record=records())
def test_groups_mean_all_and_any(parts, record):
    verdicts = [matches(part, record) for part in parts]
    assert matches(And(tuple(parts)), record) is all(verdicts)
    assert matches(Or(tuple(parts)), record) is any(verdicts)


@given(parts=st.lists(filters(max_leaves=3), max_size=3), record=records())
def test_a_filter_built_by_hand_has_a_canonical_form_of_the_same_meaning(parts, record):
    built = Not(Or((And(tuple(parts)), Or(tuple(parts)))))
    assert matches(parse_filter(to_dict(built)), record) is matches(built, record)


@given(
    f=filters(),
    record=records(),
    name=st.sampled_from([name for name, kind in FIELD_KINDS.items() if kind in {"name", "text"}]),
)
@settings(max_examples=200)
def test_a_match_has_one_of_the_pinned_values(f, record, name):
    """Sound: choosing partitions by it can lose nothing."""
    values = pinned(f, name)
    assert values is None or not matches(f, record) or getattr(record, name) in values


@given(users=st.lists(st.lists(st.sampled_from(["u1", "u2", "u3"]), max_size=3), min_size=1, max_size=4))
def test_pinned_is_exact_for_lists_of_users(users):
    f = parse_filter({"AND": [{"user_id": allowed} for allowed in users]})
    assert pinned(f, "user_id") == frozenset.intersection(*map(frozenset, users))


@given(
    value=json_scalars(), other=json_scalars().filter(lambda value: value is not None and not isinstance(value, bool))
)
def test_order_and_equality_of_metadata_agree(value, other):
    """Of two comparable values exactly one of less, equal and greater holds; of others none but inequality."""
    record = FilterableRecord(metadata={"k": value})
    held = [op for op in ("lt", "eq", "gt") if matches(parse_filter({"metadata.k": {op: other}}), record)]
    comparable = (type(value) is str and type(other) is str) or {type(value), type(other)} <= {int, float}
    assert len(held) == comparable


@given(
    junk=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["AND", "OR", "NOT", "user_id", "created_at", "metadata", "in", "gt", "contains", "x"])
                | st.text(),
                inner,
            )
        ),
    ),
    grammar=st.sampled_from(GRAMMARS),
)
@settings(max_examples=300)
def test_any_input_is_read_or_refused(junk, grammar):
    """Nothing but `FilterError` is raised, and what is read can be asked and written."""
    try:
        f = parse_filter(junk, grammar, allow_empty=True)
    except FilterError:
        return
    assert matches(f, RECORD) in {True, False}
    assert parse_filter(to_dict(f), allow_empty=True) == f
