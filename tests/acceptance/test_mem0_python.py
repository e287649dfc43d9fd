"""The released Mem0 client for Python, sync and async, through every method against `kept serve`."""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from anyio.from_thread import start_blocking_portal

DEADLINE_S = 15
"""For work that was acknowledged; on an idle machine it takes some hundredths of a second."""
MEMORY_KEYS = {
    "id", "memory", "user_id", "agent_id", "app_id", "session_id", "run_id", "metadata", "categories", "created_at",
    "updated_at", "expiration_date", "structured_attributes", "replaced_by", "synthesized", "hash",
}  # fmt: skip
HIT_KEYS = MEMORY_KEYS - {"structured_attributes", "replaced_by", "synthesized"} | {"score"}
EVENT_KEYS = {
    "id", "event_type", "status", "payload", "metadata", "results", "created_at", "updated_at", "started_at",
    "completed_at", "latency", "graph_status", "error",
}  # fmt: skip
HISTORY_KEYS = {
    "id", "memory_id", "old_memory", "new_memory", "event", "input", "user_id", "agent_id", "app_id", "session_id",
    "categories", "metadata", "created_at", "updated_at",
}  # fmt: skip


class Waited:
    """An async client whose coroutines are waited for, so that each test speaks to both kinds."""

    def __init__(self, portal, target):
        self._portal, self._target = portal, target

    def __getattr__(self, name):
        found = getattr(self._target, name)
        if inspect.iscoroutinefunction(found):
            return lambda *args, **kwargs: self._portal.call(functools.partial(found, *args, **kwargs))
        return Waited(self._portal, found) if name == "project" else found


@pytest.fixture(params=["sync", "async"])
def make_client(request, mem0):
    """Makes released clients of one kind; each lists the statuses of its answers under `statuses`."""
    import httpx

    options = {"timeout": 30, "trust_env": False, "verify": False}  # without TLS there is nothing to verify
    with contextlib.ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal()) if request.param == "async" else None

        def make(api_key, host):
            statuses = []
            if portal is None:
                hooks = {"response": [lambda response: statuses.append(response.status_code)]}
                http = stack.enter_context(httpx.Client(event_hooks=hooks, **options))
                client = mem0.MemoryClient(api_key=api_key, host=host, client=http)
            else:

                async def note(response):
                    statuses.append(response.status_code)

                http = httpx.AsyncClient(event_hooks={"response": [note]}, **options)
                stack.callback(portal.call, http.aclose)
                client = Waited(portal, mem0.AsyncMemoryClient(api_key=api_key, host=host, client=http))
            client.statuses = statuses
            return client

        yield make


@pytest.fixture
def project(server):
    """A project of the test's own: its id, and a key that owns it."""
    return server.make_project()


@pytest.fixture
def client(make_client, server, project):
    """A client of that project."""
    return make_client(project[1], server.url)


@pytest.fixture
def wait(server, project):
    """Polls an event to its end, as Mem0's callers do by hand."""

    def wait_for(event_id):
        return poll(
            lambda: server.ask("GET", f"/v1/event/{event_id}/", key=project[1]).json(),
            lambda event: event["status"] in {"SUCCEEDED", "FAILED"},
        )

    return wait_for


@pytest.fixture
def stored(client):
    """Stores texts of a user at once; gives their ids."""

    def store(*texts, user_id="mira", **more):
        messages = [{"role": "user", "content": text} for text in texts]
        return [one["id"] for one in client.add(messages, user_id=user_id, infer=False, **more)["results"]]

    return store


def poll(look, is_done):
    """Look until it is done; fails when the deadline passes."""
    deadline = time.monotonic() + DEADLINE_S
    while not is_done(found := look()):
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found


# --- construction ---


@pytest.mark.parametrize("suffix", ["", "/"])
def test_a_client_is_made_with_and_without_a_slash_at_the_end(make_client, server, project, suffix):
    """And then knows its organisation and project."""
    client = make_client(project[1], server.url + suffix)
    assert (client.org_id, client.project_id) == ("default", project[0])
    assert client.users()["results"] == []


def test_a_wrong_key_is_said_in_our_words(make_client, server):
    """The constructor's `ValueError` carries `detail`."""
    with pytest.raises(ValueError, match="The API key is missing, unknown, expired or revoked"):
        make_client("kept_wrong", server.url)


# --- memories ---


def test_a_memory_from_its_first_word_to_its_last(client, wait, mem0):
    """add, event, list, search, get, update, history, delete, and then it is gone."""
    pending = client.add(
        [{"role": "user", "content": "I prefer window seats"}], user_id="mira", metadata={"topic": "travel"}
    )
    assert {"event_id", "status"} <= pending.keys()
    assert pending["status"] == "PENDING"
    event = wait(pending["event_id"])
    assert event.keys() >= EVENT_KEYS
    assert (event["status"], event["event_type"], event["error"]) == ("SUCCEEDED", "ADD", None)
    (result,) = event["results"]
    assert (result["event"], result["memory"]) == ("ADD", "I prefer window seats")
    assert result["data"] == {"memory": "I prefer window seats"}
    memory_id = result["id"]

    page = client.get_all(filters={"user_id": "mira"})
    assert (page["count"], page["next"], page["previous"]) == (1, None, None)
    assert page["results"][0].keys() >= MEMORY_KEYS
    assert page["results"][0]["metadata"] == {"topic": "travel"}

    (hit,) = client.search("which seat does she like", filters={"user_id": "mira"})["results"]
    assert hit.keys() >= HIT_KEYS
    assert (hit["id"], 0 <= hit["score"] <= 1) == (memory_id, True)

    assert client.get(memory_id)["memory"] == "I prefer window seats"
    assert (
        client.update(memory_id, text="I prefer aisle seats", metadata={"sure": True})["memory"]
        == "I prefer aisle seats"
    )
    assert client.get(memory_id)["metadata"] == {"topic": "travel", "sure": True}
    steps = client.history(memory_id)
    assert [step["event"] for step in steps] == ["ADD", "UPDATE"]
    assert all(step.keys() >= HISTORY_KEYS for step in steps)
    assert (steps[1]["old_memory"], steps[1]["new_memory"]) == ("I prefer window seats", "I prefer aisle seats")
    for step in steps:
        assert datetime.fromisoformat(step["created_at"]) <= datetime.fromisoformat(step["updated_at"])

    assert "message" in client.delete(memory_id)
    with pytest.raises(mem0.errors.MemoryNotFoundError):
        client.get(memory_id)
    assert client.statuses[-1] == 404


def test_without_inference_each_message_is_stored_as_it_is(client):
    """At once, in the order of the messages; system messages are none."""
    messages = [
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": "I have two cats. They are old."},
        {"role": "assistant", "content": "Noted"},
    ]
    answer = client.add(messages, user_id="mira", infer=False)
    assert answer["status"] == "SUCCEEDED"
    assert {"message", "event_id", "results"} <= answer.keys()
    assert [one["data"]["memory"] for one in answer["results"]] == ["I have two cats. They are old.", "Noted"]
    assert [one["event"] for one in answer["results"]] == ["ADD", "ADD"]


@pytest.mark.parametrize("messages", ["I like tea", {"role": "user", "content": "I like tea"}])
def test_messages_come_in_every_form(client, wait, messages):
    """A text, one message, a list."""
    assert wait(client.add(messages, user_id="mira")["event_id"])["status"] == "SUCCEEDED"
    assert client.get_all(filters={"user_id": "mira"})["count"] == 1


def test_ids_come_beside_the_messages_or_inside_filters(client, mem0):
    """As the typed options have them."""
    client.add("I like tea", mem0.types.AddMemoryOptions(filters={"user_id": "mira", "run_id": "r1"}, infer=False))
    client.add("I like milk", user_id="mira", agent_id="a1", infer=False)
    assert client.get_all(filters={"AND": [{"user_id": "mira"}, {"run_id": "r1"}]})["count"] == 1
    (memory,) = client.get_all(filters={"AND": [{"user_id": "mira"}, {"agent_id": "a1"}]})["results"]
    assert memory["session_id"] is memory["run_id"] is None
    (memory,) = client.get_all(filters={"run_id": "r1"})["results"]
    assert memory["session_id"] == memory["run_id"] == "r1"


def test_an_add_for_nobody_is_refused(client, mem0):
    """At least one id is needed."""
    with pytest.raises(mem0.errors.ValidationError):
        client.add("I like tea")
    assert client.statuses[-1] == 400


def test_what_the_server_does_not_know_is_let_pass(client):
    """Clients forward whatever they are given."""
    client.add(
        "I like tea", user_id="mira", infer=False, output_format="v1.1", version="v2", enable_graph=True, source="x"
    )
    client.search("tea", filters={"user_id": "mira"}, keyword_search=True, output_format="v1.1", unknown={"a": 1})
    client.get_all(filters={"user_id": "mira"}, enable_graph=False, unknown=[1])
    assert set(client.statuses) == {200}


def test_when_a_thing_was_said_can_be_given(client, stored):
    """In seconds since 1970."""
    (memory_id,) = stored("I like tea", timestamp=1_700_000_000)
    memory = client.get(memory_id)
    assert datetime.fromisoformat(memory["created_at"]) == datetime.fromtimestamp(1_700_000_000, UTC)
    assert memory["structured_attributes"] == {
        "year": 2023, "month": 11, "day": 14, "hour": 22, "minute": 13, "day_of_week": "tuesday", "week_of_year": 46,
        "day_of_year": 318, "quarter": 4, "is_weekend": False,
    }  # fmt: skip


def test_ids_that_are_none_are_told_from_ids_that_are_nobodys(client, mem0):
    """400 and 404, on every route of one memory."""
    for call in (
        client.get,
        client.history,
        client.delete,
        functools.partial(client.update, text="x"),
        functools.partial(client.feedback, feedback="POSITIVE"),
    ):
        with pytest.raises(mem0.errors.ValidationError):
            call("a/b %?")
        assert client.statuses[-1] == 400
        with pytest.raises(mem0.errors.MemoryNotFoundError):
            call(str(uuid.uuid4()))
        assert client.statuses[-1] == 404


@pytest.mark.parametrize("method", ["get_all", "search"])
@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"filters": {}},
        {"filters": {"NOT": {"user_id": "mira"}}},
        {"filters": {"categories": {"in": ["food"]}}},
        {"filters": {"user_id": "mira", "unheard_of": 1}},
        {"filters": {"user_id": {"nin": ["mira"]}}},
    ],
    ids=str,
)
def test_a_read_says_whose_and_only_what_filters_know(client, mem0, method, asked):
    """Else it is refused; nothing is guessed."""
    call = functools.partial(client.search, "tea") if method == "search" else client.get_all
    with pytest.raises(mem0.errors.ValidationError) as error:
        call(**asked)
    assert client.statuses[-1] == 400
    assert error.value.details.keys() >= {"error", "detail", "message", "code", "request_id"}


def test_filters_mean_the_same_on_list_and_search(client, stored):
    """Nested, with wildcards and operators."""
    stored("I like green tea", metadata={"topic": "tea"})
    stored("I like black tea", user_id="noor", metadata={"topic": "tea"})
    stored("I like milk", user_id="noor")
    for filters, count in (
        ({"user_id": "*"}, 3),
        ({"OR": [{"user_id": "mira"}, {"user_id": "noor"}]}, 3),
        ({"AND": [{"user_id": "noor"}, {"metadata": {"topic": "tea"}}]}, 1),
        ({"AND": [{"user_id": "*"}, {"NOT": {"user_id": {"in": ["noor"]}}}]}, 1),
        ({"AND": [{"user_id": "*"}, {"keywords": {"icontains": "TEA"}}]}, 2),
        ({"AND": [{"user_id": "noor"}, {"created_at": {"gte": "2020-01-01", "lt": "2020-01-02"}}]}, 0),
    ):
        assert client.get_all(filters=filters)["count"] == count, filters
        assert len(client.search("what I like to drink", filters=filters, threshold=0)["results"]) == count, filters


def test_a_search_gives_no_more_than_it_is_asked_for(client, stored):
    """`top_k`, `threshold`, `fields`."""
    stored("I like green tea", "I like black tea", "I like white tea")
    asked = {"filters": {"user_id": "mira"}}
    assert len(client.search("tea", top_k=2, **asked)["results"]) == 2
    assert client.search("tea", threshold=1.0, **asked)["results"] == []
    (first, *_) = client.search("tea", fields=["memory"], **asked)["results"]
    assert first.keys() <= {"id", "memory", "score"}


def test_pages_walk_every_memory_once(client, stored, server, project):
    """`count` is of all, `next` leads on, a page is never larger than 200."""
    ids = stored(*(f"Fact number {number}" for number in range(7)))
    seen, page = [], client.get_all(filters={"user_id": "mira"}, page=1, page_size=3)
    assert page["previous"] is None
    while True:
        assert page["count"] == 7
        seen += [memory["id"] for memory in page["results"]]
        if page["next"] is None:
            break
        path = page["next"].removeprefix(server.url)
        page = server.ask("POST", path, key=project[1], json={"filters": {"user_id": "mira"}}).json()
    assert sorted(seen) == sorted(ids)
    assert len(seen) == len(set(seen))
    assert (
        "page_size=200"
        in server.ask(
            "POST", "/v3/memories/?page=2&page_size=100000", key=project[1], json={"filters": {"user_id": "mira"}}
        ).json()["previous"]
    )


def test_what_has_expired_is_hidden_and_not_lost(client, stored):
    """Found by id, and with `show_expired`; clearing the date brings it back."""
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    (memory_id,) = stored("I like tea")
    assert client.update(memory_id, expiration_date=yesterday)["expiration_date"] == yesterday
    asked = {"filters": {"user_id": "mira"}}
    assert client.get_all(**asked)["results"] == client.search("tea", **asked)["results"] == []
    assert client.get(memory_id)["expiration_date"] == yesterday
    assert client.get_all(show_expired=True, **asked)["count"] == 1
    assert len(client.search("tea", show_expired=True, **asked)["results"]) == 1
    assert client.update(memory_id, expiration_date=None)["expiration_date"] is None
    assert client.get_all(**asked)["count"] == 1


def test_linked_memories_go_along_when_they_are_asked_to(client, server, project):
    """With how many they were."""
    add = functools.partial(server.ask, "POST", "/v3/memories/add/", key=project[1])
    (old,) = add(json={"facts": ["Mira lives in Oslo"], "user_id": "mira"}).json()["results"]
    newer = {"text": "Mira lives in Bergen", "supersedes": [old["id"]]}
    (new, closed) = add(json={"facts": [newer], "user_id": "mira"}).json()["results"]
    assert (closed["id"], closed["memory"]) == (old["id"], "Mira lives in Oslo")
    assert client.get(old["id"])["replaced_by"] == new["id"]
    answer = client.delete(new["id"], delete_linked=True)
    assert (answer["cascade_count"], "message" in answer) == (1, True)
    assert client.get_all(filters={"user_id": "mira"})["count"] == 0


# --- deleting many ---


def test_all_of_a_scope_are_deleted_and_no_others(client, stored, wait):
    """Acknowledged, then done; ids are anded, and deleting for nobody is a normal answer."""
    stored("I like tea", agent_id="a1")
    stored("I like milk")
    stored("I like juice", user_id="noor", agent_id="a1")
    answer = client.delete_all(user_id="mira", agent_id="a1")
    assert "message" in answer
    assert wait(answer["event_id"])["status"] == "SUCCEEDED"
    left = client.get_all(filters={"user_id": "*"})["results"]
    assert {memory["memory"] for memory in left} == {"I like milk", "I like juice"}
    assert wait(client.delete_all(user_id="nobody")["event_id"])["status"] == "SUCCEEDED"
    assert client.get_all(filters={"user_id": "*"})["count"] == 2


def test_a_deletion_that_names_nobody_deletes_nothing(client, stored, mem0):
    """A bare call, one whose id the options model dropped, one with metadata alone."""
    stored("I like tea", metadata={"topic": "tea"})
    options = mem0.types.DeleteAllMemoryOptions(user_id="mira")
    for call in (
        client.delete_all,
        lambda: client.delete_all(options),
        lambda: client.delete_all(metadata={"topic": "tea"}),
    ):
        with pytest.raises(mem0.errors.ValidationError):
            call()
        assert client.statuses[-1] == 400
    assert client.get_all(filters={"user_id": "mira"})["count"] == 1


def test_filters_in_the_form_of_a_python_dictionary_are_understood(client, stored, wait, mem0):
    """As the released client puts them into a query; they narrow what is deleted."""
    stored("I like tea", metadata={"topic": "tea"})
    stored("I like milk")
    stored("I like juice", user_id="noor")
    filters = {"AND": [{"user_id": "mira"}, {"metadata": {"topic": "tea"}}]}
    wait(client.delete_all(mem0.types.DeleteAllMemoryOptions(filters=filters))["event_id"])
    left = client.get_all(filters={"user_id": "*"})["results"]
    assert {memory["memory"] for memory in left} == {"I like milk", "I like juice"}
    wait(client.delete_all(user_id="mira", metadata={"topic": "none of these"})["event_id"])
    assert client.get_all(filters={"user_id": "*"})["count"] == 2


def test_the_whole_project_is_deleted_by_four_wildcards(client, stored, wait):
    """And by nothing less."""
    stored("I like tea")
    everything = dict.fromkeys(("user_id", "agent_id", "app_id", "run_id"), "*")
    assert wait(client.delete_all(**everything)["event_id"])["status"] == "SUCCEEDED"
    assert client.get_all(filters={"user_id": "*"})["count"] == 0


def test_memories_are_changed_and_deleted_in_batches(client, stored, mem0):
    """At most 1,000 at a time."""
    one, two = stored("I like tea", "I like milk")
    changes = [{"memory_id": one, "text": "I like rooibos"}, {"memory_id": two, "metadata": {"cold": True}}]
    assert client.batch_update(changes)["message"] == "Successfully updated 2 memories"
    assert (client.get(one)["memory"], client.get(two)["metadata"]) == ("I like rooibos", {"cold": True})
    answer = client.batch_delete([{"memory_id": one}, {"memory_id": two}])
    assert answer["message"] == "Successfully deleted 2 memories"
    assert client.get_all(filters={"user_id": "mira"})["count"] == 0
    too_many = [{"memory_id": one, "text": "x"}] * 1001
    for call, word in ((client.batch_update, "updated"), (client.batch_delete, "deleted")):
        with pytest.raises(
            mem0.errors.ValidationError, match=f"Maximum of 1000 memories can be {word} in a single request"
        ):
            call(too_many)


# --- entities ---


def test_entities_are_listed_with_their_own_names(client, stored):
    """Users, agents, apps and runs, and how many of each."""
    stored("I like tea", agent_id="a1", app_id="p1", run_id="r1")
    found = client.users()
    assert {
        "count",
        "next",
        "previous",
        "results",
        "total_users",
        "total_agents",
        "total_apps",
        "total_runs",
    } <= found.keys()
    assert {(one["type"], one["name"]) for one in found["results"]} == {
        ("user", "mira"), ("agent", "a1"), ("app", "p1"), ("run", "r1"),
    }  # fmt: skip
    assert (found["count"], found["total_users"], found["total_runs"]) == (4, 1, 1)
    for one in found["results"]:
        assert one.keys() >= {"id", "name", "type", "owner", "metadata", "created_at", "updated_at", "total_memories"}
        assert isinstance(one["id"], str)
        assert int(one["id"]) >= 0


@pytest.mark.parametrize("name", ["a/b", "a b", "100%", "what?", "zoë/ü", "a#b&c=d", "+1", "{x}"])
@pytest.mark.parametrize("kind", ["user", "run"])
def test_odd_names_survive_deletion(client, stored, kind, name):
    """The one is deleted, its neighbour stays."""
    ids = {"user_id": name} if kind == "user" else {"user_id": "mira", "run_id": name}
    stored("I like tea", **ids)
    stored("I like milk", user_id="neighbour")
    client.delete_users(**{f"{kind}_id": name})
    assert client.statuses[-1] == 200
    poll(lambda: client.get_all(filters={"user_id": "*"})["count"], lambda count: count == 1)
    assert (kind, name) not in {(one["type"], one["name"]) for one in client.users()["results"]}


def test_who_is_gone_already_can_be_deleted_again(client):
    """Mem0's `reset` walks a list."""
    assert client.delete_users(agent_id="nobody") == {"message": "Entity deleted successfully."}


def test_a_reset_empties_a_project_of_any_size(client, stored):
    """More entities than fit on a page; afterwards there is nothing to delete."""
    for start in range(0, 120, 40):
        for number in range(start, start + 40):
            stored("I like tea", user_id=f"user {number}")
    assert client.users()["count"] == 120
    assert "reset successful" in client.reset()["message"]
    poll(client.users, lambda found: found["count"] == 0)
    with pytest.raises(ValueError, match="No entities to delete"):
        client.reset()


# --- feedback, exports, summary ---


def test_feedback_is_kept_and_cleared(client, stored, mem0):
    """With its reason, in capitals."""
    (memory_id,) = stored("I like tea")
    answer = client.feedback(memory_id, "very_negative", "he never said so")
    assert answer.keys() == {"id", "feedback", "feedback_reason"}
    assert (answer["feedback"], answer["feedback_reason"]) == ("VERY_NEGATIVE", "he never said so")
    assert client.feedback(memory_id)["feedback"] is None
    with pytest.raises(mem0.errors.ValidationError):
        client.feedback("none", "POSITIVE")


@pytest.mark.parametrize("as_text", [False, True], ids=["object", "text"])
@pytest.mark.parametrize("flat", [False, True], ids=["filters", "ids"])
def test_an_export_is_made_by_a_schema(client, stored, as_text, flat):
    """Given as an object or as its text; of a filter, or of ids beside it."""
    stored("My favourite drink is tea")
    properties = {"drink": {"type": "string", "description": "favourite drink"}}
    schema = {"type": "object", "title": "Tastes", "properties": properties}
    asked = {"user_id": "mira"} if flat else {"filters": {"user_id": "mira"}}
    made = client.create_memory_export(json.dumps(schema) if as_text else schema, **asked)
    assert client.statuses[-1] == 201
    assert {"message", "id"} <= made.keys()
    for which in ({"memory_export_id": made["id"]}, asked):
        found = poll(lambda which=which: client.get_memory_export(**which), lambda _: client.statuses[-1] == 200)
        assert set(found) == {"drink"}


def test_an_export_says_what_is_wrong(client, mem0):
    """A schema that is none, nobody named, one that was never asked for."""
    for call in (
        lambda: client.create_memory_export("{", filters={"user_id": "mira"}),
        lambda: client.create_memory_export({"type": "object"}),
    ):
        with pytest.raises(mem0.errors.ValidationError):
            call()
        assert client.statuses[-1] == 400
    with pytest.raises(mem0.errors.MemoryNotFoundError, match="No memory export request found"):
        client.get_memory_export(filters={"user_id": "nobody"})


def test_a_summary_is_a_list(client, stored):
    """Each entry with its text."""
    stored("My favourite drink is tea")
    (entry,) = client.get_summary({"user_id": "mira"})
    assert "tea" in entry["summary"]


# --- profiles ---


def test_a_profile_from_its_settings_to_its_text(client, stored, mem0):
    """Settings, one user's profile, a sample of users, the jobs."""
    stored("My favourite drink is tea")
    before = client.get_profile_settings()
    assert before.keys() >= {"enabled", "capabilities", "entities"}
    schema = {"type": "object", "properties": {"drink": {"type": "string", "description": "favourite drink"}}}
    after = client.update_profile_settings(enabled=True, schema=schema, custom_instructions="be brief")
    assert (after["enabled"], after["entities"]["user"]["schema"]) == (True, schema)
    assert after["entities"]["user"]["custom_instructions"] == "be brief"
    assert client.get_profile_settings() == after
    cleared = client.update_profile_settings(custom_instructions=None)
    assert (cleared["enabled"], cleared["entities"]["user"]["custom_instructions"]) == (True, None)
    assert client.update_profile_settings() == client.get_profile_settings()

    started = client.generate_profile("mira", idempotency_key="once-and-again")
    assert started.keys() >= {
        "job_id", "status", "status_url", "operation", "entity_type", "entity_count_reserved", "event_id", "replayed",
    }  # fmt: skip
    assert (started["operation"], started["entity_type"], started["replayed"]) == ("trigger", "user", False)
    again = client.generate_profile("mira", idempotency_key="once-and-again")
    assert (again["job_id"], again["replayed"]) == (started["job_id"], True)
    for which in (started["status_url"], started["job_id"]):
        job = poll(
            lambda which=which: client.get_profile_job(which)["job"],
            lambda job: job["status"] not in {"pending", "running"},
        )
        assert job.keys() >= {
            "id", "operation", "entity_type", "status", "total", "completed", "succeeded", "failed", "skipped",
            "enumeration_complete",
        }  # fmt: skip
        assert job["completed"] == job["succeeded"] + job["failed"] + job["skipped"] == job["total"] == 1
    profile = poll(lambda: client.get_profile("mira"), lambda profile: profile["status"] != "pending")
    assert profile.keys() >= {"profile", "status", "entity_type", "entity_id", "updated_at", "generation_count"}
    assert (profile["entity_type"], profile["entity_id"]) == ("user", "mira")
    assert profile["status"] in {"succeeded", "insufficient_data"}

    sample = client.sample_profiles(limit=1)
    assert sample.keys() >= {"job_id", "status", "status_url", "sampled", "entity_ids"}
    assert sample["entity_ids"] == ["mira"]
    with pytest.raises(mem0.errors.MemoryNotFoundError):
        client.get_profile("nobody")


def test_a_schema_of_profiles_must_describe_its_properties(client, mem0):
    """Nobody else could say what belongs there."""
    with pytest.raises(mem0.errors.ValidationError):
        client.update_profile_settings(schema={"type": "object", "properties": {"drink": {"type": "string"}}})


# --- project ---

PROJECT_KEYS = {
    "project_id", "name", "description", "created_at", "updated_at", "members", "custom_categories",
    "custom_instructions", "agent_custom_instructions", "multilingual", "decay", "user_role",
}  # fmt: skip


def test_a_project_is_read_and_changed(client, project, mem0):
    """By both names of the calls; what is not given stays, false and empty are values."""
    whole = client.project.get()
    assert whole.keys() >= PROJECT_KEYS
    assert whole["project_id"] == project[0]
    assert client.project.get(fields=["name"]).keys() >= PROJECT_KEYS
    categories = [{"food": "What one eats and drinks"}, {"travel": "Where one goes"}]
    changed = client.project.update(
        custom_instructions="be brief", custom_categories=categories, decay=True, multilingual=True
    )
    assert changed["message"] == "Project updated successfully"
    client.project.update(decay=False, agent_custom_instructions="be exact")
    found = client.project.get()
    assert (found["custom_instructions"], found["agent_custom_instructions"]) == ("be brief", "be exact")
    assert (found["custom_categories"], found["decay"], found["multilingual"]) == (categories, False, True)
    client.update_project(mem0.types.ProjectUpdateOptions(custom_instructions=""), memory_depth="deep")
    found = client.get_project(fields=["custom_instructions"])
    assert found["custom_instructions"] in {"", None}


def test_members_come_change_and_go(client):
    """As readers or owners."""
    names = lambda: {(one["username"], one["role"]) for one in client.project.get_members()["members"]}  # noqa: E731
    assert "message" in client.project.add_member("ada@x.example")
    assert ("ada@x.example", "READER") in names()
    assert "message" in client.project.update_member("ada@x.example", "OWNER")
    assert ("ada@x.example", "OWNER") in names()
    assert "message" in client.project.remove_member("ada@x.example")
    assert "ada@x.example" not in {name for name, _ in names()}


def test_projects_are_made_by_the_administrator_and_deleted_by_their_owners(make_client, server, client, mem0):
    """A new one comes with a key, once; a deleted one lets nobody in."""
    admin = make_client(server.admin_key, server.url)
    made = admin.project.create("shop", "what the shop knows")
    assert admin.statuses[-1] == 200
    assert made.keys() >= {"message", "project_id", "api_key"}
    owner = make_client(made["api_key"], server.url)
    assert (owner.project.get()["name"], owner.project.get()["description"]) == ("shop", "what the shop knows")
    with pytest.raises(mem0.errors.AuthenticationError):
        client.project.create("another")
    assert client.statuses[-1] == 403
    assert "message" in owner.project.delete()
    with pytest.raises(mem0.errors.AuthenticationError):
        owner.users()


# --- webhooks ---


@pytest.fixture
def receiver():
    """A local address that keeps what is posted to it."""
    posted = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Receiver) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield SimpleNamespace(url=f"http://127.0.0.1:{listening.server_port}/hook", posted=posted)
        listening.shutdown()
        thread.join()


def test_webhooks_are_made_listed_changed_deleted_and_called(client, project, stored, receiver, mem0):
    """A change reaches the receiver in Mem0's form."""
    made = client.create_webhook(receiver.url, "changes", project[0], ["memory_add"])
    assert client.statuses[-1] == 201
    assert made.keys() >= {
        "webhook_id", "name", "url", "event_types", "owner", "is_active", "project", "created_at", "updated_at",
    }  # fmt: skip
    assert [one["webhook_id"] for one in client.get_webhooks(project[0])] == [made["webhook_id"]]
    (memory_id,) = stored("I like tea")
    (posted,) = poll(lambda: receiver.posted, bool)
    assert posted["event_details"] == {"id": memory_id, "data": {"memory": "I like tea"}, "event": "ADD"}
    assert "message" in client.update_webhook(made["webhook_id"], name="other", event_types=["memory_delete"])
    (found,) = client.get_webhooks(project[0])
    assert (found["name"], found["event_types"], found["url"]) == ("other", ["memory_delete"], receiver.url)
    with pytest.raises(mem0.errors.ValidationError):
        client.create_webhook(receiver.url, "x", project[0], ["no_such_event"])
    assert "message" in client.delete_webhook(made["webhook_id"])
    assert client.get_webhooks(project[0]) == []
    with pytest.raises(mem0.errors.MemoryNotFoundError):
        client.delete_webhook(made["webhook_id"])


# --- limits, and the rest ---


def test_a_limit_says_when_to_come_back(make_client, mem0, limited):
    """In whole seconds, where the client looks for them."""
    client = make_client(limited.make_project()[1], limited.url)
    with pytest.raises(mem0.errors.RateLimitError) as error:  # noqa: PT012 - how many the constructor makes is its own
        for _ in range(4):
            client.get_all(filters={"user_id": "mira"})
    info = error.value.debug_info
    assert 1 <= info["retry_after"] <= 3600
    assert (info["x_ratelimit_limit"], info["x_ratelimit_remaining"]) == ("3", "0")
    assert int(info["x_ratelimit_reset"]) >= 0


def test_chat_is_not_there(client):
    """Nor is it on Mem0's platform."""
    with pytest.raises(NotImplementedError):
        client.chat()


def test_no_method_was_left_out(mem0):
    """Every public method of the released client and of its project stands in this file."""
    import mem0.client.project as released

    source = Path(__file__).read_text(encoding="utf-8")
    methods = [name for name, _ in inspect.getmembers(mem0.MemoryClient, inspect.isfunction)]
    methods += [f"project.{name}" for name, _ in inspect.getmembers(released.Project, inspect.isfunction)]
    assert [name for name in methods if not name.rpartition(".")[2].startswith("_") and f".{name}" not in source] == []
