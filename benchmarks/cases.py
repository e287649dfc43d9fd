"""Written cases of contradictions, supersession, scopes, noise and time: what must come back, and what must not.

    python benchmarks/cases.py [--theme time] [--name WORDS] [--quiet]

Each case of `cases/*.toml` is a small story (what is added, replaced, deleted, undone …), then questions with what must
be among the hits, in which order, and what must not. The form is in the README beside this file. Every case runs through the public
`Memory`, in a store of its own, without a language model. The exit code is 1 when one fails.
"""

from __future__ import annotations

import argparse
import functools
import runpy
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self
from unittest.mock import patch

from kept import Memory
from kept.adapters import embedders
from kept.errors import KeptError
from kept.settings import Settings

CASES: Final = Path(__file__).parent / "cases"
USER: Final = "mira"
"""Whose memory it is when a step names nobody."""
IDS: Final = ("user_id", "agent_id", "app_id", "run_id")
PROJECT: Final = "default"
IN_MEMORY: Final = "memory://"


_one_embedder = functools.cache(embedders.open_embedder)
"""All cases share one model: to load it anew for each would take most of the time."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One story and its questions."""

    theme: str
    name: str
    story: Sequence[Mapping[str, Any]]
    ask: Sequence[Mapping[str, Any]]


def cases(theme: str | None = None) -> list[Case]:
    """All cases, or those of one theme."""
    return [
        Case(theme=path.stem, **case)
        for path in sorted(CASES.glob("*.toml"))
        if theme in (None, path.stem)
        for case in tomllib.loads(path.read_text(encoding="utf-8"))["case"]
    ]


def failures(case: Case) -> list[str]:
    """What a case expects and does not get; empty when all is well."""
    shared = any("project" in step for step in (*case.story, *case.ask))
    with Run(shared=shared) as run:
        for step in case.story:
            run.do(step)
        return [problem for question in case.ask for problem in run.ask(question)]


@dataclass
class Run:
    """A case being played: its store, and the names it gave to memories, operations and moments.

    Attributes:
        shared: Whether several projects share the store, which is then on disk.
    """

    shared: bool
    ids: dict[str, str] = field(default_factory=dict)
    operations: dict[str, str] = field(default_factory=dict)
    marks: dict[str, int] = field(default_factory=dict)
    _memories: dict[str, Memory] = field(default_factory=dict)
    _open: ExitStack = field(default_factory=ExitStack)
    _database: str = IN_MEMORY

    def __enter__(self) -> Self:
        self._open.enter_context(patch.object(embedders, "open_embedder", _one_embedder))
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def do(self, step: Mapping[str, Any]) -> None:
        """Play one step.

        Raises:
            AssertionError: It was to be refused and was not, or the other way round.
        """
        step = dict(step)
        refused = step.pop("refused", None)
        name = step.pop("as", None)
        memory = self._memory(step.pop("project", PROJECT))
        verb = next(iter(step))
        try:
            answer = _STEPS[verb](self, memory, step.pop(verb), step)
        except KeptError as error:
            if type(error).__name__ != refused:
                raise
            return
        if refused is not None:
            raise AssertionError(f"{verb} was not refused with {refused}")
        if name is not None and answer is not None:
            self.operations[name] = answer["operation_id"]
            if answer["results"]:
                self.ids[name] = answer["results"][0]["id"]

    def ask(self, question: Mapping[str, Any]) -> Iterator[str]:
        """What a question expects and does not get."""
        question = dict(question)
        memory = self._memory(question.pop("project", PROJECT))
        verb = next(iter(question))
        about = f"{verb} {question[verb]!r}"
        try:
            yield from (f"{about}: {problem}" for problem in _QUESTIONS[verb](self, memory, question))
        except KeptError as error:
            yield f"{about}: {type(error).__name__}: {error}"

    def named(self, found: Mapping[str, Any]) -> str:
        """The case's name of a memory; its text, when the case gives it none."""
        return next((name for name, known in self.ids.items() if known == found["id"]), str(found["memory"]))

    def _memory(self, project: str) -> Memory:
        if project not in self._memories:
            if self.shared and self._database == IN_MEMORY:
                self._database = f"{self._open.enter_context(tempfile.TemporaryDirectory(prefix='kept-case-'))}/kept.db"
            settings = Settings.load(environ={}, config=CASES / "none.toml", database=self._database, project=project)
            self._memories[project] = self._open.enter_context(Memory(settings=settings))
        return self._memories[project]


Step = Callable[[Run, Memory, Any, dict[str, Any]], Mapping[str, Any] | None]


def _scoped(step: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a step, with the case's user when it names nobody."""
    return dict(step) if any(name in step for name in IDS) else {"user_id": USER, **step}


def _ids(run: Run, names: str | Sequence[str]) -> list[str]:
    return [run.ids[name] for name in ([names] if isinstance(names, str) else names)]


def _add(run: Run, memory: Memory, text: Any, step: dict[str, Any]) -> Mapping[str, Any]:
    if "supersedes" in step:
        step["supersedes"] = _ids(run, step["supersedes"])
    return memory.add(text, related=0, **_scoped(step))


_FACT_KEYS: Final = (
    "valid_from",
    "valid_to",
    "speaker",
    "role",
    "timestamp",
    "expiration_date",
    "categories",
    "immutable",
)


def _fact(run: Run, memory: Memory, text: str, step: dict[str, Any]) -> Mapping[str, Any]:
    fact = {"text": text, **{key: step.pop(key) for key in _FACT_KEYS if key in step}}
    if "supersedes" in step:
        fact["supersedes"] = _ids(run, step.pop("supersedes"))
    return memory.add(facts=[fact], related=0, **_scoped(step))


def _noise(_run: Run, memory: Memory, count: int, step: dict[str, Any]) -> None:
    """So many statements of an engineering team, about nothing that a case asks for."""
    corpus = runpy.run_path(str(Path(__file__).parent / "corpus.py"))
    memory.add(list(corpus["statements"](count)), infer=False, related=0, **_scoped(step))


def _mark(run: Run, memory: Memory, name: str, _step: dict[str, Any]) -> None:
    run.marks[name] = memory.stats()["head"]


def _undo(run: Run, memory: Memory, what: str, step: dict[str, Any]) -> Mapping[str, Any]:
    if what == "newest":
        return memory.undo(**_scoped(step))
    return memory.undo(run.operations[what], **step)


def _retain(_run: Run, memory: Memory, days: int, step: dict[str, Any]) -> Mapping[str, Any]:
    return memory.retain(days, **_scoped(step))


def _erase(run: Run, memory: Memory, names: str | Sequence[str], _step: dict[str, Any]) -> None:
    memory.erase(_ids(run, names))


_STEPS: Final[Mapping[str, Step]] = {
    "add": _add,
    "say": _add,
    "fact": _fact,
    "noise": _noise,
    "mark": _mark,
    "update": lambda run, memory, name, step: memory.update(run.ids[name], **step),
    "invalidate": lambda run, memory, name, step: memory.invalidate(run.ids[name], **step),
    "feedback": lambda run, memory, name, step: memory.feedback(run.ids[name], step["verdict"]),
    "delete": lambda run, memory, name, step: memory.delete(run.ids[name], **step),
    "delete_all": lambda _run, memory, scope, _step: memory.delete_all(**scope),
    "restore": lambda run, memory, name, _step: memory.restore(run.ids[name]),
    "undo": _undo,
    "retain": _retain,
    "erase": _erase,
}

_EXPECTED: Final = ("finds", "lacks", "only", "first", "order")


def _search(run: Run, memory: Memory, question: dict[str, Any]) -> Iterator[str]:
    query = question.pop("search")
    expected = {key: question.pop(key) for key in _EXPECTED if key in question}
    if question.get("as_of") in run.marks:
        question["as_of"] = run.marks[question["as_of"]]
    hits = memory.search(query, **_scoped(question))["results"]
    yield from _compared([run.named(hit) for hit in hits], expected)


def _list(run: Run, memory: Memory, question: dict[str, Any]) -> Iterator[str]:
    scope = question.pop("list")
    expected = {key: question.pop(key) for key in _EXPECTED if key in question}
    found = memory.get_all(**scope, **question)["results"]
    yield from _compared([run.named(one) for one in found], expected)


def _compared(found: Sequence[str], expected: Mapping[str, Any]) -> Iterator[str]:
    if missing := [name for name in expected.get("finds", ()) if name not in found]:
        yield f"lacks {', '.join(missing)}"
    if wrong := [name for name in expected.get("lacks", ()) if name in found]:
        yield f"finds {', '.join(wrong)}"
    if "only" in expected and sorted(found) != sorted(expected["only"]):
        yield f"finds {', '.join(found) or 'nothing'} instead of {', '.join(expected['only']) or 'nothing'}"
    if "first" in expected and found[:1] != [expected["first"]]:
        yield f"puts {found[0] if found else 'nothing'} first, not {expected['first']}"
    ranked = [name for name in found if name in expected.get("order", ())]
    if ranked != list(expected.get("order", ())):
        yield f"ranks {', '.join(ranked) or 'none'} instead of {', '.join(expected['order'])}"


def _state(run: Run, memory: Memory, question: dict[str, Any]) -> Iterator[str]:
    """A memory by its id: each key has the value that the question gives it (of a name, its id), or none where that is empty."""
    found = memory.get(run.ids[question.pop("get")]) or {"state": "erased"}
    for key, wanted in question.items():
        value = run.ids.get(wanted, wanted) if isinstance(wanted, str) else wanted
        if (found.get(key) or "") != value:
            yield f"{key} is {found.get(key)!r}, not {value!r}"


def _history(run: Run, memory: Memory, question: dict[str, Any]) -> Iterator[str]:
    events = [step["event"] for step in memory.history(run.ids[question["history"]])]
    if events != question["events"]:
        yield f"is {events}, not {question['events']}"


def _context(run: Run, memory: Memory, question: dict[str, Any]) -> Iterator[str]:
    query = question.pop("context")
    expected = {key: question.pop(key) for key in _EXPECTED if key in question}
    packed = memory.context(query, **_scoped(question))
    cited = (memory.get(memory_id) for memory_id in packed["ids"])
    yield from _compared([run.named(one) for one in cited if one], expected)


_QUESTIONS: Final[Mapping[str, Callable[[Run, Memory, dict[str, Any]], Iterator[str]]]] = {
    "search": _search,
    "list": _list,
    "get": _state,
    "history": _history,
    "context": _context,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cases and print a table; 1 when one fails."""
    options = _parse(arguments)
    chosen = [case for case in cases(options.theme) if options.name.casefold() in case.name.casefold()]
    failed = list(_played(chosen, quiet=options.quiet))
    print(f"\n{len(chosen) - len(failed)} of {len(chosen)} cases hold")
    return int(bool(failed) or not chosen)


def _played(chosen: Iterable[Case], *, quiet: bool) -> Iterator[Case]:
    """Those that fail, each printed as it was played."""
    for case in chosen:
        problems = failures(case)
        if problems or not quiet:
            print(f"{'FAILS' if problems else 'holds'}  {case.theme:<15} {case.name}")
        for problem in problems:
            print(f"       {problem}")
        if problems:
            yield case


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Play the written cases.")
    parser.add_argument("--theme", choices=sorted(path.stem for path in CASES.glob("*.toml")), help="only this file")
    parser.add_argument("--name", default="", metavar="WORDS", help="only cases whose name holds these words")
    parser.add_argument("--quiet", action="store_true", help="print only those that fail")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
