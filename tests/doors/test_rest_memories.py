"""Memories over REST: three dialects with their own shapes and defaults, one meaning."""

from __future__ import annotations

import uuid

import pytest

NEVER = str(uuid.UUID(int=5))
EVERYBODY = {"OR": [{name: "*"} for name in ("user_id", "agent_id", "app_id", "run_id")]}
MEMORY = {
    "id", "memory", "user_id", "agent_id", "app_id", "run_id", "session_id", "metadata", "categories", "created_at",
    "updated_at", "expiration_date", "structured_attributes", "replaced_by", "synthesized", "lifecycle_state", "hash",
}  # fmt: skip


def said(text="I like tea", **fields):
    """A body that hands a text over."""
    return {"messages": [{"role": "user", "content": text}], "user_id": "alice", **fields}


# --- add ---


def test_an_add_is_acknowledged_in_the_shape_of_its_dialect(api, tenant):
    """v3 an object, v1 an array, and an envelope where v1.1 is asked for."""
    added = api.answer("POST", "/v3/memories/add/", tenant.key, json=said())
    assert added.keys() >= {"event_id", "status", "message"}
    assert added["status"] == "PENDING"
    (old,) = api.answer("POST", "/v1/memories/", tenant.key, json=said())
    assert old.keys() == added.keys()
    wrapped = api.answer("POST", "/v1/memories/", tenant.key, json=said(output_format="v1.1", version="v2"))
    assert wrapped["relations"] == []
    assert wrapped["results"][0]["status"] == "PENDING"


def test_verbatim_is_stored_at_once_one_memory_for_each_message(api, tenant):
    """System messages are left out; the texts stand where Mem0's clients look for them."""
    messages = [{"role": role, "content": f"of the {role}"} for role in ("system", "user", "assistant")]
    added = api.answer("POST", "/v3/memories/add/", tenant.key, json=said(messages=messages, infer=False))
    assert added["status"] == "SUCCEEDED"
    assert [result["data"]["memory"] for result in added["results"]] == ["of the user", "of the assistant"]
    assert sorted(tenant.texts()) == ["of the assistant", "of the user"]


def test_v1_waits_where_it_is_told_to(api, tenant):
    (stored,) = api.answer("POST", "/v1/memories/", tenant.key, json=said(async_mode=False))
    assert (stored["event"], stored["memory"]) == ("ADD", "I like tea")


def test_ids_of_an_add_may_stand_inside_filters(api, tenant):
    """There Mem0's typed options put them; those at the top count more."""
    body = {
        "messages": "I like tea",
        "infer": False,
        "filters": {"user_id": "bob", "agent_id": "a1"},
        "user_id": "alice",
    }
    (stored,) = api.answer("POST", "/v3/memories/add/", tenant.key, json=body)["results"]
    found = api.get(f"/v1/memories/{stored['id']}/", tenant.key)
    assert (found["user_id"], found["agent_id"]) == ("alice", "a1")


def test_an_add_that_is_sent_again_is_one(api, tenant):
    """By its key, in whatever project it was used before."""
    header, other = {"Idempotency-Key": "the same"}, api.make_project()
    events = {
        api.answer("POST", "/v3/memories/add/", tenant.key, json=said(), headers=header)["event_id"] for _ in range(3)
    }
    events |= {api.answer("POST", "/v3/memories/add/", other.key, json=said(), headers=header)["event_id"]}
    api.work()
    assert len(events) == 2
    assert tenant.texts() == other.texts() == ["I like tea"]


@pytest.mark.parametrize("infer", [True, False])
def test_a_key_that_was_used_for_something_else_is_refused_and_loses_nothing_unsaid(api, tenant, infer):
    header = {"Idempotency-Key": f"reused-{infer}"}
    texts = ("I like tea", "I like milk")
    first, second = (
        api.ask("POST", "/v3/memories/add/", key=tenant.key, json=said(text, infer=infer), headers=header)
        for text in texts
    )
    assert (first.status_code, second.status_code, second.json()["code"]) == (200, 409, "conflict")
    api.work()
    again = api.answer("POST", "/v3/memories/add/", tenant.key, json=said(texts[0], infer=infer), headers=header)
    assert again["event_id"] == first.json()["event_id"]
    assert tenant.texts() == ["I like tea"]


@pytest.mark.parametrize(
    "body",
    [
        {"messages": "x"}, {"messages": "x", "user_id": "*"}, {"messages": "x", "user_id": " "}, said(messages=[]), {"user_id": "a"},
        said(messages=5), said(timestamp="soon"), said(expiration_date="never"), said(metadata=[1]), said(infer="perhaps"),
        said(messages=[{"role": "user"}]), said(custom_categories=["bare"]),
    ],
)  # fmt: skip
def test_what_cannot_be_remembered_is_refused_and_kept_nowhere(api, tenant, body):
    assert api.ask("POST", "/v3/memories/add/", key=tenant.key, json=body).status_code == 400
    assert api.get("/v1/events/", tenant.key)["count"] == 0


def test_unknown_keys_of_a_body_are_ignored(api, tenant):
    """Mem0's clients send whatever they are given."""
    strange = {"enable_graph": True, "source": "CLI", "org_id": "x", "unheard_of": {"a": [1]}}
    tenant.say("I like tea")
    for path, body in (
        ("/v3/memories/add/", said(**strange)),
        ("/v3/memories/search/", {"query": "tea", "filters": {"user_id": "alice"}, "keyword_search": True, **strange}),
        ("/v3/memories/", {"filters": {"user_id": "alice"}, **strange}),
    ):
        api.answer("POST", path, tenant.key, json=body)


# --- list and search ---


def test_each_dialect_lists_in_its_own_shape(api, tenant):
    """v3 always an envelope, v2 an array, v1 an array unless page and size are given."""
    ids = tenant.say(*(f"number {number}" for number in range(5)))[::-1]
    envelope = api.answer(
        "POST", "/v3/memories/?page=2&page_size=2", tenant.key, json={"filters": {"user_id": "alice"}}
    )
    assert ([one["id"] for one in envelope["results"]], envelope["count"]) == (ids[2:4], 5)
    assert "page=3" in envelope["next"]
    assert "page=1" in envelope["previous"]
    assert envelope["results"][0].keys() >= MEMORY
    array = api.answer(
        "POST", "/v2/memories/", tenant.key, json={"filters": {"user_id": "alice"}, "page": 2, "page_size": 2}
    )
    assert [one["id"] for one in array] == ids[2:4]
    assert [one["id"] for one in api.answer("GET", "/v1/memories/?user_id=alice&limit=2", tenant.key)] == ids[:2]
    wrapped = api.answer("GET", "/v1/memories/?user_id=alice&page=1&page_size=2", tenant.key)
    assert [one["id"] for one in wrapped["results"]] == ids[:2]
    capped = api.answer("POST", "/v3/memories/", tenant.key, json={"filters": {"user_id": "alice"}, "top_k": 2})
    assert [one["id"] for one in capped["results"]] == ids[:2]


def test_a_page_address_can_be_followed(api, tenant):
    """It keeps what else was asked for, so that pages walk every memory once; a large size is brought down."""
    ids = tenant.say(*(f"number {number}" for number in range(5)))[::-1]
    walked, place = [], "/v1/memories/?user_id=alice&page=1&page_size=2&fields=memory"
    while place:
        page = api.answer("GET", place, tenant.key)
        walked += [one["id"] for one in page["results"]]
        assert page["results"][0].keys() == {"id", "memory"}
        place = page["next"]
    assert walked == ids
    body = {"filters": {"user_id": "alice"}}
    assert len(api.answer("POST", "/v3/memories/?page_size=100000", tenant.key, json=body)["results"]) == 5


def test_a_page_past_the_end_is_empty_in_v3_and_missing_in_v1(api, tenant):
    tenant.say("I like tea")
    for page in (2, 10**9, 10**30):
        body = {"filters": {"user_id": "alice"}}
        assert api.answer("POST", f"/v3/memories/?page={page}", tenant.key, json=body)["results"] == []
    missing = api.ask("GET", "/v1/memories/?user_id=alice&page=2&page_size=5", key=tenant.key)
    assert (missing.status_code, missing.json()["detail"]) == (404, "Invalid page.")


def test_each_dialect_searches_in_its_own_shape(api, tenant):
    (memory_id,) = tenant.say("I like green tea", run_id="r1")
    body = {"query": "tea", "filters": {"user_id": "alice"}}
    (hit,) = api.answer("POST", "/v3/memories/search/", tenant.key, json=body)["results"]
    assert (hit["id"], hit["run_id"], hit["session_id"]) == (memory_id, "r1", "r1")
    assert 0 < hit["score"] <= 1
    assert api.answer("POST", "/v2/memories/search/", tenant.key, json=body) == [hit]
    old = {"query": "tea", "user_id": "alice"}
    assert api.answer("POST", "/v1/memories/search/", tenant.key, json=old) == [hit]
    wrapped = api.answer("POST", "/v1/memories/search/", tenant.key, json=old | {"output_format": "v1.1"})
    relations = [{"source": "alice", "relationship": "likes", "target": "green tea"}]
    assert wrapped == {"results": [hit], "relations": relations}
    (explained,) = api.answer(
        "POST",
        "/v3/memories/search/",
        tenant.key,
        json=body | {"explain": True, "fields": ["memory", "score_breakdown"]},
    )["results"]
    assert explained.keys() == {"id", "memory", "score_breakdown"}


def test_where_a_project_wants_it_what_nobody_asked_for_ranks_lower(api, tenant):
    """What was said a year ago and not found since has lost nearly all that it can; once it is found it has it again."""
    said = {"messages": ["I like green tea"], "user_id": "alice", "infer": False, "timestamp": 1_735_700_000}
    api.answer("POST", "/v3/memories/add/", tenant.key, json=said)
    body = {"query": "green tea", "filters": {"user_id": "alice"}, "explain": True}

    def found():
        (hit,) = api.answer("POST", "/v3/memories/search/", tenant.key, json=body)["results"]
        api.app.state.platform.trail.flush()
        return hit["score"], hit["score_breakdown"].get("decay")

    as_ever = found()
    assert as_ever[1] is None
    api.answer("PATCH", tenant.path, tenant.key, json={"decay": True})
    (score, factor), (again, full) = found(), found()
    assert score == pytest.approx(as_ever[0] * factor, abs=1e-4)
    assert 0.3 <= factor < 0.35
    assert full == pytest.approx(1.5, abs=0.01)
    assert again > as_ever[0] > score
    api.answer("PATCH", tenant.path, tenant.key, json={"decay": False})
    assert found() == as_ever


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_a_wish_for_reranking_is_passed_over_where_there_is_no_reranker(api, tenant, version):
    """Mem0's platform always has one, and its clients ask for it."""
    tenant.say("I like tea")
    who = {"user_id": "alice"} if version == "v1" else {"filters": {"user_id": "alice"}}
    plain = api.answer("POST", f"/{version}/memories/search/", tenant.key, json={"query": "tea", **who})
    asked = {"query": "tea", "rerank": True, **who}
    assert api.answer("POST", f"/{version}/memories/search/", tenant.key, json=asked) == plain


@pytest.mark.parametrize("path", ["/v3/memories/", "/v3/memories/search/"])
def test_v3_takes_ids_inside_filters_only(api, tenant, path):
    """Beside them one might be overlooked; the message says where it belongs."""
    answer = api.ask(
        "POST", path, key=tenant.key, json={"query": "x", "user_id": "alice", "filters": {"user_id": "alice"}}
    )
    assert answer.status_code == 400
    assert "inside filters" in answer.json()["detail"]


@pytest.mark.parametrize(
    "filters",
    [
        None, {}, {"OR": []}, {"planet": "earth"}, {"categories": {"in": ["a"]}}, {"NOT": {"user_id": "alice"}}, [], "x", 5,
        {"user_id": {"nin": ["a"]}}, {"user_id": {">": "a"}}, {"created_at": {"gte": "soon"}, "user_id": "a"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/v3/memories/", "/v3/memories/search/", "/v2/memories/", "/v2/memories/search/"])
def test_a_read_that_names_nobody_or_filters_wrongly_is_refused(api, tenant, path, filters):
    answer = api.ask("POST", path, key=tenant.key, json={"query": "x", "filters": filters})
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_an_unknown_filter_is_answered_with_those_that_are_known(api, tenant):
    answer = api.ask("POST", "/v3/memories/", key=tenant.key, json={"filters": {"user_id": "a", "planet": "earth"}})
    for known in ("AND", "OR", "NOT", "user_id", "created_at", "keywords", "memory_ids"):
        assert known in answer.json()["detail"]


def test_v1_says_which_ids_it_wants_in_an_array(api, tenant):
    answer = api.ask("GET", "/v1/memories/", key=tenant.key)
    assert answer.status_code == 400
    assert answer.json() == ["One of the filters: app_id, user_id, agent_id, run_id is required!"]


def test_filters_may_be_as_deep_as_two_hundred(api, tenant):
    (memory_id,) = tenant.say("I like tea")
    filters = {"user_id": "alice"}
    for level in range(200):
        filters = {"AND" if level % 2 else "OR": [filters]}
    found = api.answer("POST", "/v3/memories/", tenant.key, json={"filters": filters})
    assert [one["id"] for one in found["results"]] == [memory_id]
    for _ in range(100_000):
        filters = '{"AND":[' if isinstance(filters, dict) else filters
    deep = '{"filters":' + '{"AND":[' * 100_000 + '{"user_id":"alice"}' + "]}" * 100_000 + "}"
    answer = api.ask(
        "POST", "/v3/memories/", key=tenant.key, content=deep.encode(), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400


# --- one memory ---


def test_one_memory_is_read_changed_and_deleted(api, tenant):
    (memory_id,) = tenant.say("I like tea", metadata={"a": 1})
    path = f"/v1/memories/{memory_id}/"
    changed = api.answer(
        "PUT", path, tenant.key, json={"text": "I love tea", "metadata": {"b": 2}, "expiration_date": "2999-01-01"}
    )
    assert (changed["memory"], changed["metadata"], changed["expiration_date"]) == (
        "I love tea",
        {"a": 1, "b": 2},
        "2999-01-01",
    )
    assert api.answer("PUT", path, tenant.key, json={"expiration_date": None})["expiration_date"] is None
    assert api.get(path, tenant.key).keys() >= MEMORY
    assert [step["event"] for step in api.get(f"{path}history/", tenant.key)] == ["ADD", "UPDATE", "UPDATE"]
    assert "message" in api.answer("DELETE", path, tenant.key)
    assert api.ask("GET", path, key=tenant.key).status_code == 404
    api.answer("POST", f"{path}restore/", tenant.key)
    assert api.get(path, tenant.key)["memory"] == "I love tea"


MEMORY_ROUTES = [
    ("GET", ""), ("PUT", ""), ("DELETE", ""), ("GET", "history/"), ("POST", "restore/"), ("POST", "invalidate/"), ("POST", "erase/"),
]  # fmt: skip


def test_a_memory_tells_what_it_mentions_and_states(api, tenant):
    (stored,) = api.answer("POST", "/v3/memories/add/", tenant.key, json=said("Tom uses Postgres.", infer=False))[
        "results"
    ]
    found = api.get(f"/v1/memories/{stored['id']}/", tenant.key)
    assert [one["name"] for one in found["entities"]] == ["Tom", "Postgres"]
    assert found["relations"] == [{"source": "Tom", "relationship": "uses", "target": "Postgres"}]


@pytest.mark.parametrize(("method", "more"), MEMORY_ROUTES)
@pytest.mark.parametrize("memory_id", ["5", "x" * 5_000, "a%2Fb", "%00", "'%20OR%201=1", "history", f"{NEVER}x"])
def test_a_malformed_id_is_no_unknown_one(api, tenant, method, more, memory_id):
    """400 for what cannot be an id, 404 for what is none of yours."""
    body = {"text": "x"} if method != "GET" else None
    assert api.ask(method, f"/v1/memories/{memory_id}/{more}", key=tenant.key, json=body).status_code == 400
    assert api.ask(method, f"/v1/memories/{NEVER}/{more}", key=tenant.key, json=body).status_code == 404


def test_linked_memories_go_along_where_they_are_asked_to(api, tenant):
    (old,) = api.answer("POST", "/v3/memories/add/", tenant.key, json={"facts": ["Lives in Oslo"], "user_id": "a"})[
        "results"
    ]
    newer = {"facts": [{"text": "Lives in Bergen", "supersedes": [old["id"]]}], "user_id": "a"}
    new = api.answer("POST", "/v3/memories/add/", tenant.key, json=newer)["results"][0]
    assert api.get(f"/v1/memories/{old['id']}/", tenant.key)["replaced_by"] == new["id"]
    asked = {"query": "who lives in Oslo?", "filters": {"user_id": "a"}}
    hits = api.answer("POST", "/v3/memories/search/", tenant.key, json=asked)["results"]
    assert {hit["id"]: hit["replaced_by"] for hit in hits} == {old["id"]: new["id"], new["id"]: None}
    deleted = api.answer("DELETE", f"/v1/memories/{new['id']}/?delete_linked=true", tenant.key)
    assert deleted["cascade_count"] == 1
    assert tenant.texts() == []


def test_immutable_memories_are_not_changed(api, tenant):
    (memory_id,) = tenant.say("I like tea", immutable=True)
    assert api.ask("PUT", f"/v1/memories/{memory_id}/", key=tenant.key, json={"text": "x"}).status_code == 409


# --- several ---


def test_batches_change_and_delete_together(api, tenant):
    ids = tenant.say("one", "two", "three")
    changes = {"memories": [{"memory_id": ids[0], "text": "ONE"}, {"memory_id": ids[1], "metadata": {"a": 1}}]}
    changed = api.answer("PUT", "/v1/batch/", tenant.key, json=changes)
    assert changed["message"] == "Successfully updated 2 memories"
    api.answer("POST", "/v1/undo/", tenant.key, json={"operation_id": changed["operation_id"]})
    assert sorted(tenant.texts()) == ["one", "three", "two"]
    gone = {"memories": [{"memory_id": memory_id} for memory_id in ids[:2]]}
    assert api.answer("DELETE", "/v1/batch/", tenant.key, json=gone)["message"] == "Successfully deleted 2 memories"
    assert tenant.texts() == ["three"]


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"text": "  "}, 400), ({"metadata": 5}, 400), ({}, 400), ({"metadata": {"a": "x" * 70_000}}, 400),
        ({"text": "x"}, 409),
    ],
    ids=["a blank text", "metadata that are none", "nothing", "too much", "immutable"],
)  # fmt: skip
def test_a_batch_with_one_that_cannot_be_changed_changes_nothing_and_names_it(api, tenant, wrong, status):
    (first,) = tenant.say("one")
    (second,) = tenant.say("two", immutable=status == 409)
    batch = {"memories": [{"memory_id": first, "text": "ONE"}, {"memory_id": second, **wrong}]}
    refused = api.ask("PUT", "/v1/batch/", key=tenant.key, json=batch)
    assert (refused.status_code, second in refused.json()["detail"]) == (status, True)
    assert tenant.texts() == ["two", "one"]


def test_a_memory_counts_once_in_a_batch(api, tenant):
    """And is not changed in two ways at once."""
    (memory_id,) = tenant.say("one")
    twice = {"memories": [{"memory_id": memory_id, "text": text} for text in ("ONE", "UNO")]}
    refused = api.ask("PUT", "/v1/batch/", key=tenant.key, json=twice)
    assert (refused.status_code, memory_id in refused.json()["detail"]) == (400, True)
    assert api.answer("DELETE", "/v1/batch/", tenant.key, json=twice)["message"] == "Successfully deleted 1 memories"


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_batch_with_one_that_is_not_there_changes_nothing(api, tenant, method):
    (memory_id,) = tenant.say("one")
    for other, status in ((NEVER, 404), ("5", 400)):
        batch = {"memories": [{"memory_id": memory_id, "text": "ONE"}, {"memory_id": other, "text": "x"}]}
        refused = api.ask(method, "/v1/batch/", key=tenant.key, json=batch)
        assert refused.status_code == status
        assert (other if status == 404 else "memories.1.memory_id") in refused.json()["detail"]
    many = {"memories": [{"memory_id": memory_id, "text": "x"}] * 1_001}
    answer = api.ask(method, "/v1/batch/", key=tenant.key, json=many)
    assert answer.json()["error"].startswith("Maximum of 1000 memories can be")
    assert tenant.texts() == ["one"]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?",
        "?user_id=",
        "?filters={}",
        "?metadata={'a': 1}",
        "?filters=nonsense",
        "?filters={'planet': 'earth'}",
        "?filters={'NOT': {'user_id': 'alice'}}",
    ],
)
def test_a_deletion_never_goes_without_naming_whose(api, tenant, query):
    """Mem0's client drops the id of `DeleteAllMemoryOptions(user_id=…)` and sends nothing at all."""
    tenant.say("I like tea")
    assert api.ask("DELETE", f"/v1/memories/{query}", key=tenant.key).status_code == 400
    api.work()
    assert tenant.texts() == ["I like tea"]


@pytest.mark.parametrize(
    "filters",
    ["{'user_id': 'alice'}", '{"user_id": "alice"}', "{'AND': [{'user_id': 'alice'}, {'metadata': {'a': 1}}]}"],
)
def test_a_deletions_filter_may_be_the_text_of_a_python_dictionary(api, tenant, filters):
    """As Mem0's client puts it into the query."""
    tenant.say("I like tea", metadata={"a": 1})
    tenant.say("I like milk", user_id="bob")
    event = api.answer("DELETE", "/v1/memories/", tenant.key, params={"filters": filters})
    assert event.keys() >= {"message", "event_id"}
    api.work()
    assert tenant.texts() == ["I like milk"]


def test_a_deletion_spares_what_is_added_after_it(api, tenant):
    tenant.say("I like tea")
    api.answer("DELETE", "/v1/memories/?user_id=alice", tenant.key)
    tenant.say("I like milk")
    api.work()
    assert tenant.texts() == ["I like milk"]


def test_feedback_is_kept_and_cleared(api, tenant):
    (memory_id,) = tenant.say("I like tea")
    asked = {"memory_id": memory_id, "feedback": "positive", "feedback_reason": "It helped."}
    answer = api.answer("POST", "/v1/feedback/", tenant.key, json=asked)
    assert answer.keys() == {"id", "feedback", "feedback_reason"}
    assert api.get(f"/v1/memories/{memory_id}/", tenant.key)["feedback"] == "POSITIVE"
    api.answer(
        "POST", "/v1/feedback/", tenant.key, json={"memory_id": memory_id, "feedback": None, "feedback_reason": None}
    )
    assert api.get(f"/v1/memories/{memory_id}/", tenant.key)["feedback"] is None
    for wrong, status in (
        (asked | {"feedback": "GREAT"}, 400),
        (asked | {"memory_id": "5"}, 400),
        (asked | {"memory_id": NEVER}, 404),
    ):
        assert api.ask("POST", "/v1/feedback/", key=tenant.key, json=wrong).status_code == status


def test_undo_takes_back_and_erase_does_not_come_back(api, tenant):
    (memory_id,) = tenant.say("I like tea")
    operation = api.answer("DELETE", f"/v1/memories/{memory_id}/", tenant.key)["operation_id"]
    api.answer("POST", "/v1/undo/", tenant.key, json={"operation_id": operation})
    assert tenant.texts() == ["I like tea"]
    api.answer("POST", f"/v1/memories/{memory_id}/erase/", tenant.key)
    for path in ("", "history/"):
        assert api.ask("GET", f"/v1/memories/{memory_id}/{path}", key=tenant.key).status_code == 404


def test_a_reader_changes_nothing(api, tenant):
    """Through no route that changes memories."""
    reader = tenant.make_key(role="READER")
    (memory_id,) = tenant.say("I like tea")
    batch = {"memories": [{"memory_id": memory_id, "text": "x"}]}
    for method, path, body in (
        ("POST", "/v3/memories/add/", said()), ("POST", "/v1/memories/", said()), ("PUT", f"/v1/memories/{memory_id}/", {"text": "x"}),
        ("DELETE", f"/v1/memories/{memory_id}/", None), ("DELETE", "/v1/memories/?user_id=alice", None), ("PUT", "/v1/batch/", batch),
        ("DELETE", "/v1/batch/", batch), ("POST", "/v1/undo/", {}), ("POST", "/v1/erase/", {"user_id": "alice"}),
        ("POST", f"/v1/memories/{memory_id}/erase/", None), ("POST", "/v1/feedback/", {"memory_id": memory_id, "feedback": "POSITIVE"}),
        ("POST", f"/v1/memories/{memory_id}/invalidate/", {}), ("POST", f"/v1/memories/{memory_id}/restore/", {}),
    ):  # fmt: skip
        assert api.ask(method, path, key=reader, json=body).status_code == 403, (method, path)
    assert tenant.texts(reader) == ["I like tea"]
