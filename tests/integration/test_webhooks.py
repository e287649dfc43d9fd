"""Webhooks: told once of everything that happens, signed; a receiver that misbehaves harms nobody else."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import threading
import time
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from kept.adapters.http import HttpSender
from kept.domain.webhooks import EVENT_TYPES
from kept.engine.webhooks import GIVEN_UP_AFTER, MAX_ATTEMPTS, Webhooks
from kept.engine.worker import Worker
from kept.errors import ForbiddenError, InvalidInputError, NotFoundError


class Receiver:
    """A server that remembers what was posted to it and answers as it is told."""

    def __init__(self):
        self.received = []
        self.answer = 200
        self.location = None
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.received.append((dict(self.headers), body))
                self.send_response(receiver.answer)
                if receiver.location:
                    self.send_header("Location", receiver.location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook?x=1"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def details(self):
        return [json.loads(body)["event_details"] for _, body in self.received]

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def silent():
    """An address that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


SENDER = HttpSender(allow_private=True, total_s=0.3)


@pytest.fixture
def worker(platform):
    return Worker(platform, SENDER)


@pytest.fixture
def webhooks(access):
    return Webhooks(access, SENDER)


def listen(webhooks, url, *events):
    return webhooks.create(name="hook", url=url, event_types=list(events) or list(EVENT_TYPES))


def test_what_happens_to_memories_is_told_once_in_mem0s_shapes(access, webhooks, worker, receiver, say):
    listen(webhooks, receiver.url, "memory_add", "memory_update", "memory_delete", "memory_categorize")
    (memory_id,) = say("I am allergic to peanuts")
    worker.run_due()
    access.update(memory_id, text="I am allergic to hazelnuts")
    access.delete([memory_id])
    worker.run_due()
    worker.run_due()
    assert {"id": memory_id, "data": {"memory": "I am allergic to peanuts"}, "event": "ADD"} in receiver.details
    assert {"event": "CATEGORIZE", "memory_id": memory_id, "categories": ["health"]} in receiver.details
    assert sorted(details["event"] for details in receiver.details) == ["ADD", "CATEGORIZE", "DELETE", "UPDATE"]


def test_how_an_add_ended_is_told(access, webhooks, worker, receiver):
    listen(webhooks, receiver.url, "ingest_job_completed", "ingest_job_failed")
    good, _ = access.add({"user_id": "alice"}, ["I live in Lisbon near the river"])
    worker.run_due()
    bad, _ = access.add({"user_id": "bob"}, ["I live in Porto near the sea"])
    access.platform.jobs.blank(bad.scope)
    assert receiver.details == [{"event": "ingest_job_completed", "event_id": good.id, "status": "SUCCEEDED"}]


def test_a_delivery_is_signed_and_says_which_it_is(webhooks, worker, receiver, say):
    made = listen(webhooks, receiver.url, "memory_add")
    say("I like tea")
    worker.run_due()
    ((headers, body),) = receiver.received
    stamp, signed = (part.partition("=")[2] for part in headers["Kept-Signature"].split(","))
    expected = hmac.new(made.secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(signed, expected)
    assert headers["Kept-Event"] == "memory_add"
    (job,), total = webhooks.deliveries(made.id)
    assert (headers["Kept-Delivery"], job.status, total) == (job.id, "SUCCEEDED", 1)


def test_only_what_it_listens_to_of_its_own_project_and_from_now_on(enter, webhooks, worker, receiver, say):
    say("said before anybody listened")
    listen(webhooks, receiver.url, "memory_delete")
    say("not listened to")
    enter(project="other").add({"user_id": "alice"}, ["of another project"], infer=False)
    worker.run_due()
    assert receiver.received == []


def test_one_that_is_made_again_is_told_nothing_of_the_time_between(webhooks, worker, receiver, say):
    webhooks.remove(listen(webhooks, receiver.url, "memory_add").id)
    say("said while nobody listened")
    listen(webhooks, receiver.url, "memory_add")
    worker.run_due()
    assert receiver.received == []


def test_what_was_erased_is_not_told(access, webhooks, worker, receiver, say):
    listen(webhooks, receiver.url, "memory_add")
    access.erase(say("my secret is 4711"))
    worker.run_due()
    assert b"4711" not in b"".join(body for _, body in receiver.received)


def test_a_receiver_that_fails_is_tried_again_and_then_given_up(platform, webhooks, worker, receiver, say, clock_of):
    clock = clock_of(platform)
    made = listen(webhooks, receiver.url, "memory_add")
    receiver.answer = 500
    say("I like tea")
    for _ in range(MAX_ATTEMPTS + 3):
        worker.run_due()
        clock.advance(timedelta(hours=1, seconds=1))
    (job,), _ = webhooks.deliveries(made.id)
    assert (job.status, job.attempts) == ("FAILED", MAX_ATTEMPTS)
    assert "500" in job.error
    assert len(receiver.received) == MAX_ATTEMPTS


def test_one_that_recovers_gets_what_waited(platform, webhooks, worker, receiver, say, clock_of):
    clock = clock_of(platform)
    made = listen(webhooks, receiver.url, "memory_add")
    receiver.answer = 503
    say("I like tea")
    worker.run_due()
    receiver.answer = 200
    clock.advance(timedelta(minutes=10))
    worker.run_due()
    assert webhooks.deliveries(made.id)[0][0].status == "SUCCEEDED"
    assert webhooks.get(made.id).failing_since is None


def test_one_that_failed_for_days_is_switched_off_and_can_be_switched_on(
    platform, webhooks, worker, receiver, say, clock_of
):
    clock = clock_of(platform)
    made = listen(webhooks, receiver.url, "memory_add")
    receiver.answer = 500
    for _ in range(3):
        say("I like tea", "I like coffee")
        worker.run_due()
        clock.advance(GIVEN_UP_AFTER)
    off = webhooks.get(made.id)
    assert (off.is_active, "500" in off.reason) == (False, True)
    assert webhooks.update(made.id, is_active=True).reason is None


def test_one_that_never_answers_keeps_nobody_else_waiting(webhooks, worker, receiver, silent, say):
    for _ in range(3):
        listen(webhooks, silent, "memory_add")
    listen(webhooks, receiver.url, "memory_add")
    worker.start()
    try:
        say("I like tea", "I like coffee")
        until = time.monotonic() + 10
        while len(receiver.received) < 2:
            assert time.monotonic() < until
            time.sleep(0.01)
    finally:
        worker.stop()


def test_one_that_drips_is_cut_off():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip():
            connection, _ = listener.accept()
            with connection:
                for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_000:
                    try:
                        connection.sendall(bytes([byte]))
                    except OSError:
                        return
                    time.sleep(0.02)

        threading.Thread(target=drip, daemon=True).start()
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            SENDER.post(f"http://127.0.0.1:{listener.getsockname()[1]}/", b"{}", {})
        assert time.monotonic() - began < 2


def test_a_redirect_is_an_answer_and_is_not_followed(receiver):
    receiver.answer, receiver.location = 302, "http://127.0.0.1:1/"
    assert SENDER.post(receiver.url, b"{}", {}) == 302


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost:8080/",
        "http://[::1]/",
        "http://10.0.0.5/",
        "http://192.168.1.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:10.0.0.1]/",
        "http://[64:ff9b::10.0.0.1]/",
        "http://[64:ff9b:1::1]/",
        "http://[::10.0.0.1]/",
        "http://[fec0::1]/",
        "http://[fd00::1]/",
        "http://0.0.0.0/",
        "http://100.64.0.1/",
        "http://2130706433/",
        "http://0x7f.1/",
    ],
)
def test_addresses_of_this_machine_and_of_private_networks_are_refused(access, url):
    """When the webhook is made, and again whenever something is sent."""
    careful = HttpSender()
    with pytest.raises(InvalidInputError, match="private network"):
        Webhooks(access, careful).create(name="hook", url=url, event_types=["memory_add"])
    with pytest.raises(PermissionError, match="private network"):
        careful.post(url, b"{}", {})


def test_a_name_that_changes_its_address_reaches_nothing_private(monkeypatch):
    """It is the checked address that is connected to, not what the name means a moment later."""
    answers = iter(["93.184.216.34", "127.0.0.1"])
    connected = []
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), 80))]
    )

    def connect(address, *_):
        connected.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(ConnectionRefusedError):
        HttpSender().post("http://rebind.example/", b"{}", {})
    assert connected == ["93.184.216.34"]


@pytest.mark.parametrize(
    "change",
    [
        {"url": "ftp://example.com/"},
        {"url": "http://"},
        {"url": "http://user:word@example.com/"},
        {"url": "http://example.com/a b"},
        {"url": "http://example.com:99999/"},
        {"url": None},
        {"name": ""},
        {"name": "line\nbreak"},
        {"event_types": []},
        {"event_types": ["memory_read"]},
        {"event_types": "memory_add"},
    ],
)
def test_what_cannot_be_used_is_refused(webhooks, change):
    good = {"name": "hook", "url": "http://127.0.0.1:9/", "event_types": ["memory_add"]}
    with pytest.raises(InvalidInputError):
        webhooks.create(**(good | change))


def test_webhooks_are_the_owners_matter_and_of_one_project(enter, webhooks, receiver):
    made = listen(webhooks, receiver.url)
    with pytest.raises(ForbiddenError):
        Webhooks(enter(role="WRITER"), SENDER).all()
    other = Webhooks(enter(project="other"), SENDER)
    for call in (other.get, other.remove, other.deliveries, other.update):
        with pytest.raises(NotFoundError):
            call(made.id)
    assert other.all() == []


def test_a_removed_one_gets_nothing_more(webhooks, worker, receiver, say):
    made = listen(webhooks, receiver.url, "memory_add")
    say("I like tea")
    webhooks.remove(made.id)
    worker.run_due()
    assert receiver.received == []


def test_a_crash_between_deliveries_and_cursor_tells_nothing_twice(platform, webhooks, worker, receiver, say):
    listen(webhooks, receiver.url, "memory_add")
    cursor = platform.registry.find("cursor", "webhooks/default")
    say("I like tea")
    worker.run_due()
    platform.registry.put(cursor)
    worker._relayed = -1
    worker.run_due()
    assert len(receiver.received) == 1
