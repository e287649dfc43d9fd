"""docs/reference/mcp.md says of tools, prompts and resources what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kept.engine.links import CHANGEABLE
from kept.mcp import guide, resources
from kept.mcp.server import CODE_KEY, HANDSHAKES, MODERN, RETRY_KEY, TOKENS_KEY, Server
from kept.mcp.tools import ALIASES, EVERYDAY

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def page() -> str:
    return (DOCS / "reference" / "mcp.md").read_text(encoding="utf-8")


def rows(page: str, heading: str) -> list[list[str]]:
    """The cells of the tables under a heading."""
    section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def named(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_every_everyday_tool_stands_in_the_page_with_its_arguments(page):
    told = {
        named(row[0])[0]: (row[1], row[2], named(row[3]), re.findall(r"\*\*`([^`]+)`\*\*", row[3]))
        for row in rows(page, "Everyday tools")
        if len(row) == 4
    }
    assert told == {
        tool.name: (tool.method, ", ".join(tool.tags), list(tool.properties), list(tool.required)) for tool in EVERYDAY
    }


def test_every_other_name_of_a_tool_stands_in_the_page(page):
    told = {named(row[0])[0]: named(row[1])[0] for row in rows(page, "Everyday tools") if len(row) == 2}
    assert told == ALIASES


def test_every_prompt_and_resource_stands_in_the_page(page):
    told = {named(row[0])[0]: named(row[1]) for row in rows(page, "Prompts")}
    assert told == {prompt.name: [one.name for one in prompt.arguments] for prompt in guide.PROMPTS}
    assert [named(row[0])[0] for row in rows(page, "Resources")] == [one["uriTemplate"] for one in resources.TEMPLATES]


def test_every_version_method_and_mark_is_named(page):
    marks = (TOKENS_KEY, CODE_KEY, RETRY_KEY)
    for word in (*HANDSHAKES, *MODERN, *Server((), lambda: None).methods, *marks):
        assert word in page, word


def test_every_limit_of_a_link_is_explained():
    page = (DOCS / "how-to" / "use-mcp.md").read_text(encoding="utf-8")
    options = {
        "name": "--name",
        "methods": "--methods",
        "tags": "--tags",
        "bound": "--user",
        "require_api_token_auth": "--require-key",
        "expires_at": "--expires",
        "rate_limit": "--rate",
    }
    assert set(options) == set(CHANGEABLE)
    assert [option for option in options.values() if option not in page] == []
