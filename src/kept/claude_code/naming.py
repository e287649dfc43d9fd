"""Under which name a repository's memories are kept, for whoever only knows a folder of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kept.claude_code.repository import find_repository
from kept.errors import ConfigurationError
from kept.settings import TEAM_FILE

if TYPE_CHECKING:
    from kept.settings import Settings


def app_id_of(folder: str, load_settings: Callable[[Path | None], Settings]) -> str:
    """The `app_id` that a session in this folder has: what the settings say, else the repository's name.

    Args:
        folder: Where a session worked; it need not be there any more.
        load_settings: Gives the settings with those of a repository's file, or without (None).

    Raises:
        ConfigurationError: The user's own settings cannot be used.
    """
    if not Path(folder).is_absolute() or "\0" in folder:  # of another system, or none: nothing here is meant by it
        return load_settings(None).app_id or folder.replace("\0", "")
    repository = find_repository(Path(folder))
    try:
        settings = load_settings(repository.root / TEAM_FILE)
    except ConfigurationError:
        settings = load_settings(None)
    return settings.app_id or repository.name
