"""Layouts that the seed chooses: what may be moved, where to, and what stays as it was painted."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from PIL import Image, ImageDraw

from models.image.layout import LAYOUTS, laid_out

GROUND, RED, BLUE = (240, 240, 240), (220, 30, 30), (20, 40, 220)
SIDE = 256
Box = tuple[int, int, int, int]


def picture(*things: tuple[Box, tuple[int, int, int]]) -> Image.Image:
    image = Image.new("RGB", (SIDE, SIDE), GROUND)
    for box, colour in things:
        ImageDraw.Draw(image).ellipse(box, fill=colour)
    return image


def box_of(image: Image.Image, colour: tuple[int, int, int]) -> Box:
    near = np.abs(np.asarray(image).astype(int) - colour).max(2) < 90
    rows, columns = np.flatnonzero(near.any(1)), np.flatnonzero(near.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


ONE = picture(((20, 20, 235, 235), RED))
TWO = picture(((10, 70, 120, 180), RED), ((136, 70, 246, 180), BLUE))


def test_seed_0_gives_the_picture_as_it_was_painted() -> None:
    made, layout = laid_out(ONE, "a red ball", 0)
    assert layout is None
    assert made is ONE


@pytest.mark.parametrize("seed", range(1, len(LAYOUTS[1]) + 1))
def test_a_thing_stays_whole_with_ground_around_it(seed: int) -> None:
    made, layout = laid_out(ONE, "a red ball", seed)
    assert layout is not None
    left, top, right, bottom = box_of(made, RED)
    assert min(left, top, SIDE - 1 - right, SIDE - 1 - bottom) >= 3
    wide, high = right - left, bottom - top
    assert abs(wide - high) <= 3  # still round
    assert wide == pytest.approx(215 * layout[0].size, abs=4)
    assert made.getpixel((1, 1)) == GROUND


def test_seeds_that_follow_each_other_differ() -> None:
    made = [np.asarray(laid_out(ONE, "a red ball", seed)[0]).astype(int) for seed in range(9)]
    for one, other in pairwise(made):
        assert np.abs(one - other).mean() > 5


@pytest.mark.parametrize("seed", range(1, 12))
def test_what_the_prompt_says_of_places_stays_true(seed: int) -> None:
    made, _ = laid_out(TWO, "a red ball to the left of a blue ball", seed)
    red, blue = box_of(made, RED), box_of(made, BLUE)
    assert red[2] < blue[0]
    across, down = blue[0] + blue[2] - red[0] - red[2], abs(blue[1] + blue[3] - red[1] - red[3])
    assert across > down


def test_two_things_may_stand_below_each_other_where_nothing_is_said() -> None:
    made = [laid_out(TWO, "a red ball and a blue ball", seed)[0] for seed in range(14)]
    assert any(box_of(image, RED)[3] < box_of(image, BLUE)[1] for image in made)


def test_a_thing_of_several_pieces_is_not_taken_apart() -> None:
    pieces = picture(((20, 40, 110, 215), RED), ((146, 40, 235, 215), BLUE))
    made, layout = laid_out(pieces, "a pair of glasses", 1)
    assert layout is not None
    assert len(layout) == 1
    red, blue = box_of(made, RED), box_of(made, BLUE)
    assert (red[1], red[3]) == pytest.approx((blue[1], blue[3]), abs=2)
    assert red[2] < blue[0]


def test_the_top_of_a_top_hat_is_no_place() -> None:
    assert laid_out(ONE, "a top hat", 1)[1] is not None


def test_other_things_than_were_asked_for_stay_where_they_are() -> None:
    assert laid_out(TWO, "three balls", 1) == (TWO, None)
    assert laid_out(Image.new("RGB", (SIDE, SIDE), GROUND), "a red ball", 1)[1] is None


def test_a_picture_whose_ground_is_not_plain_stays_as_it_is() -> None:
    noisy = np.asarray(ONE).copy()
    noisy[:, ::5] = RED
    image = Image.fromarray(noisy)
    assert laid_out(image, "a red ball", 1) == (image, None)
