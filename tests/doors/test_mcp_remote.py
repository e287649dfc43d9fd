"""The tools in front of another server: what is sent, what is made of its answers, what happens when it is not Kept's."""

from __future__ import annotations

import pytest

from kept import MemoryClient
from kept.errors import EventFailedError, RateLimitError
from kept.mcp.call import Call, CancelledError
from kept.mcp.remote import RemoteBackend
from kept.mcp.server import Server
from kept.mcp.tools import EVERYDAY

HIT = {
    "id": "0a1b2c3d-0000-0000-0000-000000000000",
    "memory": "Ada tests Falcon",
    "score": 0.7,
    "created_at": "2026-07-01T00:00:00Z",
}
PENDING = {"message": "queued", "status": "PENDING", "event_id": "e1"}


@pytest.fixture
def backend(recorder):
    client = MemoryClient("kept_secret", recorder.url, retries=0)
    yield RemoteBackend(client, defaults={"user_id": "mira"})
    client.close()


@pytest.fixture
def call(backend):
    """Calls a tool; its answer, or the text of its error."""
    server = Server(EVERYDAY, lambda: backend)

    def call(tool: str, /, **arguments):
        result = server.handle("tools/call", {"name": tool, "arguments": arguments}, Call())
        return result["content"][0]["text"] if result["isError"] else result["structuredContent"]

    return call


def test_a_search_goes_out_in_mem0s_form_with_the_default_user(recorder, call):
    recorder.will_answer({"results": [HIT]})
    found = call("search_memories", query="who tests?", filters={"metadata": {"type": "decision"}}, top_k=3)
    assert found == {
        "results": [{"id": HIT["id"], "memory": "Ada tests Falcon", "score": 0.7, "created_at": "2026-07-01"}]
    }
    assert recorder.last.path == "/v3/memories/search/"
    assert recorder.last.headers["authorization"] == "Token kept_secret"
    assert recorder.last.body["filters"] == {"AND": [{"user_id": "mira"}, {"metadata": {"type": "decision"}}]}
    assert recorder.last.body["top_k"] == 3


def test_an_add_waits_for_its_event_and_gives_what_came_of_it(recorder, call):
    recorder.will_answer(PENDING)
    recorder.will_answer({"id": "e1", "status": "RUNNING"})
    recorder.will_answer(
        {
            "id": "e1",
            "status": "SUCCEEDED",
            "results": [{"id": "m1", "event": "ADD", "memory": "x", "operation_id": "o1"}],
        }
    )
    done = call("add_memory", text="x")
    assert (done["status"], done["operation_id"]) == ("SUCCEEDED", "o1")
    assert done["results"] == [{"id": "m1", "memory": "x", "event": "ADD"}]
    assert "o1" in done["undo"]


def test_an_add_that_takes_too_long_gives_its_event(recorder, call, monkeypatch):
    monkeypatch.setattr("kept.mcp.remote.WAIT_S", 0.05)
    recorder.will_answer(PENDING)
    recorder.will_answer({"id": "e1", "status": "PENDING"})
    assert call("add_memory", text="x") == {"status": "PENDING", "event_id": "e1", "results": []}


def test_an_add_that_fails_says_why(recorder, backend):
    recorder.will_answer(PENDING)
    recorder.will_answer({"id": "e1", "status": "FAILED", "error": "no room"})
    with pytest.raises(EventFailedError, match="no room"):
        backend.add("x", {"user_id": "mira"}, {}, Call())


def test_who_stops_waiting_is_not_waited_for(recorder, backend):
    recorder.will_answer(PENDING)
    recorder.will_answer({"id": "e1", "status": "PENDING"})
    left = Call()
    left.cancel()
    with pytest.raises(CancelledError):
        backend.add("x", {"user_id": "mira"}, {}, left)


def test_a_limit_is_passed_on_with_its_value(recorder, backend, call):
    recorder.will_answer({"message": "Slow down."}, status=429, Retry_After="7")
    with pytest.raises(RateLimitError) as raised:
        backend.get("m1")
    assert raised.value.retry_after_s == 7
    assert "7 s" in call("get_memory", memory_id="m1")


def test_an_error_of_the_server_is_told_in_its_words(recorder, call):
    recorder.will_answer({"message": "Your plan ended."}, status=403)
    assert "Your plan ended." in call("get_memories")


def test_a_server_that_is_not_there_is_said_to_be_so(call, recorder):
    recorder.will_hang_up()
    assert recorder.url in call("get_memories")


def test_a_block_of_context_is_made_of_a_search_where_the_server_makes_none(recorder, call):
    recorder.will_answer({"message": "not found"}, status=404)
    recorder.will_answer({"results": [HIT, {**HIT, "id": "ffffffff-0", "memory": "word " * 500}]})
    block = call("get_context", query="who tests?", budget_tokens=100)
    assert "[0a1b2c3d] Ada tests Falcon" in block["text"]
    assert (block["ids"], block["omitted"]) == ([HIT["id"]], 1)
    assert block["tokens"] <= 100


@pytest.mark.parametrize(
    "told", [{"by": "openai:gpt-5-mini", "note": None}, {"by": "rules", "note": "It is down."}, {}]
)
def test_who_wrote_a_summary_is_passed_on_where_the_server_says_so(recorder, backend, told):
    recorder.will_answer([{"summary": "Ada tests.", "memory_ids": [HIT["id"]], **told}])
    found = backend.summary({"user_id": "mira"}, 100)
    assert (found["text"].splitlines()[1], found["ids"]) == ("Ada tests.", [HIT["id"]])
    assert {name: found[name] for name in ("by", "note") if name in found} == {k: v for k, v in told.items() if v}


def test_entities_are_found_by_rule_where_the_server_knows_none(recorder, call):
    recorder.will_answer({"message": "not found"}, status=404)
    recorder.will_answer({"message": "unknown field entity"}, status=400)
    recorder.will_answer({"results": [{**HIT, "memory": "Ada Lovelace tests Project Falcon"}]})
    found = call("get_entity", name="Ada Lovelace")
    assert found["mentions"] == 1
    assert found["relations"][0]["relationship"] == "mentioned_with"


def test_an_entity_that_no_memory_mentions_is_said_so(recorder, call):
    recorder.will_answer({"message": "not found"}, status=404)
    recorder.will_answer({"results": []})
    nobody = call("get_entity", name="Nobody At All")
    assert (nobody["mentions"], nobody["memories"]) == (0, [])
    assert "'Nobody At All'" in nobody["message"]
    assert "search_graph" in nobody["message"]


def test_what_only_kept_can_do_says_so_elsewhere(recorder, call):
    recorder.will_answer({"message": "not found"}, status=404)
    assert "Kept" in call("undo", operation_id="o1")


def test_the_graph_of_a_server_is_told_as_one_on_this_machine_is(recorder, backend):
    tie = {"source": "Ada", "relationship": "uses", "target": "Postgres", "memories": 2, "memory_ids": ["m2", "m1"]}
    ended = {**tie, "target": "MySQL", "state": "superseded", "valid_to": "2025-01-01T00:00:00+00:00"}
    node = {"name": "Ada", "kind": "person", "mentions": 3, "first_seen": "…", "last_seen": "…"}
    recorder.will_answer({"results": [{**node, "relations": [tie, ended]}]})
    (found,) = backend.search_graph("ada", {"user_id": "mira"}, 5)
    told = {"source": "Ada", "relationship": "uses", "target": "Postgres", "memory_id": "m2"}
    past = {**told, "target": "MySQL", "state": "superseded", "valid_to": "2025-01-01T00:00:00+00:00"}
    assert found == {"name": "Ada", "kind": "person", "mentions": 3, "relations": [told, past]}
    assert (recorder.last.path, recorder.last.query["user_id"]) == ("/v1/graph/search/", ["mira"])


def test_an_entity_of_a_server_comes_with_its_newest_memories(recorder, backend):
    node = {"name": "Ada", "kind": "person", "mentions": 3, "first_seen": "…", "last_seen": "…"}
    together = [{"name": "Falcon", "kind": "project", "memories": 1}]
    view = {**node, "aliases": ["A. Lovelace"], "relations": [], "mentioned_with": together, "memory_ids": [HIT["id"]]}
    recorder.will_answer(view)
    recorder.will_answer({"results": [HIT], "count": 1})
    found = backend.entity("ada", {"user_id": "mira"})
    assert found["aliases"] == ["A. Lovelace"]
    assert [one["relationship"] for one in found["relations"]] == ["mentioned_with"]
    assert [memory["memory"] for memory in found["memories"]] == [HIT["memory"]]
    assert recorder.last.body["filters"] == {"AND": [{"user_id": "mira"}, {"memory_ids": {"in": [HIT["id"]]}}]}


def test_a_name_that_a_server_does_not_know_is_nobodys(recorder, backend):
    said = "No entity has the name 'Zed' in these memories."
    recorder.will_answer({"message": said, "code": "not-found"}, status=404)
    assert backend.entity("Zed", {})["message"] == f"{said} The tool search_graph finds names by their words."
