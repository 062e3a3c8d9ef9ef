"""What a comparison of variants costs that share stages, against each variant alone: model time that was paid.

    python -m scripts.benches.variants                          # bundled preset, six briefs
    python -m scripts.benches.variants --vary image.steps=1,4   # others

Alone: every variant runs in an output folder of its own, so that nothing is kept from the others. Together: one folder,
as `easel compare` does it. What two variants share is then paid once.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from pipeline.calls.pool import ModelPool
from pipeline.comparing.variants import Variant, variants
from pipeline.store import Store
from pipeline.work.play import play

BRIEFS = (
    "a fox on a white background",
    "two red apples",
    "three owls, cartoon style",
    "a blue car left of a green tree",
    "four yellow balloons on a purple background",
    "a penguin and a cat",
)
VARY = ("loop.images=1,3", "judge.default.pass=0.5,0.9")


def main(
    preset: str = "mini",
    vary: Annotated[list[str] | None, typer.Option(help="as of easel compare")] = None,
    briefs: Annotated[Path | None, typer.Option(help="a file of briefs; default: six")] = None,
) -> None:
    """Print the model time and images of each variant alone and of all together, and the ratio."""
    with tempfile.TemporaryDirectory() as folder:
        path = briefs or Path(folder) / "briefs.txt.csv"
        if briefs is None:
            path.write_text("\n".join(("brief", *(f'"{text}"' for text in BRIEFS))), encoding="utf-8")
        found, _ = variants(path, [preset], vary or VARY)
        pool = ModelPool()
        alone = [_paid([one], Path(folder) / f"alone-{n}", pool) for n, one in enumerate(found)]
        together = _paid(found, Path(folder) / "together", pool)
    for one, (seconds, images) in zip(found, alone, strict=True):
        print(f"alone     {seconds:7.1f} s  {images:4} images  {one.name}")
    sums = sum(seconds for seconds, _ in alone), sum(images for _, images in alone)
    print(f"sum       {sums[0]:7.1f} s  {sums[1]:4} images  {len(found)} variants")
    print(f"together  {together[0]:7.1f} s  {together[1]:4} images  {together[0] / sums[0]:.2f} of the sum")


def _paid(found: list[Variant], out: Path, pool: ModelPool) -> tuple[float, int]:
    """Seconds of model calls, and images that were painted."""
    store, rows = Store(out), [row for variant in found for row in variant.rows]
    for _ in play(rows, store, pool=pool):
        pass
    paid = store.figures.paid([row.id for row in rows]).values()
    store.close()
    return sum(one.seconds for one in paid), sum(one.images for one in paid)


if __name__ == "__main__":
    typer.run(main)
