"""How much two variants differ on the same briefs, with 95 % intervals."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from pipeline.brief import Record

RESAMPLES = 2000
_TOGETHER = 200  # resamples in memory at a time


class Interval(Record):
    """An estimate and its 95 % interval. None: there is nothing to compute it from."""

    value: float | None
    low: float | None = None
    high: float | None = None


class Difference(Record):
    """A difference of two shares on the same briefs, with its 95 % interval. `p`: of McNemar's exact test that there is
    none."""

    value: float
    low: float
    high: float
    p: float


def share(count: int, of: int) -> Interval:
    """A share with Wilson's interval."""
    if not of:
        return Interval(value=None)
    low, high = _wilson(count, of)
    return Interval(value=count / of, low=low, high=high)


def difference(first: Sequence[bool], other: Sequence[bool]) -> Difference:
    """The share of `other` that is true, less that of `first`; both are about the same briefs, in the same order.

    The interval is Newcombe's tenth (Statistics in Medicine 17, 1998, p. 2635): Wilson's limits of both shares,
    combined with their correlation. It holds for few briefs too, and where the two never differ."""
    pairs = list(zip(other, first, strict=True))
    n = len(pairs)
    if not n:
        return Difference(value=0.0, low=-1.0, high=1.0, p=1.0)
    both, gained, lost = (pairs.count(pair) for pair in ((True, True), (True, False), (False, True)))
    none = n - both - gained - lost
    one, two = (both + gained) / n, (both + lost) / n
    low_one, high_one = _wilson(both + gained, n)
    low_two, high_two = _wilson(both + lost, n)
    product: float = both * none - gained * lost
    if product > 0:
        product = max(0.0, product - n / 2)  # the continuity correction
    margins = (both + gained) * (lost + none) * (both + lost) * (gained + none)
    phi = product / sqrt(margins) if margins else 0.0
    below = _combined(one - low_one, high_two - two, phi)
    above = _combined(high_one - one, two - low_two, phi)
    p = float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
    return Difference(
        value=one - two, low=max(-1.0, one - two - below), high=min(1.0, one - two + above), p=p
    )


def _wilson(count: int, of: int) -> tuple[float, float]:
    limits = binomtest(count, of).proportion_ci(method="wilson")
    return float(limits.low), float(limits.high)


def _combined(one: float, two: float, phi: float) -> float:
    """The half width of an interval of a difference, from those of the two shares and their correlation."""
    return sqrt(max(0.0, one**2 - 2 * phi * one * two + two**2))


def ratio(
    first: Sequence[float], first_good: Sequence[bool], other: Sequence[float], other_good: Sequence[bool]
) -> Interval:
    """The cost of `other` for each good picture, as a multiple of that of `first`; all are about the same briefs.

    The interval is a percentile bootstrap over the briefs, with a fixed seed. Its end is infinite, which is given as
    None, where resamples without a good picture reach it."""
    sums = np.array([first, first_good, other, other_good], np.float64)
    n = sums.shape[1]
    if not n or not sums[1].sum() or not sums[3].sum() or not sums[0].sum():
        return Interval(value=None)
    rng = np.random.default_rng(0)
    found = np.concatenate(
        [
            _ratios(rng.multinomial(n, np.full(n, 1 / n), size=_TOGETHER).astype(np.float64) @ sums.T)
            for _ in range(RESAMPLES // _TOGETHER)
        ]
    )
    low, high = np.quantile(found, (0.025, 0.975), method="closest_observation")
    middle = float(_ratios(sums.sum(1)[None])[0])
    return Interval(value=middle, low=_finite(low), high=_finite(high))


def _ratios(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of cost, good, cost and good, shape (resamples, 4) → ratios (resamples,)."""
    cost, good, other, other_good = sums.T
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (other * good) / (cost * other_good)
    return np.where(np.isfinite(found), found, np.inf)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
