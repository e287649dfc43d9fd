"""What of a conversation was said before in another, wherever it stands in either."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.domain.attachments import came_with
from kept.domain.memory import Attachment, Message
from kept.domain.parts import is_read, stands_alone
from kept.domain.repeats import RUNS, days, said_before, sent_again, words

IMAGE = Attachment(kind="image", url="https://x.test/a.png")
HOME, TEA, DOG = "I live in Berlin.", "I like green tea.", "My dog is called Rex."
SAID = {
    **{letter: Message(role="user", content=text) for letter, text in zip("HTD", (HOME, TEA, DOG), strict=True)},
    "y": Message(role="user", content="Yes."),
    "s": Message(role="user", content="She does."),
    "n": Message(role="user", content="No."),
    ".": Message(role="system", content="Be brief."),
    " ": Message(role="user", content=" "),
    "i": Message(role="user", content=HOME, attachments=(IMAGE,)),
    "a": Message(role="assistant", content=HOME),
    "N": Message(role="user", content=HOME, name="Ann"),
    "h": Message(role="user", content=f" {HOME.replace(' ', '  ')}\n"),
}
"""Messages by a letter; what does not stand alone has a small one."""
CONVERSATIONS = st.lists(st.sampled_from(sorted(SAID.values(), key=repr)), max_size=12)


def conversation(letters):
    return [SAID[letter] for letter in letters]


@pytest.mark.parametrize(
    ("said", "earlier", "expected"),
    [
        ("HTD", "HT", {0: 0, 1: 1}),
        ("DHT", "HT", {1: 0, 2: 1}),
        ("HDT", "HT", {0: 0, 2: 1}),
        ("TH", "HT", {0: 1, 1: 0}),
        ("HTHT", "HT", {0: 0, 1: 1, 2: 0, 3: 1}),
        ("D", "HT", {}),
        ("", "HT", {}),
        ("H", "", {}),
        (".H T", "H.T", {1: 0, 3: 2}),
        ("h", "H", {0: 0}),
        ("aN", "HD", {}),
        ("iT", "HT", {1: 1}),
        ("y", "y", {}),
        ("Ty", "Hy", {}),
        ("yT", "HyT", {0: 1, 1: 2}),
        ("yn", "Hyn", {0: 1, 1: 2}),
        ("DyT", "HyT", {2: 2}),
        ("Dyn", "Hyn", {}),
        ("Hyn", "Hyn", {0: 0, 1: 1, 2: 2}),
        ("Hyi", "Hyi", {0: 0, 1: 1}),
        ("Hsy", "HTsy", {0: 0}),
        ("THy", "HyTH", {0: 2, 1: 3, 2: 1}),
    ],
    ids=[
        "it goes on",
        "behind a new message",
        "around one",
        "in another order",
        "twice",
        "something else",
        "nothing",
        "nothing before",
        "among what nobody reads",
        "with other blanks",
        "not of another speaker",
        "not with an image",
        "not an answer alone",
        "not to another question",
        "the end of one",
        "the end of one, of answers alone",
        "an answer behind a new message",
        "answers behind one",
        "answers behind their question",
        "up to an image",
        "not where what they answer is left out",
        "where it answers the same elsewhere",
    ],
)
def test_messages_that_mean_the_same(said, earlier, expected):
    assert said_before(conversation(said), conversation(earlier)) == expected


@pytest.mark.parametrize(
    ("said", "attached", "expected"),
    [
        ("Hi", {1: came_with(SAID["i"])}, {0: 0, 1: 1}),
        ("HH", {1: came_with(SAID["i"])}, {0: 0, 1: 1}),
        ("Hi", {1: "another"}, {0: 0}),
        ("Hi", {}, {0: 0}),
        ("iT", {0: came_with(SAID["i"])}, {0: 0, 1: 2}),
    ],
    ids=["with the same image", "without it", "with another one", "which came without", "among others"],
)
def test_what_came_with_an_image_is_the_same_with_that_image(said, attached, expected):
    assert said_before(conversation(said), conversation("HHT"), attached) == expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [({}, set()), ({3: 0}, set()), ({0: 4, 7: 9}, {0, 7}), ({0: 4, 7: 3}, set()), ({0: 4, 1: 3, 2: 5}, {1, 2})],
    ids=["nothing", "alone", "in its order", "in another", "in part"],
)
def test_what_is_sent_again_is_in_its_order(found, expected):
    assert sent_again(found) == expected


@pytest.mark.parametrize(
    ("text", "at", "expected"),
    [
        (HOME, None, []),
        ("I see the dentist tomorrow.", None, [["2026-03-03", "2026-03-04"]]),
        ("I see the dentist tomorrow.", datetime(2026, 1, 31, tzinfo=UTC), [["2026-02-01", "2026-02-02"]]),
        ("I saw him on 2025-12-24.", None, [["2025-12-24", "2025-12-25"]]),
    ],
    ids=["of none", "of another", "of another time", "of a date"],
)
def test_the_days_that_a_message_speaks_of(text, at, expected):
    told_at = datetime(2026, 3, 2, 10, tzinfo=UTC)
    assert days(Message(role="user", content=text, at=at), told_at) == expected


def test_runs_are_bounded():
    """What was put into another order altogether is new, past some runs."""
    messages = [Message(role="user", content=f"On day {day} I walked along the river.") for day in range(3 * RUNS)]
    assert len(said_before(messages[::-1], messages)) == RUNS
    assert len(said_before(messages, messages)) == len(messages)


@pytest.mark.parametrize("earlier", ["H", "HHHHHHHT"], ids=["one sentence", "in blocks that end otherwise"])
@pytest.mark.parametrize("ends", [1, RUNS], ids=["once", "in blocks"])
def test_the_same_sentence_over_and_over_takes_time_in_proportion(ends, earlier):
    """However many places there are at which it may have been said: four times as much takes no eight times as long."""

    def took(length):
        said = conversation(("H" * (length // ends - 1) + "D") * ends)
        other = conversation((earlier * length)[:length])
        began = time.process_time()
        said_before(said, other)
        return time.process_time() - began

    assert min(took(8_000) for _ in range(3)) < 8 * min(took(2_000) for _ in range(3))


def test_of_many_places_that_begin_alike_a_run_goes_on_behind_the_last_one():
    """A new message in the middle parts what is sent again, and no more of it."""
    answers = [
        Message(role="user", content=text) for number in range(100) for text in (TEA, f"I walked {number} miles.")
    ]
    for place in range(0, len(answers), 10):
        said = [*answers[:place], SAID["D"], *answers[place:]]
        again = said_before(said, answers)
        assert list(again.values()) == list(range(len(answers)))


@given(CONVERSATIONS, CONVERSATIONS)
def test_what_was_said_before_says_the_same(said, earlier):
    """And is read; alone, or after what it was said after, or at the beginning."""
    found = said_before(said, earlier)
    read = [place for place, one in enumerate(said) if is_read(one)]
    for place, there in found.items():
        assert words(said[place]) == words(earlier[there])
        assert is_read(said[place])
        assert not said[place].attachments
        before = read.index(place) - 1
        assert before < 0 or stands_alone(said[place]) or read[before] in found


@given(CONVERSATIONS.filter(lambda said: not any(one.attachments for one in said)), st.integers(0, 12))
def test_a_conversation_that_goes_on_was_said_before(said, end):
    """Whole, but for an answer alone."""
    earlier = said[:end]
    read = [place for place, one in enumerate(earlier) if is_read(one)]
    if len(read) != 1 or stands_alone(earlier[read[0]]):
        assert said_before(said, earlier).keys() >= set(read)
