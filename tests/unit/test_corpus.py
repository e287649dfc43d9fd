"""The labelled corpus: as large and as varied as promised, every label in its message; and the judge, on what is plain."""

from __future__ import annotations

import runpy
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from kept.domain.attribution import attribution
from kept.domain.memory import Message
from kept.domain.stance import stance

JUDGING = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "understanding.py"), run_name="understanding")
CORPUS = JUDGING["conversations"]()
TYPES = {"preference", "decision", "convention", "task", "event", "profile", "procedure"}


@pytest.fixture
def judged():
    """Judges what was kept of a small conversation: `judged(said, kept)` with labels; gives the figures."""

    def judge(said, kept, *, speaker="user", day=None, may=(), secrets=()):
        label = JUDGING["Label"](turn=0, quote=said, text=said, type="event", speaker=speaker, date=day)
        conversation = JUDGING["Conversation"](
            id="c",
            kind="chat",
            language="en",
            split="dev",
            messages=[{"role": "user", "content": f"Hi! {said} Nice weather in Oslo."}],
            keep=[label],
            may=may,
            secrets=secrets,
        )
        tally = JUDGING["Tally"]()
        memories = [{"id": str(n), "position": 0, "speaker": "user", **memory} for n, memory in enumerate(kept)]
        JUDGING["judge"](conversation, memories, tally)
        return tally.figures()

    return judge


def test_it_is_as_large_as_promised():
    kinds = Counter(conversation.kind for conversation in CORPUS)
    assert kinds["coding"] >= 30
    assert kinds["chat"] >= 30
    assert sum(len(conversation.messages) for conversation in CORPUS) >= 900
    assert len({conversation.id for conversation in CORPUS}) == len(CORPUS)


def test_no_label_is_denied_by_its_message_or_only_supposed_in_it():
    """Each says what its message says: whatever finds another stance in one would lose a fact that is right."""
    for conversation in CORPUS:
        for label in conversation.keep:
            message = conversation.messages[label.turn]
            uncounted = ["user", "assistant", message.get("name") or ""]
            assert stance(label.text, [str(message["content"])], uncounted=uncounted) == "says", conversation.split


def test_no_label_is_said_of_another_in_its_message():
    """Nor may it be: whatever finds another subject in one would lose a fact that is right."""
    for conversation in CORPUS:
        for label in conversation.keep:
            said = conversation.messages[label.turn]
            message = Message(role=said["role"], name=said.get("name"), content=str(said["content"]))
            assert attribution(label.text, [message]) == "same", conversation.split


def test_it_speaks_several_languages_and_part_of_it_is_held_out():
    assert {conversation.language for conversation in CORPUS} >= {"en", "de", "es", "fr", "zh", "ja"}
    assert Counter(conversation.split for conversation in CORPUS)["held-out"] >= 20


def test_messages_are_no_copies_of_each_other():
    said = [message["content"] for one in CORPUS for message in one.messages if len(message["content"]) > 60]
    twice = [text for text, count in Counter(said).items() if count > 1]
    assert all(text.startswith("HEARTBEAT") for text in twice)


@pytest.mark.parametrize("conversation", CORPUS, ids=lambda conversation: conversation.id)
def test_every_label_points_at_words_of_its_message(conversation):
    for label in conversation.keep:
        assert label.quote in conversation.messages[label.turn]["content"]
        assert label.text
        assert label.type in TYPES
        if label.date is not None:
            assert date.min < JUDGING["days"](label.date)[0] < JUDGING["days"](label.date)[1]
    for turn, quote in conversation.may:
        assert quote in conversation.messages[turn]["content"]
    for secret in conversation.secrets:
        assert any(secret in message["content"] for message in conversation.messages)


def test_what_covers_the_label_is_neither_junk_nor_missed(judged):
    figures = judged("I moved to Porto in May.", [{"memory": "I moved to Porto in May."}])
    assert (figures["junk kept %"], figures["facts missed %"], figures["wrong speaker"]) == (0, 0, 0)


def test_what_stands_outside_the_labels_is_junk(judged):
    figures = judged("I moved to Porto in May.", [{"memory": "Nice weather in Oslo."}])
    assert (figures["junk kept %"], figures["facts missed %"]) == (100, 100)


def test_what_may_be_kept_is_neither(judged):
    kept = [{"memory": "I moved to Porto in May."}, {"memory": "Nice weather in Oslo."}]
    assert judged("I moved to Porto in May.", kept, may=[(0, "Nice weather in Oslo.")])["junk kept %"] == 0


def test_parts_of_a_label_cover_it_together(judged):
    kept = [{"memory": "No single stocks, no crypto."}, {"memory": "I lost 2,000 in 2021."}]
    assert judged("No single stocks, no crypto. I lost 2,000 in 2021.", kept)["facts missed %"] == 0


def test_another_speaker_is_wrong_unless_the_words_name_him(judged):
    said = "Ines: I am vegan now."
    assert judged(said, [{"memory": "I am vegan now."}], speaker="Ines")["wrong speaker"] == 1
    assert judged(said, [{"memory": said}], speaker="Ines")["wrong speaker"] == 0


@pytest.mark.parametrize(
    ("found", "wrong", "missed"),
    [([("2026-05-03", "2026-05-04")], 0, 0), ([("2026-05-10", "2026-05-11")], 1, 0), ([], 0, 1)],
)
def test_a_said_date_is_right_wrong_or_missed(judged, found, wrong, missed):
    dates = [{"from": first, "to": last} for first, last in found]
    figures = judged(
        "The fair is on 3 May.", [{"memory": "The fair is on 3 May.", "metadata": {"dates": dates}}], day="2026-05-03"
    )
    assert (figures["wrong date"], figures["date missed"]) == (wrong, missed)


@pytest.mark.parametrize(
    "invented", ["I moved to Porto in May with Beatrix.", "I moved to Porto in May for 900 euros."]
)
def test_names_and_numbers_that_nobody_said_are_inventions(judged, invented):
    assert judged("I moved to Porto in May.", [{"memory": invented}])["invention"] == 1


def test_a_secret_that_is_kept_is_counted(judged):
    figures = judged("My code is 4711 now.", [{"memory": "My code is 4711 now."}], secrets=["4711"])
    assert figures["secrets kept"] == 1


def test_the_rules_keep_their_promises_on_every_part_of_the_corpus():
    tallies = {}
    for conversation, memories in JUDGING["remembered"](CORPUS):
        JUDGING["judge"](conversation, memories, tallies.setdefault(conversation.split, JUDGING["Tally"]()))
    for tally in tallies.values():
        figures = tally.figures()
        assert figures["junk kept %"] < 10
        assert figures["facts missed %"] < 5
        assert (figures["wrong speaker"], figures["wrong date"], figures["invention"], figures["secrets kept"]) == (
            0,
        ) * 4
