"""The export of a BERT encoder to ONNX, on a tiny one with random weights, beside the same network written in numpy.

Runs where what `benchmarks/requirements-minilm.txt` lists is installed.
"""

from __future__ import annotations

import json
import math
import runpy
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from kept.adapters.embedders.onnx import OnnxEmbedder

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
safetensors_numpy = pytest.importorskip("safetensors.numpy")

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "export_minilm.py"
WORDS = ["[UNK]", "[CLS]", "[SEP]", "the", "cat", "dog", "sleeps", "runs", "in", "on", "red", "blue"]
TEXTS = ["the cat sleeps", "dog", "the red dog runs on the blue dog in the red"]
HIDDEN, WIDE, HEADS, LAYERS, PLACES, EPSILON = 8, 16, 2, 2, 16, 1e-12
CONFIG = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "hidden_size": HIDDEN,
    "layer_norm_eps": EPSILON,
    "num_attention_heads": HEADS,
    "num_hidden_layers": LAYERS,
}


def random_weights():
    """Every weight of the encoder, biases and normalisations included, so that leaving one out shows."""
    shapes = {
        "embeddings.word_embeddings.weight": (len(WORDS), HIDDEN),
        "embeddings.position_embeddings.weight": (PLACES, HIDDEN),
        "embeddings.token_type_embeddings.weight": (2, HIDDEN),
        "embeddings.LayerNorm.weight": (HIDDEN,),
        "embeddings.LayerNorm.bias": (HIDDEN,),
    }
    for layer in (f"encoder.layer.{number}" for number in range(LAYERS)):
        for part in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            shapes |= {f"{layer}.{part}.weight": (HIDDEN, HIDDEN), f"{layer}.{part}.bias": (HIDDEN,)}
        shapes |= {f"{layer}.intermediate.dense.weight": (WIDE, HIDDEN), f"{layer}.intermediate.dense.bias": (WIDE,)}
        shapes |= {f"{layer}.output.dense.weight": (HIDDEN, WIDE), f"{layer}.output.dense.bias": (HIDDEN,)}
        for part in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes |= {f"{layer}.{part}.weight": (HIDDEN,), f"{layer}.{part}.bias": (HIDDEN,)}
    random = np.random.default_rng(7)
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


WEIGHTS = random_weights()


def linear(name, x):
    return x @ WEIGHTS[f"{name}.weight"].T + WEIGHTS[f"{name}.bias"]


def norm(name, x):
    spread = np.sqrt(x.var(axis=-1, keepdims=True) + EPSILON)
    return (x - x.mean(axis=-1, keepdims=True)) / spread * WEIGHTS[f"{name}.weight"] + WEIGHTS[f"{name}.bias"]


def attention(name, x):
    heads = []
    for columns in np.split(np.arange(HIDDEN), HEADS):
        query, key, value = (linear(f"{name}.{part}", x)[:, columns] for part in ("query", "key", "value"))
        scores = np.exp(query @ key.T / math.sqrt(HIDDEN / HEADS))
        heads.append(scores / scores.sum(axis=1, keepdims=True) @ value)
    return np.hstack(heads)


def token_vectors(ids):
    """What BERT gives for one text, `(len(ids), HIDDEN)`."""
    x = WEIGHTS["embeddings.word_embeddings.weight"][ids] + WEIGHTS["embeddings.token_type_embeddings.weight"][0]
    x = norm("embeddings.LayerNorm", x + WEIGHTS["embeddings.position_embeddings.weight"][: len(ids)])
    for layer in (f"encoder.layer.{number}" for number in range(LAYERS)):
        attended = linear(f"{layer}.attention.output.dense", attention(f"{layer}.attention.self", x))
        x = norm(f"{layer}.attention.output.LayerNorm", attended + x)
        wide = linear(f"{layer}.intermediate.dense", x)
        wide *= 0.5 * (1 + np.vectorize(math.erf)(wide / math.sqrt(2)))
        x = norm(f"{layer}.output.LayerNorm", linear(f"{layer}.output.dense", wide) + x)
    return x


def expected(text):
    ids = [WORDS.index(word) for word in ("[CLS]", *text.split(), "[SEP]")]
    mean = token_vectors(ids).mean(axis=0)
    return mean / np.linalg.norm(mean)


@pytest.fixture
def source(tmp_path):
    """A model folder as sentence-transformers writes it."""
    folder = tmp_path / "source"
    (folder / "1_Pooling").mkdir(parents=True)
    safetensors_numpy.save_file(WEIGHTS, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": PLACES}))
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    tokenizer = Tokenizer(WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token=WORDS[0]))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)])
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def export(source, target, *options):
    script = runpy.run_path(str(SCRIPT))
    return script["main"]([str(target), "--source", str(source), *options])


def test_the_exported_model_gives_the_vectors_of_the_network(source, tmp_path):
    assert export(source, tmp_path / "onnx") == 0
    rows = OnnxEmbedder(tmp_path / "onnx").embed_documents(TEXTS)
    np.testing.assert_allclose(rows, [expected(text) for text in TEXTS], atol=1e-5)


def test_padding_under_the_mask_does_not_change_the_token_vectors(source, tmp_path):
    """Kept pads nothing, but the file is an ordinary model that others may batch."""
    import onnxruntime

    export(source, tmp_path / "onnx")
    session = onnxruntime.InferenceSession(tmp_path / "onnx" / "model.onnx", providers=["CPUExecutionProvider"])
    feed = {"input_ids": [[1, 4, 2, 0, 0], [1, 3, 5, 7, 2]], "attention_mask": [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]}
    (rows,) = session.run(None, {name: np.array(values, dtype=np.int64) for name, values in feed.items()})
    np.testing.assert_allclose(rows[0, :3], token_vectors([1, 4, 2]), atol=1e-5)
    np.testing.assert_allclose(rows[1], token_vectors([1, 3, 5, 7, 2]), atol=1e-5)


def test_a_text_beyond_the_longest_input_has_the_vector_of_its_head(source, tmp_path):
    export(source, tmp_path / "onnx")
    embedder = OnnxEmbedder(tmp_path / "onnx")
    head = "red " * (PLACES - 2)
    np.testing.assert_array_equal(embedder.embed_query(head + "cat " * 99), embedder.embed_query(head))


def test_eight_bits_stay_close_to_the_network(source, tmp_path):
    export(source, tmp_path / "int8", "--int8")
    rows = OnnxEmbedder(tmp_path / "int8").embed_documents(TEXTS)
    assert min((rows * [expected(text) for text in TEXTS]).sum(axis=1)) > 0.95


def test_an_export_replaces_an_earlier_one(source, tmp_path):
    target = tmp_path / "onnx"
    export(source, target, "--int8")
    export(source, target)
    np.testing.assert_allclose(OnnxEmbedder(target).embed_query(TEXTS[0]), expected(TEXTS[0]), atol=1e-5)
    assert {path.name for path in target.iterdir()} == {
        "1_Pooling",
        "model.onnx",
        "sentence_bert_config.json",
        "tokenizer.json",
    }


@pytest.mark.parametrize(
    ("file", "content", "complaint"),
    [
        ("config.json", json.dumps(CONFIG | {"hidden_act": "relu"}), "'relu'"),
        ("config.json", "{}", "num_attention_heads"),
        ("model.safetensors", "no weights", "cannot be exported"),
        ("model.safetensors", None, "model.safetensors"),
        ("tokenizer.json", None, "tokenizer.json"),
    ],
    ids=["another activation", "no settings", "damaged weights", "no weights", "no tokenizer"],
)
def test_a_model_that_cannot_be_exported_is_refused_and_leaves_none_behind(source, tmp_path, file, content, complaint):
    (source / file).unlink() if content is None else (source / file).write_text(content)
    with pytest.raises(SystemExit, match=complaint):
        export(source, tmp_path / "onnx")
    assert not (tmp_path / "onnx" / "model.onnx").exists()
