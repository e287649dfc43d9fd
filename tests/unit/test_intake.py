"""What callers pass, checked and made into values."""

from __future__ import annotations

import base64
import time
from datetime import UTC, date, datetime, timedelta, timezone
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.domain.enclosed import is_reference
from kept.domain.memory import Attachment, EntityRef, Message, Relation
from kept.engine import intake
from kept.errors import InvalidInputError

CANARY = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def nested(levels):
    value = "x"
    for _ in range(levels):
        value = {"a": value}
    return value


# --- messages ---


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("tea", [("user", "tea")]),
        ({"role": "assistant", "content": "tea"}, [("assistant", "tea")]),
        (["tea", {"role": "user", "content": "cake"}], [("user", "tea"), ("user", "cake")]),
        ({"content": "tea"}, [("user", "tea")]),
        ({"role": " USER ", "content": "tea"}, [("user", "tea")]),
        ({"role": None, "content": None}, [("user", "")]),
        ({"role": "user", "content": [{"type": "text", "text": "a"}, "b"]}, [("user", "a\nb")]),
        ({"role": "user", "content": {"type": "text", "text": "a"}}, [("user", "a")]),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}]},
            [("user", "[image: https://x.test/a.png]")],
        ),
        ({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:x"}}]}, [("user", "[image]")]),
        ((), []),
        ([Message(role="user", content="tea")], [("user", "tea")]),
    ],
)
def test_messages_come_in_mem0s_forms(raw, expected):
    """A text, one message, parts of several kinds, or a list of any."""
    assert [(message.role, message.content) for message in intake.parse_messages(raw)] == expected


def test_a_message_may_say_who_when_and_under_which_id():
    """All of it optional."""
    (message,) = intake.parse_messages(
        {"role": "user", "content": "tea", "name": " Zoë ", "timestamp": "2026-01-02T03:04:05+01:00", "id": 7}
    )
    assert (message.name, message.source_id) == ("Zoë", "7")
    assert message.at == datetime(2026, 1, 2, 2, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("type_", "address", "kind"),
    [
        ("image_url", "https://x.test/a.png", "image"),
        ("image_url", "data:image/png;base64,iVBORw0KGgo=", "image"),
        ("pdf_url", "https://x.test/a.pdf", "document"),
        ("pdf_url", "data:application/pdf;base64,JVBERi0xLjc=", "document"),
    ],
)
def test_images_and_documents_are_attached(type_, address, kind):
    """Beside the text that refers to them; the address is here in an object, there alone."""
    for reference in ({"url": address}, address):
        parts = [{"type": "text", "text": "Look."}, {"type": type_, type_: reference}]
        (message,) = intake.parse_messages({"role": "user", "content": parts})
        assert message.content.startswith(f"Look.\n[{type_.removesuffix('_url')}")
        assert message.attachments == (Attachment(kind=kind, url=address),)
        assert [Attachment.from_json(one.to_json()) for one in message.attachments] == list(message.attachments)
    assert intake.parse_messages([message])[0].attachments == message.attachments


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "http://x.test/a.png"}},
        {"type": "image_url", "image_url": {"url": "file:///etc/passwd"}},
        {"type": "image_url", "image_url": {"url": "data:image/png,raw"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * intake.MAX_ATTACHMENT_CHARACTERS}},
        {"type": "image_url", "image_url": {"url": None}},
        {"type": "video_url", "video_url": {"url": "https://x.test/a.mp4"}},
        {"type": "txt_url", "txt_url": {"url": "https://x.test/a.txt"}},
        {"type": "mdx_url", "mdx_url": {"url": "https://x.test/a.mdx"}},
        {"type": "text_url", "text_url": {"url": "https://x.test/a"}},
        {"type": "image_url", "image_url": {"url": "docs/cat.png"}},
        {"type": "image_url"},
        {"type": "text", "text": "https://x.test/a.png"},
    ],
)
def test_what_no_model_could_be_shown_stays_a_reference(part):
    """Without encryption, from the machine itself, too large, of another sort, a text elsewhere, which no provider opens."""
    (message,) = intake.parse_messages({"role": "user", "content": part})
    assert message.content.startswith(("[image", "[video", "[txt: ", "[mdx: ", "[text: ", "https:"))
    assert message.attachments == ()


def came_with(type_, address, role="user"):
    """What becomes of a message with something to look at."""
    parts = [{"type": "text", "text": "Look."}, {"type": type_, type_: {"url": address}}]
    return intake.parse_messages({"role": role, "name": "Ana", "id": "7", "content": parts})


FILES = {
    "image/png": b"\x89PNG\r\n\x1a\n" + bytes(60),
    "image/jpeg": b"\xff\xd8\xff\xe0" + bytes(60),
    "image/gif": b"GIF89a" + bytes(60),
    "image/webp": b"RIFF\x24\x00\x00\x00WEBPVP8 " + bytes(60),
    "application/pdf": b"%PDF-1.7\n" + bytes(60),
}


@pytest.mark.parametrize("media", FILES)
@pytest.mark.parametrize("type_", ["image_url", "pdf_url", "mdx_url"])
@pytest.mark.parametrize("form", ["{}", "data:application/octet-stream;base64,{}", "data:image/bmp;base64,{}"])
def test_a_file_is_known_by_how_it_begins(type_, media, form):
    """Mem0's callers send bare base64; providers refuse an image under the name of another."""
    written = base64.encodebytes(FILES[media]).decode()
    (message,) = came_with(type_, form.format(written))
    assert message.content == f"Look.\n[{type_.removesuffix('_url')}]"
    (attachment,) = message.attachments
    assert attachment.kind == ("document" if media == "application/pdf" else "image")
    assert attachment.url == f"data:{media};base64,{base64.b64encode(FILES[media]).decode()}"


NOTE = "# Cabin\n\nThe wifi password of the cabin is tulip. ☕\n"
IN_BASE64 = base64.b64encode(NOTE.encode()).decode()


@pytest.mark.parametrize("type_", ["mdx_url", "txt_url", "text_url", "pdf_url"])
@pytest.mark.parametrize(
    "address",
    [
        IN_BASE64,
        base64.encodebytes(b"\xef\xbb\xbf" + NOTE.encode()).decode(),
        IN_BASE64.rstrip("="),
        f"data:text/markdown;base64,{IN_BASE64}",
        f"data:text/plain;charset=utf-8;base64,{IN_BASE64}",
        f"data:;base64,{IN_BASE64}",
        f"data:application/octet-stream;base64,{IN_BASE64}",
        f"DATA:text/plain,{quote(NOTE)}",
    ],
)
def test_a_document_that_is_text_is_read_as_a_message_of_its_own(type_, address):
    """By the rules and by any model; what it says, nobody in the conversation said."""
    said, document = came_with(type_, address)
    assert (said.content, said.name, said.attachments) == ("Look.", "Ana", ())
    assert (document.role, document.name, document.content) == ("document", None, NOTE)
    assert document.source_id not in {None, said.source_id}


def test_a_document_without_words_to_it_is_all_that_a_message_was():
    (document,) = intake.parse_messages({"role": "user", "content": {"type": "mdx_url", "mdx_url": IN_BASE64}})
    assert (document.role, document.content) == ("document", NOTE)


def test_a_document_that_came_with_instructions_is_one():
    """And so never a memory."""
    assert [message.role for message in came_with("mdx_url", IN_BASE64, role="system")] == ["system", "system"]


def test_a_document_loses_its_secrets():
    (_, document) = came_with("txt_url", base64.b64encode(f"Token: {CANARY}, as agreed".encode()).decode())
    assert CANARY not in document.content
    assert document.content.endswith("as agreed")


def test_a_document_is_as_long_as_a_message_at_most():
    written = base64.b64encode(b"a" * (intake.MAX_TEXT_CHARACTERS + 1)).decode()
    with pytest.raises(InvalidInputError, match="characters long"):
        came_with("mdx_url", written)


@pytest.mark.parametrize("form", ["{}", "data:application/zip;base64,{}", "data:text/plain;base64,{}"])
@given(content=st.binary(min_size=49), type_=st.sampled_from(["image_url", "pdf_url", "mdx_url", "video_url"]))
def test_a_file_in_base64_is_never_said(form, content, type_):
    """Whatever it holds."""
    written = base64.b64encode(content).decode()
    assert all(written not in message.content for message in came_with(type_, form.format(written)))


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        (None, "messages"),
        (5, "messages"),
        (b"tea", "messages"),
        ({1, 2}, "messages"),
        ([5], r"messages\[0\]"),
        (["x", None], r"messages\[1\]"),
        ({"role": "user"}, "content"),
        ({"role": "poet", "content": "x"}, "poet"),
        ({"role": "user", "content": 5}, "content"),
        ({"role": "user", "content": [5]}, "content"),
        ({"role": "user", "content": "x", "timestamp": "soon"}, "soon"),
        ({"role": "user", "content": "x", "name": ["a"]}, "name"),
        ({"role": "user", "content": "x", "id": ["a"]}, "id"),
        ("x" * (intake.MAX_TEXT_CHARACTERS + 1), "characters"),
        (["x"] * (intake.MAX_MESSAGES + 1), "messages"),
    ],
)
def test_what_is_no_message_is_refused_with_its_place(raw, named):
    """And what would be right."""
    with pytest.raises(InvalidInputError, match=named):
        intake.parse_messages(raw)


# --- text ---


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("a\x00b", "ab"),
        ("\ud83d\ude00", "😀"),
        ("\ud800", "\ufffd"),
        ("\u202eאבג", "\u202eאבג"),
        ("日本語", "日本語"),
        (" a ", " a "),
        ("", ""),
    ],
)
def test_text_is_what_a_file_can_hold(raw, kept):
    """Nothing else about it changes."""
    assert intake.parse_text(raw, "text") == kept


@given(st.text(st.characters()))
def test_any_text_can_be_stored(raw):
    """It encodes, and cleaning it again changes nothing."""
    cleaned = intake.parse_text(raw, "text")
    cleaned.encode()
    assert "\x00" not in cleaned
    assert intake.parse_text(cleaned, "text") == cleaned


def test_secrets_are_redacted_wherever_a_text_is_taken():
    """Content, names, facts, labels, entities, relations, metadata and its keys."""
    facts = intake.parse_facts(
        {
            "text": f"the key is {CANARY}",
            "speaker": CANARY,
            "categories": [CANARY],
            "entities": [CANARY, {"name": CANARY, "kind": CANARY}],
            "relations": [{"source": CANARY, "relationship": CANARY, "target": CANARY}],
            "metadata": {CANARY: [CANARY, {"deep": CANARY}]},
        }
    )
    messages = intake.parse_messages(
        [
            {"role": "user", "content": CANARY, "name": CANARY, "id": CANARY},
            Message(role="user", content=CANARY, source_id=CANARY),
        ]
    )
    assert CANARY not in repr((facts, messages))
    assert CANARY.casefold() not in repr(facts).casefold()


def test_two_ids_that_look_like_secrets_stay_two():
    """Redacting both to the same mark would take one message for the other."""
    first, second = (intake.parse_opaque_id(f"ghp_16C7e42F292c6912E7710c838347Ae178B{n}a", "id") for n in "45")
    assert first != second
    assert first == intake.parse_opaque_id("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "id")
    assert intake.parse_opaque_id("msg-1", "id") == "msg-1"


@pytest.mark.parametrize("blank", [None, "", "  ", "\x00"])
def test_a_blank_id_is_none(blank):
    """Two messages without an id are not the same message."""
    assert intake.parse_opaque_id(blank, "id") is None


# --- metadata ---


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_metadata_comes_out_as_plain_json(raw):
    """Parsing it again changes nothing."""
    plain = intake.parse_metadata(raw)
    assert intake.parse_metadata(plain) == plain


def test_days_tuples_and_times_become_json():
    """What JSON has a common form for."""
    day = date(2026, 1, 2)
    assert intake.parse_metadata({"a": (1, day), "b": datetime(2026, 1, 2, tzinfo=UTC)}) == {
        "a": [1, "2026-01-02"],
        "b": "2026-01-02T00:00:00+00:00",
    }


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        ("x", "metadata"),
        ([1], "metadata"),
        ({"a": {1, 2}}, r"metadata\.a"),
        ({"a": [0, object()]}, r"metadata\.a\[1\]"),
        ({"a": b"x"}, r"metadata\.a"),
        ({"a": float("nan")}, "nan"),
        ({"a": float("inf")}, "inf"),
        ({"a": 2**1024}, r"metadata\.a"),
        ({"a": 10**5_000}, r"metadata\.a"),
        ({1: "x"}, "key 1"),
        ({"a": "x" * intake.MAX_METADATA_CHARACTERS}, "characters"),
        (nested(intake.MAX_METADATA_DEPTH), "deeper"),
        (nested(5_000), "deeper"),
    ],
)
def test_metadata_that_json_cannot_hold_is_refused_with_its_place(raw, named):
    """Too deep, too large, not a number, not a text."""
    with pytest.raises(InvalidInputError, match=named):
        intake.parse_metadata(raw)


def test_metadata_may_be_as_deep_as_the_limit():
    """And no deeper."""
    assert intake.parse_metadata(nested(intake.MAX_METADATA_DEPTH - 1))


def test_metadata_that_holds_itself_is_too_deep():
    """Not an endless loop."""
    loop: dict[str, object] = {}
    loop["a"] = loop
    with pytest.raises(InvalidInputError, match="deeper"):
        intake.parse_metadata(loop)


# --- facts ---


def test_a_fact_may_bring_all_that_is_known_of_it():
    """In values."""
    (fact,) = intake.parse_facts(
        {
            "text": " Alice lives in Bonn ",
            "speaker": "Alice",
            "role": "user",
            "timestamp": "2026-01-02",
            "valid_from": "2026-01-01",
            "valid_to": "2026-02-01",
            "expiration_date": "2026-03-01",
            "metadata": {"a": 1},
            "categories": ["home", "home", " "],
            "entities": ["Bonn", {"name": "Alice", "type": "person"}],
            "relations": [{"source": "Alice", "relationship": "lives_in", "destination": "Bonn"}],
            "supersedes": ["a", "a", " b "],
            "immutable": True,
        }
    )
    assert (fact.text, fact.kind, fact.speaker, fact.role) == ("Alice lives in Bonn", "fact", "Alice", "user")
    assert fact.created_at == datetime(2026, 1, 2, tzinfo=UTC)
    assert (fact.valid_from, fact.valid_to) == (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
    assert (fact.expires_on, fact.categories, fact.immutable) == (date(2026, 3, 1), ("home",), True)
    assert fact.entity_refs == (
        EntityRef(name="Bonn", kind="entity", key="bonn"),
        EntityRef(name="Alice", kind="person", key="alice"),
    )
    assert fact.relations == (Relation(source="Alice", relationship="lives_in", target="Bonn"),)
    assert fact.supersedes == ("a", "b")


def test_no_entities_is_not_the_same_as_none_given():
    """An empty list says that there are none; the rules look otherwise."""
    bare, empty = intake.parse_facts(["x", {"text": "x", "entities": []}])
    assert bare.entity_refs is None
    assert empty.entity_refs == ()


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        (None, "facts"),
        (5, "facts"),
        ([5], r"facts\[0\]"),
        ({"text": " "}, "blank"),
        ({}, "text"),
        ({"text": "x", "colour": 1}, "colour"),
        ({"text": "x", "valid_from": "2026-02-01", "valid_to": "2026-02-01"}, "valid_to"),
        ({"text": "x", "valid_from": "soon"}, "soon"),
        ({"text": "x", "expiration_date": "soon"}, "soon"),
        ({"text": "x", "entities": "Bonn"}, "entities"),
        ({"text": "x", "entities": [5]}, r"entities\[0\]"),
        ({"text": "x", "relations": "a"}, "relations"),
        ({"text": "x", "relations": [{"source": "a"}]}, r"relations\[0\]"),
        ({"text": "x", "supersedes": 5}, "supersedes"),
        ({"text": "x", "supersedes": [" "]}, "supersedes"),
        ({"text": "x", "metadata": {"a": object()}}, "metadata"),
        ({"text": "x", "categories": 5}, "categories"),
        (["x"] * (intake.MAX_MESSAGES + 1), "facts"),
    ],
)
def test_what_is_no_fact_is_refused_with_its_place(raw, named):
    """And nothing of the call is stored."""
    with pytest.raises(InvalidInputError, match=named):
        intake.parse_facts(raw)


# --- times ---


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("2026-01-02T03:04:05", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05+02:00", datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)),
        ("2026-01-02", datetime(2026, 1, 2, tzinfo=UTC)),
        (1_767_322_800, datetime(2026, 1, 2, 3, 0, tzinfo=UTC)),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (-1.5, datetime(1969, 12, 31, 23, 59, 58, 500_000, tzinfo=UTC)),
        (datetime(2026, 1, 2), datetime(2026, 1, 2, tzinfo=UTC)),  # noqa: DTZ001 - naive on purpose
        (datetime(2026, 1, 2, 2, tzinfo=timezone(timedelta(hours=2))), datetime(2026, 1, 2, tzinfo=UTC)),
        ("0001-01-01", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999999Z", datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
    ],
)
def test_times_come_in_many_forms_and_are_utc(raw, expected):
    """Naive ones are UTC; far away ones are as good as any."""
    (message,) = intake.parse_messages({"role": "user", "content": "x", "timestamp": raw})
    assert message.at == expected


@pytest.mark.parametrize(
    "bad", ["", "soon", "2026-13-01", "10000-01-01", 1e300, float("nan"), "0001-01-01T00:00:00+01:00", True, []]
)
def test_what_is_no_time_is_refused(bad):
    """Never a traceback."""
    with pytest.raises(InvalidInputError):
        intake.parse_messages({"role": "user", "content": "x", "timestamp": bad})


@pytest.mark.parametrize("filler", [" ", "=", "A", "A ", "= "])
def test_an_address_of_any_length_is_told_from_a_path_in_one_pass(filler):
    """No pattern tries it in every way."""
    began = time.process_time()
    is_reference("a" + filler * 500_000 + "!")
    assert time.process_time() - began < 5
