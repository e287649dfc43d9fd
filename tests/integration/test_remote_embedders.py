"""Embedders at a provider, through the real libraries, against scripted providers."""

from __future__ import annotations

import numpy as np
import pytest

from kept import Memory
from kept.adapters.embedders import open_embedder, remote
from kept.adapters.models import Access
from kept.errors import ConfigurationError, ModelAnswerError, ModelUnavailableError
from kept.testing.fakes import FakeEmbedder
from kept.testing.providers import Broken, Failure, ScriptedProvider, Silence, Vectors

pytestmark = pytest.mark.usefixtures("scripted_models")

PATHS = {"openai:text-embedding-3-small": "/v1", "ollama:nomic-embed-text": "", "google:gemini-embedding-001": ""}
OPENAI, OLLAMA, GOOGLE = PATHS
every_embedder = pytest.mark.parametrize("spec", PATHS)
TEXTS = ["I like tea", "", "The cat sat", "  ", "Tea is what I like"]


@pytest.fixture
def opened():
    """Opens an embedder and its scripted provider: `embedder, provider = opened(spec, replies)`."""
    providers = []

    def open_at(spec, replies=lambda _: Vectors(), **options):
        provider = ScriptedProvider(replies)
        provider.__enter__()
        providers.append(provider)
        access = Access(key=lambda: "sk-key", advice="set MY_KEY", base_url=provider.url + PATHS[spec])
        return open_embedder(spec, access, **options), provider

    yield open_at
    for provider in providers:
        provider.__exit__()


@every_embedder
def test_texts_become_unit_vectors_in_their_order(opened, spec):
    """Float32; a blank text a zero row; near each other where the model's are."""
    embedder, _ = opened(spec)
    rows = embedder.embed_documents(TEXTS)
    assert rows.dtype == np.float32
    assert rows.shape == (5, 32)
    np.testing.assert_allclose(rows, FakeEmbedder(32).embed_documents(TEXTS), atol=1e-6)
    np.testing.assert_allclose(embedder.embed_query("I like tea"), rows[0], atol=1e-6)
    assert embedder.embed_query(" ").any() == np.False_
    assert embedder.embed_documents([]).shape == (0, 32)


def test_vectors_of_any_length_are_scaled(opened):
    """A provider may scale them as it likes."""
    embedder, _ = opened(OPENAI, lambda _: Vectors(scale=17.0))
    assert np.linalg.norm(embedder.embed_query("tea")) == pytest.approx(1.0)


@every_embedder
def test_nothing_is_asked_before_it_is_needed(opened, spec):
    """Then one request says how long the vectors are; never again."""
    embedder, provider = opened(spec, lambda _: Vectors(dimensions=48))
    assert provider.requests == []
    assert (embedder.identity.dimensions, embedder.identity.normalised) == (48, True)
    assert embedder.identity.model == spec.replace(":", "-")
    assert len(provider.requests) == 1
    embedder.embed_query("tea")
    assert len(provider.requests) == 2


def test_many_texts_are_asked_for_in_batches(opened):
    """In as few requests as the provider takes."""
    embedder, provider = opened(OPENAI)
    texts = [f"text {number}" for number in range(2 * remote.BATCH_ROWS + 1)]
    rows = embedder.embed_documents(texts)
    np.testing.assert_allclose(rows, FakeEmbedder(32).embed_documents(texts), atol=1e-6)
    assert [len(request.body["input"]) for request in provider.requests[1:]] == [remote.BATCH_ROWS] * 2 + [1]


@pytest.mark.parametrize("text", ["word " * 20_000, "記憶" * 20_000, "x\ud800y" * 20_000])
def test_a_long_text_is_cut_to_what_a_model_takes(opened, text):
    """And to what UTF-8 can carry."""
    embedder, provider = opened(OPENAI)
    embedder.embed_documents([text])
    (sent,) = provider.requests[-1].body["input"]
    assert remote.count_tokens(sent) <= remote.MAX_TOKENS
    assert sent[:2] == text[:2].replace("\ud800", "\ufffd")


@every_embedder
@pytest.mark.parametrize("reply", [Failure(429, retry_after_s=3), Failure(500), Failure(529), Broken()], ids=str)
def test_an_embedder_that_is_down_is_unavailable_and_not_asked_again(opened, spec, reply):
    """Nothing is embedded by half."""
    embedder, provider = opened(spec, [Vectors(), reply, Vectors()])
    with pytest.raises(ModelUnavailableError) as caught:
        embedder.embed_documents(["tea"])
    assert caught.value.retry_after_s == (3.0 if reply == Failure(429, retry_after_s=3) else None)
    assert len(provider.requests) == 2


@every_embedder
def test_an_embedder_that_says_nothing_is_given_up_in_time(opened, spec):
    """With the name of who is silent."""
    embedder, _ = opened(spec, [Silence()], timeout_s=0.3)
    with pytest.raises(ModelUnavailableError, match=spec):
        embedder.embed_query("tea")


@every_embedder
def test_embeddings_that_are_missing_or_of_another_length_are_not_taken(opened, spec):
    """They would be another text's."""
    embedder, _ = opened(spec, [Vectors(), Vectors(missing=1), Vectors(dimensions=8)])
    for _ in range(2):
        with pytest.raises(ModelAnswerError):
            embedder.embed_documents(["tea", "cats"])


@every_embedder
@pytest.mark.parametrize(("status", "said"), [(401, "set MY_KEY"), (404, "not known")])
def test_what_is_set_wrong_is_said(opened, spec, status, said):
    """Credentials, or the model's name."""
    embedder, _ = opened(spec, [Failure(status)])
    with pytest.raises(ConfigurationError, match=said):
        embedder.embed_query("tea")


def test_a_provider_without_a_model_is_refused():
    """At once."""
    with pytest.raises(ConfigurationError, match="openai:MODEL"):
        open_embedder("openai", Access())


def test_memories_are_kept_and_found_with_an_embedder_of_ollama(opened, store_path, monkeypatch, tmp_path):
    """From the settings to the hit, and again from the same store."""
    _, provider = opened(OLLAMA)
    monkeypatch.setenv("KEPT_CONFIG", str(tmp_path / "none.toml"))
    monkeypatch.setenv("KEPT_EMBEDDER", OLLAMA)
    monkeypatch.setenv("OLLAMA_BASE_URL", provider.url)
    for added in (True, False):
        with Memory(store_path) as memory:
            if added:
                memory.add("I live in Rome", user_id="ana", infer=False)
            assert memory.search("Rome", user_id="ana")["results"][0]["memory"] == "I live in Rome"
    assert {request.path for request in provider.requests} == {"/v1/embeddings"}
