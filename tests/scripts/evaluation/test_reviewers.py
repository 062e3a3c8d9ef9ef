"""Simulated reviewers: what a band decides is counted right, and more decisions decide more."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.config import Band, Judge
from scripts.evaluation.reviewers import Rates, curve, rates, table


def test_what_a_band_decides_is_counted() -> None:
    statements = np.array([[0.9, 1], [0.8, 0], [0.5, 1], [0.2, 0], [0.1, 1]])
    band = Band(**{"pass": 0.7, "fail": 0.2})
    assert rates(band, statements) == Rates(alone=0.8, wrong_accepts=0.5, wrong_rejects=0.5)
    assert rates(Band(), statements) == Rates(0.0, None, None)


@pytest.mark.parametrize(("noise", "least"), [(0.0, 0.7), (0.05, 0.2)])
def test_more_decisions_decide_more_with_few_mistakes(noise: float, least: float) -> None:
    rng = np.random.default_rng(1)
    true = rng.random(600) < 0.6
    p = 1 / (1 + np.exp(-(rng.normal(0, 1, 600) + 4 * true - 2)))
    said = {"object": list(zip(p.tolist(), true.tolist(), strict=True)), "count": [(0.5, True)] * 50}
    found = curve(said, (30, 240), noise, 20, Judge())
    assert set(found[240]) == {"object"}  # of counts there are too few statements
    early, late = (float(np.mean([r.alone for r in found[n]["object"]])) for n in (30, 240))
    assert early < late
    assert late > least
    wrong = [r.wrong_accepts for r in found[240]["object"] if r.wrong_accepts is not None]
    assert np.mean(wrong) < 0.1
    assert "| 240 |" in table(found)
