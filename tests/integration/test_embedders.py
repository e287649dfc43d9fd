"""What only real model files can show: the default embedder beside its library, damaged files, ONNX models."""

from __future__ import annotations

import json
import mmap
import shutil
import struct
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from kept.adapters.embedders import open_embedder
from kept.adapters.embedders.fastembed import FastembedEmbedder
from kept.adapters.embedders.onnx import MAX_TOKENS, OnnxEmbedder
from kept.adapters.embedders.wordllama import WordLlamaEmbedder
from kept.errors import ConfigurationError

TEXTS = [
    "Ana adopted a small dog called Miso in March.",
    "use ruff_config.toml, not setup.cfg",
    "こんにちは世界, и привет 😀",
    "<s>[INST] tags & <b>markup</b> </s>",
    "a\x00b",
    "x",
    "  two  spaces  ",
    "many words " * 500,
]

TABLE = Path("weights") / "l2_supercat_256.safetensors"
TOKENIZER = Path("tokenizers") / "l2_supercat_tokenizer_config.json"


# --- wordllama ---------------------------------------------------------------------------------------------------


def test_vectors_equal_those_of_the_wordllama_library(tmp_path):
    """The library runs in a process of its own, because importing it changes the logging of the whole program."""
    program = (
        "import json, sys, numpy, pathlib, wordllama;"
        "model = wordllama.WordLlama.load(cache_dir=pathlib.Path(wordllama.__file__).parent, disable_download=True);"
        "numpy.save(sys.argv[1], model.embed(json.loads(sys.argv[2]), norm=True, batch_size=1))"
    )
    saved = tmp_path / "library.npy"
    subprocess.run([sys.executable, "-c", program, str(saved), json.dumps(TEXTS)], check=True, capture_output=True)
    np.testing.assert_allclose(WordLlamaEmbedder().embed_documents(TEXTS), np.load(saved), atol=1e-3)


def test_the_table_is_mapped_from_disk_and_not_copied():
    embedder = WordLlamaEmbedder()
    embedder.embed_query("tea")
    owner = embedder._model.table
    while isinstance(owner, np.ndarray):
        owner = owner.base
    assert isinstance(owner, mmap.mmap)


@pytest.fixture
def package(tmp_path):
    """A copy of the two data files, to be damaged."""
    source = Path(find_spec("wordllama").submodule_search_locations[0])
    for file in (TABLE, TOKENIZER):
        (tmp_path / file).parent.mkdir()
        shutil.copy(source / file, tmp_path / file)
    return tmp_path


def test_data_files_may_lie_in_any_folder(package):
    np.testing.assert_array_equal(WordLlamaEmbedder(package).embed_query("tea"), WordLlamaEmbedder().embed_query("tea"))


@pytest.mark.parametrize("file", [TABLE, TOKENIZER])
def test_a_missing_data_file_is_named_when_the_embedder_is_opened(package, file):
    (package / file).unlink()
    with pytest.raises(ConfigurationError, match=file.name):
        WordLlamaEmbedder(package)


def safetensors(tensor):
    header = json.dumps({"embedding.weight": tensor}).encode()
    return struct.pack("<Q", len(header)) + header


@pytest.mark.parametrize(
    ("file", "content"),
    [
        (TABLE, b""),
        (TABLE, b"\xff" * 64),
        (TABLE, safetensors({"dtype": "F32", "shape": [4, 256], "data_offsets": [0, 4096]}) + bytes(4096)),
        (TABLE, safetensors({"dtype": "F16", "shape": [4, 64], "data_offsets": [0, 512]}) + bytes(512)),
        (TABLE, safetensors({"dtype": "F16", "shape": [32000, 256], "data_offsets": [0, 16384000]}) + bytes(99)),
        (TABLE, safetensors({"dtype": "F16", "shape": [4, 256], "data_offsets": [0, 2048]}) + bytes(2048)),
        (TABLE, safetensors("no object")),
        (TOKENIZER, b"{}"),
        (TOKENIZER, b"\xff\xfe"),
    ],
    ids=["empty", "garbage", "float32", "64 columns", "cut short", "too few rows", "no tensor", "no model", "no text"],
)
def test_a_damaged_data_file_is_named_with_the_way_to_repair_it(package, file, content):
    (package / file).write_bytes(content)
    with pytest.raises(ConfigurationError, match=rf"{file.name}.* pip install --force-reinstall"):
        WordLlamaEmbedder(package).embed_query("tea")


# --- onnx --------------------------------------------------------------------------------------------------------

WORDS = {"[PAD]": 0, "[UNK]": 1, "red": 2, "blue": 3, "green": 4}
VECTORS = np.array([[9, 9, 9], [0.1, 0.1, 0.1], [1, 0, 0], [0, 2, 0], [0, 0, 4]], dtype=np.float32)
"""One row a word; that of the padding is large, so that a mean which counts it is seen."""

FLOAT, INT64 = 1, 7
"""Element types of `onnx.TensorProto`."""


def proto(number, value):
    """Encode one field of a protocol buffer: numbers as varints, text and messages with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value):
    head = b""
    while value > 127:
        head += bytes([value & 127 | 128])
        value >>= 7
    return head + bytes([value])


def port(name, element, *axes):
    shape = b"".join(proto(1, proto(1 if isinstance(axis, int) else 2, axis)) for axis in axes)
    return proto(1, name) + proto(2, proto(1, proto(1, element) + proto(2, shape)))


def lookup_model(vectors, *, output_axes=("rows", "tokens"), inputs=("input_ids", "attention_mask")):
    """Encode an ONNX model whose token vectors are rows of `vectors` (field numbers as in onnx.proto)."""
    node = proto(1, "table") + proto(1, "input_ids") + proto(2, "last_hidden_state") + proto(4, "Gather")
    sizes = b"".join(proto(1, size) for size in vectors.shape)
    table = sizes + proto(2, FLOAT) + proto(8, "table") + proto(9, vectors.tobytes())
    graph = proto(1, node) + proto(2, "lookup") + proto(5, table)
    graph += b"".join(proto(11, port(name, INT64, *output_axes)) for name in inputs)
    graph += proto(12, port("last_hidden_state", FLOAT, *output_axes, vectors.shape[1]))
    return proto(1, 8) + proto(7, graph) + proto(8, proto(1, "") + proto(2, 13))


@pytest.fixture
def model_folder(tmp_path):
    pytest.importorskip("onnxruntime")
    (tmp_path / "model.onnx").write_bytes(lookup_model(VECTORS))
    tokenizer = Tokenizer(WordLevel(WORDS, unk_token="[UNK]"))  # noqa: S106 - the name of a token, no password
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def test_an_onnx_vector_is_the_unit_mean_of_its_token_vectors(model_folder):
    embedder = open_embedder(f"onnx:{model_folder}")
    np.testing.assert_allclose(embedder.embed_query("red blue"), [1 / 5**0.5, 2 / 5**0.5, 0], rtol=1e-6)


def test_onnx_rows_keep_the_order_of_the_texts_and_a_blank_one_is_zero(model_folder):
    rows = OnnxEmbedder(model_folder).embed_documents(["green", " ", "red", "blue blue"])
    np.testing.assert_allclose(rows, [[0, 0, 1], [0, 0, 0], [1, 0, 0], [0, 1, 0]], atol=1e-6)


@given(st.lists(st.sampled_from(["red", "red blue", "green green red blue", "", "red " * 90]), max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_text_has_the_same_onnx_vector_alone_and_among_others(model_folder, texts):
    embedder = OnnxEmbedder(model_folder)
    for row, text in zip(embedder.embed_documents(texts), texts, strict=True):
        np.testing.assert_array_equal(row, embedder.embed_query(text))


def test_padding_that_a_tokenizer_asks_for_does_not_reach_an_onnx_vector(model_folder):
    tokenizer = Tokenizer.from_file(str(model_folder / "tokenizer.json"))
    tokenizer.enable_padding(length=8)
    tokenizer.save(str(model_folder / "tokenizer.json"))
    np.testing.assert_allclose(OnnxEmbedder(model_folder).embed_query("red"), [1, 0, 0], atol=1e-6)


def test_no_texts_give_no_onnx_rows(model_folder):
    assert OnnxEmbedder(model_folder).embed_documents([]).shape == (0, 3)


def test_lone_surrogates_do_not_stop_an_onnx_model(model_folder):
    assert np.linalg.norm(OnnxEmbedder(model_folder).embed_query("red \ud800")) == pytest.approx(1.0)


def test_an_onnx_model_may_lie_in_its_onnx_folder_and_name_its_longest_input(model_folder):
    (model_folder / "onnx").mkdir()
    (model_folder / "model.onnx").rename(model_folder / "onnx" / "model.onnx")
    (model_folder / "sentence_bert_config.json").write_text('{"max_seq_length": 2}')
    np.testing.assert_allclose(OnnxEmbedder(model_folder).embed_query("red red blue"), [1, 0, 0], atol=1e-6)


def test_an_onnx_folder_that_names_no_longest_input_is_cut_at_that_of_bert(model_folder):
    embedder = OnnxEmbedder(model_folder)
    head = "red " * MAX_TOKENS
    np.testing.assert_array_equal(embedder.embed_query(head + "blue " * 99), embedder.embed_query(head))


def test_another_longest_input_has_another_onnx_identity(model_folder):
    """Vectors of long texts differ, so they must not meet in one index."""
    before = OnnxEmbedder(model_folder).identity
    (model_folder / "sentence_bert_config.json").write_text('{"max_seq_length": 2}')
    after = OnnxEmbedder(model_folder).identity
    assert (before.model.endswith("-512t"), after.model.endswith("-2t")) == (True, True)


def test_other_weights_have_another_onnx_identity(model_folder):
    before = OnnxEmbedder(model_folder).identity
    (model_folder / "model.onnx").write_bytes(lookup_model(VECTORS * 2))
    after = OnnxEmbedder(model_folder).identity
    assert before.dimensions == after.dimensions == 3
    assert before.model != after.model


@pytest.mark.parametrize(
    ("file", "content", "complaint"),
    [
        ("model.onnx", b"no model", "onnxruntime can run"),
        ("model.onnx", lookup_model(VECTORS, inputs=("input_ids", "pixel_values")), "pixel_values"),
        ("model.onnx", lookup_model(VECTORS, output_axes=("rows",)), r"\(rows, tokens, dimensions\)"),
        ("tokenizer.json", b"{}", "not a tokenizer"),
        ("sentence_bert_config.json", b"{", "cannot be read"),
        ("sentence_bert_config.json", b"[]", "JSON object"),
        ("sentence_bert_config.json", b'{"max_seq_length": "long"}', "a number of tokens above 0"),
        ("sentence_bert_config.json", b'{"max_seq_length": 0}', "a number of tokens above 0"),
        ("1_Pooling/config.json", b'{"pooling_mode_cls_token": true}', "pooling_mode_cls_token"),
    ],
    ids=[
        "garbage",
        "picture input",
        "pooled output",
        "tokenizer",
        "bad json",
        "no object",
        "no limit",
        "limit 0",
        "cls pooling",
    ],
)
def test_an_onnx_folder_that_cannot_be_used_is_refused_with_the_file_at_fault(model_folder, file, content, complaint):
    (model_folder / file).parent.mkdir(exist_ok=True)
    (model_folder / file).write_bytes(content)
    with pytest.raises(ConfigurationError, match=complaint) as refusal:
        OnnxEmbedder(model_folder)
    assert Path(file).name in str(refusal.value)


def test_mean_pooling_that_a_folder_asks_for_is_accepted(model_folder):
    (model_folder / "1_Pooling").mkdir()
    settings = {"word_embedding_dimension": 3, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
    (model_folder / "1_Pooling" / "config.json").write_text(json.dumps(settings))
    assert OnnxEmbedder(model_folder).identity.dimensions == 3


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="holds no model"):
        open_embedder(f"onnx:{tmp_path}")
    with pytest.raises(ConfigurationError, match="not a folder"):
        open_embedder(f"onnx:{tmp_path / 'absent'}")


def test_without_onnxruntime_the_error_names_the_extra(model_folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigurationError, match=r"kept\[onnx\]"):
        OnnxEmbedder(model_folder)


# --- fastembed ---------------------------------------------------------------------------------------------------


def test_the_real_fastembed_does_not_download_a_model_it_lacks(tmp_path):
    pytest.importorskip("fastembed")
    with pytest.raises(ConfigurationError, match="not in fastembed's cache"):
        FastembedEmbedder("sentence-transformers/all-MiniLM-L6-v2", cache=tmp_path)
