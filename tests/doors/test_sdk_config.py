"""Mem0's configuration: taken where Kept has the thing, refused by name where it has not."""

from __future__ import annotations

import pytest

from kept import Memory
from kept.errors import ConfigurationError
from kept.sdk.mem0_config import settings_from_mem0


def sqlite(**options):
    return {"vector_store": {"provider": "sqlite", "config": options}}


def llm(provider, **options):
    return {"llm": {"provider": provider, "config": options}}


@pytest.fixture(autouse=True)
def _no_file_of_settings(monkeypatch, tmp_path):
    monkeypatch.setenv("KEPT_CONFIG", str(tmp_path / "none.toml"))


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (sqlite(path="a/kept.db"), {"database": "a/kept.db"}),
        (sqlite(url="sqlite:///kept.db"), {"database": "sqlite:///kept.db"}),
        (sqlite(path="kept.db", collection_name="mem0"), {"database": "kept.db"}),
        ({"vector_store": {"provider": "kept", "config": {"path": "x.db"}}}, {"database": "x.db"}),
        (
            {"vector_store": {"provider": "sqlite"}, "history_db_path": "folder/history.db"},
            {"database": "folder/kept.db"},
        ),
        ({"history_db_path": "folder/history.db"}, {"database": "folder/kept.db"}),
        ({"history_db_path": "folder/history.db"} | sqlite(path="x.db"), {"database": "x.db"}),
        (sqlite(path="x.db") | {"history_db_path": "folder/history.db"}, {"database": "x.db"}),
        ({"embedder": {"provider": "wordllama"}}, {"embedder": "wordllama"}),
        ({"embedder": {"provider": "minilm", "config": {"embedding_dims": 384}}}, {"embedder": "minilm"}),
        ({"embedder": {"provider": "onnx", "config": {"model": "folder"}}}, {"embedder": "onnx:folder"}),
        ({"embedder": {"provider": "fastembed", "config": {"model": "m"}}}, {"embedder": "fastembed:m"}),
        (
            llm("openai", model="gpt-5-mini", api_key="sk", temperature=0.2, max_tokens=2000, top_p=0.1),
            {"llm": "openai:gpt-5-mini", "llm_api_key": "sk", "llm_temperature": 0.2},
        ),
        (
            llm("openai", model="local", openai_base_url="http://localhost:8000/v1"),
            {"llm": "openai-chat:local", "llm_base_url": "http://localhost:8000/v1"},
        ),
        (llm("lmstudio", model="qwen"), {"llm": "openai-chat:qwen", "llm_base_url": "http://localhost:1234/v1"}),
        (
            llm("ollama", model="qwen3", ollama_base_url="http://gpu:11434"),
            {"llm": "ollama:qwen3", "llm_base_url": "http://gpu:11434"},
        ),
        (llm("gemini", model="gemini-2.5-flash"), {"llm": "google:gemini-2.5-flash"}),
        (
            {"embedder": {"provider": "openai", "config": {"model": "text-embedding-3-small", "api_key": "sk"}}},
            {"embedder": "openai:text-embedding-3-small", "embedder_api_key": "sk"},
        ),
        (
            {
                "embedder": {
                    "provider": "gemini",
                    "config": {"model": "models/gemini-embedding-001", "embedding_dims": 768},
                }
            },
            {"embedder": "google:gemini-embedding-001"},
        ),
        (
            {"embedder": {"provider": "ollama", "config": {"model": "n", "ollama_base_url": "http://gpu:11434"}}},
            {"embedder": "ollama:n", "embedder_base_url": "http://gpu:11434"},
        ),
        ({"project": "p", "version": "v1.1", "llm": None, "reranker": None, "graph_store": None}, {"project": "p"}),
        ({}, {"project": "default", "embedder": "wordllama"}),
    ],
    ids=str,
)
def test_what_kept_has_is_taken(config, expected):
    """Under its own name."""
    settings = settings_from_mem0(config)
    found = {name: getattr(settings, name) for name in expected}
    assert {
        name: value.replace("\\", "/") if isinstance(value, str) else value for name, value in found.items()
    } == expected


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"llm": {"provider": "openai"}}, "'openai'.*'model'"),
        ({"llm": {"provider": "langchain", "config": {"model": "m"}}}, "'langchain'.*anthropic"),
        (llm("openai", model="m", reasoning_effort="high"), "'reasoning_effort'"),
        (llm("openai", model="m", temperature="hot"), "llm_temperature.*from 0 to 2"),
        (llm("openai", model="m", openai_base_url="nowhere"), "llm_base_url"),
        ({"reranker": {"provider": "cohere"}}, "'reranker'"),
        ({"graph_store": {"provider": "neo4j"}}, "'graph_store'"),
        ({"custom_instructions": "be brief"}, "'custom_instructions'"),
        ({"enable_graph": True}, "'enable_graph'"),
        ({"vector_store": {"provider": "qdrant"}}, "'qdrant'"),
        (sqlite(path="x", host="y"), "'host'"),
        ({"vector_store": "sqlite"}, "vector_store"),
        ({"vector_store": {"provider": "sqlite", "config": "x"}}, "config"),
        ({"embedder": {"provider": "openai"}}, "'openai'.*'model'"),
        ({"embedder": {"provider": "huggingface", "config": {"model": "m"}}}, "'huggingface'"),
        ({"embedder": {"provider": "onnx"}}, "'onnx'.*model"),
        ({"embedder": {"provider": "wordllama", "config": {"api_key": "x"}}}, "'api_key'"),
        ({"embedder": None, "vector_store": 5}, "vector_store"),
        ({"embedder": 5}, "embedder"),
        ("x", "mapping"),
        (None, "mapping"),
    ],
    ids=str,
)
def test_what_kept_has_nothing_for_is_refused_by_name(config, named):
    """A setting that is silently ignored is a promise that is silently broken."""
    with pytest.raises(ConfigurationError, match=named):
        settings_from_mem0(config)


def test_a_configured_memory_works(store_path):
    """From configuration to hit."""
    with Memory.from_config(sqlite(path=str(store_path)) | {"project": "p"}) as memory:
        memory.add("I live in Rome", user_id="u1", infer=False)
        assert memory.search("Rome", user_id="u1")["results"][0]["memory"] == "I live in Rome"
    with Memory(store_path, project="p") as same:
        assert same.get_all(user_id="u1")["total"] == 1
