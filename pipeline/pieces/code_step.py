"""The step that makes a page: HTML and CSS from a template, looked at in a browser. A page that does not pass is made
by the next template."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from PIL import Image

from models.load import load_ocr, parse_judge
from models.protocols import Line, ModelError
from pipeline.pieces.browser import NoBrowser, View, view
from pipeline.pieces.colours import palette
from pipeline.pieces.page import TemplateFault, render
from pipeline.pieces.page_checks import PageChecks
from pipeline.pieces.record import Made, Page, PartCheck, Picture, Pictures, Words
from pipeline.pieces.work import Making, Products, Rounds, Work, taken
from pipeline.pieces.workflow import CodeStep

_SHOWN = ("headline", "body")  # the words that a page shows; the others are in its source


def make_page(work: Work, name: str, products: Products, rounds: Rounds) -> Making:
    """See StepMaker."""
    yield from ()
    step = work.workflow.steps[name]
    assert isinstance(step, CodeStep)
    asked = sum(any(check.step == name for check in failures) for failures in rounds)
    template = step.templates[min(asked, len(step.templates) - 1)]
    kinds: dict[str, str] = {"code": name}
    for before in step.takes:
        kinds.setdefault(work.workflow.steps[before].kind, before)
    checking = PageChecks(name, kinds)
    pictures, words = taken(products, Pictures).each, taken(products, Words)
    first = Image.open(work.folder.path / pictures[0].file)
    colours = palette(first, pictures[0].ground if pictures[0].cut else None)
    size = step.width, step.height
    try:
        text, fonts = render(work.workflow.template(template), words.fields, pictures, colours, size)
    except TemplateFault as fault:
        failed = PartCheck(step=name, name="template", outcome="fail", reason=str(fault), mends=(name,))
        product = Page(file=step.file, template=template)
        return Made(step=name, kind=step.kind, product=product, checks=(failed,))
    page = work.folder.path / step.file
    work.folder.write(step.file, text.encode())
    for font in fonts:
        work.folder.write(f"fonts/{font.name}", font.read_bytes())
    parts = [page, *_pictures(work, pictures), *(work.folder.path / "fonts" / font.name for font in fonts)]
    checks = checking.of_files(page, step.most_kb, parts)
    shown = {field: text for field, text in words.fields.items() if field in _SHOWN}
    screenshot = None
    try:
        seen = view(page, *size)
        checks += checking.of_view(seen, shown, size, fixed=step.screenshot is not None)
        checks += _read(checking, seen, shown)
        if step.screenshot:
            screenshot = step.screenshot
            work.folder.write(screenshot, seen.image)
    except NoBrowser as error:
        checks.append(checking.unchecked(str(error)))
    product = Page(file=step.file, template=template, screenshot=screenshot)
    files = tuple(str(part.relative_to(work.folder.path)) for part in parts)
    return Made(
        step=name, kind=step.kind, product=product, checks=tuple(checks),
        files=(*files, *([screenshot] if screenshot else [])),
    )  # fmt: skip


def _pictures(work: Work, pictures: Sequence[Picture]) -> list[Path]:
    paths = [work.folder.path / picture.file for picture in pictures]
    return [path for path in paths if path.is_file()]


def _read(checking: PageChecks, seen: View, words: dict[str, str]) -> list[PartCheck]:
    try:
        return checking.of_letters(words, read_lines(seen.pictures[0]))
    except ModelError as error:
        return [checking.unchecked(f"nothing reads the page's letters ({error})")]


def read_lines(image: Image.Image) -> list[Line]:
    """The lines of text in a picture. Raises ModelError where the reader cannot be loaded."""
    lines: list[Line] = _reader().read([image])[0]
    return lines


@cache
def _reader():  # type: ignore[no-untyped-def]
    return load_ocr(parse_judge({"kind": "rapidocr"}), Path(), offline=True)
