"""Compare one step with many steps of the same painter: seconds and FLOPs per image, and how many briefs are met, by
the examiner.

    python -m scripts.benches.painter --each 10

The bundled painter was trained for one step, not distilled from a slower model. Both sides run in turns in one process,
so a busy machine slows both alike.
"""

from __future__ import annotations

import statistics
import time
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Table
from torch.utils.flop_counter import FlopCounterMode

from models.load import load_image
from models.protocols import Paint
from pipeline.calls.load import quiet_libraries
from pipeline.config import load_preset
from scripts.evaluation.loop import by_boxes
from scripts.evaluation.suite import suite
from scripts.evaluation.tables import share


def main(
    each: Annotated[int, typer.Option(min=1, help="briefs of each kind")] = 10,
    many: Annotated[int, typer.Option(min=2, help="steps of the other side")] = 25,
    preset: str = "mini",
) -> None:
    chosen = load_preset(preset)
    quiet_libraries()
    painter, cases = load_image(chosen.image, chosen.base, chosen.offline), suite(each)
    few = getattr(chosen.image, "steps", 1)
    met, seconds, flops = {few: 0, many: 0}, {few: [0.0], many: [0.0]}, {few: 0, many: 0}
    for steps in met:
        with FlopCounterMode(display=False) as counter:
            painter.paint([Paint(cases[0].text, 0, steps=steps)])
        flops[steps] = counter.get_total_flops()
        seconds[steps].clear()
    for i, case in enumerate(cases):
        for steps in met:
            began = time.perf_counter()
            (painted,) = painter.paint([Paint(case.text, i, steps=steps)])
            seconds[steps].append(time.perf_counter() - began)
            met[steps] += not by_boxes(painted.image, case)
    table = Table("steps", "met %", "seconds of an image", "GFLOP of an image", box=None)
    for steps, right in met.items():
        middle = statistics.median(seconds[steps])
        table.add_row(str(steps), share(right, len(cases)), f"{middle:.2f}", f"{flops[steps] / 1e9:.1f}")
    Console().print(table)
    ratio = statistics.median(a / b for a, b in zip(seconds[few], seconds[many], strict=True))
    print(f"ratio: {ratio:.2f} of the seconds, {flops[few] / flops[many]:.2f} of the FLOPs, "
          f"{met[few] / max(1, met[many]):.2f} of the briefs met ({torch.get_num_threads()} threads)")  # fmt: skip


if __name__ == "__main__":
    typer.run(main)
