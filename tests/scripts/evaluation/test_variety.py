"""How seeds are compared: differences of pixels, layouts, and shapes of briefs."""

from __future__ import annotations

import numpy as np
from PIL import Image

from models.mini.dataset.scene import Item, Scene, render
from scripts.evaluation.suite import suite
from scripts.evaluation.variety import compared, difference, layouts, shape, sheet, table

BIG, LEFT, RIGHT = (0, 0, 4), (0, 1, 3), (1, 1, 3)  # left, top and side in cells


def shown(*spots: tuple[int, int, int]) -> list[Image.Image]:
    cats = [Scene("single", (Item("cat", None, *spot),), "blue", "flat") for spot in spots]
    return [Image.fromarray(render(cat, 128)) for cat in cats]


def test_the_difference_is_a_mean_of_255() -> None:
    black, gray = (Image.fromarray(np.full((8, 8, 3), level, np.uint8)) for level in (0, 40))
    assert difference(black, gray) == 40
    assert difference(gray, gray) == 0


def test_pictures_that_hardly_differ_have_one_layout() -> None:
    big, again, left, right = shown(BIG, BIG, LEFT, RIGHT)
    assert layouts([big, again]) == 1
    assert layouts([big, left, again, right]) == 3


def test_the_briefs_are_full_and_of_three_shapes() -> None:
    cases = suite(30, 23, ("combined",))
    assert {shape(case) for case in cases} == {"single", "groups", "pairs"}
    assert all({"background", "style"} <= {fact.kind for fact in case.facts} for case in cases)


def test_the_table_has_a_row_for_each_shape_and_all() -> None:
    (case,) = suite(1, 23, ("combined",))
    measured = [compared(case, shown(LEFT, RIGHT))]
    lines = table(measured).splitlines()
    assert len(lines) == 4
    assert lines[-1].startswith("| all | 1 |")
    assert sheet(measured).size == (2 * 192, 192)
