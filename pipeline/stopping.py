"""Stopping work that is under way, from a signal handler, another thread or the page."""

from __future__ import annotations

from models.protocols import Step, Stopped


class Stop:
    """A request to stop.

    `pause()`: the work in hand is completed and kept; what is open can be resumed later.
    `finish()`: painting ends after the present step, and each brief ends with its best picture so far.
    """

    def __init__(self) -> None:
        self.requested = False
        self.finishing = False
        self._at_step = False

    @property
    def pausing(self) -> bool:
        return self.requested and not self.finishing

    def pause(self, at_step: bool = False) -> None:
        """With `at_step`, painting ends after the present step, and the pictures in hand are lost."""
        self.requested = True
        self._at_step = self._at_step or at_step

    def finish(self) -> None:
        self.finishing = self._at_step = self.requested = True

    def before_batch(self, stage: str) -> None:
        """Raise Stopped where no further batch may begin. What was painted is still scored when finishing."""
        if self.requested and not (self.finishing and stage == "scorer"):
            raise Stopped

    def after_step(self, step: Step) -> None:
        """Raise Stopped where painting must end. After its last step a picture is complete, so it stays."""
        if self._at_step and step.index < step.total:
            raise Stopped
