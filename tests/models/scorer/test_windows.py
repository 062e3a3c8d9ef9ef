"""Judging by parts: what windows say of single things, put together."""

from __future__ import annotations

import pytest

from models.protocols import Arrangement
from models.scorer.windows import MOST, WINDOWS, applies, together


def seen(whole: float = 0.0, low: float = 0.02, **at: float) -> list[float]:
    """Probabilities of one thing: in the whole, and in the windows at column and row, as in x2y0=0.9."""
    windows = [at.get(f"x{round(4 * x)}y{round(4 * y)}", low) for x, y in WINDOWS]
    return [whole, *windows]


def exactly(count: int, views: list[float]) -> float:
    return together(Arrangement(("a picture of a cat",), count=count), [views])


def test_a_count_is_as_many_as_asked_and_not_one_more() -> None:
    two = seen(0.8, x0y1=0.9, x2y1=0.85)
    assert [exactly(n, two) for n in (1, 2, 3, 4)] == pytest.approx([0.15, 0.85, 0, 0])
    four = seen(0.8, x0y0=0.9, x2y0=0.9, x0y2=0.9, x2y2=0.7)
    assert [exactly(n, four) for n in (1, 2, 3, 4)] == pytest.approx([0.1, 0.1, 0.3, 0.7])


def test_one_thing_may_fill_the_picture_or_a_window() -> None:
    assert exactly(1, seen(0.95)) == 0.95
    assert exactly(1, seen(0.1, x1y1=0.9)) == 0.9
    assert exactly(1, seen(0.1)) == 0.1


def test_a_thing_seen_in_two_windows_that_overlap_is_one() -> None:
    assert exactly(1, seen(0.9, x0y1=0.9, x1y1=0.8)) == 0.9
    assert exactly(2, seen(0.9, x0y1=0.9, x1y1=0.8)) == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("first", "second", "where"),
    [
        ("x0y1", "x2y1", "left"),
        ("x2y1", "x0y1", "right"),
        ("x1y0", "x1y2", "above"),
        ("x1y2", "x1y0", "below"),
    ],
)
def test_a_relation_is_the_best_pair_of_windows_that_lie_so(first: str, second: str, where: str) -> None:
    views = [seen(0.9, **{first: 0.9}), seen(0.9, **{second: 0.8})]
    found = {
        word: together(Arrangement(("a cat", "a dog"), where=word), views)
        for word in ("left", "right", "above", "below")
    }
    assert found.pop(where) == 0.8
    assert max(found.values()) == pytest.approx(0.02)


def test_things_far_off_the_line_are_not_beside_each_other() -> None:
    views = [seen(x0y0=0.9), seen(x2y2=0.9)]
    assert together(Arrangement(("a cat", "a dog"), where="left"), views) == pytest.approx(0.02)


def test_a_single_thing_may_be_anywhere() -> None:
    assert together(Arrangement(("a picture of a red cat",)), [seen(0.2, x2y1=0.7)]) == 0.7


def test_what_windows_cannot_tell_is_left_to_the_whole() -> None:
    assert not applies(Arrangement(("a cat",), count=MOST + 1))
    assert not applies(Arrangement(("a cat", "a dog"), where="inside"))
    assert applies(Arrangement(("a cat",), count=MOST))
