"""Extraction over the wire: what is asked reaches each provider's format whole, and what is answered comes back as facts."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from kept.adapters.models import Access, open_model
from kept.domain.categories import Category
from kept.domain.memory import Attachment, MemoryRecord, Message
from kept.domain.scope import Scope
from kept.engine.extraction import Part, Wishes, prompt, read
from kept.errors import ModelAnswerError
from kept.testing.providers import Answer, HalfAnswer, ScriptedProvider

pytest.importorskip("pydantic_ai")
pytestmark = pytest.mark.slow  # importing a provider takes seconds

REFERENCE = datetime(2026, 3, 11, 9, 30, tzinfo=UTC)
IMAGE = Attachment(kind="image", url="data:image/png;base64,iVBORw0KGgo=")
PART = Part(
    messages=(
        (3, Message(role="user", content="I moved to Berlin yesterday.", name="Ann")),
        (4, Message(role="assistant", content="How is Berlin?")),
    )
)
NEAR = MemoryRecord(
    id="near", key=1, seq=1, scope=Scope(user_id="ann"), text="Ann lives in Rome.", speaker="Ann",
    created_at=REFERENCE, updated_at=REFERENCE, recorded_at=REFERENCE,
)  # fmt: skip
WISHES = Wishes(includes="where people live", categories=[Category(name="homes")])
FACT = {
    "t": "Ann moved to Berlin on 2026-03-10.",
    "s": [1],
    "k": "event",
    "c": 0.9,
    "from": "2026-03-10",
    "to": None,
    "e": [["Ann", "person"], ["Berlin", "place"]],
    "r": [["Ann", "lives in", "Berlin"]],
    "g": ["homes"],
    "same": None,
    "refines": None,
    "contradicts": ["m1"],
}
LEAST = {"t": "Ann moved to Berlin.", "s": [1], "k": "event", "c": 1}
PROVIDERS = [
    "anthropic:claude-haiku-4-5",
    "openai:gpt-5-mini",
    "openai-chat:gpt-5-mini",
    "google:gemini-2.5-flash",
    "ollama:qwen3",
]


@pytest.fixture(autouse=True)
def _on_loopback(monkeypatch):
    from pydantic_ai import models

    monkeypatch.setattr(models, "ALLOW_MODEL_REQUESTS", True)


def ask(spec, *replies, attachments=()):
    """What comes of asking a scripted provider, and what it was asked."""
    with ScriptedProvider(replies) as provider:
        model = open_model(spec, Access(key=lambda: "key", base_url=provider.url), timeout_s=10)
        asked = prompt(PART, near=[NEAR], wishes=WISHES, reference=REFERENCE, attachments=attachments)
        answer = model.ask(asked)
        (request,) = provider.requests
    return read(answer.value, PART, near=[NEAR], reference=REFERENCE, wishes=WISHES), json.dumps(request.body)


@pytest.mark.parametrize("spec", PROVIDERS)
def test_facts_come_back_from_every_provider(spec):
    """With all that can be said of one; nulls are nothing, and so is what is left out."""
    found, asked = ask(spec, Answer({"f": [FACT, LEAST]}))
    assert found.dropped == {}
    first, second = found.proposals
    assert (first.draft.text, first.draft.position, first.draft.speaker) == (FACT["t"], 3, "Ann")
    assert (first.draft.valid_from, first.draft.valid_to) == (datetime(2026, 3, 10, tzinfo=UTC), None)
    assert (first.draft.categories, first.contradicts, first.same_as) == (("homes",), ("near",), None)
    assert second.draft.text == LEAST["t"]
    for sent in (
        "You keep the memory of conversations",
        "1 Ann: I moved to Berlin",
        "m1 Ann: Ann lives in Rome",
        "where people live",
        "contradicts",
    ):
        assert sent in asked


@pytest.mark.parametrize("spec", PROVIDERS)
def test_an_answer_without_a_fact_is_an_answer(spec):
    """Often there is nothing to keep."""
    found, _ = ask(spec, Answer({"f": []}))
    assert (found.proposals, found.dropped) == ((), {})


def test_one_bad_fact_does_not_spoil_the_others():
    """It is dropped, and counted."""
    found, _ = ask(PROVIDERS[0], Answer({"f": [{"t": "Ann moved."}, FACT]}))
    assert [proposal.draft.text for proposal in found.proposals] == [FACT["t"]]
    assert sum(found.dropped.values()) == 1


@pytest.mark.parametrize("reply", [Answer({"facts": []}), HalfAnswer({"f": [FACT]})])
def test_an_answer_of_another_form_is_none(reply):
    """Nothing is taken from it."""
    with pytest.raises(ModelAnswerError):
        ask(PROVIDERS[0], reply)


def test_an_image_is_shown():
    """To a provider that reads them; its bytes are in the request."""
    _, asked = ask(PROVIDERS[0], Answer({"f": []}), attachments=[IMAGE])
    assert IMAGE.url.partition(",")[2] in asked
