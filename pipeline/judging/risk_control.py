"""Thresholds that keep a risk, chosen on scored statements of which people said whether they are true.

The risk of a threshold is the share of wrong statements among those that reach it. Thresholds are tested in a fixed
order, from the safe end downwards, each by its upper Clopper-Pearson bound; the first one whose bound is above the
wanted risk ends the test, and the one before it is taken. Because the order does not depend on the answers, the whole
test keeps the confidence of one of its steps: with `confidence` 0.9, the true risk of the threshold is above the wanted
one in at most one of ten such choices. This is fixed-sequence testing as in Learn then Test (Angelopoulos, Bates,
Candès, Jordan and Lei 2021, arXiv:2110.01052); bounds are Clopper and Pearson's (Biometrika 1934).

The guarantee is about one choice on independent answers. A threshold that is chosen anew after every answer is right at
each of these moments with that confidence, not at all of them together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# The first threshold is that of the surest third: the very surest few would seldom have a bound below the risk, and
# with one mistake among them the test would end there.
_FIRST = 1 / 3
_STEPS = 20  # thresholds that are tested at most


def upper_bound(mistakes: int, of: int, confidence: float) -> float:
    """The one-sided upper Clopper-Pearson bound of a rate: `mistakes` in `of` trials. 1 without a trial."""
    return 1.0 if mistakes >= of else float(betaincinv(mistakes + 1, of - mistakes, confidence))


def lower_bound(mistakes: int, of: int, confidence: float) -> float:
    """The one-sided lower Clopper-Pearson bound of a rate. 0 without a mistake."""
    return float(betaincinv(mistakes, of - mistakes + 1, 1 - confidence)) if mistakes else 0.0


@lru_cache(maxsize=4096)
def needed(risk: float, confidence: float, mistakes: int = 0) -> int:
    """The least number of answers, with so many mistakes among them, whose upper bound is at most `risk`."""
    low, high = mistakes, mistakes + 1
    while upper_bound(mistakes, high, confidence) > risk:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if upper_bound(mistakes, middle, confidence) <= risk else (middle, high)
    return high


@dataclass(frozen=True, slots=True)
class Safe:
    """A threshold that keeps the risk. `of` answers reach it, `mistakes` of them are wrong; `bound`: of their share."""

    threshold: float
    of: int
    mistakes: int
    bound: float


def safe_threshold(scores: Floats, wrong: Bools, risk: float, confidence: float) -> Safe | None:
    """The lowest score from which on at most `risk` is wrong, with `confidence`; None if no score is known to be safe.

    `scores`, `wrong`: of each answer; both of length n."""
    sizes, mistakes, ordered = _prefixes(scores, wrong)
    first = max(needed(risk, confidence), math.ceil(len(scores) * _FIRST))
    found: Safe | None = None
    last = 0
    for wanted in np.linspace(first, len(scores), _STEPS) if first <= len(scores) else ():
        at = int(np.searchsorted(sizes, round(wanted)))
        if sizes[at] == last:
            continue
        last, errors = int(sizes[at]), int(mistakes[at])
        if (bound := upper_bound(errors, last, confidence)) > risk:
            break
        found = Safe(float(ordered[last - 1]), last, errors, bound)
    return found


def missing(scores: Floats, wrong: Bools, risk: float, confidence: float) -> int:
    """How many more answers are needed at least for a safe threshold, if none of them is a mistake. At least 1."""
    sizes, mistakes, _ = _prefixes(scores, wrong)
    lacks = [needed(risk, confidence, int(m)) - int(n) for n, m in zip(sizes, mistakes, strict=True)]
    return max(1, min([needed(risk, confidence), *lacks]))


def _prefixes(scores: Floats, wrong: Bools) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """The sizes of the sets of answers that reach a score, from the highest score on; the mistakes in each; and the
    scores in this order. Equal scores are in the same sets."""
    order = np.argsort(-scores, kind="stable")
    ordered, counted = scores[order], np.cumsum(wrong[order], dtype=np.intp)
    ends = np.flatnonzero(np.append(ordered[1:] < ordered[:-1], np.ones(min(len(ordered), 1), bool)))
    return ends + 1, counted[ends], ordered


def platt(
    odds: Floats,
    true: Bools,
    prior: tuple[float, float] = (1.0, 0.0),
    strength: tuple[float, float] = (4.0, 1.0),
) -> tuple[float, float]:
    """Slope and offset that calibrate log odds (Platt scaling), drawn towards a prior.

    Penalised logistic regression by Newton's method: each coefficient has a normal prior with mean `prior` and inverse
    variance `strength`, so that few answers change little. The slope is positive: order is kept."""
    x = np.stack([odds, np.ones_like(odds)], 1)
    mean, weight = np.array(prior), np.diag(strength)
    w = mean.copy()
    for _ in range(50):
        q = 1 / (1 + np.exp(-np.clip(x @ w, -30, 30)))
        slope = x.T @ (q - true) + weight @ (w - mean)
        bend = (x * (q * (1 - q))[:, None]).T @ x + weight
        step = np.linalg.solve(bend, slope)
        w = w - np.clip(step, -1.0, 1.0)  # a full step may overshoot far from the optimum
        if float(np.abs(step).max()) < 1e-9:
            break
    return float(max(w[0], 0.05)), float(w[1])
