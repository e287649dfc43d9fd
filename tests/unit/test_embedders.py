"""Embedders by name, and the laws of the default one."""

from __future__ import annotations

import subprocess
import sys
import types
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.adapters.embedders import MINILM, open_embedder
from kept.adapters.embedders.fastembed import FastembedEmbedder
from kept.adapters.embedders.text import MAX_CHARACTERS, tokenizable
from kept.adapters.embedders.wordllama import MAX_TOKENS, WordLlamaEmbedder
from kept.errors import ConfigurationError

ANY_TEXT = st.text(st.characters(), max_size=60)
"""Lone surrogates, NUL bytes and unassigned characters included."""

EMBEDDER = WordLlamaEmbedder()
"""Shared: finding the files is cheap, and they are read by the first test that embeds."""


# --- names -------------------------------------------------------------------------------------------------------


def test_the_default_embedder_opens_by_name():
    assert str(open_embedder(" wordllama ").identity) == "wordllama-l2-supercat-256:256:l2"


@pytest.mark.parametrize("spec", ["", "word-llama", "openai:text-embedding-3-small"])
def test_an_unknown_name_is_refused_with_the_valid_ones(spec):
    with pytest.raises(ConfigurationError, match="wordllama, onnx:FOLDER, minilm, fastembed:MODEL"):
        open_embedder(spec)


@pytest.mark.parametrize(
    ("spec", "right"), [("onnx", "onnx:FOLDER"), ("onnx: ", "onnx:FOLDER"), ("fastembed:", "fastembed:MODEL")]
)
def test_a_missing_argument_is_named(spec, right):
    with pytest.raises(ConfigurationError, match=right):
        open_embedder(spec)


def test_an_argument_where_none_belongs_is_refused():
    with pytest.raises(ConfigurationError, match="takes no argument"):
        open_embedder("wordllama:512")


def test_importing_the_adapters_imports_no_library():
    """Neither numpy nor a tokenizer is paid for until something is embedded."""
    program = (
        "import sys, kept.adapters.embedders, kept.adapters.embedders.wordllama;"
        "import kept.adapters.embedders.onnx, kept.adapters.embedders.fastembed;"
        "print(sorted({'numpy', 'tokenizers', 'wordllama', 'onnxruntime', 'fastembed'} & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"


def test_embedding_never_imports_the_wordllama_package():
    """Its import would turn on logging for the whole program and load compiled modules that nothing here uses."""
    program = (
        "import sys; from kept.adapters.embedders import open_embedder;"
        "open_embedder('wordllama').embed_query('tea'); print('wordllama' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "False"


# --- the default embedder ----------------------------------------------------------------------------------------


@given(st.lists(ANY_TEXT, max_size=5))
def test_each_row_has_unit_length_or_is_zero_for_a_blank_text(texts):
    rows = EMBEDDER.embed_documents(texts)
    assert (rows.shape, rows.dtype) == ((len(texts), 256), np.float32)
    expected = [0.0 if not text.strip() else 1.0 for text in texts]
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), expected, atol=1e-5)


@given(st.lists(ANY_TEXT, max_size=5))
def test_a_text_has_the_same_vector_alone_and_among_others(texts):
    rows = EMBEDDER.embed_documents(texts)
    for row, text in zip(rows, texts, strict=True):
        np.testing.assert_array_equal(row, EMBEDDER.embed_query(text))


def test_a_related_text_is_nearer_than_an_unrelated_one():
    related, unrelated = EMBEDDER.embed_documents(["Ana adopted a small dog", "the build fails on Windows"])
    query = EMBEDDER.embed_query("what pet does Ana have?")
    assert query @ related > query @ unrelated + 0.2


def test_a_nul_byte_is_embedded_like_any_other_character():
    assert np.linalg.norm(EMBEDDER.embed_query("a\x00b")) == pytest.approx(1.0, abs=1e-5)


def test_a_long_text_has_the_vector_of_its_head():
    long = "the quick brown fox jumps over the lazy dog. " * 5_000
    np.testing.assert_array_equal(EMBEDDER.embed_query(long), EMBEDDER.embed_query(long[:MAX_CHARACTERS]))


def test_only_the_first_word_pieces_of_a_text_count():
    """A character outside the vocabulary takes a piece per byte, so this text meets the limit on pieces first."""
    head = "\U00012000" * (MAX_TOKENS // 4)
    np.testing.assert_array_equal(EMBEDDER.embed_query(head + "tea" * 500), EMBEDDER.embed_query(head + "dog" * 500))


def test_threads_that_share_a_fresh_embedder_get_equal_vectors():
    fresh = WordLlamaEmbedder()
    with ThreadPoolExecutor(max_workers=8) as pool:
        rows = list(pool.map(fresh.embed_query, ["one text for all"] * 64))
    assert all(np.array_equal(row, rows[0]) for row in rows)


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "wordllama", None)
    with pytest.raises(ConfigurationError, match="pip install wordllama"):
        WordLlamaEmbedder()


# --- cleaning ----------------------------------------------------------------------------------------------------


@given(ANY_TEXT)
def test_cleaned_text_is_well_formed_and_cleaning_it_again_changes_nothing(text):
    clean = tokenizable(text)
    clean.encode("utf-8")
    assert tokenizable(clean) == clean


@given(st.text(max_size=60))
def test_well_formed_text_is_left_as_it_is(text):
    assert tokenizable(text) == text


@pytest.mark.parametrize(
    ("broken", "whole"), [("a\ud800b", "a\ufffdb"), ("\udc00", "\ufffd"), ("\ud83d\ude00", "\U0001f600")]
)
def test_lone_surrogates_are_replaced_and_pairs_are_joined(broken, whole):
    assert tokenizable(broken) == whole


# --- fastembed ---------------------------------------------------------------------------------------------------


class CachedTextEmbedding:
    """Stands in for `fastembed.TextEmbedding` with one model, `MINILM`, in its cache: a text's vector is its length in x."""

    cached = True

    def __init__(self, model_name, *, cache_dir, threads, local_files_only):
        if not local_files_only:
            raise AssertionError("a download was allowed")
        if not self.cached:
            raise ValueError(f"Could not load model {model_name} from any source.")
        self.settings = (model_name, cache_dir, threads)

    @staticmethod
    def list_supported_models():
        return [{"model": MINILM, "dim": 2}]

    def passage_embed(self, texts, batch_size):
        assert batch_size > 0
        return (np.array([len(text), 1.0], dtype=np.float32) for text in texts)

    def query_embed(self, text):
        return iter([np.array([1.0, len(text)], dtype=np.float32)])


@pytest.fixture
def fastembed(monkeypatch):
    library = types.ModuleType("fastembed")
    library.TextEmbedding = type("TextEmbedding", (CachedTextEmbedding,), {})
    monkeypatch.setitem(sys.modules, "fastembed", library)
    return library


@pytest.mark.usefixtures("fastembed")
def test_fastembed_documents_keep_their_order_and_blank_ones_are_zero():
    rows = FastembedEmbedder(MINILM).embed_documents(["xxxx", " ", "x"])
    np.testing.assert_allclose(rows, [[4 / 17**0.5, 1 / 17**0.5], [0, 0], [0.5**0.5, 0.5**0.5]], rtol=1e-6)


@pytest.mark.usefixtures("fastembed")
def test_a_fastembed_query_is_embedded_as_a_query():
    embedder = FastembedEmbedder(MINILM)
    np.testing.assert_allclose(embedder.embed_query("xxx"), [1 / 10**0.5, 3 / 10**0.5], rtol=1e-6)
    assert not embedder.embed_query("").any()


@pytest.mark.usefixtures("fastembed")
def test_minilm_is_short_for_the_fastembed_model():
    assert str(open_embedder("minilm").identity) == f"fastembed-{MINILM}:2:l2"


@pytest.mark.usefixtures("fastembed")
def test_a_fastembed_name_may_be_written_in_any_case():
    assert open_embedder(f"fastembed:{MINILM.upper()}").identity == open_embedder("minilm").identity


@pytest.mark.usefixtures("fastembed")
def test_a_fastembed_model_that_does_not_exist_is_refused_with_those_that_do():
    with pytest.raises(ConfigurationError, match=MINILM):
        open_embedder("fastembed:no/such-model")


def test_a_fastembed_model_outside_the_cache_is_not_downloaded(fastembed):
    fastembed.TextEmbedding.cached = False
    with pytest.raises(ConfigurationError, match="not in fastembed's cache"):
        open_embedder("minilm")


def test_without_fastembed_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "fastembed", None)
    with pytest.raises(ConfigurationError, match=r"kept\[fastembed\]"):
        open_embedder("minilm")
