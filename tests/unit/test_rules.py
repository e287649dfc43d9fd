"""The default extractor: whose words are kept, which questions, and what of a model's and a tool's words."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kept.adapters.extractors.rules import RuleExtractor
from kept.domain.memory import Message

AT = datetime(2026, 3, 4, 12, tzinfo=UTC)


def kept(*messages: tuple[str, str] | tuple[str, str, str]) -> list[str]:
    said = [Message(role=role, content=content, name=name[0] if name else None) for role, content, *name in messages]
    return [draft.text for draft in RuleExtractor().extract(said, AT)]


def speakers(content: str) -> dict[str, str | None]:
    drafts = RuleExtractor().extract([Message(role="user", name="Dorota", content=content)], AT)
    return {draft.text: draft.speaker for draft in drafts}


def test_a_question_is_kept_when_its_answer_needs_it():
    assert kept(("assistant", "Do you drink a lot of coffee?"), ("user", "Two cups a day.")) == [
        "Do you drink a lot of coffee?",
        "Two cups a day.",
    ]


def test_a_question_is_left_out_when_its_answer_stands_alone():
    assert kept(("assistant", "What is your job?"), ("user", "I repair church organs in Groningen.")) == [
        "I repair church organs in Groningen."
    ]


def test_a_question_nobody_has_answered_yet_is_kept():
    assert kept(("user", "Which harbour is nearest?")) == ["Which harbour is nearest?"]


def test_a_persons_question_that_names_something_is_kept():
    question = "Can I grow mint in Bergen?"
    assert kept(("user", question), ("assistant", "Mint tolerates shade and cool summers well.")) == [
        question,
        "Mint tolerates shade and cool summers well.",
    ]


@pytest.mark.parametrize(
    "said", ["Great theme!", "I'll keep nutmeg out of it.", "Perhaps you work too much.", "That explains a lot."]
)
def test_what_a_model_says_without_saying_anything_is_left_out(said):
    assert kept(("user", "I cook on Mondays."), ("assistant", said)) == ["I cook on Mondays."]


@pytest.mark.parametrize("said", ["And I changed the parser.", "I've adapted the query.", "We split the file."])
def test_what_a_model_did_is_kept(said):
    assert kept(("user", "I cook on Mondays."), ("assistant", said)) == ["I cook on Mondays.", said]


def test_an_assistant_with_a_name_of_its_own_is_a_person():
    said = "I'll bring the lemon cake."
    assert kept(("user", "Come at six on Sunday."), ("assistant", said, "Fionn")) == ["Come at six on Sunday.", said]


def test_of_a_tool_sentences_are_kept_and_output_is_not():
    output = "NAME   READY   STATUS\npod-1  0/1     Error\nThe quota of the project is used up since Monday."
    assert kept(("user", "I look after two clusters."), ("tool", output)) == [
        "I look after two clusters.",
        "The quota of the project is used up since Monday.",
    ]


def test_a_failed_command_is_kept_whole():
    failure = "This command failed:\n\n```\n$ make docs\nNo rule to make target.\n```"
    assert kept(("tool", failure)) == [failure]


def test_code_stays_with_its_introduction_whoever_speaks():
    code = "Run this to install:\n```sh\nnpm ci\n```"
    assert kept(("assistant", code)) == [code]


@pytest.mark.parametrize("content", ["PostgreSQL.", "Tea.", "Which port?"])
def test_a_lone_fragment_is_kept(content):
    assert kept(("user", content)) == [content]


def test_a_fragment_in_a_conversation_is_not():
    assert kept(("user", "I like the sea."), ("user", "Always.")) == ["I like the sea."]


def test_the_sender_of_a_mail_is_the_speaker_of_its_words():
    content = "Look at this:\nFrom: Zdenka Ito\nTo: team\n\nI wrote the auth service. The runbook is in docs/auth.md."
    assert speakers(content)["I wrote the auth service."] == "Zdenka Ito"


def test_a_quotation_is_never_attributed_to_who_quotes_without_saying_so():
    said = 'Achterberg wrote: "Cooking is fine. I hate escape rooms."'
    assert speakers(said) == {said: "Dorota"}


def test_a_chat_line_stays_whole():
    said = "from the chat:\nInes: I am vegan now. I would need a ground floor room.\nTobiah: I get carsick."
    assert not any(text.startswith("I would") for text in speakers(said))
