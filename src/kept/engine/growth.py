"""Arrays that grow at their end."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_T = TypeVar("_T", bound=np.generic)


def grown(array: NDArray[_T], size: int) -> NDArray[_T]:
    """The array with room for `size` rows: a quarter as much again at a time: appending stays linear, and little room is held for nothing."""
    if size <= len(array):
        return array
    room = np.zeros((max(size, len(array) * 5 // 4), *array.shape[1:]), array.dtype)
    room[: len(array)] = array
    return room
