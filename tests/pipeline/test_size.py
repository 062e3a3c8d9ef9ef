"""Sizes in words: what they mean together, what fits them, what nothing can have."""

from __future__ import annotations

import pytest

from pipeline.brief import Requirement
from pipeline.range import Range
from pipeline.reading.flags import flagged
from pipeline.size import Size, parse, together, wanted_size


def wants(*values: str) -> list[Requirement]:
    return [
        Requirement(id=f"r{i}", kind="technical", subject="size", value=value, text=value)
        for i, value in enumerate(values)
    ]


@pytest.mark.parametrize(
    ("values", "size"),
    [
        (["512x300"], (512, 300)),
        (["800 wide"], (800, 600)),
        (["300 tall"], (400, 300)),
        (["300 wide", "200 tall"], (300, 200)),
        (["square"], (768, 768)),
        (["landscape"], (1024, 768)),
        (["portrait"], (768, 1024)),
        (["square", "512x512"], (512, 512)),
        ([], None),
        (["big"], None),
    ],
)
def test_the_size_that_words_ask_for(values: list[str], size: tuple[int, int] | None) -> None:
    assert wanted_size(wants(*values), (1024, 768)) == size
    if size:
        assert all(found.fits(*size) for value in values if (found := parse(value)))


def test_landscape_of_a_square_preset_is_wider_than_tall() -> None:
    assert wanted_size(wants("landscape"), (256, 256)) == (320, 256)


@pytest.mark.parametrize(
    ("values", "clash"),
    [
        (["512x512", "square"], False),
        (["512 wide", "300 tall"], False),
        (["512 wide", "512x300"], False),
        (["512x512", "portrait"], True),
        (["512 wide", "300x300"], True),
        (["landscape", "portrait"], True),
    ],
)
def test_sizes_that_contradict_each_other(values: list[str], clash: bool) -> None:
    one, two = (parse(value) or Size() for value in values)
    assert (together(one, two) is None) == clash
    assert [w.flag for w in flagged(wants(*values))] == (["contradiction"] * 2 if clash else [None] * 2)


@pytest.mark.parametrize(
    ("value", "square", "flag"),
    [
        ("9999x9999", False, "outside"),
        ("10x10", False, "outside"),
        ("5000 wide", False, "outside"),
        ("512x300", False, None),
        ("512x300", True, "outside"),
        ("landscape", True, "outside"),
        ("300 wide", True, None),
        ("square", True, None),
    ],
)
def test_sizes_that_cannot_be(value: str, square: bool, flag: str | None) -> None:
    assert [w.flag for w in flagged(wants(value), Range(square=square))] == [flag]
