"""Bands: thresholds and calibration for a judge's probabilities, chosen on pictures whose truth is known."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Band

ACCEPT, REJECT = 0.01, 0.03  # target rates of false accepts and false rejects
# The painter hardly ever errs in these, so that more of its errors may pass: what passes is the product of both rates.
RARE = {"attribute": 0.08, "intact": 0.1}
_GAP = 0.2  # least distance between the thresholds, in log odds


def band(p: NDArray[np.float64], true: NDArray[np.bool_], accept: float = ACCEPT) -> Band:
    """The band for probabilities `p` of statements of which some are true. `accept`: the wanted rate of false
    accepts."""
    odds = correction(p, true)
    calibrated = np.array([Band(odds=odds).corrected(one) for one in p])
    upper, lower = thresholds(calibrated, true, accept)
    # What is more likely false than true never passes, though no picture here was so doubtful.
    return Band.model_validate({"pass": max(upper, 0.5), "fail": lower, "odds": odds})


def thresholds(
    p: NDArray[np.float64], true: NDArray[np.bool_], accept: float = ACCEPT
) -> tuple[float, float]:
    """Thresholds for probabilities `p`: pass at or above the first, fail at or below the second. If true and false
    statements are so well separated that the second would exceed the first, both move to the middle, _GAP apart."""
    p = p.clip(1e-6, 1 - 1e-6)
    odds = np.log(p / (1 - p))
    upper, lower = float(np.quantile(odds[~true], 1 - accept)), float(np.quantile(odds[true], REJECT))
    if lower > upper - _GAP:
        middle = (upper + lower) / 2
        upper, lower = middle + _GAP / 2, middle - _GAP / 2
    return 1 / (1 + math.exp(-upper)), 1 / (1 + math.exp(-lower))


def correction(p: NDArray[np.float64], true: NDArray[np.bool_], rounds: int = 30) -> tuple[float, float]:
    """Slope and offset in log odds that calibrate the probabilities, if as many statements are true as false: Platt
    scaling (logistic regression with softened targets), by Newton's method."""
    p = p.clip(1e-6, 1 - 1e-6)
    x = np.stack([np.log(p / (1 - p)), np.ones_like(p)], 1)
    yes, no = int(true.sum()), int((~true).sum())
    target = np.where(true, (yes + 1) / (yes + 2), 1 / (no + 2))
    w = np.zeros(2)
    for _ in range(rounds):
        q = 1 / (1 + np.exp(-(x @ w)))
        slope = x.T @ (q - target)
        bend = (x * (q * (1 - q))[:, None]).T @ x + 1e-3 * np.eye(2)
        w = w - np.linalg.solve(bend, slope)
    return float(max(w[0], 0.05)), float(w[1])
