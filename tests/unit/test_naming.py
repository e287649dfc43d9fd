"""Under which name a repository's memories are kept, seen from a folder that a transcript names."""

from __future__ import annotations

import pytest

from kept.claude_code.naming import app_id_of
from kept.settings import Settings


@pytest.mark.parametrize(
    ("folder", "name"), [("C:\\Users\\mira\\shop", "C:\\Users\\mira\\shop"), ("shop", "shop"), ("/shop\0x", "/shopx")]
)
def test_a_folder_of_another_system_is_none_of_this_one(folder, name):
    """Whoever imports stands in a repository of their own, which is not meant; and one odd transcript stops no other."""
    assert app_id_of(folder, lambda _: Settings.load(environ={})) == name
