"""The page on models names every provider, with the variables that are read."""

from __future__ import annotations

import pytest

from kept.settings import PROVIDERS


@pytest.fixture(scope="module")
def providers(root):
    """Rows of the page's table of providers, by their names."""
    text = (root / "docs" / "how-to" / "use-a-model.md").read_text(encoding="utf-8")
    section = text.partition("\n## Providers\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return {row[0].strip(" `"): [cell.strip() for cell in row[1:]] for row in rows}


def test_every_provider_is_documented_and_no_other(providers):
    assert list(providers) == list(PROVIDERS)


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_providers_variables_are_documented(providers, name):
    keys, urls = providers[name]
    assert keys == (", ".join(f"`{key}`" for key in PROVIDERS[name].keys) or "its own ways")
    assert urls == (", ".join(f"`{url}`" for url in PROVIDERS[name].urls) or "its own")
