"""The step that makes icons of a picture: transparent PNGs, a favicon, an SVG, and the HTML that names them."""

from __future__ import annotations

import io
from xml.etree import ElementTree

from PIL import Image

from pipeline.pieces.image_step import as_png
from pipeline.pieces.page import SNIPPET, snippet
from pipeline.pieces.record import Files, Made, PartCheck, Pictures, Words
from pipeline.pieces.stickers import enlarged
from pipeline.pieces.work import Failed, Making, Products, Rounds, Work, taken
from pipeline.pieces.workflow import IconStep

_MARGIN = 0.04  # of a side, that stays empty
_FAVICON = (16, 32, 48)
_MOST_KB = 100  # of the SVG


def make_icons(work: Work, name: str, products: Products, rounds: Rounds) -> Making:
    """See StepMaker. Raises Failed where nothing is cut out."""
    yield from ()
    step = work.workflow.steps[name]
    assert isinstance(step, IconStep)
    picture = next((one for one in taken(products, Pictures).each if one.cut), None)
    if picture is None:
        raise Failed("the picture could not be cut out: its ground is not plain")
    thing = Image.open(work.folder.path / picture.file).convert("RGBA")
    icons = {size: icon(thing, size) for size in sorted({*step.sizes, *_FAVICON})}
    for size in step.sizes:
        work.folder.write(f"icon-{size}.png", as_png(icons[size]))
    buffer = io.BytesIO()
    icons[max(_FAVICON)].save(
        buffer, "ICO", sizes=[(size, size) for size in _FAVICON], append_images=[icons[s] for s in _FAVICON]
    )
    work.folder.write("favicon.ico", buffer.getvalue())
    svg = traced(icon(thing, 512))
    work.folder.write("icon.svg", svg.encode())
    words = taken(products, Words).fields
    work.folder.write(SNIPPET, snippet(words.get("alt", ""), sorted(step.sizes)).encode())
    files = ("favicon.ico", "icon.svg", SNIPPET, *(f"icon-{size}.png" for size in step.sizes))
    main = f"icon-{max(step.sizes)}.png"
    checks = _checks(name, work, step, svg)
    return Made(
        step=name, kind=step.kind, product=Files(main=main, files=files), checks=tuple(checks), files=files
    )


def icon(thing: Image.Image, size: int) -> Image.Image:
    """The thing in the middle of a transparent square."""
    room = size * (1 - 2 * _MARGIN)
    scale = room / max(thing.size)
    fitted = (max(1, round(thing.width * scale)), max(1, round(thing.height * scale)))
    drawn = enlarged(thing, fitted) if scale >= 1 else thing.resize(fitted, Image.Resampling.LANCZOS)
    made = Image.new("RGBA", (size, size))
    made.paste(drawn, ((size - drawn.width) // 2, (size - drawn.height) // 2))
    return made


def traced(image: Image.Image) -> str:
    """The picture as SVG, in areas of one colour each."""
    import vtracer

    svg: str = vtracer.convert_raw_image_to_svg(
        as_png(image), img_format="png", colormode="color", hierarchical="stacked", mode="spline",
        filter_speckle=8, color_precision=5, layer_difference=32, corner_threshold=60, path_precision=1,
    )  # fmt: skip
    return svg


def _checks(name: str, work: Work, step: IconStep, svg: str) -> list[PartCheck]:
    checks = []
    for size in step.sizes:
        with Image.open(work.folder.path / f"icon-{size}.png") as image:
            corners = [image.getpixel((x, y)) for x in (0, size - 1) for y in (0, size - 1)]
            clear = image.mode == "RGBA" and image.size == (size, size)
            clear = clear and all(isinstance(corner, tuple) and corner[3] == 0 for corner in corners)
            lowest, highest = image.getchannel("A").getextrema()
        checks.append(
            (f"icon {size}", clear and highest == 255, f"opacity from {lowest} to {highest} of 255")
        )
    with Image.open(work.folder.path / "favicon.ico") as favicon:
        sizes = sorted(size for size, _ in favicon.info["sizes"])
    checks.append(("favicon", sizes == list(_FAVICON), f"sizes: {', '.join(map(str, sizes))}"))
    try:
        paths = len(ElementTree.fromstring(svg).findall(".//{*}path"))
    except ElementTree.ParseError:
        paths = 0
    size_kb = len(svg.encode()) / 1000
    checks.append(
        ("svg", paths > 0 and size_kb <= _MOST_KB, f"areas: {paths}, {size_kb:.0f} kB of at most {_MOST_KB}")
    )
    return [
        PartCheck(step=name, name=what, outcome="pass" if passed else "fail", reason=why)
        for what, passed, why in checks
    ]
