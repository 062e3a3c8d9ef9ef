"""How many briefs share a wave: `loop.together`, or fewer if their pictures would take more than `loop.memory_mb`."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from pipeline.brief import Brief
from pipeline.config import Preset

Numbered = tuple[int, Brief]


def admitted(waiting: deque[Numbered], inside: Sequence[Brief], preset: Preset) -> list[Numbered]:
    """Remove from the front of `waiting` the briefs that may join the briefs of a wave (`inside`), and return them. An
    empty wave always gets one."""
    limit = preset.loop.memory_mb * 2**20
    used = sum(picture_bytes(brief, preset) for brief in inside)
    joining: list[Numbered] = []
    while waiting and len(inside) + len(joining) < preset.loop.together:
        used += picture_bytes(waiting[0][1], preset)
        if used > limit and (inside or joining):
            break
        joining.append(waiting.popleft())
    return joining


def picture_bytes(brief: Brief, preset: Preset) -> int:
    """Bytes of all pictures that a brief may paint. They stay in memory until it ends, since any may be the best."""
    width, height = brief.width or preset.image.width, brief.height or preset.image.height
    return width * height * 3 * preset.loop.images
