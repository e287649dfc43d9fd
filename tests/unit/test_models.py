"""The one place that asks language models: what is reserved before, what is recorded after, what is refused."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from kept.adapters.inmemory_ledger import InMemoryLedger
from kept.domain.attachments import UNSHOWN
from kept.domain.memory import Attachment
from kept.domain.spending import SpendingLimit, SpendingListing, Usage, total
from kept.engine.models import ATTACHMENT_TOKENS, FRAME_TOKENS, Models, most_input_tokens
from kept.errors import (
    AttachmentsRefusedError,
    ConfigurationError,
    ModelAnswerError,
    ModelRefusedError,
    ModelUnavailableError,
    SpendingLimitError,
    StoreBusyError,
)
from kept.ports import EmbeddingRequest, Prompt
from kept.testing.fakes import FakePaidEmbedder, FixedClock, SequentialIds
from kept.testing.models import ScriptedModel

PROMPT = Prompt(instructions="Say what it is.", content="Tea.", schema={"type": "object"}, max_output_tokens=50)
EVERYTHING = SpendingListing()


class Desk:
    """Models over a ledger in memory, and what was recorded."""

    def __init__(self, *answers, limits=(), spending=None, price=2.0):
        self.ledger = InMemoryLedger()
        self.clock = FixedClock()
        self.model = ScriptedModel(list(answers), price_per_million=price)
        self.models = Models(
            {"extraction": self.model},
            self.ledger,
            clock=self.clock,
            ids=SequentialIds(),
            limits=limits,
            settings_of=lambda project: {"spending": spending} if project == "default" else {},
        )

    def ask(self, prompt=PROMPT, **options):
        return self.models.ask("extraction", prompt, **({"project": "default"} | options))

    @property
    def calls(self):
        return self.ledger.page(EVERYTHING, limit=100)[::-1]


def limit(tokens, per="day"):
    return SpendingLimit(name=f"most_{per}", per=per, tokens=tokens)


def test_an_answer_is_recorded_with_what_it_cost():
    desk = Desk({"it": "tea"})
    answer = desk.ask(job_id="job-1")
    assert answer.value == {"it": "tea"}
    (call,) = desk.calls
    assert (call.project, call.task, call.model, call.job_id) == ("default", "extraction", "scripted:model", "job-1")
    assert (call.outcome, call.usage, call.micros) == ("answered", answer.usage, 2 * answer.usage.tokens)
    assert call.reserved == Usage(input_tokens=most_input_tokens(PROMPT), output_tokens=50)
    assert call.reserved_micros == 2 * call.reserved.tokens


@pytest.mark.parametrize(
    ("error", "outcome", "usage"),
    [
        (ModelUnavailableError("Down."), "failed", Usage()),
        (ModelUnavailableError("Late.", input_tokens=None, output_tokens=None), "failed", None),
        (ModelUnavailableError("Cut.", input_tokens=9, output_tokens=None), "failed", None),
        (
            ModelAnswerError("Half.", input_tokens=9, output_tokens=2),
            "unusable",
            Usage(input_tokens=9, output_tokens=2),
        ),
        (ModelRefusedError("No such model."), "failed", Usage()),
        (KeyError("what nobody foresaw"), "reserved", None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_failure_is_recorded_with_what_it_cost_as_far_as_that_is_known(error, outcome, usage):
    """It is raised as it came. What nobody knows counts as all that was reserved."""
    desk = Desk(error)
    with pytest.raises(type(error)) as caught:
        desk.ask()
    assert caught.value is error
    (call,) = desk.calls
    assert (call.outcome, call.usage) == (outcome, usage)
    assert call.spent == (call.reserved if usage is None else usage)


def test_what_never_reached_a_provider_is_no_call():
    """A key is missing, say: neither the ledger nor the tallies know of it, and its room is free again."""
    desk = Desk(ConfigurationError("There is no key."), {}, limits=[limit(most_input_tokens(PROMPT) + 50)])
    with pytest.raises(ConfigurationError, match="no key"):
        desk.ask()
    assert desk.calls == []
    assert desk.models.tallies == {}
    desk.ask()


def test_nothing_is_asked_when_a_limit_is_reached():
    desk = Desk({}, {}, limits=[limit(most_input_tokens(PROMPT) + 50)])
    desk.ask()
    with pytest.raises(SpendingLimitError, match="most_day"):
        desk.ask()
    assert (len(desk.model.prompts), len(desk.calls)) == (1, 1)


def test_the_next_day_there_is_room_again():
    """The refusal says when: at midnight in UTC."""
    desk = Desk({}, {}, limits=[limit(most_input_tokens(PROMPT) + 50)])
    desk.ask()
    with pytest.raises(SpendingLimitError) as caught:
        desk.ask()
    desk.clock.advance(timedelta(seconds=caught.value.retry_after_s))
    desk.ask()


def test_a_project_can_limit_itself_and_no_other():
    desk = Desk({}, spending={"daily_tokens": 1})
    with pytest.raises(SpendingLimitError, match=r"spending\.daily_tokens"):
        desk.ask()
    desk.ask(project="other")


def test_a_project_cannot_widen_what_holds_for_all():
    desk = Desk({}, limits=[limit(1)], spending={"daily_tokens": 10**9})
    with pytest.raises(SpendingLimitError, match="most_day"):
        desk.ask()


def test_the_limit_of_a_job_counts_its_own_calls_alone():
    desk = Desk({}, {}, limits=[limit(most_input_tokens(PROMPT) + 50, "job")])
    desk.ask(job_id="job-1")
    desk.ask(job_id="job-2")
    with pytest.raises(SpendingLimitError, match="most_job"):
        desk.ask(job_id="job-1")


def test_a_task_without_a_model_is_not_done():
    desk = Desk()
    assert desk.models.tasks == ("extraction",)
    assert desk.models.for_task("extraction") is desk.model
    assert desk.models.for_task("summary") is None
    with pytest.raises(ConfigurationError, match="llm_summary"):
        desk.models.ask("summary", PROMPT, project="default")
    assert desk.calls == []


def test_a_prompt_that_was_answered_is_known_again():
    """The very same one, in the same project; not one that failed."""
    desk = Desk(ModelUnavailableError("Down."), {"it": "tea"})

    def answered(prompt=PROMPT, project="default"):
        return desk.models.answered("extraction", prompt, project=project)

    with pytest.raises(ModelUnavailableError):
        desk.ask(job_id="job-1")
    assert answered() is None
    desk.ask(job_id="job-1")
    assert answered() == desk.calls[1]
    assert answered(project="other") is None
    for other in (
        replace(PROMPT, content="Cake."),
        replace(PROMPT, instructions="Another."),
        replace(PROMPT, schema={}),
        replace(PROMPT, attachments=[Attachment(kind="image", url="https://example.org/tea.png")]),
    ):
        assert answered(other) is None


def test_what_was_asked_for_no_job_is_not_known_again():
    """An erase would not find it."""
    desk = Desk({"it": "tea"})
    desk.ask()
    assert desk.calls[0].digest is None
    assert desk.models.answered("extraction", PROMPT, project="default") is None


def test_nothing_of_a_text_is_recorded():
    desk = Desk({"it": "tea"})
    desk.ask()
    assert "Tea" not in repr(desk.calls)


def test_an_attachment_takes_a_fixed_room():
    attached = [Attachment(kind=kind, url="data:,x") for kind in ("image", "document", "image")]
    more = most_input_tokens(replace(PROMPT, attachments=attached)) - most_input_tokens(PROMPT)
    assert more == 2 * ATTACHMENT_TOKENS["image"] + ATTACHMENT_TOKENS["document"]


PHOTO = replace(PROMPT, attachments=[Attachment(kind="image", url="https://example.org/tea.png")])


def test_what_is_refused_for_an_image_is_asked_once_more_without():
    """As a call of its own; the answer says that nothing was seen."""
    desk = Desk(AttachmentsRefusedError("no eyes"), {"it": "tea"})
    assert desk.ask(PHOTO).value == {"it": "tea", UNSHOWN: [0]}
    assert [len(prompt.attachments) for prompt in desk.model.prompts] == [1, 0]
    assert [(call.outcome, call.usage is not None and call.usage.tokens > 0) for call in desk.calls] == [
        ("unusable", False),
        ("answered", True),
    ]


def test_it_is_asked_no_third_time():
    desk = Desk(AttachmentsRefusedError("no eyes"), ModelAnswerError("no tools"))
    with pytest.raises(ModelAnswerError, match="no tools"):
        desk.ask(PHOTO)


def test_an_answer_to_a_question_with_an_image_says_nothing_of_itself():
    assert Desk({"it": "tea"}).ask(PHOTO).value == {"it": "tea"}


def test_an_answer_that_is_paid_for_is_not_lost_when_it_cannot_be_recorded(caplog):
    """What was reserved counts then; the log says which call."""

    class Held(InMemoryLedger):
        def settle(self, call):
            raise StoreBusyError(f"Call {call.id} waits.")

    ledger, model = Held(), ScriptedModel([{"it": "tea"}])
    models = Models({"summary": model}, ledger, clock=FixedClock(), ids=SequentialIds())
    assert models.ask("summary", PROMPT, project="default").value == {"it": "tea"}
    assert [call.outcome for call in ledger.page(EVERYTHING, limit=9)] == ["reserved"]
    assert [record.message for record in caplog.records] == ["call not settled"]


TEA = Usage(input_tokens=9)
"""What a request for embeddings cost."""


@pytest.mark.parametrize(
    ("request_", "outcome", "usage"),
    [
        (EmbeddingRequest(expected=TEA, usage=Usage(input_tokens=7)), "answered", Usage(input_tokens=7)),
        (EmbeddingRequest(expected=TEA, error=ModelUnavailableError("Down.")), "failed", Usage()),
        (
            EmbeddingRequest(expected=TEA, error=ModelUnavailableError("Late.", input_tokens=None)),
            "failed",
            None,
        ),
        (
            EmbeddingRequest(expected=TEA, error=ModelAnswerError("Odd.", input_tokens=7)),
            "unusable",
            Usage(input_tokens=7),
        ),
        (EmbeddingRequest(expected=TEA, error=ModelRefusedError("No such model.")), "failed", Usage()),
        (EmbeddingRequest(expected=TEA, error=KeyError("what nobody foresaw")), "reserved", None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_embeddings_are_recorded_with_what_they_cost_as_far_as_that_is_known(request_, outcome, usage):
    """As any other call; what nobody knows counts as it was expected to."""
    desk = Desk()
    desk.models.count(FakePaidEmbedder(), request_, project="acme", job_id="job-1")
    (call,) = desk.calls
    assert (call.project, call.task, call.model, call.job_id) == ("acme", "embedding", "fake:paid", "job-1")
    assert (call.outcome, call.usage, call.digest) == (outcome, usage, None)
    spent = TEA if usage is None else usage
    assert (call.spent, call.spent_micros) == (spent, spent.tokens)
    assert desk.models.tallies == {("embedding", "fake:paid", outcome): total([call])}


def test_embeddings_that_never_reached_a_provider_are_no_call():
    desk = Desk()
    desk.models.count(
        FakePaidEmbedder(), EmbeddingRequest(expected=TEA, error=ConfigurationError("No key.")), project="default"
    )
    assert (desk.calls, desk.models.tallies) == ([], {})


def test_embeddings_count_for_limits_and_none_refuses_them():
    """So that what the day's money is spent on holds back what can wait."""
    desk = Desk({}, limits=[limit(most_input_tokens(PROMPT) + 50)])
    for _ in range(2):
        desk.models.count(FakePaidEmbedder(), EmbeddingRequest(expected=TEA, usage=TEA), project="default")
    with pytest.raises(SpendingLimitError, match="most_day"):
        desk.ask()
    desk.models.count(FakePaidEmbedder(), EmbeddingRequest(expected=TEA, usage=TEA), project="default")
    assert [call.task for call in desk.calls] == ["embedding"] * 3


def test_without_a_price_tokens_are_counted_all_the_same():
    desk = Desk({}, price=None)
    desk.ask()
    (spent,) = desk.models.spent(EVERYTHING, "model").values()
    assert (spent.calls, spent.unpriced, spent.micros) == (1, 1, 0)
    assert spent.usage.tokens > 0


def test_how_much_of_each_limit_is_left_is_told():
    """Of the project's own first; of the day of now; a limit of jobs has nothing spent, since each job has its own."""
    limits = [limit(200, "job"), limit(None, "project_day"), limit(900)]
    desk = Desk({}, limits=limits, spending={"daily_usd": 1})
    spent = desk.ask().usage
    found = desk.models.standings("default")
    assert [(one.limit.name, one.spent and one.spent.usage.tokens) for one in found] == [
        ("spending.daily_usd", spent.tokens),
        ("most_job", None),
        ("most_day", spent.tokens),
    ]
    assert (found[0].left.micros, found[2].left.tokens) == (1_000_000 - 2 * spent.tokens, 900 - spent.tokens)
    desk.clock.advance(timedelta(days=1))
    assert [one.spent.calls for one in desk.models.standings("other") if one.spent] == [0]


def test_what_was_spent_long_ago_is_forgotten():
    desk = Desk({}, {})
    desk.ask()
    desk.clock.advance(timedelta(days=1))
    desk.ask()
    assert desk.models.purge(desk.clock.now) == 1
    assert len(desk.calls) == 1


def test_what_is_reserved_is_more_than_another_tokenizer_makes_of_a_prompt():
    """The Llama 2 tokenizer of the default embedder, over our own pages and modules as contents."""
    spec = importlib.util.find_spec("wordllama")
    (folder,) = spec.submodule_search_locations
    tokenizer = Tokenizer.from_file(str(next((Path(folder) / "tokenizers").glob("*.json"))))
    root = Path(__file__).parents[2]
    texts = [
        path.read_text(encoding="utf-8")
        for place in ("docs", "src/kept/domain")
        for path in (root / place).rglob("*.*")
        if path.suffix in {".md", ".py"}
    ]
    prompts = [
        replace(PROMPT, content=text[place : place + 4_000]) for text in texts for place in range(0, len(text), 40_000)
    ]
    encoded = tokenizer.encode_batch([prompt.content for prompt in prompts], add_special_tokens=False)
    made = [sum(piece.attention_mask) for piece in encoded]
    assert len(prompts) > 50
    assert all(most_input_tokens(prompt) - FRAME_TOKENS > count for prompt, count in zip(prompts, made, strict=True))
