"""What a failed call of a provider's model cost, as far as that can be known, and how it counts."""

from __future__ import annotations

from contextlib import suppress

import pytest

pytest.importorskip("pydantic_ai")

from kept.adapters.inmemory_ledger import InMemoryLedger
from kept.adapters.models import Access, open_model
from kept.domain.spending import SpendingListing, Usage
from kept.engine.models import Models
from kept.errors import ModelError
from kept.ports import Prompt
from kept.testing.fakes import FixedClock, SequentialIds
from kept.testing.providers import Answer, Broken, Failure, HalfAnswer, ScriptedProvider, Silence

pytestmark = pytest.mark.usefixtures("scripted_models")

PROMPT = Prompt(instructions="Say what it is.", content="Tea.", schema={"type": "object"}, max_output_tokens=50)


def recorded(url):
    """One call to a provider at this address, in Anthropic's wire format, as the ledger has it afterwards."""
    ledger = InMemoryLedger()
    model = open_model("anthropic:claude-haiku-4-5", Access(key=lambda: "sk-key", base_url=url), timeout_s=0.5)
    models = Models({"summary": model}, ledger, clock=FixedClock(), ids=SequentialIds())
    with suppress(ModelError):
        models.ask("summary", PROMPT, project="default")
    (call,) = ledger.page(SpendingListing(), limit=9)
    return call


def answered(reply):
    """The same of a provider that answers so."""
    with ScriptedProvider([reply]) as provider:
        return recorded(provider.url)


@pytest.mark.parametrize("failure", [Failure(429), Failure(500), Failure(529)], ids=lambda one: str(one.status))
def test_a_call_that_was_refused_cost_nothing(failure):
    call = answered(failure)
    assert (call.outcome, call.usage) == ("failed", Usage())


def test_a_call_that_reached_nobody_cost_nothing():
    with ScriptedProvider([]) as gone:
        url = gone.url
    assert recorded(url).usage == Usage()


@pytest.mark.parametrize(
    "reply",
    [Silence(), Broken(), Broken(midway=True), Failure(529, midway=True)],
    ids=["silence", "broken", "broken midway", "overloaded midway"],
)
def test_a_call_whose_end_nobody_knows_counts_as_all_that_was_reserved(reply):
    call = answered(reply)
    assert (call.outcome, call.usage, call.spent) == ("failed", None, call.reserved)
    assert call.reserved_micros
    assert call.spent_micros == call.reserved_micros


def test_an_answer_that_was_of_no_use_counts_as_what_it_cost():
    call = answered(HalfAnswer({"it": "tea"}, input_tokens=120, output_tokens=30))
    assert (call.outcome, call.usage) == ("unusable", Usage(input_tokens=120, output_tokens=30))


def test_an_answer_counts_as_what_the_provider_says():
    call = answered(Answer({"it": "tea"}, input_tokens=120, output_tokens=30, cached_tokens=40))
    assert (call.outcome, call.usage) == ("answered", Usage(input_tokens=120, output_tokens=30, cached_tokens=40))
    assert 0 < call.micros < call.reserved_micros
