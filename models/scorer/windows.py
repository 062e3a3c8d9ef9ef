"""Judging by parts: what a picture says of several things, from what its windows say of single ones.

A scorer that knows "a cat" well in a picture of one cat knows less of two cats, and little of a cat to the left of a
dog: one vector has to say it all. So it looks at the whole picture and at nine windows of half its side, each half over
its neighbours, and what it sees there is put together by plain rules.
"""

from __future__ import annotations

from collections.abc import Sequence

from models.protocols import Arrangement

SIDE = 0.5  # of a window, as a share of the picture
_STEPS = (0.0, 0.25, 0.5)
WINDOWS = tuple((left, top) for top in _STEPS for left in _STEPS)
MOST = 4  # windows that do not overlap
_TOWARDS = {
    "left": (1, 0),
    "right": (-1, 0),
    "above": (0, 1),
    "below": (0, -1),
}  # from the first to the second


def applies(arrangement: Arrangement) -> bool:
    """Whether windows can tell."""
    return arrangement.count <= MOST and (not arrangement.where or arrangement.where in _TOWARDS)


def together(arrangement: Arrangement, seen: Sequence[Sequence[float]]) -> float:
    """The probability of an arrangement. `seen`: for each of its things the probabilities of its statement in the
    whole picture and in each of WINDOWS."""
    if arrangement.where:
        return _beside(seen[0][1:], seen[1][1:], _TOWARDS[arrangement.where])
    if arrangement.count:
        return _exactly(arrangement.count, seen[0][0], seen[0][1:])
    return max(seen[0])


def _exactly(count: int, whole: float, windows: Sequence[float]) -> float:
    """As many as asked are there, and not one more."""
    found = [*_apart(windows), 0.0]
    if count == 1:
        found[0] = max(whole, found[0])
    return min(found[count - 1], 1 - found[count])


def _apart(windows: Sequence[float]) -> list[float]:
    """The best windows that do not overlap, MOST of them, the best first; 0 where there is no room for another."""
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
    """The best pair of windows of which the second lies that way from the first, and not far off the line."""
    best = 0.0
    for p, (x, y) in zip(first, WINDOWS, strict=True):
        for q, (u, v) in zip(second, WINDOWS, strict=True):
            along = (u - x) * towards[0] + (v - y) * towards[1]
            across = abs((u - x) * towards[1]) + abs((v - y) * towards[0])
            if along >= SIDE and across <= SIDE / 2:
                best = max(best, min(p, q))
    return best
