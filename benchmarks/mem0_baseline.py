"""Times Mem0 2.2.1 offline: local Qdrant on disk, `infer=False`, wordllama embeddings, no language model, no key.

Run it with a Python that has `requirements-mem0.txt` installed; it needs nothing of Kept. Searches and adds go through
Mem0's public `Memory.search` and `Memory.add` with their defaults (top 20, threshold 0.1). The store is filled in batches
through Mem0's own vector store, with the payload `add` writes, because one `add` per memory is what the add figure already
says. All memories belong to one user.

Searches are dense only, which is what `pip install mem0ai` gives: keyword scores need fastembed and its `Qdrant/bm25`
files, entity boosts need spaCy and `en_core_web_sm`, and both are downloaded on first use.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib.metadata
import importlib.util
import json
import logging
import os
import platform
import sqlite3
import statistics
import sys
import tempfile
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mem0 import Memory

USER_ID = "benchmark"
FILL_BATCH = 500  # rows per insert; larger batches changed nothing measurable
DIMENSIONS = 256  # of the wordllama table both sides use
COMMIT_PROBES = 30  # enough for a median, a tenth of a second on a slow disk
TOP_K = 20  # the default of Memory.search
BULK_METHOD = (
    f"Mem0's vector store insert in batches of {FILL_BATCH} with the payload of add(), then its history rows; "
    "local Qdrant still commits each point on its own"
)
MILLISECONDS = 1_000.0
MIB = 1024.0 * 1024.0


class UnavailableLlm:
    """Stands where Mem0 wants a language model, so that a run which would call one fails instead."""

    def __init__(self, config: object = None) -> None:
        self.config = config

    def generate_response(self, *_: object, **__: object) -> str:
        """Refuse.

        Raises:
            RuntimeError: Always.
        """
        raise RuntimeError("the baseline runs with infer=False; no language model may be called")


class WordLlamaEmbedder:
    """Mem0's embedder interface over the model that ships in the wordllama package."""

    def __init__(self, config: object = None) -> None:
        from wordllama import WordLlama

        # The library looks for its tokenizer outside its own folder unless told otherwise, and would then download it.
        package = importlib.util.find_spec("wordllama")
        folder = Path(package.submodule_search_locations[0])
        self.config = config
        self._model = WordLlama.load(dim=DIMENSIONS, cache_dir=folder, disable_download=True)

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:
        """Return the L2-normalised embedding of one text."""
        return self.embed_batch([text], memory_action)[0]

    def embed_batch(self, texts: Sequence[str], memory_action: str | None = None) -> list[list[float]]:
        """Return one L2-normalised embedding per text, in order; Mem0's `memory_action` changes nothing here."""
        del memory_action
        embeddings: list[list[float]] = self._model.embed(list(texts), norm=True).tolist()
        return embeddings


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the figures; the exit code is 0."""
    options = _parse(arguments)
    with tempfile.TemporaryDirectory(prefix="mem0-baseline-", ignore_cleanup_errors=True) as folder:
        os.environ["MEM0_TELEMETRY"] = "false"  # both are read when mem0 is imported
        os.environ["MEM0_DIR"] = folder
        # Notices of Mem0 and Qdrant must not mix with the figures on standard output.
        with contextlib.redirect_stdout(sys.stderr):
            figures = measure(options, Path(folder))
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        for name, value in figures.items():
            print(f"{name}: {value}")
    return 0


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Fill a store, then time searches and adds on it.

    Returns:
        The figures by name: times in milliseconds or seconds, memory in MiB, as each name says.

    Raises:
        SystemExit: If a text file is empty or the environment is not the pinned one.
    """
    corpus = _lines(options.corpus)
    queries = _lines(options.queries)
    started = time.perf_counter()
    memory = _open(folder)
    open_s = time.perf_counter() - started
    try:
        commit_s = _commit_seconds(folder)
        fill_s = _timed(lambda: _fill(memory, _cycle(corpus, options.size)))
        first_search_ms = _timed(lambda: _search(memory, queries[0], options.top_k)) * MILLISECONDS
        searches = [
            _timed(lambda q=query: _search(memory, q, options.top_k)) for query in _cycle(queries, options.searches)
        ]
        adds = [_timed(lambda t=text: _add(memory, t)) for text in _fresh(corpus, options)]
        stored = memory.vector_store.client.count(memory.collection_name).count
    finally:
        memory.close()
        memory.vector_store.client.close()
    add_p50_ms = statistics.median(adds) * MILLISECONDS
    return {
        "system": "mem0",
        "size": options.size,
        "stored_at_end": stored,
        "top_k": options.top_k,
        "searches": len(searches),
        "search_p50_ms": round(_percentile(searches, 50) * MILLISECONDS, 3),
        "search_p95_ms": round(_percentile(searches, 95) * MILLISECONDS, 3),
        "first_search_ms": round(first_search_ms, 3),
        "adds": len(adds),
        "add_p50_ms": round(add_p50_ms, 3),
        "add_p95_ms": round(_percentile(adds, 95) * MILLISECONDS, 3),
        "bulk_seconds": round(fill_s, 3),
        "bulk_method": BULK_METHOD,
        "bulk_seconds_by_add_estimated": round(add_p50_ms / MILLISECONDS * options.size, 1),
        "disk_commit_p50_ms": round(commit_s * MILLISECONDS, 3),
        "open_seconds": round(open_s, 3),
        "peak_rss_mib": _peak_rss_mib(),
        "keyword_scores": memory.vector_store._get_bm25_encoder() is not None,  # noqa: SLF001 - Mem0 has no public way to ask
        "entity_boosts": importlib.util.find_spec("spacy") is not None,
        "versions": _versions(),
    }


def _open(folder: Path) -> Memory:
    try:
        from mem0 import Memory
        from mem0.configs.llms.base import BaseLlmConfig
        from mem0.utils.factory import EmbedderFactory, LlmFactory
    except ImportError as error:
        raise SystemExit(f"{error}; install benchmarks/requirements-mem0.txt into this Python first") from error

    # Mem0 accepts only provider names it knows, so two known names are pointed at the classes above.
    EmbedderFactory.provider_to_class["huggingface"] = f"{__name__}.{WordLlamaEmbedder.__name__}"
    LlmFactory.provider_to_class["openai"] = (f"{__name__}.{UnavailableLlm.__name__}", BaseLlmConfig)
    memory = Memory.from_config(
        {
            "vector_store": {
                "provider": "qdrant",
                "config": {
                    "path": str(folder / "qdrant"),
                    "embedding_model_dims": DIMENSIONS,
                    "collection_name": "mem0",
                },
            },
            "embedder": {"provider": "huggingface", "config": {"embedding_dims": DIMENSIONS}},
            "llm": {"provider": "openai", "config": {}},
            "history_db_path": str(folder / "history.db"),
        }
    )
    # Importing wordllama turns the root logger to INFO, and Mem0 then logs every insert.
    logging.getLogger().setLevel(logging.ERROR)
    return memory


def _fill(memory: Memory, texts: Iterator[str]) -> None:
    batch: list[str] = []
    for text in texts:
        batch.append(text)
        if len(batch) == FILL_BATCH:
            _insert(memory, batch)
            batch.clear()
    if batch:
        _insert(memory, batch)


def _insert(memory: Memory, texts: Sequence[str]) -> None:
    """Store texts as `Memory.add(text, user_id=..., infer=False)` of Mem0 2.2.1 does, many at once."""
    from mem0.utils.lemmatization import lemmatize_for_bm25

    now = datetime.now(UTC).isoformat()
    ids = [str(uuid.uuid4()) for _ in texts]
    payloads = [
        {
            "user_id": USER_ID,
            "role": "user",
            "data": text,
            "hash": hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(),
            "created_at": now,
            "updated_at": now,
            "text_lemmatized": lemmatize_for_bm25(text),
        }
        for text in texts
    ]
    memory.vector_store.insert(vectors=memory.embedding_model.embed_batch(texts, "add"), ids=ids, payloads=payloads)
    memory.db.batch_add_history(
        [
            {
                "memory_id": id_,
                "old_memory": None,
                "new_memory": text,
                "event": "ADD",
                "created_at": now,
                "updated_at": now,
                "role": "user",
            }
            for id_, text in zip(ids, texts, strict=True)
        ]
    )


def _commit_seconds(folder: Path) -> float:
    """Return the median time of one small SQLite commit: the floor under an add and, per memory, under the fill."""
    with contextlib.closing(sqlite3.connect(folder / "commit.db")) as connection:
        connection.execute("CREATE TABLE probe (value INTEGER)")

        def commit() -> None:
            with connection:
                connection.execute("INSERT INTO probe VALUES (1)")

        return statistics.median(_timed(commit) for _ in range(COMMIT_PROBES))


def _search(memory: Memory, query: str, top_k: int) -> None:
    memory.search(query, filters={"user_id": USER_ID}, top_k=top_k)


def _add(memory: Memory, text: str) -> None:
    memory.add(text, user_id=USER_ID, infer=False)


def _fresh(corpus: Sequence[str], options: argparse.Namespace) -> Iterator[str]:
    """Yield texts the store does not hold yet, as long as those of the corpus."""
    return (f"{text} [{number}]" for number, text in enumerate(_cycle(corpus, options.adds)))


def _cycle(lines: Sequence[str], count: int) -> Iterator[str]:
    """Yield `count` lines, starting again at the top with the round's number appended, so that each text is different."""
    for number in range(count):
        round_, index = divmod(number, len(lines))
        yield lines[index] if round_ == 0 else f"{lines[index]} ({round_})"


def _lines(path: Path) -> list[str]:
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if not lines:
        raise SystemExit(f"{path}: no text in it; one text a line is needed")
    return lines


def _timed(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _percentile(seconds: Iterable[float], percent: int) -> float:
    """Return the nearest-rank percentile."""
    ordered = sorted(seconds)
    rank = -(-percent * len(ordered) // 100)
    return ordered[max(rank, 1) - 1]


def _peak_rss_mib() -> float | None:
    """Return the largest resident set of this process so far in MiB, or None where the platform does not tell."""
    # getrusage on Linux counts the parent's memory before exec too; the kernel's own high-water mark does not.
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) / 1024, 1)
    try:
        import resource
    except ImportError:
        return None
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB, 1)  # bytes on macOS


def _versions() -> dict[str, str]:
    packages = ("mem0ai", "qdrant-client", "wordllama", "tokenizers", "numpy")
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in packages}}


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time Mem0 offline with local Qdrant and wordllama embeddings.")
    parser.add_argument("--size", type=_positive, default=1_000, help="memories in the store (default: %(default)s)")
    parser.add_argument("--searches", type=_positive, default=50, help="searches to time (default: %(default)s)")
    parser.add_argument(
        "--adds", type=_positive, default=30, help="adds to time on the filled store (default: %(default)s)"
    )
    parser.add_argument(
        "--top-k", type=_positive, default=TOP_K, help="hits per search (default: %(default)s, Mem0's own)"
    )
    parser.add_argument("--corpus", type=Path, required=True, help="texts to store, one a line; repeated when too few")
    parser.add_argument("--queries", type=Path, required=True, help="queries, one a line; repeated when too few")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return number


if __name__ == "__main__":
    raise SystemExit(main())
