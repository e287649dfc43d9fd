"""How ids of memories and proposals are shown."""

from __future__ import annotations

from typing import Final

SHORT_ID: Final = 8
"""Characters of an id where it is cited: unique among millions in practice, and a quarter of the tokens of a whole one. Every door
takes ids of this length."""
WHOLE_ID: Final = 36
"""Characters of a UUID; a shorter id is taken as a beginning."""
