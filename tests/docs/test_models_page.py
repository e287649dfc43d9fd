"""The page on models names every provider, with the variables that are read."""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import get_args

import pytest

from kept.settings import PROVIDERS, PROVIDERS_LEFT_OUT


@pytest.fixture(scope="module")
def section(root):
    """What the page says of providers."""
    text = (root / "docs" / "how-to" / "use-a-model.md").read_text(encoding="utf-8")
    return text.partition("\n## Providers\n")[2].partition("\n## ")[0]


def rows(text):
    """Rows of tables, by what they begin with."""
    found = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| `")]
    return {row[0].strip(" `"): [cell.strip() for cell in row[1:]] for row in found}


@pytest.fixture(scope="module")
def providers(section):
    """The table of providers."""
    return rows(section.partition("| Left out |")[0])


@pytest.fixture(scope="module")
def library():
    """Every provider that the installed library knows: those that it can make, and those of the models it names."""
    pytest.importorskip("pydantic_ai")
    from pydantic_ai.models import KnownModelName
    from pydantic_ai.providers import infer_provider_class

    source = ast.parse(textwrap.dedent(inspect.getsource(infer_provider_class)))
    cases = [node.pattern for node in ast.walk(source) if isinstance(node, ast.match_case)]
    made = {
        node.value.value
        for case in cases
        for node in ast.walk(case)
        if isinstance(node, ast.MatchValue) and isinstance(node.value, ast.Constant)
    }
    named = {name.partition(":")[0].partition("/")[0] for name in get_args(KnownModelName.__value__) if ":" in name}
    return made | named


def test_every_provider_of_the_library_is_there_or_left_out_for_a_reason(library):
    assert len(library) > 40
    assert library == PROVIDERS.keys() | PROVIDERS_LEFT_OUT.keys()
    assert PROVIDERS.keys().isdisjoint(PROVIDERS_LEFT_OUT)


def test_what_is_left_out_is_documented_with_its_reason(section):
    documented = rows(section.partition("| Left out |")[2])
    assert {name: cells[0].replace("`", "") for name, cells in documented.items()} == PROVIDERS_LEFT_OUT


def test_every_provider_is_documented_and_no_other(providers):
    assert list(providers) == list(PROVIDERS)


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_providers_variables_are_documented(providers, name):
    keys, urls = providers[name]
    assert keys == (", ".join(f"`{key}`" for key in PROVIDERS[name].keys) or "its own ways")
    assert urls == (", ".join(f"`{url}`" for url in PROVIDERS[name].urls) or "its own")
