"""MCP over standard input and output, in process: both eras of the protocol, the tools, and what must not break them."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import threading
from queue import SimpleQueue

import pytest

from kept.adapters.embedders import wordllama
from kept.domain.scope import ENTITY_IDS
from kept.engine.access import ENTITY_TYPES
from kept.engine.pending import KEPT_OPTIONS, STORED_OPTIONS
from kept.errors import RateLimitError, StoreBusyError
from kept.mcp import guide, resources, tools
from kept.mcp.local import open_local
from kept.mcp.server import CAPABILITIES_KEY, HANDSHAKES, SERVER_KEY, TOKENS_KEY, VERSION_KEY, Server
from kept.mcp.stdio import MAX_LINE, Connection, lines_of
from kept.mcp.tools import ALIASES, EVERYDAY, select
from kept.settings import Settings

MODERN = "2026-07-28"
WITHIN_S = 10


class Client:
    """A client at the other ends of the server's pipes."""

    def __init__(self, server: Server, *, era: str = "2025-11-25", capabilities: dict | None = None) -> None:
        self.era = era
        self.capabilities = capabilities or {}
        self.messages: SimpleQueue[dict] = SimpleQueue()
        self.answer = None
        self._waiting: dict[object, dict] = {}
        self._numbers = itertools.count(1)
        reader, self._writer = os.pipe()
        self._stream = os.fdopen(reader, "rb")
        self.connection = Connection(server, lambda data: self.messages.put(json.loads(data)))
        self.thread = threading.Thread(target=self.connection.serve, args=[lines_of(self._stream)])
        self.thread.start()
        if era != MODERN:
            self.begun = self.result(
                "initialize",
                protocolVersion=era,
                capabilities=self.capabilities,
                clientInfo={"name": "t", "version": "1"},
            )

    def say(self, raw: bytes) -> None:
        data = memoryview(raw)
        while data:
            data = data[os.write(self._writer, data) :]

    def send(self, message: dict) -> None:
        self.say(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    def begin(self, method: str, **params) -> int:
        number = next(self._numbers)
        if self.era == MODERN:
            meta = {VERSION_KEY: MODERN, CAPABILITIES_KEY: self.capabilities, **params.get("_meta", {})}
            params = {**params, "_meta": meta}
        self.send({"id": number, "method": method, "params": params})
        return number

    def end(self, number: object) -> dict:
        """The answer to a request; questions that come before it are answered by `answer`."""
        while number not in self._waiting:
            message = self.messages.get(timeout=WITHIN_S)
            if "method" in message and "id" in message:
                self.send({"id": message["id"], "result": self.answer(message)})
            elif "method" in message:
                self._waiting.setdefault("notices", []).append(message)
            else:
                self._waiting[message["id"]] = message
        return self._waiting.pop(number)

    @property
    def notices(self) -> list[dict]:
        return self._waiting.get("notices", [])

    def ask(self, method: str, **params) -> dict:
        return self.end(self.begin(method, **params))

    def result(self, method: str, **params) -> dict:
        answer = self.ask(method, **params)
        assert "result" in answer, answer
        return answer["result"]

    def error(self, method: str, **params) -> dict:
        return self.ask(method, **params)["error"]

    def call(self, tool: str, /, **arguments) -> dict:
        """What a tool answers, structured; it is the text as well."""
        result = self.result("tools/call", name=tool, arguments=arguments)
        assert not result["isError"], result
        if "text" not in result["structuredContent"]:
            assert json.loads(result["content"][0]["text"]) == result["structuredContent"]
        return result["structuredContent"]

    def fail(self, tool: str, /, **arguments) -> dict:
        result = self.result("tools/call", name=tool, arguments=arguments)
        assert result["isError"], result
        assert "structuredContent" not in result
        return {"text": result["content"][0]["text"], **result["_meta"]}

    def close(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self._writer)
        self.thread.join(WITHIN_S)
        self.connection.drain(WITHIN_S)
        self._stream.close()


@pytest.fixture
def backend(tmp_path):
    settings = Settings.load(database=str(tmp_path / "kept.db"), user_id="mira")
    backend = open_local(settings, {"user_id": "mira"})
    yield backend
    backend.close()


@pytest.fixture
def connect(backend):
    """Makes clients of one server, which leave at the end."""
    clients = []

    def make(server: Server | None = None, **options) -> Client:
        clients.append(
            Client(server or Server(EVERYDAY, lambda: backend, {"hook": lambda given: {"content": [given]}}), **options)
        )
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture(params=["2024-11-05", "2025-11-25", MODERN])
def client(request, connect):
    return connect(era=request.param)


@pytest.fixture
def plain(connect):
    """A client of the older era's last version, where the era does not matter."""
    return connect()


# --- how a connection begins ---


@pytest.mark.parametrize("version", HANDSHAKES)
def test_a_handshake_is_answered_in_the_clients_version(connect, version):
    begun = connect(era=version).begun
    assert begun["protocolVersion"] == version
    assert begun["serverInfo"]["name"] == "kept"
    assert set(begun["capabilities"]) == {"tools", "prompts", "resources", "completions"}


def test_an_unknown_version_is_answered_with_the_newest_that_has_a_handshake(connect):
    assert connect(era="2031-01-01").begun["protocolVersion"] == "2025-11-25"


def test_the_newer_era_needs_no_handshake(connect):
    client = connect(era=MODERN)
    found = client.result("server/discover")
    assert found["supportedVersions"] == [MODERN]
    assert found["resultType"] == "complete"
    assert found["_meta"][SERVER_KEY]["name"] == "kept"
    assert client.result("tools/list")["ttlMs"] > 0


def test_one_connection_takes_requests_of_both_eras(connect):
    client = connect()
    assert "resultType" not in client.result("tools/list")
    client.era = MODERN
    assert client.result("tools/list")["resultType"] == "complete"


@pytest.mark.parametrize(
    ("meta", "code"),
    [
        ({VERSION_KEY: "2030-01-01", CAPABILITIES_KEY: {}}, -32022),
        ({VERSION_KEY: MODERN}, -32602),
        ({VERSION_KEY: 7, CAPABILITIES_KEY: {}}, -32602),
    ],
)
def test_a_wrong_envelope_is_refused(plain, meta, code):
    assert plain.error("tools/list", _meta=meta)["code"] == code


def test_discovery_without_an_envelope_is_refused(plain):
    assert plain.error("server/discover")["code"] == -32602


@pytest.mark.parametrize("method", ["initialize", "ping", "logging/setLevel", "resources/subscribe"])
def test_the_newer_era_does_not_know_the_older_ones_methods(connect, method):
    assert connect(era=MODERN).error(method, protocolVersion="2025-11-25")["code"] == -32601


def test_a_ping_is_answered(plain):
    assert plain.result("ping") == {}


def test_the_instructions_fit_what_clients_show_and_say_when_to_search_and_store(connect):
    said = connect(era=MODERN).result("server/discover")["instructions"]
    assert len(said.encode()) <= 2_048
    assert "search_memories" in said
    assert "add_memory" in said


# --- messages that are none ---


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"{", -32700),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "x": NaN}', -32700),
        (b'"\xff\xfe"', -32700),
        (b"[" * 100_000, -32700),
        (b'{"a":' * 100_000, -32700),
        (b"[]", -32600),
        (b'[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]', -32600),
        (b"7", -32600),
        (b"null", -32600),
        (b'{"id": 1, "method": "ping"}', -32600),
        (b'{"jsonrpc": "1.0", "id": 1, "method": "ping"}', -32600),
        (b'{"jsonrpc": "2.0", "id": true, "method": "ping"}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1.5, "method": "ping"}', -32600),
        (b'{"jsonrpc": "2.0", "id": null, "method": "ping"}', -32600),
        (b'{"jsonrpc": "2.0", "id": {}, "method": "ping"}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": 7}', -32600),
    ],
)
def test_what_is_no_message_is_refused_and_the_next_is_answered(plain, raw, code):
    plain.say(raw + b"\n")
    assert plain.end(None)["error"]["code"] == code
    assert plain.result("ping") == {}


@pytest.mark.parametrize("params", [[], "x", 7, True])
def test_params_that_are_no_object_are_refused(plain, params):
    plain.send({"id": 99, "method": "tools/list", "params": params})
    assert plain.end(99)["error"]["code"] == -32602


def test_blank_lines_unknown_notices_and_answers_to_nothing_are_passed_over(plain):
    plain.say(b"\n  \r\n")
    plain.send({"method": "notifications/unheard/of", "params": {"x": 1}})
    plain.send({"method": "notifications/cancelled", "params": {"requestId": []}})
    plain.send({"id": "never-asked", "result": {}})
    assert plain.result("ping") == {}


def test_an_id_may_be_a_text_and_comes_back_as_it_was(plain):
    plain.send({"id": "ключ-1", "method": "ping"})
    assert plain.end("ключ-1")["result"] == {}


def test_an_unknown_method_and_an_unknown_tool_are_the_protocols_errors(client):
    assert client.error("tools/teleport")["code"] == -32601
    assert client.error("tools/call", name="teleport")["code"] == -32602
    assert client.error("tools/call", name=7)["code"] == -32602
    assert client.error("tools/call", name="get_memory", arguments=[])["code"] == -32602


def test_a_message_over_the_limit_is_refused_and_the_next_is_answered(plain, monkeypatch):
    monkeypatch.setattr("kept.mcp.stdio.MAX_LINE", 1_000)
    plain.result("ping")  # the reader takes the limit with its next line
    plain.say(b'{"pad": "' + b"x" * 5_000 + b'"}\n')
    assert plain.end(None)["error"]["code"] == -32600
    assert plain.result("ping") == {}


def test_five_megabytes_of_text_are_taken_or_refused_with_a_reason(plain):
    assert MAX_LINE > 5_000_000
    failed = plain.fail("add_memory", text="word " * 1_000_000)
    assert "characters" in failed["text"]
    kept = plain.call("add_memory", messages=[{"role": "user", "content": "A sentence of some length. " * 400}] * 2)
    assert kept["results"]


def test_half_a_character_in_a_text_breaks_nothing(plain):
    number = 77
    plain.say(
        b'{"jsonrpc":"2.0","id":77,"method":"tools/call","params":{"name":"add_memory","arguments":{"text":"half \\ud83d of it"}}}\n'
    )
    assert plain.end(number)["result"]["isError"] is False


# --- the listing ---


def test_the_everyday_tools_are_listed_in_their_order_and_hidden_ones_are_not(client):
    listed = [tool["name"] for tool in client.result("tools/list")["tools"]]
    assert listed == [tool.name for tool in EVERYDAY]
    assert not set(listed) & {"hook", *ALIASES}


def test_words_that_a_start_repeats_are_the_engines():
    assert {*STORED_OPTIONS, *KEPT_OPTIONS} == {*tools.ADD_OPTIONS} - {"infer", "idempotency_key"}
    assert tools.ENTITY_IDS == ENTITY_IDS
    assert tuple(ENTITY_TYPES) == resources.TYPES


def test_the_listing_of_the_everyday_tools_costs_less_than_2500_tokens():
    """By the tokenizer of the default embedder, and by what clients count: characters divided by four."""
    pieces = wordllama._load_tokenizer(wordllama._package_folder() / wordllama._TOKENIZER)
    listing = json.dumps([tool.listed() for tool in EVERYDAY], separators=(",", ":"))
    assert len(listing) / 4 < 2_500
    assert len(pieces.encode(listing).ids) < 2_500


@pytest.mark.parametrize("tool", EVERYDAY, ids=lambda tool: tool.name)
def test_each_tool_says_what_it_is_for_within_what_clients_show(tool):
    listed = tool.listed()
    assert 40 <= len(tool.description) <= 1_000
    assert listed["inputSchema"]["type"] == listed["outputSchema"]["type"] == "object"
    assert set(tool.required) <= set(tool.properties)
    assert not set(tool.also) & set(tool.properties)
    assert listed["annotations"]["openWorldHint"] is False


def test_the_hints_say_which_tools_read_and_which_hide_what_was_there():
    hints = {tool.name: tool.listed()["annotations"] for tool in EVERYDAY}
    reading = {name for name, hint in hints.items() if hint.get("readOnlyHint")}
    destructive = {name for name in hints.keys() - reading if hints[name].get("destructiveHint", True)}
    assert destructive == {"delete_memory", "delete_all_memories", "delete_entities"}
    assert hints.keys() - reading == destructive | {"add_memory", "update_memory", "store_interaction_summary", "undo"}
    asks = {tool.name for tool in EVERYDAY if tool.meta.get("anthropic/requiresUserInteraction")}
    assert asks == {"delete_all_memories", "delete_entities"}


def test_tools_can_be_chosen_by_name_tag_and_method():
    assert [tool.name for tool in select(["get_memory"])] == ["get_memory"]
    assert {tool.name for tool in select(["events"])} == {"list_events", "get_event_status"}
    assert all(tool.method == "read" for tool in select(["read"]))
    assert select(["all"]) == EVERYDAY
    with pytest.raises(ValueError, match="'everything'"):
        select(["everything"])


def test_the_inventory_is_asked_only_for_what_no_everyday_tool_is():
    extra = EVERYDAY[0]._replace(name="keys_list", method="read", tags=("keys",))
    assert extra not in select(["read", "memories"], lambda: [extra])
    assert select(["keys"], lambda: [extra]) == select(["keys_list"], lambda: [extra]) == (extra,)
    assert select(["keys", "get_memory"], lambda: [extra])[-1] == extra
    assert select(["all"], lambda: [extra]) == (*EVERYDAY, extra)


def test_a_tool_that_was_not_chosen_cannot_be_called_by_any_name(connect, backend):
    client = connect(Server(select(["events"]), lambda: backend))
    for name in [tool.name for tool in EVERYDAY] + list(ALIASES):
        answer = client.ask("tools/call", name=name, arguments={})
        assert ("error" in answer) == (name not in {"list_events", "get_event_status"}), name


def test_a_hidden_tool_is_called_and_its_result_is_handed_on(client):
    assert client.result("tools/call", name="hook", arguments={"event": "Stop"})["content"] == [{"event": "Stop"}]


# --- remember and recall ---


def test_what_is_added_is_found_at_once(client):
    kept = client.call("add_memory", text="Project Falcon is tested with pytest")
    assert kept["results"][0]["event"] == "ADD"
    hit = client.call("search_memories", query="test framework")["results"][0]
    assert hit.keys() == {"id", "memory", "score", "created_at"}
    assert hit["memory"] == "Project Falcon is tested with pytest"
    assert client.call("get_memory", memory_id=hit["id"])["user_id"] == "mira"


def test_answers_say_how_many_tokens_they_cost(client):
    client.call("add_memory", text="The deployment runs on Fridays")
    result = client.result("tools/call", name="search_memories", arguments={"query": "deployment"})
    assert 0 < result["_meta"][TOKENS_KEY] < 200


def test_details_are_there_on_demand(plain):
    plain.call("add_memory", text="Mira likes tea", metadata={"type": "user_preference"})
    short = plain.call("search_memories", query="tea")["results"][0]
    whole = plain.call("search_memories", query="tea", details=True)["results"][0]
    assert whole["metadata"] == {"type": "user_preference"}
    assert len(json.dumps(short)) < len(json.dumps(whole)) / 3
    assert plain.call("search_memories", query="tea", fields=["metadata"])["results"][0]["metadata"]


def test_a_new_memory_names_what_it_likely_contradicts(plain):
    (known,) = plain.call("add_memory", text="I live in Lisbon.")["results"]
    (added,) = plain.call("add_memory", text="I live in Porto now.")["results"]
    (conflict,) = added["conflicts"]
    assert (conflict["id"], conflict["newer"], conflict["why"]) == (known["id"], added["id"], "other value")
    assert "conflicts" not in known


def test_a_fact_that_no_longer_holds_is_marked_in_short_answers_too(plain, backend):
    kept = plain.call("add_memory", text="The office is in Porto")["results"][0]["id"]
    backend.access.invalidate(kept)
    assert plain.call("search_memories", query="office")["results"][0]["state"] == "invalidated"


def test_memories_belong_to_the_default_user_unless_somebody_is_named(plain):
    plain.call("add_memory", text="Mira owns a boat")
    plain.call("add_memory", text="Jonas owns a bicycle", user_id="jonas")
    plain.call("add_memory", text="The planner owns a calendar", agent_id="planner")

    def found(**scope) -> list[str]:
        return [hit["memory"] for hit in plain.call("search_memories", query="who owns what", **scope)["results"]]

    assert found() == ["Mira owns a boat"]
    assert found(user_id="jonas") == ["Jonas owns a bicycle"]
    assert found(filters={"AND": [{"user_id": "jonas"}]}) == ["Jonas owns a bicycle"]
    assert found(filters={"OR": [{"user_id": "jonas"}, {"agent_id": "planner"}]}) != []
    assert found(agent_id="planner") == ["The planner owns a calendar"]
    assert found(user_id="mira", filters={"user_id": "jonas"}) == []


@pytest.mark.parametrize("depth", [150, 450])
def test_a_filter_may_be_deep_and_is_refused_with_a_reason_when_it_is_too_deep(plain, depth):
    filters = {"user_id": "mira"}
    for _ in range(depth):
        filters = {"AND": [filters]}
    result = plain.result("tools/call", name="search_memories", arguments={"query": "x", "filters": filters})
    assert result["isError"] == (depth > 400)
    assert "went wrong inside" not in result["content"][0]["text"]


def test_ids_beside_the_filter_and_conditions_inside_it_must_both_hold(plain):
    plain.call("add_memory", text="We chose Postgres", metadata={"type": "decision"}, app_id="shop")
    plain.call("add_memory", text="We looked at Postgres", app_id="shop")
    wanted = {"AND": [{"metadata": {"type": "decision"}}]}
    found = plain.call("search_memories", query="Postgres", user_id="mira", app_id="shop", filters=wanted)["results"]
    assert [hit["memory"] for hit in found] == ["We chose Postgres"]


def test_pages_of_memories_can_be_read_to_the_end(plain):
    for number in range(12):
        plain.call("add_memory", text=f"Statement number {number}")
    first = plain.call("get_memories")
    second = plain.call("get_memories", page=first["next"])
    assert (first["count"], len(first["results"]), len(second["results"])) == (12, 10, 2)
    assert second["next"] is None
    assert len({memory["id"] for memory in first["results"] + second["results"]}) == 12


def test_other_servers_names_and_arguments_are_taken(plain):
    """OpenMemory's, mem0-mcp-selfhosted's, and what the hosted server takes that has no meaning here."""
    plain.call("add_memories", text="Falcon was written by Ada Lovelace", infer=True)
    assert plain.call("search_memory", query="Falcon", limit="5", rerank=True, enable_graph=False)["results"]
    listed = plain.call("list_memories", limit=3)["results"]
    assert plain.call("mcp_search_graph", query="ada")["results"][0]["name"] == "Ada Lovelace"
    assert plain.call("mcp_get_entity", name="Ada Lovelace")["memories"]
    plain.call("delete_memories", memory_ids=[listed[0]["id"]])
    assert plain.call("list_memories")["count"] == 0


def test_messages_win_over_text_and_infer_false_keeps_words_as_they_are(plain):
    said = [{"role": "user", "content": "ok so: the port is 8787, remember that please"}]
    kept = plain.call("add_memory", text="ignored", messages=said, infer=False)
    assert [one["memory"] for one in kept["results"]] == [said[0]["content"]]


def test_a_repeated_add_with_the_same_key_stores_once(plain):
    for _ in range(2):
        plain.call("add_memory", text="The cat is called Ines", idempotency_key="k1")
    assert plain.call("get_memories")["count"] == 1


def test_a_model_can_hand_over_finished_facts_and_say_what_they_replace(plain):
    old = plain.call("add_memory", facts=[{"text": "Falcon uses Redis"}])["results"][0]["id"]
    new = plain.call("add_memory", facts=[{"text": "Falcon uses Valkey", "supersedes": [old]}])
    assert new["superseded"] == [old]
    assert [one["memory"] for one in new["results"]] == ["Falcon uses Valkey"]
    past = plain.call("search_memories", query="what does Falcon use?")["results"][-1]
    assert (past["state"], past["replaced_by"]) == ("superseded", new["results"][0]["id"])


def test_a_context_is_a_block_under_its_budget(client):
    for number in range(30):
        client.call("add_memory", text=f"Falcon's service number {number} listens on port {9000 + number}")
    block = client.call("get_context", query="Which ports does Falcon use?", budget_tokens=200)
    assert 0 < block["tokens"] <= 200
    assert block["omitted"] > 0
    shown = client.result("tools/call", name="get_context", arguments={"query": "ports", "budget_tokens": 200})
    assert shown["content"][0]["text"] == shown["structuredContent"]["text"]


def test_what_is_known_of_a_user_comes_strongest_first_and_for_a_query_what_matters_for_it(plain):
    for text in ("Mira likes tea", "Mira likes tea", "Mira lives in Porto"):
        plain.call("add_memory", text=text)
    assert "tea" in plain.call("get_user_context", user_id="mira")["text"].splitlines()[1]
    assert "Porto" in plain.call("get_user_context", user_id="mira", query="where does she live")["text"]
    assert plain.call("get_user_context", user_id="nobody")["text"] == ""
    assert plain.call("get_user_context", user_id="mira")["by"] == "rules"


def test_a_summary_is_kept_word_for_word_and_can_be_told_from_statements(plain):
    summary = "We spoke of tests. Then of ports. Nothing was decided."
    kept = plain.call("store_interaction_summary", summary=summary)["results"][0]["id"]
    whole = plain.call("get_memory", memory_id=kept)
    assert (whole["memory"], whole["metadata"]) == (summary, {"type": "interaction_summary"})


def test_entities_are_found_by_a_part_of_their_name_with_what_they_are_connected_to(plain):
    plain.call("add_memory", text="Ada Lovelace reviews Project Falcon")
    plain.call(
        "add_memory",
        facts=[
            {
                "text": "Falcon depends on Redis",
                "relations": [{"source": "Falcon", "relationship": "depends_on", "target": "Redis"}],
            }
        ],
    )
    found = {entity["name"]: entity for entity in plain.call("search_graph", query="lovelace")["results"]}
    assert list(found) == ["Ada Lovelace"]
    redis = plain.call("get_entity", name="redis")
    assert [(one["source"], one["relationship"], one["target"]) for one in redis["relations"]] == [
        ("Falcon", "depends_on", "Redis")
    ]
    nobody = plain.call("get_entity", name="Nobody At All")
    assert nobody["memories"] == []
    assert "'Nobody At All'" in nobody["message"]
    assert "search_graph" in nobody["message"]


def test_entities_that_memories_are_stored_under_are_listed(plain):
    plain.call("add_memory", text="Jonas cycles", user_id="jonas", app_id="shop")
    listed = plain.call("list_entities")["results"]
    assert {(one["type"], one["name"]) for one in listed} == {("user", "jonas"), ("app", "shop")}


# --- change ---


def test_every_write_says_how_to_undo_it_and_undo_does(client):
    added = client.call("add_memory", text="The meeting is on Monday")
    memory = added["results"][0]["id"]
    updated = client.call("update_memory", memory_id=memory, text="The meeting is on Tuesday")
    deleted = client.call("delete_memory", memory_id=memory)
    for done in (added, updated, deleted):
        assert done["operation_id"] in done["undo"]
    client.call("undo", operation_id=deleted["operation_id"])
    client.call("undo", operation_id=updated["operation_id"])
    assert client.call("get_memory", memory_id=memory)["memory"] == "The meeting is on Monday"


def test_without_an_operation_the_last_write_is_undone(plain):
    plain.call("add_memory", text="The first")
    plain.call("add_memory", text="The second")
    plain.call("undo")
    assert [memory["memory"] for memory in plain.call("get_memories")["results"]] == ["The first"]


def test_the_history_of_a_memory_tells_who_changed_it(plain):
    memory = plain.call("add_memory", text="The port is 80")["results"][0]["id"]
    plain.call("update_memory", memory_id=memory, text="The port is 8787")
    steps = plain.call("get_memory_history", memory_id=memory[:8])["results"]
    assert [(step["event"], step["new_memory"]) for step in steps] == [
        ("ADD", "The port is 80"),
        ("UPDATE", "The port is 8787"),
    ]
    assert {(step["actor_id"], step["connector"]) for step in steps} == {("mira", "mcp")}


def test_an_expiration_can_be_set_and_cleared(plain):
    memory = plain.call("add_memory", text="The voucher is valid", expiration_date="2999-01-01")["results"][0]["id"]
    assert plain.call("get_memory", memory_id=memory)["expiration_date"] == "2999-01-01"
    plain.call("update_memory", memory_id=memory, expiration_date=None)
    assert "expiration_date" not in plain.call("get_memory", memory_id=memory)


# --- deleting much ---


def test_deleting_all_needs_a_scope_and_a_word(plain):
    plain.call("add_memory", text="Mira likes tea")
    for tool in ("delete_all_memories", "delete_entities"):
        assert "user_id" in plain.fail(tool)["text"]
        assert "1 memories" in plain.fail(tool, user_id="mira")["text"]
        assert plain.fail(tool, user_id="mira", confirm=False)["kept/code"] == "invalid-input"
    assert plain.call("get_memories")["count"] == 1


def test_all_memories_of_a_user_go_and_come_back(client):
    client.call("add_memory", text="Mira likes tea")
    client.call("add_memory", text="Jonas likes coffee", user_id="jonas")
    done = client.call("delete_all_memories", user_id="mira", confirm=True)
    assert (done["deleted"], done["status"]) == (1, "SUCCEEDED")
    assert client.call("get_memories")["count"] == 0
    assert client.call("get_memories", user_id="jonas")["count"] == 1
    client.call("undo", operation_id=done["operation_id"])
    assert client.call("get_memories")["count"] == 1


def test_an_entity_goes_with_its_memories(plain):
    plain.call("add_memory", text="Jonas cycles", user_id="jonas")
    plain.call("delete_entities", user_id="jonas", confirm=True)
    assert plain.call("list_entities")["results"] == []


@pytest.mark.parametrize("era", ["2025-11-25", MODERN])
@pytest.mark.parametrize(
    ("answer", "left"),
    [
        ({"action": "accept", "content": {"confirm": True}}, 0),
        ({"action": "accept", "content": {"confirm": False}}, 1),
        ({"action": "decline"}, 1),
        ({"action": "cancel"}, 1),
        ({}, 1),
    ],
)
def test_where_the_client_can_ask_its_user_decides(connect, era, answer, left):
    client = connect(era=era, capabilities={"elicitation": {"form": {}, "url": {}}})
    client.call("add_memory", text="Mira likes tea")
    asked = []

    def answered(message: dict) -> dict:
        asked.append(message["params"])
        return answer

    client.answer = answered
    arguments = {"user_id": "mira", "confirm": True}
    result = client.result("tools/call", name="delete_all_memories", arguments=arguments)
    if era == MODERN:
        assert result["resultType"] == "input_required"
        question = result["inputRequests"]["confirm"]
        assert question["method"] == "elicitation/create"
        asked.append(question["params"])
        given = {"inputResponses": {"confirm": answer}, "requestState": result["requestState"]}
        result = client.result("tools/call", name="delete_all_memories", arguments=arguments, **given)
    assert "1 memories of user_id mira" in asked[0]["message"]
    assert result["isError"] == bool(left)
    assert client.call("get_memories")["count"] == left


def test_a_question_ends_with_its_call(connect):
    client = connect(capabilities={"elicitation": {}})
    client.call("add_memory", text="Mira likes tea")
    asking = client.begin("tools/call", name="delete_all_memories", arguments={"user_id": "mira", "confirm": True})
    question = client.messages.get(timeout=WITHIN_S)
    client.send({"method": "notifications/cancelled", "params": {"requestId": asking}})
    client.connection.drain(WITHIN_S)
    client.send({"id": question["id"], "result": {"action": "accept", "content": {"confirm": True}}})
    assert client.call("get_memories")["count"] == 1


def test_an_answer_holds_only_for_what_was_asked(connect):
    client = connect(era=MODERN, capabilities={"elicitation": {}})
    client.call("add_memory", text="Mira likes tea")
    asked = client.result("tools/call", name="delete_all_memories", arguments={"user_id": "jonas", "confirm": True})
    given = {
        "inputResponses": {"confirm": {"action": "accept", "content": {"confirm": True}}},
        "requestState": asked["requestState"],
    }
    again = client.result(
        "tools/call", name="delete_all_memories", arguments={"user_id": "mira", "confirm": True}, **given
    )
    assert again["resultType"] == "input_required"
    assert client.call("get_memories")["count"] == 1


# --- what goes wrong ---


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("get_memory", {"memory_id": "00000000-0000-0000-0000-000000000000"}, "search_memories"),
        ("get_memory", {}, "memory_id"),
        ("search_memories", {"query": "  "}, "blank"),
        ("search_memories", {"query": "x", "filters": {"user": "mira"}}, "user_id"),
        ("search_memories", {"query": "x", "top_k": 0}, "from 1 to 1000"),
        ("search_memories", {"query": "x", "colour": "red"}, "it takes"),
        ("search_memories", {"query": {"a": 1}}, "a text"),
        ("add_memory", {}, "nothing to remember"),
        ("add_memory", {"text": "x", "user_id": "*"}, "cannot be stored"),
        ("update_memory", {"memory_id": "00000000-0000-0000-0000-000000000000", "text": "x"}, "search_memories"),
        ("delete_memory", {}, "memory_id"),
        ("get_event_status", {"event_id": "x"}, "no such event"),
        ("list_events", {"status": "DONE"}, "SUCCEEDED"),
        ("list_events", {"event_type": "EXPORT"}, "DELETE_ALL"),
        ("undo", {"operation_id": "x"}, "operation"),
        ("get_context", {"query": "x", "budget_tokens": -1}, "budget_tokens"),
    ],
)
def test_an_error_says_what_would_be_right(plain, tool, arguments, said):
    assert said in plain.fail(tool, **arguments)["text"]


def test_a_limit_of_another_server_is_passed_on_with_its_value(connect, backend, monkeypatch):
    def limited(*_, **__):
        error = RateLimitError("This key may make 60 requests a minute.", retry_after_s=17)
        error.limits = {"X-RateLimit-Limit": "60"}
        raise error

    monkeypatch.setattr(backend, "search", limited)
    failed = connect().fail("search_memories", query="x")
    assert failed["kept/retry_after_s"] == 17
    assert failed["kept/x-ratelimit-limit"] == "60"
    assert "17 s" in failed["text"]


def test_what_nobody_foresaw_names_no_detail_and_the_server_goes_on(connect, backend, monkeypatch, caplog):
    def broken(*_, **__):
        raise ZeroDivisionError("the secret is 42")

    monkeypatch.setattr(backend, "search", broken)
    client = connect()
    failed = client.fail("search_memories", query="x")
    assert "ZeroDivisionError" in failed["text"]
    assert "42" not in failed["text"]
    assert client.call("get_memories")["count"] == 0
    assert [record.kept["call"] for record in caplog.records] == ["search_memories"]


@pytest.mark.usefixtures("caplog")
def test_what_nobody_foresaw_outside_of_a_tool_is_the_protocols_error_and_the_server_goes_on(
    connect, backend, monkeypatch
):
    def broken(*_, **__):
        raise ZeroDivisionError("the secret is 42")

    monkeypatch.setattr(backend, "page", broken)
    client = connect(Server(EVERYDAY, lambda: backend, {"hook": broken}))
    for method, params in (("resources/list", {}), ("tools/call", {"name": "hook"})):
        error = client.error(method, **params)
        assert error["code"] == -32603
        assert "42" not in error["message"]
    assert client.call("list_entities")["results"] == []


def test_a_store_that_could_not_be_opened_is_tried_again_by_the_next_call(connect, backend):
    attempts = []

    def open_(*_):
        attempts.append(1)
        if len(attempts) == 1:
            raise StoreBusyError
        return backend

    client = connect(Server(EVERYDAY, open_))
    assert "again" in client.fail("get_memories")["text"]
    assert client.call("get_memories")["count"] == 0


# --- calls beside each other ---


class Gate:
    """Holds calls until it is opened."""

    def __init__(self, backend) -> None:
        self.opened = threading.Event()
        self.entered = SimpleQueue()
        self._get = backend.get
        self._wait = backend.page

    def get(self, memory_id):
        self.entered.put(memory_id)
        assert self.opened.wait(WITHIN_S)
        return {"id": memory_id, "memory": "late"}


def test_a_slow_call_holds_up_no_other(connect, backend, monkeypatch):
    gate = Gate(backend)
    monkeypatch.setattr(backend, "get", gate.get)
    client = connect()
    slow = client.begin("tools/call", name="get_memory", arguments={"memory_id": "slow"})
    gate.entered.get(timeout=WITHIN_S)
    assert client.call("get_memories")["count"] == 0
    gate.opened.set()
    assert client.end(slow)["result"]["structuredContent"]["memory"] == "late"


def test_many_interleaved_calls_each_get_their_own_answer(plain):
    numbers = {
        plain.begin("tools/call", name="add_memory", arguments={"text": f"Fact {n}", "infer": False}): n
        for n in range(40)
    }
    for number, n in reversed(numbers.items()):
        assert plain.end(number)["result"]["structuredContent"]["results"][0]["memory"] == f"Fact {n}"
    assert plain.call("get_memories")["count"] == 40


def test_a_cancelled_call_is_not_answered(connect, backend, monkeypatch):
    gate = Gate(backend)
    monkeypatch.setattr(backend, "get", gate.get)
    client = connect()
    slow = client.begin("tools/call", name="get_memory", arguments={"memory_id": "slow"})
    gate.entered.get(timeout=WITHIN_S)
    client.send({"method": "notifications/cancelled", "params": {"requestId": slow, "reason": "too slow"}})
    client.result("ping")
    gate.opened.set()
    client.connection.drain(WITHIN_S)
    assert client.messages.empty()


def test_an_id_that_is_still_going_on_cannot_be_used_again(connect, backend, monkeypatch):
    gate = Gate(backend)
    monkeypatch.setattr(backend, "get", gate.get)
    client = connect()
    slow = client.begin("tools/call", name="get_memory", arguments={"memory_id": "slow"})
    gate.entered.get(timeout=WITHIN_S)
    client.send({"id": slow, "method": "tools/call", "params": {"name": "get_memories"}})
    assert client.end(slow)["error"]["code"] == -32600
    gate.opened.set()
    assert "result" in client.end(slow)


def test_a_long_deletion_tells_of_its_progress_and_gives_its_event_when_it_takes_too_long(
    connect, backend, monkeypatch
):
    monkeypatch.setattr(backend, "_work", None)  # nobody does what was acknowledged
    monkeypatch.setattr("kept.mcp.local.WAIT_S", 0.05)
    client = connect()
    client.call("add_memory", text="Mira likes tea")
    arguments = {"user_id": "mira", "confirm": True}
    result = client.result("tools/call", name="delete_all_memories", arguments=arguments, _meta={"progressToken": "p1"})
    assert result["structuredContent"]["status"] == "PENDING"
    assert {notice["params"]["progressToken"] for notice in client.notices} == {"p1"}
    done = [notice["params"]["progress"] for notice in client.notices]
    assert done == sorted(set(done))
    event = client.call("get_event_status", event_id=result["structuredContent"]["event_id"])
    assert event["status"] == "PENDING"
    assert client.call("list_events", event_type="DELETE_ALL")["results"][0]["id"] == event["id"]


# --- prompts, resources, completion ---


def test_prompts_are_listed_and_made_with_their_arguments(client):
    listed = client.result("prompts/list")["prompts"]
    assert [prompt["name"] for prompt in listed] == ["remember", "recall", "review", "memory_assistant"]
    made = client.result("prompts/get", name="recall", arguments={"topic": "Project Falcon"})
    assert "Project Falcon" in made["messages"][0]["content"]["text"]
    assert client.result("prompts/get", name="memory_assistant")["messages"][0]["content"]["text"] == guide.INSTRUCTIONS
    assert client.error("prompts/get", name="recall")["code"] == -32602
    assert client.error("prompts/get", name="dance")["code"] == -32602
    assert client.error("prompts/get", name="recall", arguments={"topic": 7})["code"] == -32602


def test_memories_contexts_and_entities_can_be_read_by_address(client):
    memory = client.call("add_memory", text="Falcon listens on port 8787")["results"][0]["id"]
    templates = client.result("resources/templates/list")["resourceTemplates"]
    assert [one["uriTemplate"] for one in templates] == [
        "kept://memory/{id}",
        "kept://context{?query}",
        "kept://entity/{type}/{id}",
    ]
    assert client.result("resources/list")["resources"][0]["uri"] == f"kept://memory/{memory}"

    def read(uri: str) -> str:
        content = client.result("resources/read", uri=uri)["contents"][0]
        assert content["uri"] == uri
        return content["text"]

    assert json.loads(read(f"kept://memory/{memory}"))["memory"] == "Falcon listens on port 8787"
    assert "8787" in read("kept://context?query=which%20port")
    assert "8787" in read("kept://context")
    assert json.loads(read("kept://entity/user/mira"))["total_memories"] == 1


@pytest.mark.parametrize(
    "uri",
    [
        "kept://memory/00000000-0000-0000-0000-000000000000",
        "kept://nowhere",
        "file:///etc/passwd",
        "kept://entity/x/y",
        "::",
    ],
)
def test_an_address_of_nothing_is_an_error_of_the_era(connect, uri):
    assert connect().error("resources/read", uri=uri)["code"] == -32002
    assert connect(era=MODERN).error("resources/read", uri=uri)["code"] == -32602


def test_resources_come_in_pages_by_cursor(plain):
    said = [{"role": "user", "content": f"Fact number {number}"} for number in range(60)]
    plain.call("add_memory", messages=said, infer=False)
    first = plain.result("resources/list")
    second = plain.result("resources/list", cursor=first["nextCursor"])
    assert (len(first["resources"]), len(second["resources"])) == (50, 10)
    assert "nextCursor" not in second
    for cursor in ("page-0", "page--1", "elsewhere", "page-99999999999999999999", 7):
        assert plain.error("resources/list", cursor=cursor)["code"] == -32602


def test_ids_types_and_names_are_completed(client):
    memory = client.call("add_memory", text="Ada Lovelace reviews Falcon")["results"][0]["id"]

    def complete(ref: dict, name: str, value: str, **known) -> list[str]:
        context = {"context": {"arguments": known}} if known else {}
        return client.result("completion/complete", ref=ref, argument={"name": name, "value": value}, **context)[
            "completion"
        ]["values"]

    of_memory = {"type": "ref/resource", "uri": "kept://memory/{id}"}
    of_entity = {"type": "ref/resource", "uri": "kept://entity/{type}/{id}"}
    assert complete(of_memory, "id", memory[:4]) == [memory]
    assert complete(of_entity, "type", "a") == ["agent", "app"]
    assert complete(of_entity, "id", "m", type="user") == ["mira"]
    assert complete(of_entity, "id", "m", type="app") == []
    assert complete({"type": "ref/prompt", "name": "review"}, "user_id", "") == ["mira"]
    assert complete({"type": "ref/prompt", "name": "recall"}, "topic", "Ada") == ["Ada Lovelace"]
    assert client.error("completion/complete", ref={"type": "x"}, argument={"name": "a", "value": ""})["code"] == -32602
