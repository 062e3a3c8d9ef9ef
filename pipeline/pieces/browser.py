"""A page as a real browser shows it: Chromium without a screen, without network, and without scripts.

`EASEL_CHROMIUM` names the program where it is not on the path."""

from __future__ import annotations

import io
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from pipeline.brief import Record

if TYPE_CHECKING:
    from playwright.sync_api import Page, Playwright, Route

VARIABLE = "EASEL_CHROMIUM"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_MEASURE = Path(__file__).with_name("measure.js")
_PATIENCE = 20_000  # milliseconds until a page must be there
# Texts become transparent: what is behind them remains.
_WITHOUT_TEXT = "* { color: transparent !important; text-shadow: none !important; }"

# Not playwright's own function, which waits for an event that does not come where scripts are off.
_ADD_STYLE = "css => { document.head.appendChild(document.createElement('style')).textContent = css; }"


class NoBrowser(Exception):
    """There is no Chromium to open a page with; the message says what to install."""


class Text(Record):
    """A piece of text. `colour` is CSS; `cut`: how it leaves its box, in words; `lines`: left, top, right and bottom of
    each, in pixels."""

    text: str
    field: str
    colour: str
    size: float
    weight: float
    cut: str
    covered: bool
    shown: bool
    lines: tuple[tuple[float, float, float, float], ...]


class Shown(Record):
    """A picture as the page shows it. `alt`: None where it has none."""

    source: str
    alt: str | None
    loaded: bool
    shown: bool


class Measured(Record):
    """What a page shows. `fault`: why it is not well-formed; `fonts`: how many could not be loaded; `outside`:
    addresses that it asked for and did not get; `width` and `height`: of all of it, in pixels."""

    texts: tuple[Text, ...]
    pictures: tuple[Shown, ...]
    scripts: int
    fault: str
    fonts: int
    width: int
    height: int
    outside: tuple[str, ...] = ()


class View(Record):
    """`image`: the page as PNG; `bare`: the same without its texts."""

    measured: Measured
    image: bytes
    bare: bytes

    @property
    def pictures(self) -> tuple[Image.Image, Image.Image]:
        """With texts and without."""
        with_, without = (Image.open(io.BytesIO(data)).convert("RGB") for data in (self.image, self.bare))
        return with_, without


def chromium() -> str:
    """The program. Raises NoBrowser."""
    named = os.environ.get(VARIABLE)
    if named:
        if not shutil.which(named):
            raise NoBrowser(f"{VARIABLE} names {named}, which is no program; correct it")
        return named
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        raise NoBrowser(f"no Chromium found; install it (apt install chromium) or name it with {VARIABLE}")
    return found


def view(page: Path, width: int, height: int) -> View:
    """Open a page and look at it. Raises NoBrowser where there is no Chromium, or it does not start."""
    program = chromium()
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        raise NoBrowser("the package playwright is not installed; run pip install -e .[pages]") from None
    try:
        with sync_playwright() as playwright:
            return _view(playwright, program, page, width, height)
    except Error as error:
        raise NoBrowser(f"Chromium cannot show the page ({_first_line(error)})") from None


def _view(playwright: Playwright, program: str, page: Path, width: int, height: int) -> View:
    # As root, Chromium has no sandbox of its own.
    arguments = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    browser = playwright.chromium.launch(executable_path=program, args=arguments)
    try:
        context = browser.new_context(
            viewport={"width": width, "height": height}, offline=True, java_script_enabled=False
        )
        context.set_default_timeout(_PATIENCE)
        opened = context.new_page()
        outside = _only_from(opened, page.parent)
        opened.goto(page.resolve().as_uri())
        script = _MEASURE.read_text(encoding="utf-8").replace(
            "SOURCE", json.dumps(page.read_text(encoding="utf-8"))
        )
        found: dict[str, Any] = opened.evaluate(script)
        image = opened.screenshot(full_page=True)
        opened.evaluate(_ADD_STYLE, _WITHOUT_TEXT)
        bare = opened.screenshot(full_page=True)
        return View(measured=Measured(**found, outside=tuple(outside)), image=image, bare=bare)
    finally:
        browser.close()


def _only_from(page: Page, folder: Path) -> list[str]:
    """Let the page load files of its folder only; returns the list to which other addresses are added."""
    outside: list[str] = []
    home = folder.resolve().as_uri() + "/"

    def decide(route: Route) -> None:
        address = route.request.url
        if address.startswith(home) or address.startswith("data:"):
            route.continue_()
        else:
            outside.append(address)
            route.abort()

    page.route("**/*", decide)
    return outside


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:200]
