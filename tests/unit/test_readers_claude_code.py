"""Claude Code transcripts: what was said, and nothing else."""

import json
from datetime import UTC, datetime
from itertools import count

import pytest

from kept.adapters.readers.claude_code import MAX_COMMAND, MAX_ERROR, MAX_WARNINGS, ClaudeCodeReader
from kept.domain.statements import statements
from kept.errors import InvalidInputError


@pytest.fixture
def read(tmp_path):
    """Write entries (or raw lines) to a transcript and read it: the reader and its sessions."""

    def write_and_read(*entries, end="\n"):
        path = tmp_path / "s1.jsonl"
        lines = [entry if isinstance(entry, str) else json.dumps(entry) for entry in entries]
        path.write_text("\n".join(lines) + end, encoding="utf-8", newline="")
        reader = ClaudeCodeReader()
        return reader, list(reader.read(path))

    return write_and_read


@pytest.fixture
def said(read):
    """Roles and contents of all messages."""
    return lambda *entries: [(m.role, m.content) for session in read(*entries)[1] for m in session.messages]


numbers = count(1)


def entry(kind, content, **fields):
    common = {"type": kind, "uuid": f"u{next(numbers)}", "sessionId": "s1", "timestamp": "2026-03-02T09:00:00.000Z"}
    return common | {"message": {"role": kind, "content": content}} | fields


def user(content, **fields):
    return entry("user", content, **fields)


def assistant(*blocks, **fields):
    return entry("assistant", list(blocks), **fields)


def text(content):
    return {"type": "text", "text": content}


def bash(command, call="t1"):
    return {"type": "tool_use", "id": call, "name": "Bash", "input": {"command": command}}


def result(content, *, call="t1", is_error=True):
    return user([{"type": "tool_result", "tool_use_id": call, "content": content, "is_error": is_error}])


def failure(content):
    return f"This command failed:\n\n```\n{content}\n```"


# --- what is kept ---


def test_user_and_assistant_text_become_messages(read):
    _, [session] = read(user("We use pnpm.", uuid="a"), assistant(text("Noted."), text("pnpm it is."), uuid="b"))
    at = datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert [(m.role, m.content, m.at, m.source_id, m.name) for m in session.messages] == [
        ("user", "We use pnpm.", at, "a", None),
        ("assistant", "Noted.\n\npnpm it is.", at, "b", None),
    ]


def test_each_session_id_is_one_session(read):
    _, sessions = read(user("One."), user("Two.", sessionId="s2"), user("Three."))
    assert [(s.run_id, [m.content for m in s.messages]) for s in sessions] == [
        ("s1", ["One.", "Three."]),
        ("s2", ["Two."]),
    ]


def test_an_entry_without_a_session_id_belongs_to_the_session_of_the_file(read):
    _, [session] = read(user("One.", sessionId=None), user("Two."))
    assert session.run_id == "s1"


@pytest.mark.parametrize("cwd", ["/home/ann/code/shop", "C:\\code\\shop", "/home/ann/code/shop/"])
def test_branch_and_folder_are_metadata(read, cwd):
    """The branch that most was said on, the folder that the session began in."""
    _, [session] = read(
        user("One.", gitBranch="main", cwd=cwd),
        user("Two.", gitBranch="feature", cwd="/elsewhere"),
        user("Three.", gitBranch="feature"),
    )
    assert session.metadata == {"branch": "feature", "folder": "shop"}


def test_outside_a_repository_there_is_no_branch(read):
    _, [session] = read(user("One.", gitBranch=""), user("Two.", gitBranch="HEAD"))
    assert session.metadata == {}


def test_what_the_user_typed_while_the_assistant_worked_is_kept(said):
    queued = {"type": "attachment", "sessionId": "s1", "uuid": "q1"}
    queued["attachment"] = {"type": "queued_command", "prompt": "Use pnpm, please."}
    assert said(queued) == [("user", "Use pnpm, please.")]


def test_an_entry_that_a_resumed_session_repeats_is_taken_once(said):
    first = user("We use pnpm.")
    assert said(first, first) == [("user", "We use pnpm.")]


def test_entries_without_a_uuid_get_distinct_stable_source_ids(read):
    entries = [user("Again.", uuid=None), user("Again.", uuid=None)]
    ids = [[m.source_id for s in read(*entries)[1] for m in s.messages] for _ in range(2)]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 2


@pytest.mark.parametrize("stamp", [None, "soon", {}, "99999-01-01"])
def test_a_time_that_cannot_be_read_does_not_cost_the_message(read, stamp):
    _, [session] = read(user("We use pnpm.", timestamp=stamp))
    assert session.messages[0].at is None


# --- what is left out ---


@pytest.mark.parametrize("flag", ["isSidechain", "isMeta", "isCompactSummary", "isVisibleInTranscriptOnly"])
def test_entries_that_nobody_said_are_left_out(said, flag):
    assert said(user("Hidden.", **{flag: True}), user("Said.", **{flag: False})) == [("user", "Said.")]


@pytest.mark.parametrize("kind", ["system", "progress", "summary", "file-history-snapshot", "queue-operation", "new"])
def test_other_kinds_of_entries_are_left_out(said, kind):
    assert said(entry(kind, "Hidden."), user("Said.")) == [("user", "Said.")]


@pytest.mark.parametrize(
    "wrapped",
    [
        "<system-reminder>\nHidden.\n</system-reminder>",
        "<command-name>/model</command-name>\n<command-args>opus</command-args>",
        "<local-command-stdout>Hidden.</local-command-stdout>",
        "<bash-input>ls</bash-input><bash-stdout>Hidden.</bash-stdout>",
        '<task-notification id="3">Hidden.</task-notification>',
    ],
)
def test_what_the_client_puts_into_a_message_is_cut_out(said, wrapped):
    assert said(user(wrapped), user(f"{wrapped}\nSaid.\n{wrapped}")) == [("user", "Said.")]


@pytest.mark.parametrize("content", ["Why is <system-reminder> in my log?", "Generic<T> a < b", "<command-name>"])
def test_a_tag_that_nothing_closes_is_the_users_own(said, content):
    assert said(user(content)) == [("user", content)]


@pytest.mark.parametrize(
    "content",
    [
        "[Request interrupted by user for tool use]",
        "Caveat: The messages below were generated by the user while running local commands. …",
    ],
)
def test_what_the_client_says_in_the_users_name_is_left_out(said, content):
    assert said(user(content), user([text(content)])) == []


def test_thinking_tool_calls_and_results_are_left_out(said):
    thinking = {"type": "thinking", "thinking": "Hidden."}
    assert said(assistant(thinking, text("Said."), bash("ls")), result("Hidden.", is_error=False)) == [
        ("assistant", "Said.")
    ]


def test_many_unclosed_tags_cost_time_in_proportion(said):
    """The test's time limit holds it: a search for each tag's end would take minutes."""
    content = "<system-reminder>" * 60_000
    assert said(user(content)) == [("user", content)]


@pytest.mark.parametrize("content", [None, 5, {}, [None, 5, "x", {}, {"type": "text"}, {"type": "text", "text": 5}]])
def test_content_of_an_unknown_shape_says_nothing(said, content):
    assert said(user(content), assistant(), {"type": "user"}, {"type": "assistant", "message": []}) == []


# --- commands that failed ---


def test_a_failed_command_is_kept_with_its_error(said):
    found = said(assistant(bash("pnpm test")), result("Exit code 1\n\x1b[31mFAIL\x1b[0m app.test.ts"))
    assert found == [("tool", failure("$ pnpm test\nFAIL app.test.ts"))]


def test_a_result_may_be_a_list_of_blocks(said):
    assert said(assistant(bash("make")), result([text("No rule."), text("Stop.")])) == [
        ("tool", failure("$ make\nNo rule.\nStop."))
    ]


def test_a_failure_is_one_statement(said):
    """Fences in the command's output do not break it apart."""
    [(_, content)] = said(assistant(bash("make docs")), result("Exit code 2\nbad fence:\n```\nx. Y.\n```\nZ failed."))
    assert [statement.text for statement in statements(content)] == [content]


def test_of_a_long_error_the_first_and_the_last_lines_are_kept(said):
    [(_, content)] = said(assistant(bash("pytest")), result("\n".join(f"line {i}" for i in range(500))))
    assert content == failure("$ pytest\nline 0\nline 1\nline 2\nline 3\nline 4\n…\nline 498\nline 499")


def test_a_failure_is_bounded(said):
    [(_, content)] = said(assistant(bash("x" * 9000)), result("\n".join("y" * 9000 for _ in range(50))))
    assert len(content) <= MAX_COMMAND + MAX_ERROR + len(failure("$ \n")) + 8


def test_a_search_without_a_hit_is_no_failure(said):
    assert said(assistant(bash("grep foo src")), result("Exit code 1")) == []


def test_errors_of_other_tools_are_left_out(said):
    edit = {"type": "tool_use", "id": "t1", "name": "Edit", "input": {"file_path": "a.ts"}}
    assert said(assistant(edit), result("File has not been read yet.")) == []


def test_a_hook_that_stops_a_command_is_left_out(said):
    assert said(assistant(bash("rm -r x")), result("PreToolUse:Bash hook error: not allowed")) == []


def test_why_the_user_refused_a_tool_is_the_users_own_words(said):
    refusal = "The user doesn't want to proceed with this tool use. To tell you how to proceed, the user said:\nNever push to main."
    assert said(assistant(bash("git push")), result(refusal)) == [("user", "Never push to main.")]


def test_a_refusal_without_a_reason_says_nothing(said):
    refusal = "The user doesn't want to take this action right now. STOP what you are doing."
    assert said(assistant(bash("git push")), result(refusal)) == []


def test_two_failures_of_one_entry_have_two_source_ids(read):
    blocks = [
        {"type": "tool_result", "tool_use_id": call, "content": "boom", "is_error": True} for call in ("t1", "t2")
    ]
    _, [session] = read(assistant(bash("a", "t1"), bash("b", "t2")), user(blocks, uuid="r"))
    assert [m.source_id for m in session.messages] == ["r", "r#2"]


# --- broken files ---


def test_a_last_line_that_is_still_being_written_is_passed_over_in_silence(read):
    reader, [session] = read(user("One."), json.dumps(user("Two."))[:50], end="")
    assert [m.content for m in session.messages] == ["One."]
    assert reader.warnings == []


def test_a_last_line_without_a_line_end_is_read_when_it_is_whole(read):
    _, [session] = read(user("One."), user("Two."), end="")
    assert len(session.messages) == 2


def test_a_broken_line_is_left_out_with_a_warning(read):
    reader, [session] = read(user("One."), '{"type": "user", "mess', "[1, 2]", user("Two."))
    assert [m.content for m in session.messages] == ["One.", "Two."]
    assert [":2: not JSON" in reader.warnings[0], ":3: no transcript entry" in reader.warnings[1]] == [True, True]


def test_warnings_are_bounded_and_belong_to_the_last_file(read, tmp_path):
    reader, _ = read(user("One."), *["broken"] * 500)
    assert len(reader.warnings) == MAX_WARNINGS + 1
    assert "480 more lines" in reader.warnings[-1]
    (tmp_path / "empty.jsonl").touch()
    assert list(reader.read(tmp_path / "empty.jsonl")) == []
    assert reader.warnings == []


def test_a_file_without_a_single_entry_is_refused(read):
    with pytest.raises(InvalidInputError, match=r"s1\.jsonl is no Claude Code transcript.*s1\.jsonl:1: "):
        read('{"role": "user", "content": "hi"}', "broken")


def test_bytes_that_are_not_utf_8_are_replaced(tmp_path):
    path = tmp_path / "s1.jsonl"
    path.write_bytes(json.dumps(user("caf?")).encode().replace(b"caf?", b"caf\xe9") + b"\n")
    [session] = ClaudeCodeReader().read(path)
    assert session.messages[0].content == "caf\ufffd"
