"""A comparison as a page with the pictures side by side, as CSV and as JSON."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from pipeline.comparing.advice import advice, multiple, percent, points
from pipeline.comparing.comparison import Comparison, Standing
from pipeline.files import write
from pipeline.results.thumbnail import thumbnail
from pipeline.store import Store
from pipeline.work.report import duration, plain

_COLUMNS = (
    "line", "name", "brief", "variant", "outcome", "right", "judged by", "images", "tokens", "seconds", "joules",
    "money", "why", "folder",
)  # fmt: skip
_WIDE, _HIGH = 640, 280  # of the plot
_RIGHT = {True: "yes", False: "no", None: ""}


def write_comparison(made: Comparison, store: Store, stem: str = "compare") -> Path:
    """Write the page, the CSV and the JSON into the output folder. Returns the path of the page."""
    page = store.out / f"{stem}.html"
    write(page.with_suffix(".json"), as_json(made).encode())
    write(page.with_suffix(".csv"), as_csv(made).encode())
    write(page, as_html(made, store).encode())
    return page


def as_json(made: Comparison) -> str:
    return json.dumps(made.model_dump(mode="json") | {"advice": advice(made)}, ensure_ascii=False, indent=1)


def as_csv(made: Comparison) -> str:
    """One line for each brief in each variant. Costs are those in all, kept answers included."""
    lines = io.StringIO()
    table = csv.writer(lines, lineterminator="\n")
    table.writerow(_COLUMNS)
    for line in made.lines:
        for standing, one in zip(made.standings, line.results, strict=True):
            table.writerow(
                plain(cell)
                for cell in (
                    line.line, line.name, line.text, standing.name, one.status, _RIGHT[one.right], one.judged_by,
                    one.needed.images, one.needed.tokens, f"{one.needed.seconds:.2f}",
                    f"{one.needed.joules:.0f}", f"{one.needed.money:.4f}", one.reason, one.folder,
                )
            )  # fmt: skip
    return lines.getvalue()


def as_html(made: Comparison, store: Store) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    pages = Environment(
        loader=PackageLoader("pipeline.comparing", "."), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    pages.filters |= {"percent": percent, "points": points, "multiple": multiple, "duration": duration}
    return pages.get_template("compare.html.j2").render(
        made=made,
        advice=advice(made),
        points=_points(made),
        wide=_WIDE,
        high=_HIGH,
        thumbnail=lambda name: thumbnail(store, name),
    )


def _points(made: Comparison) -> list[tuple[Standing, float, float]]:
    """Where each variant is in the plot: cost for each good picture to the right, share of good pictures upwards."""
    shown = [one for one in made.standings if one.count]
    most = max((one.each[made.cost] for one in shown), default=0.0) or 1.0
    return [
        (
            one,
            50 + (_WIDE - 180) * one.each[made.cost] / most,
            20 + (_HIGH - 60) * (1 - (one.good.value or 0)),
        )
        for one in shown
    ]
