"""Decay: memories that searches find keep their rank, and those that nobody asks for lose some of it in time.

Off unless a project switches it on, as on Mem0's platform, whose bounds these are: a score is multiplied by 1.5 at most, and by 0.3
at least, so that nothing is ever hidden. Between them it follows the hyperbola by which people forget (Wixted & Ebbesen, 1991, "On the
form of forgetting"), and each time a memory is found makes it last longer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

MOST: Final = 1.5
"""Of what was found just now, as on Mem0's platform."""
LEAST: Final = 0.3
"""Of what nobody has asked for in a long time, as on Mem0's platform."""
MOST_TOUCHES: Final = 20
"""Of a memory that are counted, as on Mem0's platform."""
LASTING: Final = timedelta(days=2)
"""After which half is gone of what was found once: chosen so that a day, some days, weeks and months give what Mem0 documents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """That searches found a memory.

    Attributes:
        at: When the last one did.
        touches: How many did, at most `MOST_TOUCHES`.
    """

    at: datetime
    touches: int = 1

    def again(self, at: datetime) -> Touched:
        """As it is after another search."""
        return Touched(at=max(at, self.at), touches=min(self.touches + 1, MOST_TOUCHES))

    def factor(self, now: datetime) -> float:
        """By what a score is multiplied now: from `LEAST` to `MOST`."""
        idle = max((now - self.at) / LASTING, 0.0)
        return LEAST + (MOST - LEAST) / (1 + idle / (1 + math.log(self.touches)))
