"""What every request passes first, and what it is like to be a bad client: slow, endless, lying, or no HTTP at all."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import threading
import time
from contextlib import contextmanager, suppress
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.rest.connections import Connection, _Together
from kept.rest.frontier import MAX_HEAD_BYTES, SLASHED, canonical_path
from kept.rest.running import listen, server_of

SOON_S = 0.3
"""What the server under test waits for slow clients."""


class Impatient(Connection):
    """A connection whose limits a test can reach."""

    head_s = body_s = reading_s = SOON_S
    most = 8


class Wire:
    """A connection by hand."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=10)

    def send(self, *parts: bytes) -> Wire:
        """Send bytes as they are; a server that hung up already is no error."""
        for part in parts:
            with suppress(ConnectionError):
                self.socket.sendall(part)
        return self

    def read(self) -> bytes:
        """Everything until the server hangs up."""
        found = b""
        with suppress(ConnectionError):
            while part := self.socket.recv(65_536):
                found += part
        return found

    def refusal(self) -> tuple[int, dict[str, str]]:
        """Status and body of the one answer, after which the server hangs up."""
        head, _, body = self.read().partition(b"\r\n\r\n")
        assert b"content-type: application/json" in head
        return int(head.split()[1]), json.loads(body)


class PatientWithBodies(Impatient):
    """One that gives a body far longer than a head."""

    body_s = 100 * SOON_S


@contextmanager
def served(app, kind):
    """The address of a server with such connections."""
    listener = listen("127.0.0.1", 0)
    server = server_of(app, kind)
    server.config.lifespan = "off"  # the platform is the fixture's
    server.config.load()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture(scope="module")
def running(api):
    """The address of a server with impatient connections, over the module's app."""
    with served(api.app, Impatient) as address:
        yield address


@pytest.fixture
def connect(running):
    """Opens connections, which are closed at the end; and the server must be well after everything that was done to it."""
    opened = []

    def connected() -> Wire:
        opened.append(Wire(running))
        return opened[-1]

    yield connected
    for wire in opened:
        wire.socket.close()
    deadline = time.monotonic() + 10
    while True:  # the closed ones still count until the server has noticed
        with closing_wire(running) as wire:
            answer = wire.send(b"GET /healthz HTTP/1.1\r\nHost: kept\r\nConnection: close\r\n\r\n").read()
        if answer.startswith(b"HTTP/1.1 200 "):
            break
        assert time.monotonic() < deadline


@contextmanager
def closing_wire(address):
    wire = Wire(address)
    try:
        yield wire
    finally:
        wire.socket.close()


def post(body: bytes, *headers: bytes, key: str = "", length: int | None = None) -> bytes:
    """A search as it goes over the wire."""
    given = [f"Authorization: Token {key}".encode()] if key else []
    given += [b"Host: kept", b"Content-Length: %d" % (len(body) if length is None else length), *headers]
    return b"POST /v3/memories/search/ HTTP/1.1\r\n" + b"\r\n".join(given) + b"\r\n\r\n" + body


SEARCH = json.dumps({"query": "tea", "filters": {"user_id": "alice"}}).encode()

# --- slow ---


def test_a_client_that_never_asks_is_disconnected_without_a_word(connect):
    assert connect().read() == b""


@pytest.mark.parametrize("begun", [b"G", b"GET /healthz HTT", b"GET /healthz HTTP/1.1\r\nHost: kept\r\nX-Slow: "])
def test_headers_that_do_not_end_in_time_are_a_408(connect, begun):
    status, body = connect().send(begun).refusal()
    assert (status, body["code"]) == (408, "timed-out")


def test_headers_that_drip_are_given_no_more_time(connect):
    wire = connect().send(b"GET /healthz HTTP/1.1\r\n")
    began = time.monotonic()
    wire.socket.settimeout(SOON_S / 10)
    answer = b""
    while not answer and time.monotonic() < began + 10:
        wire.send(b"X-Drip: 1\r\n")
        with suppress(TimeoutError):
            answer = wire.socket.recv(1_000)
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_body_that_does_not_end_in_time_is_a_408(connect, tenant):
    status, body = connect().send(post(SEARCH, key=tenant.key, length=len(SEARCH) + 1)).refusal()
    assert (status, body["code"]) == (408, "timed-out")


def test_head_and_body_have_each_their_own_time_whatever_came_before(api, tenant):
    with served(api.app, PatientWithBodies) as address, closing_wire(address) as wire:
        for _ in range(2):  # the second head is given no more time because a body was
            wire.send(post(SEARCH, key=tenant.key)[:-1])
            time.sleep(2 * SOON_S)
            wire.send(SEARCH[-1:])
            assert wire.socket.recv(65_536).startswith(b"HTTP/1.1 200 ")
        began = time.monotonic()
        status, _ = wire.send(b"GET /healthz HTT").refusal()
        assert status == 408
        assert time.monotonic() - began < 20 * SOON_S


def test_an_answer_is_sent_as_one(connect, tenant):
    wire = connect().send(post(SEARCH, key=tenant.key))
    assert wire.socket.recv(65_536).endswith(b'{"results":[]}')


def test_the_head_of_an_answer_does_not_wait_for_its_body():
    """Of a stream, whose first part may be minutes away."""
    sent, loop = [], asyncio.new_event_loop()
    transport = SimpleNamespace(write=sent.append, is_closing=lambda: False)
    together = _Together(transport, loop)
    together.write(b"head")
    assert sent == []
    loop.run_until_complete(asyncio.sleep(0))
    assert sent == [b"head"]
    loop.close()


def test_a_client_that_leaves_in_the_middle_of_its_body_harms_nobody(connect, tenant):
    for _ in range(20):
        connect().send(post(SEARCH, key=tenant.key, length=1_000)).socket.close()


def test_a_client_that_does_not_read_its_answers_is_disconnected(connect):
    wire = connect()
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    wire.send(b"GET /openapi.json HTTP/1.1\r\nHost: kept\r\n\r\n" * 100)
    wire.socket.setblocking(False)
    deadline = time.monotonic() + 10
    while not hung_up(wire):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def hung_up(wire: Wire) -> bool:
    """Whether the server did, seen without reading what it sent."""
    try:
        wire.socket.send(b"\r\n")
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    return False


# --- too much ---


def test_headers_without_an_end_are_cut_off(connect):
    wire = connect().send(b"GET /healthz HTTP/1.1\r\nX-Long: ")
    wire.send(*[b"x" * 16_384] * (MAX_HEAD_BYTES // 16_384 * 2 + 40))
    assert wire.read().startswith((b"HTTP/1.1 431 ", b""))


def test_headers_that_are_too_long_are_a_431(api):
    answer = api.ask("GET", "/healthz", headers={"X-Long": "x" * MAX_HEAD_BYTES})
    assert (answer.status_code, answer.json()["code"]) == (431, "too-large")


@pytest.mark.parametrize(("count", "expected"), [(4_000, 200), (10_000, 400)])
def test_thousands_of_parameters_are_read_or_refused(connect, tenant, count, expected):
    """Beyond 64 KB an address is none, to the parser."""
    query = b"&".join(b"a%d=%d" % (number, number) for number in range(count))
    head = b"Host: kept\r\nConnection: close\r\nAuthorization: Token " + tenant.key.encode()
    wire = connect().send(b"GET /v1/memories/?user_id=alice&" + query + b" HTTP/1.1\r\n" + head + b"\r\n\r\n")
    assert wire.read().startswith(b"HTTP/1.1 %d " % expected)


def test_one_connection_too_many_is_told_to_try_again(connect):
    kept = [connect() for _ in range(Impatient.most)]
    for wire in kept:
        wire.send(b"GET /healthz HTTP/1.1\r\nHost: kept\r\n\r\n")
        assert wire.socket.recv(1_000)  # the server has it
    status, body = connect().refusal()
    assert (status, body["code"]) == (503, "too-busy")


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "in chunks"])
def test_a_body_over_the_limit_is_a_413(make_api, announced):
    api = make_api(max_body_mb=1)

    async def chunks():
        for _ in range(11):
            yield b" " * 100_000

    content = b" " * 1_000_001 if announced else chunks()
    answer = api.ask("POST", "/v3/memories/search/", key=api.admin, content=content)
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
    assert "1,000,000" in answer.json()["error"]


def test_a_client_that_sends_all_of_a_body_over_the_limit_hears_why(connect):
    body = b" " * 10_000_001
    wire = connect().send(post(body, b"Connection: close"))
    assert wire.refusal()[0] == 413


# --- lies, and no HTTP ---


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"GET /healthz HTTP/1.1\r\nno colon here\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        post(b"{}", b"Transfer-Encoding: chunked"),
        post(b"{}", b"Content-Length: 7"),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_what_is_no_http_is_a_400_in_the_shape_of_every_error(connect, sent):
    status, body = connect().send(sent).refusal()
    assert status == 400
    assert set(body) == {"error", "detail", "message", "code", "request_id"}


@pytest.mark.parametrize(("limits", "said"), [({}, False), ({"rate_limit_write": "7/minute"}, True)])
@pytest.mark.parametrize("sent", [b"SSH-2.0-OpenSSH_9.6\r\n", b"GET /healthz HTT"])
def test_answers_to_what_is_no_request_tell_of_limits_where_there_are_any(make_api, limits, said, sent):
    with served(make_api(**limits).app, Impatient) as address, closing_wire(address) as wire:
        head = wire.send(sent).read().partition(b"\r\n\r\n")[0].split(b"\r\n")
    for name in (b"ratelimit-limit: 7", b"ratelimit-remaining: 7", b"ratelimit-reset: 0", b"x-ratelimit-limit: 7"):
        assert (name in head) == said


def test_a_body_longer_than_announced_is_no_part_of_the_request(connect, tenant):
    answer = connect().send(post(SEARCH + b"and more", key=tenant.key, length=len(SEARCH))).read()
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b'{"results":[]}' in answer


def test_requests_sent_in_one_breath_are_answered_in_their_order(connect):
    paths = [b"/healthz", b"/no/such/route", b"/v1/ping/"]
    last = b"GET /healthz HTTP/1.1\r\nHost: kept\r\nConnection: close\r\n\r\n"
    wire = connect().send(b"".join(b"GET " + path + b" HTTP/1.1\r\nHost: kept\r\n\r\n" for path in paths) + last)
    answers = wire.read().split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers] == [b"200", b"404", b"401", b"200"]


@given(st.binary(max_size=200))
def test_any_bytes_are_answered_or_hung_up_on(running, sent):
    with closing_wire(running) as wire:
        wire.send(sent)
        with suppress(OSError):
            wire.socket.shutdown(socket.SHUT_WR)
        answer = wire.read() if sent else b""
    assert answer == b"" or answer[:12] in {b"HTTP/1.1 400", b"HTTP/1.1 408", b"HTTP/1.1 503"}


# --- bodies ---


def test_json_without_a_content_type_is_taken(api, tenant):
    answer = api.ask("POST", "/v3/memories/search/", key=tenant.key, content=SEARCH)
    assert (answer.status_code, answer.json()) == (200, {"results": []})


@pytest.mark.parametrize("given", ["application/json; charset=utf-8", "application/vnd.kept+json", "Application/JSON"])
def test_json_under_any_of_its_names_is_taken(api, tenant, given):
    answer = api.ask("POST", "/v3/memories/search/", key=tenant.key, content=SEARCH, headers={"Content-Type": given})
    assert answer.status_code == 200


@pytest.mark.parametrize("given", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_another_content_type_is_a_415_that_names_the_right_one(api, tenant, given):
    answer = api.ask("POST", "/v3/memories/search/", key=tenant.key, content=SEARCH, headers={"Content-Type": given})
    assert answer.status_code == 415
    assert given in answer.json()["error"]
    assert "application/json" in answer.json()["error"]


def test_a_compressed_body_is_a_415(api, tenant):
    packed = {"content": gzip.compress(SEARCH), "headers": {"Content-Encoding": "gzip"}}
    answer = api.ask("POST", "/v3/memories/search/", key=tenant.key, **packed)
    assert answer.status_code == 415


# --- paths ---


@given(st.text(st.characters(codec="ascii", exclude_characters="?"), max_size=40).map(str.encode))
def test_a_path_in_the_form_its_route_is_known_by_stays(raw):
    path = canonical_path(raw)
    assert canonical_path(path.encode()) == path
    assert path.startswith("/")
    assert path.endswith("/") == (path == "/" or path.startswith(SLASHED))


@given(st.text(st.characters(codec="ascii", exclude_characters="/?"), min_size=1, max_size=40))
def test_a_path_means_the_same_with_and_without_its_last_slash_and_with_a_doubled_first_one(name):
    for folder in ("/v1/memories/", "/memories/"):
        forms = {
            canonical_path(f"{form}".encode()) for form in (folder + name, folder + name + "/", "/" + folder + name)
        }
        assert len(forms) == 1
