"""Chats in JSON: lists, conversations, and lines."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.adapters.readers.chat_json import MESSAGES_A_PART, ROLES, ChatJsonReader
from kept.adapters.readers.source_ids import SourceIds
from kept.errors import InvalidInputError


@pytest.fixture
def read(tmp_path):
    """Write a value as JSON, or text as it is, and read it."""

    def write_and_read(value, file="c.json"):
        path = tmp_path / file
        path.write_text(value if isinstance(value, str) else json.dumps(value, indent=2), encoding="utf-8")
        return list(ChatJsonReader().read(path))

    return write_and_read


@pytest.fixture
def only(read):
    """The only message of a chat that holds this one."""

    def read_only(**message):
        [session] = read([{"role": "user", "content": "Tea."} | message])
        [found] = session.messages
        return found

    return read_only


def message(content, role="user", **fields):
    return {"role": role, "content": content} | fields


def lines(*values):
    return "".join(json.dumps(value) + "\n" for value in values)


def contents(sessions):
    return [(session.run_id, [m.content for m in session.messages]) for session in sessions]


# --- shapes ---


def test_a_list_of_messages_is_one_session(read):
    assert contents(read([message("One."), message("Two.", "assistant")])) == [(None, ["One.", "Two."])]


def test_a_conversation_brings_its_id(read):
    assert contents(read({"id": "c1", "messages": [message("One.")]})) == [("c1", ["One."])]


@pytest.mark.parametrize("key", ["id", "conversation_id", "session_id", "run_id"])
def test_each_conversation_of_a_list_is_a_session(read, key):
    found = read([{key: 7, "messages": [message("One.")]}, {"messages": [message("Two.")]}])
    assert contents(found) == [("7", ["One."]), (None, ["Two."])]


def test_json_lines_of_messages_are_one_session(read):
    assert contents(read(lines(message("One."), message("Two.")))) == [(None, ["One.", "Two."])]


def test_json_lines_of_conversations_are_a_session_each(read):
    found = read(lines({"id": "c1", "messages": [message("One.")]}, {"id": "c2", "messages": [message("Two.")]}))
    assert contents(found) == [("c1", ["One."]), ("c2", ["Two."])]


def test_blank_lines_between_json_lines_are_passed_over(read):
    assert contents(read("\n" + lines(message("One.")) + "\n  \n" + lines(message("Two.")))) == [
        (None, ["One.", "Two."])
    ]


def test_many_json_lines_come_in_parts(read):
    found = read(lines(*(message(f"No. {i}") for i in range(MESSAGES_A_PART + 1))))
    assert [len(session.messages) for session in found] == [MESSAGES_A_PART, 1]


def test_the_first_part_comes_before_a_later_line_is_looked_at(tmp_path):
    path = tmp_path / "c.jsonl"
    path.write_text(lines(*(message(f"No. {i}") for i in range(MESSAGES_A_PART))) + "broken\n")
    sessions = iter(ChatJsonReader().read(path))
    assert len(next(sessions).messages) == MESSAGES_A_PART
    with pytest.raises(InvalidInputError, match=rf"c\.jsonl:{MESSAGES_A_PART + 1}: not JSON"):
        next(sessions)


@pytest.mark.parametrize("value", [[], {"messages": []}, [{"messages": []}], [message("")], [message(None)]])
def test_a_chat_in_which_nobody_speaks_has_no_session(read, value):
    if value == [message(None)]:
        value[0]["tool_calls"] = [{"id": "t1"}]
    assert read(value) == []


# --- messages ---


def test_a_message_keeps_name_and_time(only):
    found = only(name="Ann", timestamp="2026-03-02T10:15:00+01:00")
    assert (found.role, found.name, found.at) == ("user", "Ann", datetime(2026, 3, 2, 9, 15, tzinfo=UTC))


@pytest.mark.parametrize("key", ["timestamp", "created_at", "time", "date"])
@pytest.mark.parametrize("value", ["2026-03-02T09:00:00Z", "2026-03-02 09:00", 1772442000, 1772442000000])
def test_times_are_read_under_each_key_and_form(only, key, value):
    assert only(**{key: value}).at == datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.mark.parametrize(("given_role", "role"), [*ROLES.items(), ("User", "user"), (" AI ", "assistant")])
def test_every_word_for_a_role_is_understood(only, given_role, role):
    assert only(role=given_role).role == role


def test_text_parts_are_joined_and_others_noted(only):
    parts = ["One.", {"type": "text", "text": "Two."}, {"type": "image_url", "image_url": {}}, {"type": "video"}]
    assert only(content=parts).content == "One.\nTwo.\n[image]\n[video]"


def test_tool_calls_and_thinking_among_the_parts_are_left_out(only):
    parts = [{"type": "thinking", "thinking": "x"}, {"type": "text", "text": "Tea."}, {"type": "tool_use", "id": "t"}]
    assert only(content=parts).content == "Tea."


# --- source ids ---


def test_the_same_words_said_twice_have_two_source_ids(read):
    [session] = read([message("ok"), message("ok")])
    assert len({m.source_id for m in session.messages}) == 2


def test_source_ids_do_not_depend_on_path_or_shape(read):
    chat = [message("One.", created_at="2026-03-02"), message("Two.")]
    shapes = [read(chat, "a.json"), read({"messages": chat}, "b.json"), read(lines(*chat), "c.jsonl")]
    assert len({tuple(m.source_id for session in found for m in session.messages) for found in shapes}) == 1


def test_a_chat_that_grew_keeps_its_source_ids(read):
    [short] = read([message("ok"), message("One.")])
    [long] = read([message("ok"), message("One."), message("ok"), message("Two.")])
    assert [m.source_id for m in long.messages[:2]] == [m.source_id for m in short.messages]


@pytest.mark.parametrize("change", [{"role": "assistant"}, {"name": "Ann"}, {"content": "Two."}, {"time": 5}])
def test_whatever_differs_changes_the_source_id(only, change):
    assert only(**change).source_id != only().source_id


def test_the_conversation_is_part_of_the_source_id(read):
    first, second = read([{"id": name, "messages": [message("ok")]} for name in ("c1", "c2")])
    assert first.messages[0].source_id != second.messages[0].source_id


@given(st.lists(st.lists(st.text(max_size=3), min_size=1, max_size=3).map(tuple), max_size=20))
def test_source_ids_are_all_different_and_the_same_again(parts):
    """Whatever the parts, however they would run together, and however often they come."""
    runs = []
    for _ in range(2):
        ids = SourceIds()
        runs.append([ids.next(*each) for each in parts])
    assert runs[0] == runs[1]
    assert len(set(runs[0])) == len(parts)


# --- errors ---


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (message("x", "boss"), "unknown role 'boss'; use one of: user,"),
        ({"content": "x"}, "no role"),
        ({"role": "user"}, "no content"),
        (message(5), "content must be a string or a list of parts, not a number"),
        (message([5]), "a part of the content is a string or an object with a type"),
        (message([{"type": "text"}]), "a part of type text has no text"),
        (message("x", name=5), "name must be a string, not a number"),
        (message("x", date="soon"), "date: "),
        ("x", "a message is an object with role and content, not a string"),
    ],
)
def test_a_message_that_cannot_be_understood_is_named_with_its_place(read, value, problem):
    with pytest.raises(InvalidInputError, match=rf"c\.json, \[1\]: .*{problem}"):
        read([message("One."), value])
    with pytest.raises(InvalidInputError, match=rf"c\.jsonl:2: .*{problem}"):
        read(lines(message("One."), value), "c.jsonl")
    with pytest.raises(InvalidInputError, match=rf"c\.json, \[0\], messages\[1\]: .*{problem}"):
        read([{"messages": [message("One."), value]}])


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("5", r"c\.json: a chat is a list of messages or .* not a number"),
        ('{\n"a": 1}', r"c\.json: a chat is a list of messages"),
        ('[\n{"role": "user",}]', r"c\.json:2: not JSON: .* at column 1[67]"),
        ('{"messages": {}}', "messages must be a list, not an object"),
        ('[{"messages": []},\n {"role": "user"}]', r"c\.json, \[1\]: not a conversation"),
    ],
)
def test_a_file_that_is_no_chat_is_refused(read, value, problem):
    with pytest.raises(InvalidInputError, match=problem):
        read(value)


def test_an_error_does_not_repeat_what_was_said(read):
    with pytest.raises(InvalidInputError) as caught:
        read([message("A secret.", date="soon")])
    assert "secret" not in str(caught.value)
