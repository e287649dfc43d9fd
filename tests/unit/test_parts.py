"""A long conversation in parts that a language model can read one at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from kept.domain.memory import Attachment, Message
from kept.domain.parts import CONTEXT_CHARACTERS, CONTEXT_MESSAGES, Part, is_read, parts, reach, unread
from kept.domain.text import count_tokens

TOKENS = 60
IMAGE = Attachment(kind="image", url="https://x.test/a.png")
ROLES = st.sampled_from(["user", "assistant", "system", "tool"])
MESSAGES = st.lists(st.builds(Message, role=ROLES, content=st.text(max_size=300)), max_size=12)


def turns(*texts, role="user"):
    return [Message(role=role, content=text) for text in texts]


def test_a_short_conversation_is_one_part():
    """Whole, each message with its position."""
    messages = turns("I like tea.", "I live in Rome.")
    (part,) = parts(messages)
    assert part.messages == tuple(enumerate(messages))
    assert part.context == ()


def test_what_says_nothing_is_in_no_part():
    """Blank messages and instructions of a system; the positions of the others stay."""
    messages = [Message(role="system", content="Be brief."), *turns(" ", "I like tea.")]
    (part,) = parts(messages)
    assert part.messages == ((2, messages[2]),)
    assert parts(messages[:2]) == []
    assert parts([]) == []


def test_a_long_conversation_is_cut_between_messages():
    """As many in each part as fit."""
    messages = turns(*(f"Message number {number} says this and that." for number in range(12)))
    found = parts(messages, tokens=TOKENS)
    assert len(found) > 1
    assert [message for part in found for message in part.messages] == list(enumerate(messages))


def test_a_part_comes_with_what_was_said_before_it():
    """The last messages of the part before, or of earlier in the conversation."""
    earlier = [*turns("Where do you live?", role="assistant"), Message(role="system", content="Be brief.")]
    messages = turns(*(f"Message number {number} says this and that." for number in range(8)))
    first, second, *_ = parts(messages, earlier=earlier, tokens=TOKENS)
    assert first.context == (earlier[0],)
    start = second.messages[0][0]
    assert second.context == tuple([earlier[0], *messages[:start]][-CONTEXT_MESSAGES:])


def test_context_is_cut_at_its_beginning():
    """What follows answers its end."""
    (part,) = parts(turns("Yes."), earlier=turns("word " * 200 + "and do you like tea?"))
    (context,) = part.context
    assert context.content.startswith("…word")
    assert context.content.endswith("do you like tea?")
    assert len(context.content) <= CONTEXT_CHARACTERS + 1


def test_a_message_too_long_for_a_part_comes_in_pieces():
    """Under its own position, at the ends of sentences, with its end as context of the next; attachments once."""
    text = " ".join(f"The {number}th sentence of this text is as long as the others." for number in range(40))
    long = Message(
        role="user", content=text, name="Ann", at=datetime(2026, 3, 2, tzinfo=UTC), source_id="m1", attachments=(IMAGE,)
    )
    found = parts([*turns("Before."), long, *turns("After.")], tokens=TOKENS)
    pieces = [message for part in found for position, message in part.messages if position == 1]
    assert len(pieces) > 1
    assert " ".join(piece.content for piece in pieces) == text
    assert all(piece.content.endswith(".") for piece in pieces)
    assert {(piece.name, piece.at) for piece in pieces} == {("Ann", long.at)}
    assert [piece.attachments for piece in pieces] == [(IMAGE,)] + [()] * (len(pieces) - 1)
    assert found[-1].context[-1].content.endswith(pieces[-2].content[-20:])


def test_context_has_no_attachments():
    """They are read with the part that they belong to."""
    earlier = [Message(role="user", content="[image]", attachments=(IMAGE,))]
    assert parts(turns("Nice."), earlier=earlier)[0].context[0].attachments == ()


def test_what_was_read_before_is_what_stands_before_the_rest():
    """Between the messages that are left, where it stood there; the last of it, cut and without attachments."""
    said = [Message(role="user", content=f"Message {number}.", attachments=(IMAGE,)) for number in range(12)]
    before = turns("Before.")
    part = unread(Part(messages=tuple(enumerate(said)), context=before), {0, 2, 3, 4, 5, 6, 8, 10, 11})
    assert part.messages == tuple((place, said[place]) for place in (1, 7, 9))
    assert list(part.context) == [*before, *turns("Message 0.")]
    assert part.between == {7: tuple(turns(*(f"Message {n}." for n in (3, 4, 5, 6)))), 9: tuple(turns("Message 8."))}
    assert [[one.content for one in stretch] for _, stretch in part.stretches()] == [
        ["Message 1."],
        ["Message 7."],
        ["Message 9."],
    ]


def test_where_nothing_was_read_before_a_part_is_one_stretch():
    part = Part(messages=tuple(enumerate(turns("I like tea.", "I live in Rome."))), context=(*turns("Before."),))
    assert unread(part, ()) == part
    assert list(part.stretches()) == [(list(part.context), [message for _, message in part.messages])]


@given(MESSAGES, st.sets(st.integers(0, 11)), st.integers(20, 200))
def test_of_what_was_read_before_the_rest_is_left(messages, known, tokens):
    """In order, in stretches that begin below what stands before them; nothing of it is both."""
    for whole in parts(messages, tokens=tokens):
        part = unread(whole, known)
        assert list(part.messages) == [one for one in whole.messages if one[0] not in known]
        stretches = list(part.stretches())
        assert [one for _, stretch in stretches for one in stretch] == [message for _, message in part.messages]
        assert all(len(before) <= CONTEXT_MESSAGES for before, _ in stretches)
        assert all(before for before, _ in stretches[1:])
        assert [one for before, _ in stretches for one in before] == (list(part.besides) if stretches else [])


@given(MESSAGES, st.sets(st.integers(0, 11)), st.integers(20, 200))
def test_all_that_a_part_shows_of_its_episode_is_within_its_reach(messages, known, tokens):
    """And no more than what stands before it as context."""
    for whole in parts(messages, tokens=tokens):
        part = unread(whole, known)
        if part.messages:
            shown = reach(part, messages)
            said = [messages[place].content for place in shown]
            assert all(any(turn.content.removeprefix("…") in text for text in said) for turn in part.besides)
            before = [place for place in shown if place < part.messages[0][0] and is_read(messages[place])]
            assert len(before) <= CONTEXT_MESSAGES
            assert shown[-1] == part.messages[-1][0]


@given(MESSAGES, st.integers(20, 200))
def test_every_message_is_read_once(messages, tokens):
    """In order; nothing is lost but white space, whatever the size of a part."""
    found = [message for part in parts(messages, tokens=tokens) for message in part.messages]
    positions = [position for position, _ in found]
    assert positions == sorted(positions)
    for position, message in enumerate(messages):
        read = "".join(piece.content for at, piece in found if at == position)
        said = "" if message.role == "system" else message.content
        assert "".join(read.split()) == "".join(said.split())


@given(MESSAGES, st.integers(20, 200))
def test_parts_are_not_empty_and_not_larger_than_asked(messages, tokens):
    """A part with several messages fits; its context is short."""
    for part in parts(messages, tokens=tokens):
        cost = sum(count_tokens(message.content) for _, message in part.messages)
        assert part.messages
        assert len(part.messages) == 1 or cost <= tokens
        assert len(part.context) <= CONTEXT_MESSAGES


@given(MESSAGES, st.integers(20, 200))
def test_the_same_messages_give_the_same_parts(messages, tokens):
    """So that a job that is tried again reads what it read before; times do not matter."""
    dated = [
        Message(role=message.role, content=message.content, at=datetime(2026, 3, 2, tzinfo=UTC) + timedelta(hours=n))
        for n, message in enumerate(messages)
    ]
    cuts = [[position for position, _ in part.messages] for part in parts(messages, tokens=tokens)]
    assert cuts == [[position for position, _ in part.messages] for part in parts(dated, tokens=tokens)]
