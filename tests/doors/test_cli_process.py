"""The command line as a process: what it imports, how it ends, and what it does with a terminal, pipes and signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import kept

HEAVY = (
    "numpy",
    "tokenizers",
    "sqlite3",
    "wordllama",
    "Stemmer",
    "platformdirs",
    "kept.engine",
    "kept.sdk",
    "kept.bootstrap",
)


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    """Variables of a process with a store and settings of its own."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("KEPT_", "_KEPT", "PYTHON"))}
    return own | {
        "PYTHONPATH": str(Path(kept.__file__).parents[1]),
        "PYTHONWARNINGS": "error",
        "PYTHONUTF8": "1",
        "KEPT_DATABASE": str(tmp_path / "kept.db"),
        "KEPT_CONFIG": str(tmp_path / "kept.toml"),
        "KEPT_USER_ID": "ana",
    }


@pytest.fixture
def run(environment):
    """Gives a function that runs `kept` in a process of its own."""

    def run_process(*arguments: str | bytes, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "kept.cli", *arguments]
        return subprocess.run(
            command, capture_output=True, check=False, encoding="utf-8", env=environment | variables, timeout=15
        )

    return run_process


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["search", "--help"], ["completion", "bash"]], ids=" ".join
)
def test_help_imports_nothing_heavy(environment, arguments):
    script = (
        "import sys\nfrom kept.cli.app import cli\n"
        f"cli.main({arguments!r}, prog_name='kept', standalone_mode=False)\n"
        f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, encoding="utf-8", env=environment, timeout=15
    )
    assert done.stdout.splitlines()[-1] == "HEAVY []"


def test_a_memory_survives_the_process(run):
    assert run("add", "My cat is called Admiral.").returncode == 0
    done = run("search", "cat", "--json")
    assert json.loads(done.stdout)["results"][0]["memory"] == "My cat is called Admiral."
    assert done.stderr == ""


@pytest.mark.skipif(sys.platform == "win32", reason="arguments are bytes on POSIX only")
def test_bytes_that_are_no_text_are_taken(run):
    done = run("add", b"It was \xff here.", "--verbatim", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["results"][0]["memory"] == "It was \ufffd here."


def test_a_terminal_without_unicode_is_no_obstacle(run):
    run("add", "I like green tea 🍵.")
    done = run("list", PYTHONUTF8="0", PYTHONIOENCODING="latin-1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\U0001f375" in done.stdout
    shaped = run("list", "--json", PYTHONUTF8="0", PYTHONIOENCODING="latin-1")
    assert json.loads(shaped.stdout)["results"][0]["memory"] == "I like green tea 🍵."


@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["export"], ["show"]], ids=" ".join)
def test_a_closed_pipe_ends_quietly(run, environment, tmp_path, arguments):
    """Whoever reads the output may go away: no word on stderr."""
    added = run("add", "My cat is called Admiral. " * 10, "--verbatim", "--json")
    arguments = [*arguments, json.loads(added.stdout)["results"][0]["id"]] if arguments == ["show"] else arguments
    reading, writing = os.pipe()
    os.close(reading)
    with (tmp_path / "stderr").open("wb") as errors:
        command = [sys.executable, "-m", "kept.cli", *arguments]
        done = subprocess.run(command, stdout=writing, stderr=errors, check=False, env=environment, timeout=15)
    os.close(writing)
    assert (tmp_path / "stderr").read_bytes() == b""
    assert done.returncode == 141


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_an_interrupt_ends_with_130_and_one_line(environment):
    command = [sys.executable, "-m", "kept.cli", "delete", "--all"]
    seeded = subprocess.run(
        [sys.executable, "-m", "kept.cli", "add", "I like tea."],
        capture_output=True,
        check=True,
        env=environment,
        timeout=15,
    )
    assert seeded.stdout
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stderr.read(6) == b"Delete"  # the question stands there
        _interrupt(process)
        said = process.stderr.read()
    assert process.returncode == 130
    assert said.decode().splitlines()[-1] == "kept: error: Interrupted. What was finished before is stored."
    assert b"Traceback" not in said


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    """Press Ctrl-C until it is noticed: Python misses one that comes just before it begins to wait for input."""
    for _ in range(10):
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            continue
        return


def test_shell_completion_answers(run):
    done = run(_KEPT_COMPLETE="bash_complete", COMP_WORDS="kept sea", COMP_CWORD="1")
    assert done.stdout == "plain,search\n"


# --- on a terminal -----------------------------------------------------------------------------------------------


@pytest.fixture
def on_terminal(environment):
    """Gives a function that runs `kept` on a terminal of some width and returns what appears on it."""
    pty = pytest.importorskip("pty")
    fcntl, struct, termios = (pytest.importorskip(name) for name in ("fcntl", "struct", "termios"))

    def run_on_terminal(*arguments: str, columns: int = 80, **variables: str) -> str:
        leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        with subprocess.Popen(
            [sys.executable, "-m", "kept.cli", *arguments],
            stdin=follower,
            stdout=follower,
            stderr=follower,
            env=environment | {"TERM": "xterm"} | variables,
        ):
            os.close(follower)
            seen = b""
            while chunk := _read(leader):
                seen += chunk
        os.close(leader)
        return seen.decode("utf-8").replace("\r\n", "\n")

    return run_on_terminal


def _read(descriptor: int) -> bytes:
    """The next bytes; none at the end, which Linux tells by an error."""
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""


def test_an_export_cannot_rewrite_the_terminal(run, on_terminal, tmp_path):
    run("add", "It was \x1b[2J\u200b\u202e here.", "--verbatim")
    shown = on_terminal("export", "--format", "markdown")
    assert not {"\x1b", "\u200b", "\u202e"} & set(shown)
    assert "here" in shown
    run("export", "--format", "markdown", "--output", str(tmp_path / "whole.md"))
    assert "\x1b" in (tmp_path / "whole.md").read_text(encoding="utf-8")


def test_a_terminal_has_colours_unless_they_are_unwanted(run, on_terminal):
    run("add", "I like tea.")
    assert "\x1b[36m" in on_terminal("list")
    assert "\x1b" not in on_terminal("list", NO_COLOR="1")
    assert "\x1b" not in run("list").stdout


@pytest.mark.parametrize("columns", [24, 40, 80, 200])
def test_lines_fit_the_terminal(run, on_terminal, columns):
    run("add", "Whoever reads this on a narrow terminal, 日本語 included, sees whole lines. " * 2, "--verbatim")
    for command in (["list"], ["search", "terminal", "--explain"]):
        lines = on_terminal(*command, columns=columns, NO_COLOR="1").splitlines()
        heads = 1 if columns < 60 else 0  # id, day and speaker stand on a line of their own, however narrow
        assert max(map(_columns, lines[heads:])) <= columns


def _columns(line: str) -> int:
    from kept.cli.safe_text import columns

    return columns(line)


def test_long_work_shows_a_bar_on_a_terminal_only(run, on_terminal):
    run("add", "I like tea.")
    assert "100%" in on_terminal("rebuild")
    assert "%" not in run("rebuild").stderr
