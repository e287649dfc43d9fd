"""Arrays that grow at their end."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_T = TypeVar("_T", bound=np.generic)


def grown(array: NDArray[_T], size: int) -> NDArray[_T]:
    """The array with room for `size` rows: half as much again at a time, so that appending stays linear."""
    if size <= len(array):
        return array
    room = np.zeros((max(size, len(array) * 3 // 2), *array.shape[1:]), array.dtype)
    room[: len(array)] = array
    return room
