"""`kept serve` as a process: how it starts, whom it lets in, what it writes, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest
from click.testing import CliRunner

import kept
from kept.cli.app import cli

ENDS_WITHIN_S = 10
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals and modes of files are POSIX's")


@dataclass
class Serving:
    """A running server."""

    process: subprocess.Popen[str]
    log: Path
    said: list[str] = field(default_factory=list)
    url: str = ""
    client: httpx2.Client | None = None

    def wait_until_up(self) -> Serving:
        """Read what it says until it listens and has said where its key is."""
        while line := self.process.stdout.readline():
            self.said.append(line.rstrip("\n"))
            if line.startswith("Kept listens"):
                break
        assert self.said, self.log.read_text()
        self.url = re.findall(r"http://\S+", self.said[-1])[0]
        self.client = httpx2.Client(base_url=self.url, trust_env=False, timeout=10)
        assert self.ask("GET", "/healthz").status_code == 200
        return self

    @property
    def key(self) -> str:
        """The administrator's key that it says."""
        line = self.process.stdout.readline()
        self.said += [line.rstrip("\n"), self.process.stdout.readline().rstrip("\n")]
        return re.findall(r"kept_\S+", line)[0]

    def ask(self, method: str, path: str, key: str | None = None, **more) -> httpx2.Response:
        headers = {"Authorization": f"Token {key}"} if key else {}
        return self.client.request(method, path, headers=headers, **more)

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Its exit code, once it has ended as it was asked to."""
        self.process.send_signal(how)
        return self.process.wait(ENDS_WITHIN_S)


@pytest.fixture
def start(tmp_path):
    """Starts servers over one store, which are killed at the end of the test."""
    started = []
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KEPT_")} | {
        "KEPT_CONFIG": str(tmp_path / "none.toml"),
        "KEPT_DATABASE": str(tmp_path / "kept.db"),
        "PYTHONPATH": str(Path(kept.__file__).parents[1]),
    }

    def begin(*arguments: str, **variables: str) -> Serving:
        log = tmp_path / f"log-{len(started)}"
        command = [sys.executable, "-W", "error", "-m", "kept.cli", "serve", *(arguments or ("--port", "0"))]
        with log.open("w") as errors:
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, env=environment | variables, text=True
            )
        started.append(Serving(process, log))
        return started[-1]

    yield begin
    for serving in started:
        if serving.client is not None:
            serving.client.close()
        serving.process.kill()
        serving.process.wait()
        serving.process.stdout.close()


@pytest.fixture
def refusal(tmp_path):
    """Runs a server that does not start, in this process: what it says."""

    def refused(*arguments: str) -> str:
        store = {"KEPT_DATABASE": str(tmp_path / "kept.db"), "KEPT_CONFIG": str(tmp_path / "none.toml")}
        answer = CliRunner().invoke(cli, ["serve", *arguments], env=store)
        assert answer.exit_code == 1
        return answer.stderr

    return refused


# --- the first key ---


@POSIX
def test_the_first_start_makes_a_key_for_its_owner_alone_and_says_where_it_is(start, tmp_path):
    serving = start().wait_until_up()
    key = serving.key
    path = tmp_path / "kept.db.admin-key"
    assert serving.said[-1] == f"It is kept in {path}"
    assert path.read_text() == key + "\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert serving.ask("GET", "/v1/keys/", key).status_code == 200


def test_later_starts_say_no_key_and_several_servers_share_a_store(start):
    first = start().wait_until_up()
    key = first.key
    second = start().wait_until_up()
    said = {"messages": ["I like tea."], "user_id": "alice", "infer": False}
    assert first.ask("POST", "/v3/memories/add/", key, json=said).status_code == 200
    found = second.ask("POST", "/v3/memories/search/", key, json={"query": "tea", "filters": {"user_id": "alice"}})
    assert [hit["memory"] for hit in found.json()["results"]] == ["I like tea."]
    second.end()
    assert "kept_" not in "\n".join([*second.said, second.process.stdout.read(), second.log.read_text()])


def test_a_file_that_is_there_already_is_not_overwritten(start, tmp_path):
    path = tmp_path / "kept.db.admin-key"
    path.write_text("of another store")
    serving = start().wait_until_up()
    assert serving.ask("GET", "/v1/keys/", serving.key).status_code == 200
    assert f"{path} is there already" in serving.said[-1]
    assert path.read_text() == "of another store"


@POSIX
def test_a_link_that_waits_where_the_key_would_go_is_not_followed(start, tmp_path):
    (tmp_path / "kept.db.admin-key").symlink_to(tmp_path / "elsewhere")
    start().wait_until_up()
    assert not (tmp_path / "elsewhere").exists()


def test_a_key_that_is_given_is_the_administrators_and_never_said(start, tmp_path):
    serving = start(KEPT_API_KEY="a-key-of-my-own-choice").wait_until_up()
    assert serving.ask("GET", "/v1/keys/", "a-key-of-my-own-choice").status_code == 200
    serving.end()
    assert "a-key-of-my-own-choice" not in serving.log.read_text() + serving.process.stdout.read()
    assert not (tmp_path / "kept.db.admin-key").exists()


def test_a_key_that_is_given_anew_comes_with_a_word_on_the_one_before(start):
    start(KEPT_API_KEY="a-key-of-my-own-choice").wait_until_up().end()
    again = start(KEPT_API_KEY="another-key-of-my-own").wait_until_up()
    assert again.ask("GET", "/v1/keys/", "a-key-of-my-own-choice").status_code == 200
    again.end()
    said = again.process.stdout.read()
    assert re.search(r"stay valid: key_\w+\n.*kept keys revoke ID", said)


# --- refusals ---


def test_others_are_not_let_in_while_there_is_no_key(refusal):
    assert "no key was made yet" in refusal("--host", "0.0.0.0", "--port", "0")  # noqa: S104 - refused


def test_others_are_not_let_in_with_keys_that_are_valid_no_more(refusal, tmp_path):
    store = {"KEPT_DATABASE": str(tmp_path / "kept.db"), "KEPT_CONFIG": str(tmp_path / "none.toml")}

    def kept(*arguments):
        return json.loads(CliRunner().invoke(cli, ["--json", *arguments], env=store).stdout)

    made = kept("keys", "create", "--name", "ops", "--role", "admin")
    kept("keys", "revoke", made["id"])
    assert "none that is still valid" in refusal("--host", "0.0.0.0", "--port", "0")  # noqa: S104 - refused


def test_a_taken_port_is_an_error_that_says_what_to_do(refusal):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refusal("--port", str(port))
    assert f"Cannot listen on 127.0.0.1:{port}" in said
    assert "--port" in said


def test_an_address_of_nobody_is_an_error(refusal):
    assert "Cannot listen on" in refusal("--host", "no.such.host.invalid", "--port", "0")


def test_a_store_that_keeps_nothing_is_refused(refusal):
    assert "memory:// keeps nothing" in refusal("--port", "0", "--database", "memory://")


def test_a_limit_that_is_none_is_refused_before_anything_is_served(refusal):
    assert "rate_limit_read is 'many'" in refusal("--port", "0", "--rate-limit-read", "many")


@pytest.mark.parametrize("proxy", ["proxy.local", "*", "172.17.0.1/16"])
def test_a_proxy_that_would_never_be_believed_is_refused(refusal, monkeypatch, proxy):
    monkeypatch.setenv("KEPT_TRUSTED_PROXIES", f"10.0.0.0/8,{proxy}")
    said = refusal("--port", "0")
    assert "KEPT_TRUSTED_PROXIES: trusted_proxies is" in said
    assert "such as 172.17.0.0/16" in said


def test_a_public_url_that_links_could_not_begin_with_is_refused(refusal):
    said = refusal("--port", "0", "--public-url", "memory.example.org")
    assert "such as https://memory.example.org" in said


def test_without_the_extra_the_error_says_what_to_install(refusal, monkeypatch):
    monkeypatch.delitem(sys.modules, "kept.rest.running", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert "pip install 'kept[server]'" in refusal()


# --- the end ---


@POSIX
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_it_ends_well_when_it_is_asked_to(start, how):
    serving = start().wait_until_up()
    kept_alive = socket.create_connection(("127.0.0.1", int(serving.url.rpartition(":")[2])))
    with kept_alive:
        assert serving.end(how) == 0
    messages = [json.loads(line)["message"] for line in serving.log.read_text().splitlines()]
    assert (messages[0], messages[-1]) == ("started", "stopped")


@POSIX
def test_a_request_that_was_begun_is_answered_before_the_end(start):
    serving = start(KEPT_API_KEY="a-key-of-my-own-choice").wait_until_up()
    body = json.dumps({"messages": ["I like tea."], "user_id": "alice", "infer": False}).encode()
    head = (
        b"POST /v3/memories/add/ HTTP/1.1\r\nHost: kept\r\nAuthorization: Token a-key-of-my-own-choice\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    with socket.create_connection(("127.0.0.1", int(serving.url.rpartition(":")[2])), timeout=10) as wire:
        wire.sendall(head + body[:10])
        for _ in range(
            2
        ):  # each over a connection that came after this one, so that the server has seen the first part
            serving.client.close()
            serving.client = type(serving.client)(base_url=serving.url, trust_env=False, timeout=10)
            assert serving.ask("GET", "/healthz").status_code == 200
        serving.process.send_signal(signal.SIGTERM)
        wait_until_nobody_listens(serving)
        wire.sendall(body[10:])
        assert wire.recv(4_096).startswith(b"HTTP/1.1 200 ")
    assert serving.process.wait(ENDS_WITHIN_S) == 0


@pytest.mark.slow
@POSIX
def test_neither_a_receiver_that_hangs_nor_half_a_request_holds_up_the_end(start):
    key = "a-key-of-my-own-choice"
    serving = start(KEPT_API_KEY=key, KEPT_WEBHOOKS_ALLOW_PRIVATE="1").wait_until_up()
    with socket.create_server(("127.0.0.1", 0)) as receiver:
        hook = {"name": "hook", "url": f"http://127.0.0.1:{receiver.getsockname()[1]}/", "event_types": ["memory_add"]}
        assert serving.ask("POST", "/api/v1/webhooks/projects/default/", key, json=hook).status_code == 201
        said = {"messages": ["I like tea."], "user_id": "alice", "infer": False}
        serving.ask("POST", "/v3/memories/add/", key, json=said)
        receiver.settimeout(10)
        delivery, _ = receiver.accept()
        with delivery, socket.create_connection(("127.0.0.1", int(serving.url.rpartition(":")[2]))) as half:
            half.sendall(b"POST /v3/memories/add/ HTTP/1.1\r\nHost: kept\r\nContent-Length: 100\r\n\r\n{")
            assert serving.end() == 0
            assert half.recv(4_096).startswith(b"HTTP/1.1 503 ")


def wait_until_nobody_listens(serving: Serving) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", int(serving.url.rpartition(":")[2])), timeout=1).close()
        except ConnectionError:
            return
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
@POSIX
def test_what_was_acknowledged_before_the_end_is_done_then_or_after_the_next_start(start):
    key = "a-key-of-my-own-choice"
    serving = start(KEPT_API_KEY=key).wait_until_up()
    for number in range(40):
        said = {"messages": f"My number is {number}.", "user_id": "alice"}
        assert serving.ask("POST", "/v3/memories/add/", key, json=said).json()["status"] == "PENDING"
    assert serving.end() == 0
    again = start(KEPT_API_KEY=key).wait_until_up()
    deadline = time.monotonic() + 15
    while {event["status"] for event in again.ask("GET", "/v1/events/", key).json()["results"]} != {"SUCCEEDED"}:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert again.ask("POST", "/v3/memories/", key, json={"filters": {"user_id": "alice"}}).json()["count"] == 40


# --- the log ---


@pytest.mark.slow
def test_the_log_is_json_and_never_holds_what_is_remembered_asked_or_secret(start):
    """A canary in every place where a caller can put a text."""
    key = "canary-key-of-my-own-choice"
    serving = start("--port", "0", "--rate-limit-read", "1000/minute", KEPT_API_KEY=key).wait_until_up()
    threads = [threading.Thread(target=ask_with_canaries, args=[serving, key]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    serving.end()
    log = serving.log.read_text()
    lines = [json.loads(line) for line in log.splitlines()]
    assert sum(line["message"] == "request" for line in lines) >= 2 * 12
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    assert "canary" not in log.lower()
    assert "canary" not in serving.process.stdout.read().lower()


def ask_with_canaries(serving: Serving, key: str) -> None:
    said = {"messages": "The canary sings in the morning.", "user_id": "canary-user", "metadata": {"canary": "canary"}}
    serving.ask("POST", "/v3/memories/add/", key, json=said)
    stored = serving.ask("POST", "/v3/memories/add/", key, json=said | {"infer": False}).json()["results"]
    serving.ask("POST", "/v3/memories/add/", key, json=said | {"timestamp": "canary"})
    serving.ask("POST", "/v3/memories/search/", key, json={"query": "canary", "filters": {"user_id": "canary-user"}})
    serving.ask("POST", "/v3/memories/search/", key, json={"query": "x", "filters": {"canary": "canary"}})
    serving.ask("POST", "/v3/memories/search/", key, content=b'{"canary": ')
    serving.ask("GET", "/v1/memories/canary/", key)
    serving.ask("GET", f"/v1/memories/{stored[0]['id']}/?canary=canary", key)
    serving.ask("GET", "/canary/canary", key)
    serving.ask("GET", "/v1/ping/", "wrong-canary")
    link = serving.ask("POST", "/v1/mcp-links/", key, json={"name": "canary"}).json()
    serving.ask("POST", f"/mcp/{link['url'].rpartition('/')[2]}", json={"canary": "canary"})
    serving.ask("POST", "/mcp/canary-token", json={"canary": "canary"})
    with socket.create_connection(("127.0.0.1", int(serving.url.rpartition(":")[2])), timeout=10) as wire:
        wire.sendall(b"canary canary canary\r\n\r\n")
        wire.recv(4_096)


# --- several processes ---

LINUX = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="other processes are found in /proc")


def others_of(serving) -> list[int]:
    process = serving.process.pid
    return [int(found) for found in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def wait_for_end(processes, within_s=15.0):
    until = time.monotonic() + within_s
    while any(is_alive(process) for process in processes):
        assert time.monotonic() < until
        time.sleep(0.02)


def is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.fixture
def family(start):
    serving = start("--port", "0", "--processes", "2", KEPT_API_KEY="kept_a_key_of_the_tests")
    return serving.wait_until_up()


@LINUX
def test_all_serve_the_same_store(family):
    """What one acknowledged, the other finds."""
    key = "kept_a_key_of_the_tests"
    body = {"messages": [{"role": "user", "content": "I live in Lisbon near the river"}], "user_id": "mira"}
    event = family.ask("POST", "/v3/memories/add/", key, json=body).json()["event_id"]
    until = time.monotonic() + 10
    while family.ask("GET", f"/v1/event/{event}/", key).json()["status"] != "SUCCEEDED":
        assert time.monotonic() < until
        time.sleep(0.02)
    asked = {"query": "where does she live", "filters": {"user_id": "mira"}}
    for _ in range(8):
        family.client.close()
        family.client = type(family.client)(base_url=family.url, trust_env=False, timeout=10)  # perhaps the other one
        found = family.ask("POST", "/v3/memories/search/", key, json=asked).json()["results"]
        assert [memory["memory"] for memory in found] == ["I live in Lisbon near the river"]


@LINUX
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_they_end_together_as_they_are_asked_to(family, how):
    others = others_of(family)
    assert len(others) == 1
    assert family.end(how) == 0
    wait_for_end(others)


@LINUX
def test_none_outlives_the_first_however_it_ends(family):
    others = others_of(family)
    family.process.kill()
    wait_for_end(others)


@LINUX
def test_when_one_ends_by_itself_all_end(family):
    """So that whoever supervises the server starts it again, whole."""
    (other,) = others_of(family)
    os.kill(other, signal.SIGKILL)
    assert family.process.wait(15) == 1
    assert "ended by itself" in family.log.read_text()


@LINUX
def test_a_signal_to_all_of_them_is_an_end_that_was_asked_for_whomever_it_reaches_first(family):
    (other,) = others_of(family)
    os.kill(other, signal.SIGTERM)
    assert family.process.wait(15) == 0
    assert "ended by itself" not in family.log.read_text()


def sockets_of(process: int) -> int:
    """How many sockets a process has open."""
    links = [str(link.readlink()) for link in Path(f"/proc/{process}/fd").iterdir() if link.is_symlink()]
    return sum(link.startswith("socket:") for link in links)


@LINUX
def test_each_takes_its_part_of_a_burst_of_connections(family):
    """A connection stays where it is, and whoever asks over it would wait for the busier one."""
    port = int(family.url.rpartition(":")[2])
    processes = [family.process.pid, *others_of(family)]
    before = [sockets_of(process) for process in processes]
    with ExitStack() as opened:
        for _ in range(20):
            opened.enter_context(socket.create_connection(("127.0.0.1", port)))
        until = time.monotonic() + 10
        while sum(taken := [sockets_of(p) - had for p, had in zip(processes, before, strict=True)]) < 20:
            assert time.monotonic() < until, taken
            time.sleep(0.02)
        assert min(taken) >= 8, taken


@LINUX
def test_they_count_together_what_a_key_may_ask(start):
    """And the wrong keys of an address; a key that was right with one of them is known to all."""
    key = "kept_a_key_of_the_tests"
    limited = start("--port", "0", "--processes", "3", "--rate-limit-read", "30/day", KEPT_API_KEY=key).wait_until_up()

    def asked(shown):
        limited.client.close()
        limited.client = type(limited.client)(base_url=limited.url, trust_env=False, timeout=10)  # perhaps another one
        return limited.ask("GET", "/v1/stats/", shown)

    left = [int(asked(key).headers["ratelimit-remaining"]) for _ in range(10)]
    assert left == list(range(29, 19, -1))
    assert Counter(asked("kept_no_key").status_code for _ in range(70)) == {401: 60, 429: 10}
    assert Counter(asked(key).status_code for _ in range(30)) == {200: 20, 429: 10}


@LINUX
def test_one_process_is_the_default(start):
    serving = start("--port", "0", KEPT_API_KEY="kept_a_key_of_the_tests").wait_until_up()
    assert others_of(serving) == []


_FREEING = """
import re
from pathlib import Path
import numpy as np
from kept.rest.running import map_large_blocks

def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

map_large_blocks()
np.ones(16_000_000, np.uint8)  # its end makes glibc keep blocks of that size
large, above = np.ones(8_000_000, np.uint8), np.ones(100_000, np.uint8)
before = resident()
del large
print(before - resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_large_block_that_is_freed_goes_back_to_the_system():
    """Also when smaller ones came after it: partitions grow, and leave what they held before."""
    freed = subprocess.run([sys.executable, "-c", _FREEING], capture_output=True, text=True, check=True).stdout
    assert int(freed) > 7_000_000
