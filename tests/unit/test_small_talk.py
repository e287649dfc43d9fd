"""What says nothing, in the languages that the rules know, and what does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.domain.small_talk import content_words, is_announcement, is_guess, is_offer, is_small_talk, is_specific

TALK = [
    "Hello there!",
    "Hey Nate, long time no see!",
    "Wow, Caroline, that sounds like a blast!",
    "Yeah, Tim!",
    "That's awesome, Gina!",
    "Thank you for contacting us.",
    "If you have any further questions or need additional assistance, feel free to reach out!",
    "Would you like me to add it to the list?",
    "I'm so sorry to hear that.",
    "My apologies for the back and forth.",
    "You're absolutely right.",
    "Congratulations on placing your order!",
    "I'm here to listen.",
    "See you on the 10th!",
    "Bye Nora :)",
    "Sehr gerne!",
    "Vielen Dank für deine Hilfe!",
    "Gute Nacht",
    "¡Hasta luego!",
    "¿En qué puedo ayudarte?",
    "Merci beaucoup pour ton aide !",
    "N'hésite pas si tu as d'autres questions.",
    "Buonasera, come stai?",
    "Muito obrigada!",
    "你好，晓岚！",
    "哈哈，谢谢",
    "有什么可以帮你的吗？",
    "ありがとうございます。",
    "こんばんは、美咲さん。",
    "감사합니다",
]
SAYS = [
    "I moved to Porto in May.",
    "Thank you for the three crates of apples from Graz.",
    "Let me know when the nightly export to the warehouse fails again.",
    "I'm happy in my new flat by the harbour in Oslo.",
    "Keep me logged in on all devices.",
    "It must have two factors.",
    "Agreed with Bogdan to drop the module.",
    "I'm available for interviews on Tuesday.",
    "I'm excited to see the Aalto exhibition in May.",
    "We're ready to release on Friday.",
    "Should we use Postgres for the archive?",
    "Would you like to join us at the lake on Friday?",
    "If you see Tom by the lockers, let me know whether he has the keys.",
    "Sehr geehrter Hinnerk zahlt den Saal.",
    "Wir ziehen am 1. Juli nach Rostock um.",
    "Voy a Oaxaca con mi hermano.",
    "Je cours le marathon de Nantes.",
    "我对花生过敏。",
    "来週から娘がピアノ教室に通い始めます。",
]


def judged(text: str) -> bool:
    words, content = content_words(text)
    return not words or is_small_talk(text, words, content)


@pytest.mark.parametrize("text", TALK)
def test_small_talk_is_told(text):
    assert judged(text)


@pytest.mark.parametrize("text", SAYS)
def test_what_says_something_is_no_small_talk(text):
    assert not judged(text)


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("I prefer green tea", 3),
        ("Das klingt nach einem guten Preis", 1),
        ("the war was won by the cat", 3),
        ("ok gracias", 0),
        ("我对花生过敏", 4),
        ("", 0),
    ],
)
def test_content_is_what_neither_language_nor_courtesy_asks_for(text, content):
    assert content_words(text)[1] == content


@pytest.mark.parametrize(
    "text",
    ["Let me quantize to two places.", "Running mypy now.", "Okay, dann erstelle ich den Antrag."],
)
def test_an_announcement_is_told(text):
    assert is_announcement(text, content_words(text)[0])


@pytest.mark.parametrize(
    "text",
    [
        "I'll use `COPY` in the load query.",
        "Starting run 42.",
        "Then restart the worker.",
        "Running the tests on two cores takes an hour.",
    ],
)
def test_what_decides_something_is_no_announcement(text):
    assert not is_announcement(text, content_words(text)[0])


@pytest.mark.parametrize("text", ["Would you like some tips?", "Great, shall we begin?", "Soll ich eine Liste machen?"])
def test_an_offer_is_told(text):
    assert is_offer(text)


@pytest.mark.parametrize(
    "text", ["Perhaps you work too much?", "It could also be stress.", "It's probably a virus scanner.", "I assume so."]
)
def test_a_guess_is_told(text):
    assert is_guess(text)


@pytest.mark.parametrize(
    "text", ["You might want to try port 8080.", "The cause is a changed repr.", "It may freeze at night."]
)
def test_advice_and_findings_are_no_guesses(text):
    assert not is_guess(text)


@pytest.mark.parametrize(
    "text", ["It is 7", "in `main`", 'He said "no"', "with Ana", "the API", "two of them", "src/main.py", "5 €"]
)
def test_numbers_names_code_and_quotations_are_specific(text):
    assert is_specific(text, content_words(text)[0])


@pytest.mark.parametrize("text", ["Great theme", "I am glad", "Ich mag den Preis", "so much better"])
def test_without_them_nothing_is(text):
    assert not is_specific(text, content_words(text)[0])


@given(st.text())
def test_any_text_can_be_judged(text):
    words, content = content_words(text)
    assert content >= 0
    if words:
        assert is_small_talk(text, words, content) in {True, False}
        assert is_announcement(text, content_words(text)[0]) in {True, False}
        assert is_guess(text) in {True, False}
