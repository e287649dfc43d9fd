"""`kept mcp` as a process: how it starts, what reaches its output, and that it ends with its client however that ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import kept

WITHIN_S = 15
INITIALIZE = {"protocolVersion": "2025-11-25", "capabilities": {}}


def environment(folder: Path) -> dict[str, str]:
    named = {name: value for name, value in os.environ.items() if not name.startswith("KEPT_")}
    return named | {
        "PYTHONPATH": str(Path(kept.__file__).parents[1]),
        "KEPT_CONFIG": str(folder / "none.toml"),
        "KEPT_DATABASE": str(folder / "kept.db"),
        "KEPT_USER_ID": "mira",
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
    }


class Process:
    """A server and the client's side of its pipes."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        command = [sys.executable, "-c", "from kept.cli import main; main()", "mcp", *arguments]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment(folder))
        self._number = 0

    def send(self, method: str, **params) -> int:
        self._number += 1
        message = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()
        return self._number

    def ask(self, method: str, **params) -> dict:
        number = self.send(method, **params)
        answer = json.loads(self.process.stdout.readline())
        assert answer["id"] == number
        return answer["result"]

    def call(self, tool: str, /, **arguments) -> dict:
        result = self.ask("tools/call", name=tool, arguments=arguments)
        assert not result["isError"], result
        return result["structuredContent"]

    def wait(self) -> int:
        return self.process.wait(WITHIN_S)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                stream.close()
            except BrokenPipeError:
                continue


@pytest.fixture
def start(tmp_path):
    started = []

    def begin(*arguments: str) -> Process:
        started.append(Process(tmp_path, *arguments))
        return started[-1]

    yield begin
    for process in started:
        process.close()


@pytest.fixture
def server(start):
    """A server that was begun and has stored something."""
    server = start()
    server.ask("initialize", **INITIALIZE)
    server.call("add_memory", text="Mira likes tea")
    return server


# --- start ---


def test_nothing_heavy_is_imported_before_the_handshake_is_answered(start_python):
    """The libraries of the engine and of the command line take longer than a whole start may."""
    script = """
import sys
sys.argv = ["kept", "mcp"]
from kept.cli import mcp_start
from kept.mcp import stdio
from kept.mcp.server import Server
Server(mcp_start.everyday(None), lambda: None).handle("tools/list", {}, None)
print(*sorted(name for name in sys.modules if "." not in name or name.startswith("kept.")))
"""
    output, _ = start_python(script).communicate(timeout=WITHIN_S)
    imported = set(output.split())
    heavy = {
        "click",
        "numpy",
        "tokenizers",
        "sqlite3",
        "Stemmer",
        "httpx2",
        "pydantic",
        "mcp",
        "asyncio",
        "dataclasses",
        "logging",
        "hashlib",
    }
    assert not imported & heavy
    allowed = ("kept.cli", "kept.mcp", "kept.errors", "kept.claude_code.wiring")
    own = {name for name in imported if name.startswith("kept.")} - {"kept.claude_code"}
    assert [name for name in own if not name.startswith(allowed)] == []


def test_a_process_answers_stores_and_finds(server):
    assert server.call("search_memories", query="tea")["results"][0]["memory"] == "Mira likes tea"


@pytest.mark.usefixtures("server")
def test_another_process_finds_what_the_first_one_stored(start):
    assert start().call("search_memories", query="tea")["results"][0]["memory"] == "Mira likes tea"


def test_the_options_of_the_command_line_say_whose_memories_and_which_tools(start, tmp_path):
    other = start(
        "--database", str(tmp_path / "other.db"), "--user=jonas", "--app", "shop", "--tools", "write,get_memory"
    )
    listed = [tool["name"] for tool in other.ask("tools/list")["tools"]]
    assert "get_memory" in listed
    assert "add_memory" in listed
    assert "search_memories" not in listed
    memory = other.call("get_memory", memory_id=other.call("add_memory", text="Jonas cycles")["results"][0]["id"])
    assert (memory["user_id"], memory["app_id"]) == ("jonas", "shop")


def test_the_full_inventory_is_there_for_who_asks(start):
    server = start("--tools", "get_memory,keys,custom")
    listed = {tool["name"] for tool in server.ask("tools/list")["tools"]}
    assert {"get_memory", "keys_list", "keys_create", "projects_update", "retention_put"} <= listed
    assert "add_memory" not in listed
    made = server.call("keys_create", name="phone", role="READER", user_id="mira")
    assert made["api_key"].startswith("kept_")
    assert [key["id"] for key in server.call("keys_list")["results"]] == [made["id"]]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--help"], 0, "JSON-RPC"),
        (["--tools", "everything"], 2, "everything"),
        (["--colour", "red"], 2, "--colour"),
        (["--tools"], 2, "--tools"),
        (["surplus"], 2, "surplus"),
    ],
)
def test_a_slip_in_the_command_line_ends_it_with_a_reason(start, arguments, code, said):
    process = start(*arguments).process
    output, errors = process.communicate(timeout=WITHIN_S)
    assert process.returncode == code
    assert said in (output + errors).decode()


def test_a_store_that_cannot_be_opened_is_told_to_who_calls_and_the_server_stays(start, tmp_path):
    (tmp_path / "bad.db").write_bytes(b"no database at all" * 100)
    server = start("--database", str(tmp_path / "bad.db"))
    assert len(server.ask("tools/list")["tools"]) > 10
    result = server.ask("tools/call", name="get_memories", arguments={})
    assert result["isError"]
    assert "bad.db" in result["content"][0]["text"]
    assert server.ask("ping") == {}


def test_what_the_program_prints_never_reaches_the_protocol(start_python, tmp_path):
    script = f"""
import os, sys
os.environ.update({{"KEPT_DATABASE": {str(tmp_path / "kept.db")!r}}})
from kept.mcp import stdio
from kept.mcp.server import Server
def hook(given):
    print("stray output")
    os.write(1, b"more of it\\n")
    os.system("echo of a child")
    return {{"content": [], "read": sys.stdin.read()}}
stdio.run(Server((), lambda: None, {{"hook": hook}}), warm=lambda: None, close=lambda: None)
"""
    process = start_python(script)
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "hook"}}
    process.stdin.write(json.dumps(message) + "\n")
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["result"] == {"content": [], "read": ""}
    process.stdin.close()
    assert process.wait(WITHIN_S) == 0
    assert process.stdout.read() == ""


# --- end ---


def test_it_ends_when_its_client_closes_its_input(server):
    server.process.stdin.close()
    assert server.wait() == 0
    assert server.process.stderr.read() == b""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_it_ends_on_the_signals_that_clients_send(server, name):
    server.process.send_signal(getattr(signal, name))
    assert server.wait() == 0
    assert server.process.stderr.read() == b""


def test_it_ends_when_nobody_reads_its_answers(server):
    server.process.stdout.close()
    server.send("tools/call", name="get_memories", arguments={})
    assert server.wait() == 0


def test_it_ends_at_once_before_anything_was_said(start):
    silent = start()
    silent.process.stdin.close()
    assert silent.wait() == 0


def test_a_write_that_was_begun_is_stored_when_the_client_leaves_without_waiting(server, start):
    server.send("tools/call", name="add_memory", arguments={"text": "Said at the very end"})
    server.process.stdin.close()
    assert server.wait() == 0
    assert start().call("search_memories", query="said at the end")["results"][0]["memory"] == "Said at the very end"


@pytest.mark.skipif(os.name == "nt", reason="Windows gives a process no new parent")
def test_it_ends_when_its_client_is_gone_although_its_input_stays_open(start_python, tmp_path):
    """A client that was killed while another of its children holds the pipe: no end of input comes."""
    script = f"""
import json, os, subprocess, sys
reader, writer = os.pipe()
os.set_inheritable(writer, True)
server = subprocess.Popen([sys.executable, "-c", "from kept.cli import main; main()", "mcp"], stdin=reader,
    stdout=subprocess.PIPE, env=os.environ | {{"KEPT_DATABASE": {str(tmp_path / "kept.db")!r}}})
holder = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], close_fds=False)
os.write(writer, json.dumps({{"jsonrpc": "2.0", "id": 1, "method": "ping"}}).encode() + b"\\n")
server.stdout.readline()
print(server.pid, flush=True)
os.kill(os.getpid(), 9)
"""
    client = start_python(script)
    server = int(client.stdout.readline())
    client.wait(WITHIN_S)
    assert_gone([server])


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.skipif(os.name == "nt", reason="The processes are looked for by signal 0")
def test_a_hundred_starts_and_abrupt_ends_leave_no_process_behind(start):
    """Ends at every moment of a life: before the handshake, in the middle of a call, in the middle of an answer."""
    started = []
    for number in range(100):
        server = start()
        started.append(server.process.pid)
        if number % 3 > 0:
            server.send("initialize", **INITIALIZE)
        if number % 3 > 1:
            server.send("tools/list")
            server.process.stdout.read(40)
        if number % 10 == 0:
            server.send("tools/call", name="add_memory", arguments={"text": f"Statement {number}"})
        if number % 4 == 0:
            server.process.stdout.close()
        if number % 4 == 1:
            server.process.send_signal(signal.SIGINT)
        server.process.stdin.close()
        if number % 10 == 9:
            for process in started[-10:]:
                _reap(process)
    assert_gone(started)


def _reap(pid: int) -> None:
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        try:
            if os.waitpid(pid, os.WNOHANG)[0]:
                return
        except ChildProcessError:
            return
        time.sleep(0.01)


def assert_gone(processes: list[int]) -> None:
    """No process of these is left, soon."""
    deadline = time.monotonic() + WITHIN_S
    left = set(processes)
    while left and time.monotonic() < deadline:
        left = {pid for pid in left if _lives(pid)}
        time.sleep(0.02)
    assert not left


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")
