"""Numbers from text: droplets' amplitudes and calls, straight from a file's bytes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aavqc.kernels import kernel

EXACT = 1 << 53
"""Digits as an integer up to which, over a power of ten up to 22, one division rounds correctly."""

POWERS = 10.0 ** np.arange(23)

COMMA, MINUS, POINT, ZERO, NINE, RETURN, FEED, UNCLASSIFIED = 44, 45, 46, 48, 57, 13, 10, 117


@kernel
def read_droplets(
    text: NDArray[np.uint8],
    start: int,
    highest: int,
    amplitude: NDArray[np.float64],
    calls: NDArray[np.int8],
) -> int:
    """Read lines of amplitudes and calls, ended by LF, CR or both, with or without a comma at the end.

    A number is digits with at most one point, correctly rounded (Clinger WD 1990, PLDI 25:92: both the
    digits and the power of ten are exact, so their quotient is rounded once).

    Parameters
    ----------
    text : uint8 array, shape (bytes,)
        Read-only, as that of ``bytes`` is: the one mutability that this kernel sees, to save a copy.
    start : int
        Of the first line.
    highest : int
        Largest call; a call is one digit, or ``u`` (-1) where the largest is 1.
    amplitude : array, shape (lines or more, channels)
        Filled in, as ``calls`` of shape (lines or more, calls) is.

    Returns
    -------
    int
        Lines read; -1 where anything else stands in the text, which needs a closer look.
    """
    channels, columns = amplitude.shape[1], amplitude.shape[1] + calls.shape[1]
    at, row, end = start, 0, text.size
    while end > start and (text[end - 1] == FEED or text[end - 1] == RETURN):
        end -= 1
    while at < end:
        if row == amplitude.shape[0]:
            return -1
        for column in range(columns):
            if column > 0:
                if at >= end or text[at] != COMMA:
                    return -1
                at += 1
            if column < channels:
                negative = at < end and text[at] == MINUS
                if negative:
                    at += 1
                value, digits, places, pointed = np.int64(0), 0, 0, False
                while at < end:
                    sign = text[at]
                    if sign >= ZERO and sign <= NINE:
                        value = value * 10 + (np.int64(sign) - ZERO)
                        digits += 1
                        if pointed:
                            places += 1
                        if value >= EXACT or digits > 22:
                            return -1
                    elif sign == POINT and not pointed:
                        pointed = True
                    else:
                        break
                    at += 1
                if digits == 0:
                    return -1
                number = value / POWERS[places]
                amplitude[row, column] = -number if negative else number
            else:
                if at >= end:
                    return -1
                if text[at] == UNCLASSIFIED and highest == 1:
                    calls[row, column - channels] = -1
                elif text[at] >= ZERO and text[at] <= ZERO + highest:
                    calls[row, column - channels] = text[at] - ZERO
                else:
                    return -1
                at += 1
        if at < end and text[at] == COMMA:
            at += 1
        if at < end:
            if text[at] == RETURN:
                at += 1
                if at < end and text[at] == FEED:
                    at += 1
            elif text[at] == FEED:
                at += 1
            else:
                return -1
        row += 1
    return row
