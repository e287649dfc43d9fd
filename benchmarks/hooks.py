"""Measures what Kept's hooks add to a coding session: to its start, to each prompt, to the end of each turn.

The store holds 10,000 memories of one user, a tenth of them of other repositories. Times are those of the hook tool, from the event to
the answer, in a process that has been warmed as `kept mcp` is after its handshake; the start is also timed as a process.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import corpus

from kept import __version__
from kept.claude_code.event import Event
from kept.claude_code.tool import HookTool, open_tool, settings_loader
from kept.domain.text import count_tokens
from kept.sdk.memory import Memory

SIZE: Final = 10_000
PROMPTS: Final = 300
TURNS: Final = 60
STARTS: Final = 30
PROCESSES: Final = 25
REPOSITORY: Final = "github.com/acme/shop"
ELSEWHERE: Final = "github.com/acme/blog"
SETTLED_S: Final = 2
"""For what the first event starts beside the session."""
EVERY: Final = 10
"""One memory in so many is of another repository."""
BATCH: Final = 1_000
MS: Final = 1_000.0
LATER: Final = list(corpus.statements(SIZE + TURNS))[SIZE:]
"""What is said in the turns that are timed."""
BARS: Final = {
    "a prompt": 40.0,
    "a session's start, in the process": 250.0,
    "`kept hook session-start`, as a process": 150.0,
}
"""What must be reached at p95, in milliseconds; of the process, at p50."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; the exit code is 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=SIZE, help="memories in the store")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="kept-hooks-") as name:
        folder = Path(name)
        os.environ |= {"KEPT_DATABASE": str(folder / "kept.db"), "XDG_DATA_HOME": str(folder / "data")}
        os.environ["KEPT_CONFIG"] = str(folder / "none.toml")
        fill(options.size)
        project = make_project(folder / "shop")
        tool = open_tool(settings_loader())
        warm(tool, project)
        prompts, tokens = time_prompts(tool, project, options.size)
        rows = {
            "a prompt": prompts,
            "a prompt that asks for nothing": time_calls(
                PROMPTS, lambda n: tool(event("UserPromptSubmit", project, n, prompt="ok"))
            ),
            "before a file is read": time_calls(PROMPTS, lambda n: tool(read_of(project, n))),
            "the end of a turn, stored": time_calls(TURNS, lambda n: exchange(tool, project, n)),
            "a session's start, in the process": time_calls(
                STARTS, lambda n: tool(event("SessionStart", project, n, source="clear"))
            ),
            "`kept hook session-start`, as a process": time_processes(project),
        }
    return report(options.size, rows, tokens)


def fill(size: int) -> None:
    """Statements of one user, said in sessions of twenty."""
    with Memory() as memory:
        said = list(corpus.statements(size))
        for begin in range(0, size, BATCH):
            for app_id, share in ((REPOSITORY, lambda n: n % EVERY), (ELSEWHERE, lambda n: not n % EVERY)):
                texts = [text for number, text in enumerate(said[begin : begin + BATCH]) if share(number)]
                messages = [{"role": "user", "content": text} for text in texts]
                memory.add(messages, user_id=user(), app_id=app_id, run_id=f"old-{begin}", infer=False, related=0)


def user() -> str:
    """Whose memories the session is given."""
    return settings_loader()(None).user_id


def make_project(folder: Path) -> Path:
    """A repository, as far as its name goes."""
    git = folder / ".git"
    git.mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n", encoding="utf-8")
    (git / "config").write_text(f'[remote "origin"]\n\turl = https://{REPOSITORY}.git\n', encoding="utf-8")
    return folder


def event(name: str, project: Path, number: int, **fields: str) -> dict[str, str]:
    """An event as the plugin sends it, each of a session of its own."""
    common = {"hook_event_name": name, "session_id": f"s{number}", "prompt_id": f"p{number}", "cwd": str(project)}
    return common | {"transcript_path": ""} | fields


def warm(tool: HookTool, project: Path) -> None:
    """What a server has done before the first prompt comes."""
    tool.hooks.prepare()
    tool.hooks.memories.search(tool.hooks.place(Event({"cwd": str(project)})).owner, "anything", limit=1, threshold=0)
    tool(event("UserPromptSubmit", project, -1, prompt="ok"))
    time.sleep(SETTLED_S)


def time_prompts(tool: HookTool, project: Path, size: int) -> tuple[list[float], list[int]]:
    """Times of prompts that ask for something that is there, and tokens of what each was given."""
    asked = list(corpus.questions(PROMPTS))
    tokens: list[int] = []

    def ask(number: int) -> None:
        answer = json.loads(
            tool(event("UserPromptSubmit", project, size + number, prompt=asked[number]))["content"][0]["text"]
        )
        tokens.append(count_tokens(answer.get("hookSpecificOutput", {}).get("additionalContext", "")))

    return time_calls(PROMPTS, ask), tokens


def read_of(project: Path, number: int) -> dict[str, str]:
    """A file is about to be read."""
    path = project / "src" / f"module_{number}.py"
    return event("PreToolUse", project, number, tool_name="Read", tool_input=json.dumps({"file_path": str(path)}))


def exchange(tool: HookTool, project: Path, number: int) -> None:
    """A turn ends; its prompt came before, and asked for nothing."""
    said = LATER[number]
    tool(
        event(
            "Stop", project, 2 * SIZE + number, last_assistant_message=f"{said} It was checked twice in run {number}."
        )
    )


def time_calls(count: int, call: Callable[[int], Any]) -> list[float]:
    """Milliseconds of each call."""
    times = []
    for number in range(count):
        started = time.perf_counter()
        call(number)
        times.append((time.perf_counter() - started) * MS)
    return times


def time_processes(project: Path) -> list[float]:
    """Milliseconds of the command, from its start to its end, after one that warms it."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [str(Path(sys.executable).with_name("kept")), "hook", "session-start"]
    given = json.dumps(event("SessionStart", project, 0, source="startup"))

    def start(_: int) -> None:
        subprocess.run(command, input=given, env=environment, check=True, stdout=subprocess.DEVNULL, text=True)

    start(0)
    return time_calls(PROCESSES, start)


def report(size: int, rows: dict[str, list[float]], tokens: list[int]) -> int:
    """Print the figures; 1 when a bar is missed."""
    print(
        f"Kept {__version__}, Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, ",
        end="",
    )
    print(f"{datetime.now(UTC).date()}, {size:,} memories\n")
    print("| | p50, ms | p95, ms | bar, ms |\n| --- | ---: | ---: | ---: |")
    missed = 0
    for name, times in rows.items():
        middle, high = statistics.median(times), statistics.quantiles(times, n=20)[-1]
        bar = BARS.get(name)
        judged = middle if "as a process" in name else high
        missed += bar is not None and judged > bar
        print(f"| {name} | {middle:.1f} | {high:.1f} | {f'{bar:.0f}' if bar else ''} |")
    given = [count for count in tokens if count]
    print(f"\nPrompts given something: {len(given)} of {len(tokens)}; tokens of it: ", end="")
    print(f"median {statistics.median(given):.0f}, most {max(given)} (budget 600)." if given else "none.")
    return min(missed, 1)


if __name__ == "__main__":
    sys.exit(main())
