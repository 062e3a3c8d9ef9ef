"""The kinds of steps, and what makes each."""

from __future__ import annotations

from pipeline.pieces.code_step import make_page
from pipeline.pieces.icon_step import make_icons
from pipeline.pieces.image_step import make_pictures
from pipeline.pieces.sheet_step import make_sheet
from pipeline.pieces.text_step import make_words
from pipeline.pieces.work import StepMaker

STEPS: dict[str, StepMaker] = {
    "image": make_pictures,
    "text": make_words,
    "code": make_page,
    "sheet": make_sheet,
    "icons": make_icons,
}
