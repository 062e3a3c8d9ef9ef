"""Choosing bands for probabilities whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.config import Band
from scripts.evaluation.bands import band, correction


def test_corrected_odds_are_those_of_the_truth() -> None:
    rng, true = np.random.default_rng(0), np.arange(600) < 300
    said = np.where(true, rng.normal(-3, 1, 600), rng.normal(-9, 1, 600))  # right in order, far too low
    raw = 1 / (1 + np.exp(-said))
    measured = Band(odds=correction(raw, true))
    p = np.array([measured.corrected(one) for one in raw])
    assert p[true].mean() == pytest.approx(1 - p[~true].mean(), abs=0.05)
    assert ((p > 0.5) == true).mean() > 0.98


def test_a_band_lets_few_false_ones_pass_and_fails_few_true_ones() -> None:
    rng, true = np.random.default_rng(1), np.arange(2000) < 1000
    raw = 1 / (1 + np.exp(-np.where(true, rng.normal(2, 1.5, 2000), rng.normal(-2, 1.5, 2000))))
    chosen = band(raw, true)
    p = np.array([chosen.corrected(one) for one in raw])
    assert (p[~true] >= chosen.pass_).mean() <= 0.011
    assert (p[true] <= chosen.fail).mean() <= 0.031
