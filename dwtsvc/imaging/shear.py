"""A table sheared by many slopes at once, to see at which its rows differ most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class Shear:
    """Columns are moved by turning the phases of their frequencies: exactly, by parts of a row, and without the blur
    of an interpolation, which no slope but 0 would be free of, so that 0 would win.

    `table` has the mean ink of each strip in a column. `steepest` is the largest slope that will be asked for.
    """

    def __init__(self, table: NDArray[np.float32], steepest: float) -> None:
        height, width = table.shape
        rows = height + 2 * int(abs(steepest) * width / 2 + 1)  # what is moved out at one end must not come in again
        self._columns = np.fft.rfft(table, rows, axis=0).T.astype(np.complex64)
        self._turns = -2j * np.pi * np.fft.rfftfreq(rows)
        half = np.pi * np.fft.rfftfreq(rows)
        self._weights = np.sin(half) ** 2 * np.cos(half) / (rows * width * width)  # fine rows are grain, and count less

    def contrasts(self, slopes: Sequence[float]) -> list[float]:
        """For each slope, in rows a column, how much neighbouring rows differ: the squares, summed up."""
        turns = np.exp(np.outer(slopes, self._turns)).astype(np.complex64)
        rows = np.zeros_like(turns)
        for column in self._columns[::-1]:  # Horner's rule: each column is turned as often as it is far from the first
            rows = rows * turns + column
        power = rows.real**2 + rows.imag**2
        found: list[float] = (power @ self._weights).tolist()
        return found
