"""Readers by name, the files of a folder, and what all readers have in common."""

import codecs
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kept.adapters.readers import discover, open_reader, reader_names
from kept.domain.exporting import export_header, export_line, to_export
from kept.domain.memory import MemoryRecord
from kept.domain.scope import Scope
from kept.errors import InvalidInputError, NotFoundError

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
EXAMPLES = Path(__file__).parents[2] / "examples"

MEMORY = MemoryRecord(
    id="00000000-0000-4000-8000-000000000001",
    key=1,
    seq=1,
    scope=Scope(user_id="ann"),
    text="Ann drinks Grüner Tee.",
    created_at=NOON,
    updated_at=NOON,
    recorded_at=NOON,
)
SAMPLES = {
    "kept-export": ("e.jsonl", export_line(export_header(exported_at=NOON)) + export_line(to_export(MEMORY))),
    "claude-code": (
        "s.jsonl",
        json.dumps(
            {
                "type": "user",
                "uuid": "u1",
                "sessionId": "s1",
                "message": {"role": "user", "content": "I drink Grüner Tee."},
            },
            ensure_ascii=False,
        )
        + "\n",
    ),
    "chat-json": ("c.json", '[{"role": "user",\n "content": "I drink Grüner Tee."}]\n'),
    "markdown": ("n.md", "# Drinks\n\nI drink Grüner Tee.\n"),
    "plain-text": ("t.txt", "I drink Grüner Tee.\n"),
}
formats = pytest.mark.parametrize("name", SAMPLES)


def said(path, name=None):
    """Everything that the sessions of a file say."""
    found = []
    for session in open_reader(name, path).read(path):
        found += [message.content for message in session.messages]
        found += [record["memory"] for record in session.records]
    return "\n".join(found)


@pytest.fixture
def sample(tmp_path):
    def write(name, data=None):
        file, text = SAMPLES[name]
        path = tmp_path / file
        path.write_bytes(text.encode() if data is None else data)
        return path

    return write


# --- by name ---


def test_every_format_has_a_reader_of_its_name():
    assert reader_names() == tuple(SAMPLES)
    assert [open_reader(name, Path("unused")).name for name in SAMPLES] == list(SAMPLES)


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(InvalidInputError, match=r"'docx'.*kept-export, claude-code, chat-json, markdown, plain-text"):
        open_reader("docx", Path("unused"))


@formats
def test_a_file_is_recognised_by_what_it_is(name, sample):
    assert open_reader(None, sample(name)).name == name


def test_json_that_is_no_conversation_is_not_recognised(tmp_path):
    path = tmp_path / "package.json"
    path.write_text('{"name": "shop", "version": "1.0.0"}')
    with pytest.raises(InvalidInputError, match=r"package\.json: no reader recognises"):
        open_reader(None, path)


def test_a_binary_is_not_recognised_whatever_its_name(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
    with pytest.raises(InvalidInputError, match="no reader recognises"):
        open_reader(None, path)


def test_a_transcript_whose_first_line_is_huge_is_recognised(tmp_path):
    first = {"sessionId": "s1", "type": "user", "message": {"content": "x" * 200_000}}
    path = tmp_path / "s.jsonl"
    path.write_text(json.dumps(first))
    assert open_reader(None, path).name == "claude-code"


def test_a_chat_that_quotes_a_transcript_is_still_a_chat(tmp_path):
    path = tmp_path / "c.jsonl"
    path.write_text(json.dumps({"role": "user", "content": 'the key "sessionId": "s1" and "kept_export": 1'}))
    assert open_reader(None, path).name == "chat-json"


# --- what all have in common ---


@formats
@pytest.mark.parametrize(
    "encode",
    [
        lambda text: codecs.BOM_UTF8 + text.encode(),
        lambda text: text.encode("utf-16"),
        lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
        lambda text: text.encode("utf-32"),
        lambda text: text.replace("\n", "\r\n").encode(),
    ],
    ids=["utf-8 with mark", "utf-16", "utf-16-be", "utf-32", "crlf"],
)
def test_encodings_and_line_ends_do_not_matter(name, encode, sample):
    path = sample(name, encode(SAMPLES[name][1]))
    assert "Grüner Tee" in said(path)
    assert "\r" not in said(path)


@formats
@pytest.mark.parametrize("data", [b"", b"\n\n", codecs.BOM_UTF8, codecs.BOM_UTF16_LE])
def test_an_empty_file_has_no_sessions(name, data, sample):
    path = sample(name, data)
    assert list(open_reader(name, path).read(path)) == []


@pytest.mark.parametrize("name", ["kept-export", "chat-json", "markdown", "plain-text"])
@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_bytes_that_are_no_text_are_named_with_their_offset(name, mark, sample):
    before = mark + SAMPLES[name][1].encode()
    path = sample(name, before + b"caf\xe9\n")
    with pytest.raises(InvalidInputError, match=rf"not UTF-8 text: byte 0xe9 at offset {len(before) + 3}\b") as caught:
        said(path, name)
    assert str(path) in str(caught.value)


def test_half_a_utf_16_character_is_named_with_its_offset(sample):
    path = sample("plain-text", "Tee".encode("utf-16") + b"\x00")
    with pytest.raises(InvalidInputError, match="not UTF-16 text: byte 0x00 at offset 8"):
        said(path, "plain-text")


@formats
def test_a_missing_file_is_not_found(name, tmp_path):
    with pytest.raises(NotFoundError, match=r"absent\.txt"):
        said(tmp_path / "absent.txt", name)


@formats
def test_a_folder_is_no_file(name, tmp_path):
    with pytest.raises(InvalidInputError, match="is a folder"):
        said(tmp_path, name)


@pytest.mark.parametrize("name", ["claude-code", "chat-json", "markdown", "plain-text"])
def test_a_second_read_gives_the_same_source_ids(name, sample):
    path = sample(name)
    ids = [[m.source_id for s in open_reader(name, path).read(path) for m in s.messages] for _ in range(2)]
    assert ids[0] == ids[1]
    assert all(ids[0])


@pytest.mark.parametrize("text", ["[" * 100_000, '{"content": ' + "9" * 5000 + "}"])
def test_json_beyond_what_can_be_read_is_an_error_not_a_crash(text, tmp_path):
    path = tmp_path / "c.json"
    path.write_text(text)
    with pytest.raises(InvalidInputError, match=r"c\.json"):
        said(path, "chat-json")


# --- folders ---


def test_discover_gives_a_file_itself(tmp_path):
    path = tmp_path / "anything.org"
    path.write_text("text")
    assert list(discover(path)) == [path]


def test_discover_refuses_what_does_not_exist(tmp_path):
    with pytest.raises(NotFoundError, match="absent"):
        list(discover(tmp_path / "absent"))


def test_discover_walks_a_folder_in_order_and_leaves_out_what_is_not_meant(tmp_path):
    wanted = ["b.md", "c.txt", "a/d.json", "a/z/e.jsonl"]
    unwanted = [
        ".git/x.md",
        ".hidden.md",
        "node_modules/p/README.md",
        "s1/tool-results/out.txt",
        "photo.png",
        "a/package.json",
        "a/code.py",
    ]
    chat = '{"role": "user", "content": "hi"}'
    for name in [*wanted, *unwanted]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}" if name.endswith("package.json") else chat)
    (tmp_path / "binary.txt").write_bytes(b"\x00\x01\x02")
    assert [path.relative_to(tmp_path).as_posix() for path in discover(tmp_path)] == wanted


def test_discover_enters_a_hidden_folder_that_was_named(tmp_path):
    path = tmp_path / ".claude" / "s.txt"
    path.parent.mkdir()
    path.write_text("text")
    assert list(discover(path.parent)) == [path]


def test_links_out_of_a_folder_are_left_out_and_told(tmp_path):
    """Whoever fills a folder does not choose what else of the disk is remembered."""
    folder = tmp_path / "notes"
    folder.mkdir()
    (tmp_path / "diary.txt").write_text("text")
    (folder / "own.txt").write_text("text")
    try:
        (folder / "inside.txt").symlink_to(folder / "own.txt")
        (folder / "outside.txt").symlink_to(tmp_path / "diary.txt")
    except OSError:  # Windows grants links to few
        pytest.skip("links cannot be made here")
    left_out = []
    assert list(discover(folder, left_out)) == [folder / "inside.txt", folder / "own.txt"]
    assert left_out == [folder / "outside.txt"]


def test_a_file_that_cannot_be_opened_does_not_hide_the_others(tmp_path, monkeypatch):
    """It is given as well, so that reading it tells why."""
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("text")
    opened = Path.open

    def refuse_a(path, *arguments, **options):
        if path.name == "a.txt":
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse_a)
    assert [path.name for path in discover(tmp_path)] == ["a.txt", "b.txt"]


@formats
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes in the file system")
def test_a_pipe_is_refused(tmp_path, name):
    """Opening it would wait for a writer for ever."""
    path = tmp_path / "pipe.jsonl"
    os.mkfifo(path)
    with pytest.raises(InvalidInputError, match="regular file"):
        said(path, name)


# --- the samples ---


def questions():
    """Rows of the table in the samples' own README: question, file, statement."""
    lines = (EXAMPLES.parent / "docs" / "how-to" / "sample-sessions.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "`" in line and "?" in line]
    return [(question, file.strip("`"), statement) for question, file, statement in rows]


def test_the_samples_come_with_ten_questions():
    assert len(questions()) == 10


@pytest.mark.parametrize(("question", "file", "statement"), questions())
def test_each_question_is_answered_by_one_message_of_a_sample(question, file, statement):
    path = EXAMPLES / file
    contents = [m.content for s in open_reader(None, path).read(path) for m in s.messages]
    assert sum(statement.lower() in " ".join(content.split()).lower() for content in contents) == 1, question


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("claude-code-session.jsonl", "claude-code"),
        ("chat.json", "chat-json"),
        ("notes.md", "markdown"),
        ("dialogue.txt", "plain-text"),
    ],
)
def test_each_sample_is_read_whole_and_dated(file, name):
    path = EXAMPLES / file
    reader = open_reader(None, path)
    messages = [message for session in reader.read(path) for message in session.messages]
    assert reader.name == name
    assert reader.warnings == []
    assert all(message.at for message in messages)
    assert len({message.source_id for message in messages}) == len(messages)
