"""Thresholds that keep a risk: published counts, and the guarantee over many simulated draws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from pipeline.judging.risk_control import (
    Bools,
    Floats,
    lower_bound,
    missing,
    needed,
    platt,
    safe_threshold,
    upper_bound,
)


@pytest.mark.parametrize(("risk", "count"), [(0.1, 22), (0.05, 45), (0.02, 114)])
def test_the_published_counts_without_a_mistake(risk: float, count: int) -> None:
    assert needed(risk, 0.9) == count
    scores = np.linspace(0, 1, count)
    right = np.zeros(count, bool)
    found = safe_threshold(scores, right, risk, 0.9)
    assert found is not None
    assert (found.threshold, found.of, found.mistakes) == (0.0, count, 0)
    assert found.bound <= risk
    assert safe_threshold(scores[1:], right[1:], risk, 0.9) is None
    assert missing(scores[1:], right[1:], risk, 0.9) == 1
    assert missing(scores[:0], right[:0], risk, 0.9) == count


@pytest.mark.parametrize(("mistakes", "of"), [(0, 22), (1, 38), (3, 20), (10, 400)])
def test_a_bound_is_the_rate_at_which_so_few_mistakes_are_improbable(mistakes: int, of: int) -> None:
    """The definition of Clopper and Pearson, by the binomial distribution."""
    assert binom.cdf(mistakes, of, upper_bound(mistakes, of, 0.9)) == pytest.approx(0.1)
    if mistakes:
        assert binom.sf(mistakes - 1, of, lower_bound(mistakes, of, 0.9)) == pytest.approx(0.1)
    assert upper_bound(mistakes, needed(0.1, 0.9, mistakes), 0.9) <= 0.1
    assert upper_bound(mistakes, needed(0.1, 0.9, mistakes) - 1, 0.9) > 0.1


def test_a_mistake_at_the_safe_end_ends_the_test_and_more_answers_are_missing() -> None:
    scores, wrong = np.linspace(1, 0, 22), np.zeros(22, bool)
    wrong[0] = True
    assert safe_threshold(scores, wrong, 0.1, 0.9) is None
    assert missing(scores, wrong, 0.1, 0.9) == needed(0.1, 0.9, 1) - 22 == 16


def test_equal_scores_pass_together() -> None:
    scores = np.array([0.9] * 22 + [0.5] * 10)
    wrong = np.array([False] * 22 + [True] * 10)
    found = safe_threshold(scores, wrong, 0.1, 0.9)
    assert found is not None
    assert (found.threshold, found.of) == (0.9, 22)
    assert safe_threshold(np.full(32, 0.9), wrong, 0.1, 0.9) is None


def drawn(rng: np.random.Generator, count: int, apart: float, share: float) -> tuple[Floats, Bools]:
    """Scores of statements, of which `share` are true and score higher by `apart` standard deviations."""
    true = rng.random(count) < share
    return rng.normal(0, 1, count) + apart * true, true


@pytest.mark.parametrize(("apart", "share"), [(2.33, 0.6), (1.5, 0.5), (0.0, 0.9), (4.0, 0.75)])
@pytest.mark.parametrize("count", [40, 150])
def test_the_guarantee_holds_over_many_draws(apart: float, share: float, count: int) -> None:
    """In at most a tenth of the draws more than a tenth of what passes is wrong. 2.33 is an AUC of 0.95."""
    rng = np.random.default_rng(5)
    scores, true = drawn(rng, 100_000, apart, share)
    broken, draws = 0, 400
    for _ in range(draws):
        asked, answers = drawn(rng, count, apart, share)
        found = safe_threshold(asked, ~answers, 0.1, 0.9)
        if found is not None:
            passed = scores >= found.threshold
            broken += (passed & ~true).sum() / passed.sum() > 0.1
    # Three standard deviations above a tenth.
    assert broken / draws <= 0.1 + 3 * (0.1 * 0.9 / draws) ** 0.5


def test_more_answers_let_more_pass() -> None:
    rng, shares = np.random.default_rng(6), []
    scores, _ = drawn(rng, 50_000, 2.33, 0.6)
    for count in (60, 240):
        found = [
            safe_threshold(x, ~y, 0.1, 0.9) for x, y in (drawn(rng, count, 2.33, 0.6) for _ in range(100))
        ]
        shares.append(np.mean([(scores >= f.threshold).mean() if f else 0.0 for f in found]))
    assert 0.15 < shares[0] < shares[1]


def test_calibration_recovers_the_slope_of_simulated_odds() -> None:
    rng = np.random.default_rng(7)
    odds = rng.normal(0, 2, 4000)
    true = rng.random(4000) < 1 / (1 + np.exp(-(0.5 * odds + 1.0)))
    assert platt(odds, true) == pytest.approx((0.5, 1.0), abs=0.1)


def test_few_answers_stay_near_the_prior() -> None:
    odds, true = np.array([-6.0, -5.0, -7.0]), np.array([True, True, True])
    slope, offset = platt(odds, true, (0.6, 4.0))
    assert 0.2 < slope < 0.6
    assert 3.5 < offset < 5.5
    assert platt(odds[:0], true[:0], (0.6, 4.0)) == pytest.approx((0.6, 4.0))
    assert platt(odds, np.array([True, True, True]), (0.1, 0.0))[0] >= 0.05
