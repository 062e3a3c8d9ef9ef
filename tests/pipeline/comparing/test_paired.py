"""Differences on the same briefs, against published examples and by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.comparing.paired import difference, ratio, share


def pairs(both: int, first: int, other: int, none: int) -> tuple[list[bool], list[bool]]:
    one = [True] * both + [True] * first + [False] * other + [False] * none
    two = [True] * both + [False] * first + [True] * other + [False] * none
    return one, two


def test_newcombes_example() -> None:
    found = difference(*pairs(both=36, first=2, other=12, none=0))
    assert found.value == pytest.approx(0.2)
    assert (found.low, found.high) == pytest.approx((0.0569, 0.3404), abs=1e-4)
    assert found.p == pytest.approx(0.0129, abs=1e-4)


def test_the_other_way_round_is_the_same_with_the_sign_changed() -> None:
    one, two = pairs(both=20, first=7, other=2, none=5)
    there, back = difference(one, two), difference(two, one)
    assert there.value == pytest.approx(-back.value)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert there.p == back.p


def test_variants_that_never_differ_may_still_differ_on_other_briefs() -> None:
    few, many = (difference([True] * n, [True] * n) for n in (10, 400))
    assert few.value == many.value == 0
    assert few.low < -0.2
    assert -0.02 < many.low < 0 < many.high
    assert difference([], []).low == -1
    assert share(0, 0).value is None


def test_nineteen_of_twenty_intervals_hold_the_true_difference() -> None:
    rng, held, true = np.random.default_rng(3), 0, 0.7 * 0.9 + 0.3 * 0.4 - 0.7
    for _ in range(400):
        first = rng.random(40) < 0.7
        other = rng.random(40) < np.where(first, 0.9, 0.4)
        found = difference(first.tolist(), other.tolist())
        held += found.low <= true <= found.high
    assert held / 400 == pytest.approx(0.95, abs=0.035)


def test_a_tenth_of_the_cost() -> None:
    good = [True] * 40
    found = ratio([1.0] * 40, good, [0.1] * 40, good)
    assert (found.value, found.low, found.high) == pytest.approx((0.1, 0.1, 0.1))
    # Half of them for nothing: each good one takes twice as much.
    found = ratio([1.0] * 40, good, [0.1] * 40, [True, False] * 20)
    assert found.value == pytest.approx(0.2)
    assert found.low is not None
    assert found.high is not None
    assert 0.13 < found.low < 0.2 < found.high < 0.35
    assert ratio([1.0], [True], [1.0], [False]).value is None
    assert ratio([1.0, 1.0], [True] * 2, [1.0, 1.0], [True, False]).high is None
