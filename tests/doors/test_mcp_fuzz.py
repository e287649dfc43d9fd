"""Whatever comes over the pipe, every request has one answer and nothing else has one."""

from __future__ import annotations

import json
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from kept.errors import StoreBusyError
from kept.mcp.schema import check
from kept.mcp.server import CAPABILITIES_KEY, VERSION_KEY, Server
from kept.mcp.stdio import Connection
from kept.mcp.tools import ALIASES, EVERYDAY

WITHIN_S = 10
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
METHODS = [*Server((), lambda: None).methods, "initialize", "ping", "server/discover", "notifications/cancelled", "x"]
NAMES = st.sampled_from([tool.name for tool in EVERYDAY] + [*ALIASES, "x"])
ARGUMENTS = st.dictionaries(
    st.sampled_from(sorted({name for tool in EVERYDAY for name in tool.properties})), JSON, max_size=3
)
META = st.fixed_dictionaries(
    {}, optional={VERSION_KEY: st.just("2026-07-28") | JSON, CAPABILITIES_KEY: JSON, "progressToken": JSON}
)
PARAMS = JSON | st.fixed_dictionaries(
    {},
    optional={
        "name": NAMES | JSON,
        "arguments": ARGUMENTS | JSON,
        "cursor": JSON,
        "uri": st.just("kept://context") | JSON,
        "ref": JSON,
        "argument": JSON,
        "requestId": JSON,
        "protocolVersion": JSON,
        "capabilities": JSON,
        "inputResponses": JSON,
        "_meta": META | JSON,
    },
)
MESSAGES = JSON | st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0"), "method": st.sampled_from(METHODS), "id": st.integers(0, 10_000)},
    optional={"params": PARAMS},
)


def closed() -> None:
    raise StoreBusyError


def answers_to(lines: list[bytes]) -> list[dict]:
    sent: list[dict] = []
    connection = Connection(Server(EVERYDAY, closed), lambda data: sent.append(json.loads(data)))
    connection.serve(lines)
    connection.drain(WITHIN_S)
    return [message for message in sent if "method" not in message]


@settings(max_examples=150)
@given(st.lists(MESSAGES, max_size=6))
def test_every_request_has_one_answer_and_nothing_else_has_one(messages):
    wanted: Counter = Counter()
    for message in messages:
        if not isinstance(message, dict) or "jsonrpc" not in message:
            wanted[None] += 1
        else:
            wanted[message["id"]] += 1
    found = answers_to([json.dumps(message).encode() for message in messages])
    assert Counter(message["id"] for message in found) == wanted
    assert all(("result" in message) != ("error" in message) for message in found)


@settings(max_examples=150)
@given(st.binary(max_size=60))
def test_bytes_that_are_no_message_have_one_error_or_are_blank(raw):
    found = answers_to([raw.replace(b"\n", b" ")])
    assert len(found) == bool(raw.replace(b"\n", b" ").strip())
    assert all(message["error"]["code"] in {-32700, -32600} for message in found)


@settings(max_examples=100)
@given(st.sampled_from(EVERYDAY), ARGUMENTS | JSON)
def test_arguments_come_out_as_the_schema_has_them_or_not_at_all(tool, raw):
    """What was checked once is right when it is checked again."""
    properties = {**tool.also, **tool.properties}
    try:
        once = check(raw, properties, tool.required, tool=tool.name)
    except ValueError:
        return
    assert check(once, properties, tool.required, tool=tool.name) == once
