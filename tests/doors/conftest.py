"""The weights of the default embedder are read once, not for every store that a test opens."""

from __future__ import annotations

import functools

import pytest

from kept.adapters import embedders

_opened_once = functools.cache(embedders.open_embedder)


@pytest.fixture(autouse=True)
def _one_embedder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedders, "open_embedder", _opened_once)
