"""How many briefs share a wave: as many as the preset allows, fewer where their pictures would need too much memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from pipeline.brief import Brief
from pipeline.config import Preset

Numbered = tuple[int, Brief]


def admitted(waiting: deque[Numbered], inside: Sequence[Brief], preset: Preset) -> list[Numbered]:
    """Remove from the front of `waiting` the briefs that may join those `inside`, and return them. One brief may always
    join."""
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
    """Bytes of all pictures that a brief may have. They are kept until it ends, since any may be the best."""
    width, height = brief.width or preset.image.width, brief.height or preset.image.height
    return width * height * 3 * preset.loop.images
