"""What each setting for speed saves on this machine: seconds of an image, as a ratio to the same painter without it.

    python -m scripts.benches.gpu --preset studio
    python -m scripts.benches.gpu --preset mini --set image.device=cuda

Both painters of a row run in turns in one process, so that a busy machine slows both alike; on a CPU its own seconds
are counted instead of those of the clock. The first image, which includes compiling, is not part of the ratio and has a
column of its own. `differs` is the largest difference of a pixel from the image without the setting, of 255. `quantize`
saves memory more than time; its images differ.

The row `parked` compares two ways to a painter that made room for another model: `first call s` is a call of one that
comes back from main memory, and `ratio` that of the same call of one that is read from disk again.
"""

from __future__ import annotations

import gc
import statistics
import time
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table

from models.device import empty_caches, pick_device
from models.load import load_image
from models.protocols import ImageModel, ModelError, Paint
from pipeline.calls.load import quiet_libraries
from pipeline.config import Preset, load_preset

OFF = {
    "prompt_cache": 0, "channels_last": False, "compile": False, "fuse_loras": False, "max_batch": 1, "quantize": None,
}  # fmt: skip
SWITCHES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "prompt_cache": {"prompt_cache": 8},
    "channels_last": {"channels_last": True},
    "compile": {"compile": True},
    "fuse_loras": {"fuse_loras": True},
    "max_batch": {"max_batch": 4},
    "quantize": {"quantize": "int8"},
}
PARKED = "parked"
ROWS = (*SWITCHES, PARKED)


def main(
    preset: Annotated[str, typer.Option(help="name or path; its image section is measured")] = "mini",
    set_: Annotated[list[str] | None, typer.Option("--set", help="change a key of the preset")] = None,
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    only: Annotated[list[str] | None, typer.Option(help=f"one of {', '.join(ROWS)}; may be repeated")] = None,
    images: Annotated[int, typer.Option(min=1, help="of one prompt, with other seeds, in a round")] = 4,
    brief: str = "a panda on a purple background, cartoon style",
) -> None:
    quiet_libraries()
    chosen = load_preset(preset, set_ or ())
    spec = chosen.image.model_copy(update={**OFF, "fallback": ()})
    device = pick_device(getattr(spec, "device", "cpu"))
    requests = [Paint(brief, seed) for seed in range(images)]
    plain = load_image(spec, chosen.base, chosen.offline)
    started, expected = _timed(plain, requests)
    table = Table("setting", "s/image", "ratio", "first call s", "differs", "peak GB", box=None)
    for name in only or ROWS:
        if name == PARKED:
            table.add_row(name, *_parked(spec, chosen, requests, device))
            continue
        change = SWITCHES[name]
        if name == "fuse_loras" and not getattr(spec, "loras", ()):
            table.add_row(name, "", "no LoRA", "", "", "")
            continue
        try:
            other = (
                load_image(spec.model_copy(update=change), chosen.base, chosen.offline) if change else plain
            )
            first, painted = _timed(other, requests) if change else (started, expected)
            pairs = [(_timed(plain, requests)[0], _timed(other, requests)[0]) for _ in range(rounds)]
        except (ModelError, RuntimeError) as error:  # a compiler that is not installed is a RuntimeError
            table.add_row(name, "", "failed", "", str(error).splitlines()[0][:60], "")
            continue
        seconds = statistics.median(b for _, b in pairs) / images
        ratio = statistics.median(b / a for a, b in pairs)
        differs = max(int(np.abs(a - b).max()) for a, b in zip(expected, painted, strict=True))
        table.add_row(
            name,
            f"{seconds:.3f}",
            f"{ratio:.2f}",
            f"{first:.2f}",
            str(differs),
            _peak(other, requests, device),
        )
        del other
        gc.collect()
        empty_caches()
    Console().print(table)
    print(f"{plain.identity.name} on {device}, {plain.identity.dtype}, {images} images of one prompt, "
          f"{rounds} rounds, torch {torch.__version__}, {torch.get_num_threads()} threads")  # fmt: skip


def _timed(painter: ImageModel, requests: list[Paint]) -> tuple[float, list[np.ndarray[Any, Any]]]:
    clock = time.process_time if painter.identity.device == "cpu" else time.perf_counter
    began = clock()
    painted = painter.paint(requests)
    return clock() - began, [np.asarray(p.image).astype(int) for p in painted]


def _parked(spec: Any, preset: Preset, requests: list[Paint], device: str) -> tuple[str, ...]:
    """The cells of the row of a painter that comes back from main memory."""
    if device != "cuda":
        return "", "no GPU", "", "", ""
    began = time.perf_counter()
    painter: Any = load_image(spec, preset.base, preset.offline)
    expected = _timed(painter, requests)[1]
    read = time.perf_counter() - began
    for _ in range(2):  # the first time the pinned memory is made
        painter.park()
        empty_caches()
        began = time.perf_counter()
        painter.place(spec)
        painted = _timed(painter, requests)[1]
        back = time.perf_counter() - began
    differs = max(int(np.abs(a - b).max()) for a, b in zip(expected, painted, strict=True))
    return "", f"{back / read:.2f}", f"{back:.2f}", str(differs), ""


def _peak(painter: ImageModel, requests: list[Paint], device: str) -> str:
    """GPU memory of a call at most, both painters' weights included; empty on a CPU."""
    if device != "cuda":
        return ""
    torch.cuda.reset_peak_memory_stats()
    painter.paint(requests)
    return f"{torch.cuda.max_memory_allocated() / 1e9:.2f}"


if __name__ == "__main__":
    typer.run(main)
