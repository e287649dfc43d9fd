"""`kept doctor --claude-code` where the client is missing or does nothing; the real one is in the acceptance tests."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from kept.claude_code.rehearsal import rehearse
from kept.cli.app import cli


def checks(*words: str) -> tuple[int, dict[str, dict]]:
    done = CliRunner().invoke(cli, ["doctor", *words, "--json", "--database", "memory://"])
    return done.exit_code, {check["name"]: check for check in json.loads(done.output)["checks"]}


def test_without_the_client_the_doctor_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    code, found = checks("--claude-code")
    assert code == 1
    assert found["claude code"]["status"] == "FAIL"
    assert "Install Claude Code" in found["claude code"]["advice"]


def test_unasked_the_doctor_runs_no_client():
    assert "claude code" not in checks()[1]


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
@pytest.mark.parametrize(("body", "said"), [("exit 3", "exit code 3"), ("echo no account >&2; exit 1", "no account")])
def test_a_client_that_does_nothing_fails_where_it_stops(tmp_path: Path, body, said):
    """Each finding says what the client printed."""
    client = tmp_path / "claude"
    client.write_text(f"#!/bin/sh\n{body}\n")
    client.chmod(0o755)
    findings = {finding.step: finding.problem for finding in rehearse(str(client), "kept")}
    assert list(findings) == ["client", "start", "capture", "recall"]
    assert said in findings["client"]
    assert "0 memories" in findings["capture"]


def test_a_client_that_cannot_be_started_is_one_finding(tmp_path):
    (finding,) = rehearse(str(tmp_path / "claude"), "kept")
    assert "could not be run" in finding.problem
