"""What embedders at a provider cost: every request in the ledger, in the wire formats of OpenAI, Ollama and Gemini."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import cache

import pytest

pytest.importorskip("pydantic_ai")

from click.testing import CliRunner

from kept import Memory
from kept.adapters.embedders import open_embedder, remote
from kept.adapters.inmemory_ledger import InMemoryLedger
from kept.adapters.models import Access
from kept.bootstrap import build_platform
from kept.cli.app import cli
from kept.domain.access import Principal
from kept.domain.spending import SpendingListing, Usage
from kept.domain.text import count_tokens
from kept.engine.embedding import CountedEmbedder
from kept.engine.models import Models
from kept.engine.spending import Spending, spent_on
from kept.errors import ConfigurationError, ModelError
from kept.settings import Settings
from kept.testing.fakes import FixedClock, SequentialIds
from kept.testing.providers import Answer, Broken, Failure, ScriptedProvider, Silence, Vectors

pytestmark = pytest.mark.usefixtures("scripted_models")

OPENAI, OLLAMA, GOOGLE = "openai:text-embedding-3-small", "ollama:nomic-embed-text", "google:gemini-embedding-001"
PATHS = {OPENAI: "/v1", OLLAMA: "", GOOGLE: ""}
TEXTS = ["I like tea", "", "The cat sat"]
EXPECTED = Usage(input_tokens=sum(map(count_tokens, TEXTS)))
SAID = Usage(input_tokens=4_000)
EVERYTHING = SpendingListing()


@cache
def ready(spec):
    """Imports what a provider needs, which takes longer than a test waits for one that is silent."""
    with ScriptedProvider([Vectors()]) as provider:
        assert open_embedder(spec, Access(key=lambda: "sk-key", base_url=provider.url + PATHS[spec])).identity


def embedded(spec, *replies, texts=TEXTS, key=lambda: "sk-key"):
    """What the ledger has of the requests with which these texts were embedded, in order; the first is for their length."""
    ready(spec)
    ledger = InMemoryLedger()
    models = Models({}, ledger, clock=FixedClock(), ids=SequentialIds())
    with ScriptedProvider([Vectors(), *replies]) as provider:
        embedder = open_embedder(spec, Access(key=key, base_url=provider.url + PATHS[spec]), timeout_s=0.5)
        with suppress(ModelError, ConfigurationError):
            CountedEmbedder(embedder, lambda: models).asked_for("acme", "job-1").embed_documents(texts)
    return ledger.page(EVERYTHING, limit=100)[::-1]


@pytest.mark.parametrize(
    ("spec", "usage", "micros"),
    [(OPENAI, SAID, 80), (OLLAMA, SAID, 0), (GOOGLE, EXPECTED, 1 + EXPECTED.tokens * 15 // 100)],
)
def test_a_request_is_recorded_with_the_tokens_that_its_provider_says_and_their_price(spec, usage, micros):
    """Gemini says none: they are estimated. An Ollama of one's own costs nothing."""
    _, call = embedded(spec, Vectors(tokens=SAID.tokens))
    assert (call.project, call.job_id, call.task, call.model) == ("acme", "job-1", "embedding", spec)
    assert (call.outcome, call.usage, call.micros) == ("answered", usage, micros)
    assert call.reserved == EXPECTED


def test_the_request_for_the_length_of_the_vectors_is_recorded_too():
    probe, _ = embedded(OPENAI, Vectors())
    assert (probe.project, probe.outcome, probe.usage) == ("acme", "answered", Usage(input_tokens=10))


def test_tokens_that_a_server_does_not_say_are_estimated():
    _, call = embedded(OLLAMA, Vectors(tokens=None))
    assert (call.outcome, call.usage) == ("answered", EXPECTED)


def test_a_batch_is_a_request():
    texts = [f"text {number}" for number in range(remote.BATCH_ROWS + 1)]
    _, *calls = embedded(OPENAI, Vectors(tokens=64), Vectors(tokens=2), texts=texts)
    assert [call.usage.tokens for call in calls] == [64, 2]


@pytest.mark.parametrize("spec", PATHS)
@pytest.mark.parametrize(
    ("reply", "outcome", "usage"),
    [
        (Failure(429), "failed", Usage()),
        (Failure(500), "failed", Usage()),
        (Failure(401), "failed", Usage()),
        (Silence(), "failed", None),
        (Broken(), "failed", None),
    ],
    ids=str,
)
def test_a_request_that_failed_is_recorded_with_what_it_cost_as_far_as_that_is_known(spec, reply, outcome, usage):
    """What nobody knows counts as it was expected to."""
    _, call = embedded(spec, reply)
    assert (call.outcome, call.usage) == (outcome, usage)
    assert call.spent == (EXPECTED if usage is None else usage)


@pytest.mark.parametrize("reply", [Vectors(missing=1, tokens=7), Vectors(dimensions=8, tokens=7)], ids=str)
def test_embeddings_that_cannot_be_taken_cost_what_they_cost(reply):
    _, call = embedded(OPENAI, reply)
    assert (call.outcome, call.usage) == ("unusable", Usage(input_tokens=7))


def test_what_never_reached_a_provider_is_no_call():
    def missing():
        raise ConfigurationError("There is no key.")

    assert embedded(OPENAI, key=missing) == []


# --- in a store --------------------------------------------------------------------------------------------------


@pytest.fixture
def served(store_path, monkeypatch, tmp_path):
    """A provider of embeddings and of a language model, for a store of the test's own; `served.tokens` says what embeddings cost."""

    def reply(request):
        return Vectors(tokens=provider.tokens) if "embeddings" in request.path else Answer({"f": []})

    given = {
        "DATABASE": store_path,
        "CONFIG": tmp_path / "none.toml",
        "USER_ID": "ana",
        "EMBEDDER": OPENAI,
        "EMBEDDER_API_KEY": "sk-key",
        "LLM_API_KEY": "sk-key",
    }
    with ScriptedProvider(reply) as provider:
        provider.tokens = 10
        for name in ("EMBEDDER_BASE_URL", "LLM_BASE_URL"):
            given[name] = f"{provider.url}/v1"
        for name, value in given.items():
            monkeypatch.setenv(f"KEPT_{name}", str(value))
        yield provider


def asked(provider, what="embeddings"):
    """How often it was asked for embeddings, or for something else."""
    return sum(what in request.path for request in provider.requests)


def spent(*words):
    """What `kept spend` says as JSON, by name."""
    result = CliRunner().invoke(cli, ["spend", *words, "--json"])
    assert result.exit_code == 0, result.stderr
    return {one["name"]: one for one in json.loads(result.stdout)["results"]}


def test_every_request_of_a_memory_is_in_its_ledger(served, store_path):
    with Memory(store_path) as memory:
        memory.add("I live in Rome", user_id="ana", infer=False)
        memory.search("Rome", user_id="ana")
    assert spent("--by", "task").keys() == {"embedding"}
    assert spent("--by", "model")[OPENAI]["calls"] == asked(served) == 3
    assert spent("--by", "project", "--task", "embedding")["default"]["input_tokens"] == 30
    assert spent("--task", "extraction") == {}


def test_the_ledger_keeps_no_text_of_what_was_embedded(served, store_path):
    """Before an erase, and after."""
    with Memory(store_path) as memory:
        (added,) = memory.add("I live in Xanadu", user_id="ana", infer=False)["results"]
        memory.search("Xanadu", user_id="ana")
        memory.erase(added["id"])
    assert spent("--by", "task")["embedding"]["calls"] == asked(served)
    assert b"Xanadu" not in store_path.read_bytes()


def test_a_process_that_embeds_nothing_asks_nobody_and_waits_for_nobody(served, store_path):
    """The first write of a process is no place to ask for the length of vectors: the ledger could not be written beside it."""
    with Memory(store_path) as memory:
        (added,) = memory.add("I live in Rome", user_id="ana", infer=False)["results"]
    before = asked(served)
    with Memory(store_path) as memory:
        memory.delete(added["id"])
        memory.restore(added["id"])
    assert asked(served) == before


@pytest.mark.parametrize(("command", "is_recorded"), [("rebuild", True), ("doctor", False)])
def test_what_rebuilding_asks_is_recorded_and_what_the_doctor_asks_is_not(served, store_path, command, is_recorded):
    """The doctor writes nothing to a store that it looks at."""
    with Memory(store_path) as memory:
        memory.add("I live in Rome", user_id="ana", infer=False)
    before, stored = asked(served), store_path.read_bytes()
    result = CliRunner().invoke(cli, [command])
    assert result.exit_code == 0, result.output
    assert asked(served) > before
    assert (store_path.read_bytes() == stored) is not is_recorded
    assert spent("--by", "task")["embedding"]["calls"] == (asked(served) if is_recorded else before)


def test_an_embedder_in_this_process_is_nowhere_in_the_ledger(served, store_path, monkeypatch):
    monkeypatch.setenv("KEPT_EMBEDDER", "wordllama")
    with Memory(store_path) as memory:
        memory.add("I live in Rome", user_id="ana", infer=False)
        memory.search("Rome", user_id="ana")
    assert (spent("--by", "task"), asked(served)) == ({}, 0)


@pytest.mark.parametrize(("tokens", "read"), [(10, 1), (3_000_000, 0)], ids=["room", "none"])
def test_what_embeddings_cost_can_leave_no_room_for_extraction_and_hold_back_nothing_else(
    served, store_path, monkeypatch, tokens, read
):
    """What is added and asked goes on; what a model was to read waits for the next day."""
    monkeypatch.setenv("KEPT_LLM", "openai-chat:gpt-5-mini")
    served.tokens = tokens
    with Memory(store_path) as memory:
        memory.add([{"role": "user", "content": "I moved to Rome in May."}], user_id="ana")
        memory.understand()
        assert memory.search("Rome", user_id="ana")["results"]
        memory.add("I like tea", user_id="ana", infer=False)
        assert memory.understand()["waiting"] == 1 - read
        assert memory.search("tea", user_id="ana")["results"][0]["memory"] == "I like tea"
    assert asked(served, "chat/completions") == read


def test_an_event_and_its_project_say_what_embedding_cost(served):
    platform = build_platform(Settings.load())
    try:
        access = platform.access(Principal(project="acme", name="ops", role="OWNER"))
        job, _ = access.add({"user_id": "ana"}, "I live in Rome", infer=False)
        cost = spent_on(access, [job])[job.id]
        assert cost.calls >= 1
        assert cost == Spending(access).report("task", job_id=job.id).totals["embedding"]
        ended = ("embedding", OPENAI, "answered")
        assert platform.models.tallies[ended].calls == asked(served)
    finally:
        platform.close()
