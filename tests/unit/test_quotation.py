"""Words of others stay together, with whose they are."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.domain.quotation import is_header, is_labelled, mail_in, whole_sentences

LIMIT = 600
MAIL = "Here it is:\nFrom: Zdenka Ito <z@example.org>\nTo: team\nSubject: Handover\n\nI leave in May. The runbook is in docs."


def sentences(text: str, limit: int = LIMIT) -> list[str]:
    return [text[start:end] for start, end in whole_sentences(text, 0, len(text), limit)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("I like tea. I like cake.", ["I like tea.", "I like cake."]),
        ("Ines: I am vegan now. I need a room.", ["Ines: I am vegan now. I need a room."]),
        (
            "[10:41] Vendela: It fails. I saw it.\n[10:43] Kofi: ok",
            ["[10:41] Vendela: It fails. I saw it.", "[10:43] Kofi: ok"],
        ),
        (
            'He wrote: "Cooking is fine. I hate boats." We agreed.',
            ['He wrote: "Cooking is fine. I hate boats."', "We agreed."],
        ),
        (
            "Er schreibt: \u201eIch zahle. Ich komme.\u201c",
            ["Er schreibt: \u201eIch zahle. Ich komme.\u201c"],
        ),
        ("> I lost two hours. It broke.\n> Never again.", ["> I lost two hours. It broke.\n> Never again."]),
        ('A 27" screen. It is fine.', ['A 27" screen.', "It is fine."]),
        ("Note: we stay.\n\nNow we go.", ["Note: we stay.", "Now we go."]),
    ],
)
def test_what_one_says_is_not_taken_apart(text, found):
    assert sentences(text) == found


def test_a_span_of_several_sentences_has_a_limit():
    said = "Ines: " + "I am vegan now. " * 50
    assert all(len(sentence) <= 100 for sentence in sentences(said, 100))


@given(st.text())
def test_spans_are_in_order_and_never_overlap(text):
    spans = whole_sentences(text, 0, len(text), LIMIT)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    assert all(0 <= start < end <= len(text) for start, end in spans)


def test_a_mail_is_told_by_its_head():
    mail = mail_in(MAIL)
    assert mail is not None
    assert (mail.start, mail.sender) == (MAIL.index("From:"), "Zdenka Ito")


@pytest.mark.parametrize("text", ["", "From: the beginning of time", "We moved.\nTo: everybody's surprise"])
def test_one_line_makes_no_mail(text):
    assert mail_in(text) is None


@pytest.mark.parametrize(("line", "is_one"), [("Subject: tea", True), ("Betreff: Tee", True), ("Topic: tea", False)])
def test_headers_are_known_in_some_languages(line, is_one):
    assert is_header(line) is is_one


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        ("Ines: yes", True),
        ("> yes", True),
        ("Ines Voss: yes", True),
        ("INFO: yes", False),
        ("one more thing: yes", False),
    ],
)
def test_a_line_may_say_whose_it_is(line, is_one):
    assert is_labelled(line) is is_one
