"""Digests: stores hold them, so that they may never change."""

from __future__ import annotations

import pytest

from kept.domain.digest import digest
from kept.domain.memory import repeat_key
from kept.domain.scope import Scope
from kept.engine.ingest import scoped_key


@pytest.mark.parametrize(
    ("text", "size", "expected"),
    [
        ("", 16, "cae66941d9efbd404e4d88758ea67670"),
        ("Ana lives in Lisbon.", 16, "d4b8475ea4972bb286a3b4504c8c1682"),
        ("Zoë ☕ \ud83d", 16, "124eb6fcb5c385019a5c8d50c077e1a2"),
        ("Ana lives in Lisbon.", 8, "8d07d879feb19da2"),
    ],
)
def test_a_digest_is_what_it_was_when_stores_were_written(text, size, expected):
    assert digest(text, size) == expected


def test_keys_are_what_they_were_when_stores_were_written():
    assert scoped_key("once", Scope(user_id="ana")) == "8d1a388a1ee29b17958968c9622906a0"
    assert repeat_key(Scope(user_id="ana"), "Ana", "I like  tea.") == "468ae0c2979c43b7f167e1e32749fed5"
