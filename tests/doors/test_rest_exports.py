"""Exports and summaries over REST: asked for, waited for, read in each form."""

from __future__ import annotations

import csv
import io
import json

import pytest

SCHEMA = {"type": "object", "properties": {"drink": {"type": "string", "description": "favourite drink"}}}


def ask(api, tenant, key=None, **fields):
    asked = {"filters": {"user_id": "alice"}} | fields
    return api.answer("POST", "/v1/exports/", key or tenant.key, json=asked)["id"]


def make(api, tenant, **fields):
    export_id = ask(api, tenant, **fields)
    api.app.state.worker.run_due("making")
    return export_id


def test_one_that_is_not_made_yet_says_so(api, tenant):
    export_id = ask(api, tenant, schema=SCHEMA)
    answer = api.ask("POST", "/v1/exports/get/", key=tenant.key, json={"memory_export_id": export_id})
    assert (answer.status_code, answer.json()["status"]) == (202, "PENDING")
    assert api.get(f"/v1/exports/{export_id}/", tenant.key)["status"] == "PENDING"
    assert api.ask("GET", f"/v1/exports/{export_id}/content/", key=tenant.key).status_code == 409


def test_by_a_schema_it_is_the_object_itself(api, tenant):
    tenant.say("My favourite drink is tea")
    export_id = make(api, tenant, schema=SCHEMA)
    found = api.answer("POST", "/v1/exports/get/", tenant.key, json={"memory_export_id": export_id})
    assert found == {"drink": "My favourite drink is tea"}


@pytest.mark.parametrize(
    ("form", "media"), [("jsonl", "application/x-ndjson"), ("csv", "text/csv"), ("markdown", "text/markdown")]
)
def test_each_form_is_a_file_of_its_kind(api, tenant, form, media):
    tenant.say("I like tea", "I like coffee")
    answer = api.ask("GET", f"/v1/exports/{make(api, tenant, format=form)}/content/", key=tenant.key)
    assert answer.headers["content-type"].startswith(media)
    assert "attachment" in answer.headers["content-disposition"]
    assert answer.text.count("I like") == 2


def test_lines_of_json_can_be_read_back(api, tenant):
    ids = tenant.say("I like tea", "I like coffee")
    answer = api.ask("GET", f"/v1/exports/{make(api, tenant, format='jsonl')}/content/", key=tenant.key)
    assert [json.loads(line)["id"] for line in answer.text.splitlines() if '"id"' in line] == ids


def test_an_export_of_nobody_says_what_to_name_and_speaks_of_no_deletion(api, tenant):
    answer = api.ask("POST", "/v1/exports/", key=tenant.key, json={"schema": {"type": "object", "properties": {}}})
    assert answer.status_code == 400
    assert "Name whose memories are meant" in answer.json()["detail"]
    assert "delete" not in answer.json()["detail"]


def test_a_cell_is_never_a_formula(api, tenant):
    """Whoever opens it in a spreadsheet runs nothing."""
    tenant.say("=HYPERLINK(1)", "+1", "@SUM(A1)", "-2")
    answer = api.ask("GET", f"/v1/exports/{make(api, tenant, format='csv')}/content/", key=tenant.key)
    cells = [cell for row in csv.reader(io.StringIO(answer.text)) for cell in row]
    assert any("HYPERLINK" in cell for cell in cells)
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]


def test_a_bound_key_exports_and_reads_its_own_alone(api, tenant):
    tenant.say("of alice")
    tenant.say("of bob", user_id="bob")
    of_alice = make(api, tenant, format="markdown")
    bobs = tenant.make_key(role="WRITER", bound={"user_id": "bob"})
    export_id = ask(api, tenant, key=bobs, filters={"user_id": "*"}, format="markdown")
    api.app.state.worker.run_due("making")
    text = api.ask("GET", f"/v1/exports/{export_id}/content/", key=bobs).text
    assert ("of bob" in text, "of alice" in text) == (True, False)
    for path in (f"/v1/exports/{of_alice}/", f"/v1/exports/{of_alice}/content/"):
        assert api.ask("GET", path, key=bobs).status_code == 404


def test_an_export_goes_with_what_was_erased(api, tenant):
    (memory_id,) = tenant.say("my secret is 4711")
    export_id = make(api, tenant, format="jsonl")
    api.answer("POST", f"/v1/memories/{memory_id}/erase/", tenant.key)
    answer = api.ask("GET", f"/v1/exports/{export_id}/content/", key=tenant.key)
    assert (answer.status_code, "4711" in answer.text) == (409, False)


def test_a_summary_is_the_strongest_statements_in_their_own_words(api, tenant):
    tenant.say("My favourite drink is tea", "I live in Lisbon")
    tenant.say("of bob", user_id="bob")
    (entry,) = api.answer("POST", "/v1/summary/", tenant.key, json={"filters": {"user_id": "alice"}})
    assert ("My favourite drink is tea" in entry["summary"], "bob" in entry["summary"]) == (True, False)
    assert (len(entry["memory_ids"]), entry["total_memories"]) == (2, 2)
    assert (entry["by"], entry["note"]) == ("rules", None)
