"""Contact sheets are lettered in every script of the bundled fonts."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pipeline.results import lettering

LACKING = "\U000f0000"  # a private character, which no font has
TEXTS = {
    "Arabic": "قطة حمراء على خلفية زرقاء", "Chinese": "三只红色的猫在蓝色背景上", "Japanese": "赤い猫が三匹カタカナ",
    "Korean": "파란 배경의 고양이", "Cyrillic": "три рыжих кота", "Hebrew": "תמונה של חתול", "emoji": "🐼😀🎨❤️",
    "marks": "✓→×“”",
}  # fmt: skip


def drawn(text: str) -> bytes:
    page = Image.new("L", (400, 40), 255)
    lettering.draw(ImageDraw.Draw(page), (4, 4), text, "black", 16)
    return page.tobytes()


@pytest.mark.parametrize("script", TEXTS)
def test_no_letter_is_an_empty_box(script: str) -> None:
    for letter in set(TEXTS[script]) - {" ", "\ufe0f"}:
        assert drawn(letter) != drawn(LACKING), (script, letter)
    assert drawn("\ufe0f") == drawn("")


def test_words_in_arabic_stand_from_right_to_left() -> None:
    """The first word is at the right end of the line, whatever follows it."""
    both, first = (
        np.frombuffer(drawn(text), np.uint8).reshape(40, 400) < 128 for text in ("قطة حمراء", "قطة")
    )
    end = both.any(0).nonzero()[0][-1] + 1
    size = first.any(0).nonzero()[0]
    word = first[:, size[0] : size[-1] + 1]
    assert (both[:, end - word.shape[1] : end] == word).mean() > 0.98


@pytest.mark.parametrize("text", [TEXTS["Chinese"] * 9, "a panda " * 40, "w" * 300, "кот " * 60, "🐼" * 70])
def test_lines_fit_and_lose_nothing(text: str) -> None:
    lines = lettering.wrapped(text, 300, 13)
    assert max(lettering.width(line, 13) for line in lines) <= 300
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    short = lettering.shortened(text, 100, 13)
    assert lettering.width(short, 13) <= 100
    assert short.endswith("…")


def test_no_text_is_one_empty_line() -> None:
    assert lettering.wrapped("", 300, 13) == [""]
    assert lettering.shortened("a cat", 300, 13) == "a cat"
