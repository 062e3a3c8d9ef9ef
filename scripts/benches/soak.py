"""Many briefs in one process: how many end, what fails, and whether memory grows.

python -m scripts.benches.soak --briefs 2000
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import psutil
import typer

from models.palette import COLOURS


def main(
    briefs: Annotated[int, typer.Option(min=10, help="how many briefs")] = 2000,
    preset: Annotated[str, typer.Option()] = "mini",
    images: Annotated[int, typer.Option(help="image limit of each brief")] = 2,
) -> None:
    """Print a line for each tenth of the briefs. Exit status 1 if a brief has no outcome, or memory grows by more than
    a tenth after the first half."""
    from pipeline.brief import Brief
    from pipeline.config import data_file, load_preset
    from pipeline.events import Outcome
    from pipeline.range import load_range
    from pipeline.store import Store
    from pipeline.work.play import play
    from pipeline.work.row import Row

    out = Path(tempfile.mkdtemp(prefix="easel-soak-"))
    store, made = Store(out), load_preset(preset, [f"loop.images={images}"])
    drawable = load_range(data_file(made.range, made.base)).objects if made.range else None
    objects, colours = sorted(drawable or ("apple", "cat", "dog")), list(COLOURS)
    rows = [
        Row(
            i,
            Brief(
                text=f"one {objects[i % len(objects)]} on a {colours[i % len(colours)]} background", seed=i
            ),
            made,
        )
        for i in range(briefs)
    ]
    ended: Counter[str] = Counter()
    sizes, began, process = [], time.monotonic(), psutil.Process()
    print("briefs  seconds  memory MB  outcomes", flush=True)
    for happened in play(rows, store):
        if isinstance(happened, tuple) and isinstance(happened[1], Outcome):
            ended[happened[1].status] += 1
            if ended.total() % max(1, briefs // 10) == 0:
                sizes.append(process.memory_info().rss / 1e6)
                print(
                    f"{ended.total():6}  {time.monotonic() - began:7.0f}  {sizes[-1]:9.0f}  {dict(ended)}",
                    flush=True,
                )
    store.close()
    shutil.rmtree(out)
    grown = sizes[-1] / sizes[len(sizes) // 2] - 1
    print(
        f"{ended.total()} of {briefs} briefs have an outcome; memory grew by {grown:.1%} in the second half"
    )
    raise typer.Exit(0 if ended.total() == briefs and grown < 0.1 else 1)


if __name__ == "__main__":
    typer.run(main)
