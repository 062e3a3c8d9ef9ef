"""The page of a piece: HTML and CSS from a template. Whatever people or models wrote is text in it, never markup."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from pathlib import Path

from jinja2 import (
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateError,
    select_autoescape,
)
from jinja2.sandbox import SandboxedEnvironment

from pipeline.pieces.colours import Palette
from pipeline.pieces.record import Picture
from pipeline.pieces.workflow import TEMPLATES

FONTS = Path(__file__).parent / "fonts"
_LATIN, _EXTENDED = "outfit-latin.woff2", "outfit-latin-ext.woff2"
# Nothing runs, and nothing is loaded but what lies beside the page.
POLICY = "default-src 'none'; img-src 'self' data:; font-src 'self'; style-src 'unsafe-inline'"


SNIPPET = "icons.html"  # what goes into the head of a site's pages, and a picture as an example


class TemplateFault(Exception):
    """A template cannot be used; the message says why."""


def render(
    template: Path,
    words: Mapping[str, str],
    pictures: tuple[Picture, ...],
    palette: Palette,
    size: tuple[int, int],
) -> tuple[str, list[Path]]:
    """The page, and the fonts that it needs beside it, in `fonts`. Raises TemplateFault."""
    fonts = [FONTS / _LATIN]
    if any(_extended(char) for text in words.values() for char in text):
        fonts.append(FONTS / _EXTENDED)
    try:
        text = _environment(template.parent).get_template(template.name).render(
            words=dict(words), pictures=pictures, palette=palette, width=size[0], height=size[1],
            fonts=[font.name for font in fonts], policy=POLICY, language="en",
        )  # fmt: skip
    except (TemplateError, TypeError, ValueError) as error:
        raise TemplateFault(f"the template {template.name} fails: {error}") from None
    return text, [*fonts, FONTS / "LICENSES.txt"]


def snippet(alt: str, sizes: list[int]) -> str:
    """The HTML that names the icons of a set."""
    template = _environment(TEMPLATES).get_template("_icons.html.j2")
    return template.render(alt=alt, sizes=sizes)


def _environment(folder: Path) -> Environment:
    return SandboxedEnvironment(
        loader=ChoiceLoader([FileSystemLoader(folder), FileSystemLoader(TEMPLATES)]),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _extended(char: str) -> bool:
    return ord(char) > 0xFF and "LATIN" in unicodedata.name(char, "")
