"""Counts what a language model reads for each message that is stored: Kept's extraction beside Mem0 2.2.1's.

    python benchmarks/tokens.py locomo-dev.jsonl.xz [--mem0-python PATH] [--conversations N] [--json]

The same conversations go through both systems' own way of adding, once two messages a call (as Mem0's benchmark adds them), once a
session a call. In place of a language model stands one that keeps what it was asked, and answers with the beginning of
each message as a fact, so that both find memories to show with the next call. Nothing leaves the machine. Counted is all that is
asked: instructions, schema, stored memories, earlier turns, the messages; with one tokenizer (Llama 2's, which comes with
wordllama). What a model answers is not counted: no model answers here.

Mem0 needs a Python with `requirements-mem0.txt`. The exit code is 1 when Kept's tokens exceed a fifth of Mem0's.
"""

from __future__ import annotations

import argparse
import itertools
import json
import lzma
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

MOST = 0.2
"""Kept's share of Mem0's tokens, at most."""
PAIR = 2
"""Messages of a call in Mem0's own benchmark."""
FACT_CHARACTERS = 120
"""Of a message that its fact repeats: about what Mem0's README shows as memories."""
WAYS = ("pair", "session")


@dataclass(frozen=True, kw_only=True)
class Add:
    """One call.

    Attributes:
        user: Whose conversation it is.
        session: Which session of it.
        messages: With role, name, content and timestamp.
    """

    user: str
    session: str
    messages: Sequence[Mapping[str, str]]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What was asked in one call of the model.

    Attributes:
        fixed: What is the same in every call.
        content: What is not.
    """

    fixed: str
    content: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Count and print; the exit code is 1 when the bar is missed."""
    options = _parse(arguments)
    if options.record:
        json.dump([[asked.fixed, asked.content] for asked in _mem0(list(_adds(options)))], sys.stdout)
        return 0
    figures = {way: _figures(options, way) for way in WAYS}
    print(json.dumps(figures, indent=2) if options.json else _table(figures))
    return int(any(figure["share"] > MOST for figure in figures.values()))


def _figures(options: argparse.Namespace, way: str) -> dict[str, float]:
    """Tokens of both systems for one way of adding."""
    options.way = way
    adds = list(_adds(options))
    messages = sum(len(add.messages) for add in adds)
    systems = {"kept": list(_kept(adds)), "mem0": _elsewhere(options, way)}
    figures: dict[str, float] = {"messages": messages}
    for name, asked in systems.items():
        fixed, content = (
            sum(_tokens(part) for part in parts) for parts in zip(*((a.fixed, a.content) for a in asked), strict=True)
        )
        figures |= {
            f"{name}_calls": len(asked),
            f"{name}_fixed_per_call": round(fixed / len(asked)),
            f"{name}_content_per_call": round(content / len(asked)),
            f"{name}_per_message": round((fixed + content) / messages, 1),
        }
    return figures | {"share": round(figures["kept_per_message"] / figures["mem0_per_message"], 3)}


# --- the conversations ---


def _adds(options: argparse.Namespace) -> Iterator[Add]:
    """The calls in which the conversations are added."""
    with lzma.open(options.conversations_file, "rt", encoding="utf-8") as lines:
        for line in itertools.islice(lines, options.conversations):
            conversation = json.loads(line)
            first = conversation["speakers"][0]
            for session, turns in itertools.groupby(conversation["turns"], key=lambda turn: turn["session"]):
                messages = [_message(turn, first) for turn in turns]
                size = PAIR if options.way == "pair" else len(messages)
                for start in range(0, len(messages), size):
                    yield Add(
                        user=str(conversation["id"]), session=str(session), messages=messages[start : start + size]
                    )


def _message(turn: Mapping[str, str], first: str) -> dict[str, str]:
    role = "user" if turn["speaker"] == first else "assistant"
    return {"role": role, "name": turn["speaker"], "content": turn["text"], "timestamp": turn["at"]}


# --- the systems ---


def _kept(adds: Iterable[Add]) -> Iterator[Asked]:
    """What Kept asks, through its own engine, store and embedder."""
    import uuid
    from datetime import UTC, datetime

    from kept.adapters.embedders.wordllama import WordLlamaEmbedder
    from kept.adapters.extractors.rules import RuleExtractor
    from kept.adapters.inmemory_control import InMemoryJobs
    from kept.adapters.inmemory_ledger import InMemoryLedger
    from kept.adapters.sqlite.log import SqliteLog
    from kept.domain.scope import Scope
    from kept.engine.models import Models
    from kept.engine.service import Service
    from kept.engine.understanding import Reading
    from kept.testing.models import ScriptedModel

    now, new_id = (lambda: datetime.now(UTC)), (lambda: str(uuid.uuid4()))
    model = ScriptedModel(lambda prompt: {"f": list(_facts(prompt.content))})
    with tempfile.TemporaryDirectory(prefix="kept-tokens-", ignore_cleanup_errors=True) as folder:
        log = SqliteLog(Path(folder) / "kept.db")
        models = Models({"extraction": model, "contradiction": model}, InMemoryLedger(), clock=now, ids=new_id)
        service = Service(
            log=log,
            embedder=WordLlamaEmbedder(),
            extractor=RuleExtractor(),
            clock=now,
            ids=new_id,
            reading=Reading(jobs=InMemoryJobs(), models=models, settings_of=lambda _: {}),
        )
        for add in adds:
            scope = Scope(user_id=add.user, run_id=add.session)
            service.understand(scope, service.add(scope, list(add.messages), awaited=True))
        log.close()
    for prompt in model.prompts:
        schema = json.dumps(prompt.schema, separators=(",", ":"))
        yield Asked(fixed=f"{prompt.instructions}\n{schema}", content=prompt.content)


def _facts(content: str) -> Iterator[dict[str, Any]]:
    """The beginning of each numbered turn."""
    turns = content[content.index("<turns>") :]
    for number, text in re.findall(r"^(\d+) (.+)$", turns, re.MULTILINE):
        yield {"t": text[:FACT_CHARACTERS], "s": [int(number)], "k": "event", "c": 0.8}


class Recorder:
    """Stands where Mem0 wants a language model.

    Attributes:
        asked: Messages of each call.
        facts: What the next call answers.
    """

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.facts: list[str] = []

    def generate_response(self, messages: Sequence[Mapping[str, str]], **_: object) -> str:
        """The facts, in the form that Mem0 asks for."""
        self.asked.append(Asked(fixed=messages[0]["content"], content=messages[1]["content"]))
        return json.dumps({"memory": [{"id": str(n), "text": fact} for n, fact in enumerate(self.facts)]})


def _mem0(adds: Iterable[Add]) -> Iterator[Asked]:
    """What Mem0 asks, through its own `Memory.add`."""
    import mem0_baseline

    with tempfile.TemporaryDirectory(prefix="mem0-tokens-", ignore_cleanup_errors=True) as folder:
        os.environ["MEM0_TELEMETRY"] = "false"  # both are read when mem0 is imported
        os.environ["MEM0_DIR"] = folder
        memory = mem0_baseline._open(Path(folder))  # noqa: SLF001 - a neighbour of this file
        memory.llm = recorder = Recorder()
        for add in adds:
            said = [{"role": m["role"], "content": f"{m['name']}: {m['content']}"} for m in add.messages]
            recorder.facts = [message["content"][:FACT_CHARACTERS] for message in said]
            memory.add(said, user_id=add.user, run_id=add.session)
        memory.close()
        memory.vector_store.client.close()
    yield from recorder.asked


def _elsewhere(options: argparse.Namespace, way: str) -> list[Asked]:
    """What Mem0 asks, recorded in the Python that has it."""
    command = [options.mem0_python, __file__, str(options.conversations_file), "--record", "--way", way]
    if options.conversations:
        command += ["--conversations", str(options.conversations)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return [Asked(fixed=fixed, content=content) for fixed, content in json.loads(done.stdout)]


# --- counting ---


@cache
def _tokenizer() -> Any:
    import importlib.resources

    from tokenizers import Tokenizer

    path = importlib.resources.files("wordllama") / "tokenizers" / "l2_supercat_tokenizer_config.json"
    return Tokenizer.from_str(path.read_text(encoding="utf-8"))


@cache
def _tokens(text: str) -> int:
    return len(_tokenizer().encode(text, add_special_tokens=False).ids)


def _table(figures: Mapping[str, Mapping[str, float]]) -> str:
    names = list(next(iter(figures.values())))
    rows = [["", *figures], *([name, *(str(figure[name]) for figure in figures.values())] for name in names)]
    return "\n".join("  ".join(cell.ljust(24) for cell in row).rstrip() for row in rows)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("conversations_file", type=Path, metavar="CONVERSATIONS", help="a .jsonl.xz of conversations")
    parser.add_argument("--mem0-python", default=sys.executable, metavar="PATH", help="a Python that has Mem0")
    parser.add_argument("--conversations", type=int, metavar="N", help="only the first ones")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--record", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--way", choices=WAYS, default=WAYS[0], help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
