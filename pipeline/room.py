"""How many briefs move together: as many as the preset says, fewer where their pictures would take too much memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from pipeline.brief import Brief
from pipeline.config import Preset

Numbered = tuple[int, Brief]


def admitted(waiting: deque[Numbered], inside: Sequence[Brief], preset: Preset) -> list[Numbered]:
    """Takes from the front of `waiting` what may join those inside. One brief is always let in."""
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
    """Memory of all pictures that a brief may have: they stay until it is done, the best may be any."""
    width, height = brief.width or preset.image.width, brief.height or preset.image.height
    return width * height * 3 * preset.loop.images
