"""Counts and compares things in an image by scoring parts of it.

A CLIP-like scorer recognises one thing in an image well, but is unreliable for "two cats" or "a cat to the left of a
dog", because one vector describes the whole image. So each single thing is scored in the whole image and in nine
overlapping windows of half its width and height, and fixed rules combine these probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence

from models.protocols import Arrangement

SIDE = 0.5  # width and height of a window, as a share of the image
_STEPS = (0.0, 0.25, 0.5)
WINDOWS = tuple(
    (left, top) for top in _STEPS for left in _STEPS
)  # upper left corners, as shares of the image
MOST = 4  # so many windows fit beside each other without overlap
_TOWARDS = {
    "left": (1, 0),
    "right": (-1, 0),
    "above": (0, 1),
    "below": (0, -1),
}  # (x, y) direction from the first thing to the second


def applies(arrangement: Arrangement) -> bool:
    """Whether the windows can answer this arrangement."""
    return arrangement.count <= MOST and (not arrangement.where or arrangement.where in _TOWARDS)


def together(arrangement: Arrangement, seen: Sequence[Sequence[float]]) -> float:
    """The probability of an arrangement. `seen`: for each of its things, the probability of its statement in the whole
    image, followed by that in each of WINDOWS."""
    if arrangement.where:
        return _beside(seen[0][1:], seen[1][1:], _TOWARDS[arrangement.where])
    if arrangement.count:
        return _exactly(arrangement.count, seen[0][0], seen[0][1:])
    return max(seen[0])


def _exactly(count: int, whole: float, windows: Sequence[float]) -> float:
    """min(f[count], 1 - f[count + 1]), where f[n] is the n-th best probability among windows that do not overlap. For a
    count of one, f[1] may also come from the whole image."""
    found = [*_apart(windows), 0.0]
    if count == 1:
        found[0] = max(whole, found[0])
    return min(found[count - 1], 1 - found[count])


def _apart(windows: Sequence[float]) -> list[float]:
    """The MOST best probabilities among windows that do not overlap, taken greedily, best first; padded with 0."""
    left, found = dict(enumerate(windows)), []
    while left:
        best = max(left, key=lambda i: left[i])
        found.append(left[best])
        left = {i: p for i, p in left.items() if not _overlap(i, best)}
    return found + [0.0] * (MOST - len(found))


def _overlap(a: int, b: int) -> bool:
    (x, y), (u, v) = WINDOWS[a], WINDOWS[b]
    return abs(x - u) < SIDE and abs(y - v) < SIDE


def _beside(first: Sequence[float], second: Sequence[float], towards: tuple[int, int]) -> float:
    """The maximum of min(p, q) over pairs of windows, p for the first thing and q for the second, where the second
    window lies a whole window in the direction `towards` and at most half a window to the side."""
    best = 0.0
    for p, (x, y) in zip(first, WINDOWS, strict=True):
        for q, (u, v) in zip(second, WINDOWS, strict=True):
            along = (u - x) * towards[0] + (v - y) * towards[1]
            across = abs((u - x) * towards[1]) + abs((v - y) * towards[0])
            if along >= SIDE and across <= SIDE / 2:
                best = max(best, min(p, q))
    return best
