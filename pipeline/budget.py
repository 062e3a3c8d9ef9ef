"""Hard limits of a brief: checked before a call, spent after it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from pipeline.config import Loop


@dataclass
class Budget:
    """What one brief may use and has used. Seconds count from the start of its run, waiting included."""

    limits: Loop
    images: int = 0
    tokens: int = 0
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def left(self) -> int:
        """Images that the next attempt may paint."""
        return min(self.limits.images_per_attempt, self.limits.images - self.images)

    def spent(self) -> str | None:
        """Which limit is reached, in words; None while there is room for another attempt."""
        if self.images >= self.limits.images:
            return f"all {self.limits.images} images of the budget are painted"
        if self.limits.seconds is not None and self.seconds >= self.limits.seconds:
            return f"the {self.limits.seconds:g} seconds of the budget are over"
        if self.limits.tokens is not None and self.tokens >= self.limits.tokens:
            return f"the {self.limits.tokens:,} tokens of the budget are used"
        return None
