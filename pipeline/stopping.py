"""Stop running work, from a signal handler, another thread or the page."""

from __future__ import annotations

from models.protocols import Step, Stopped
from models.specs import JUDGES


class Stop:
    """A request to stop.

    `pause()`: complete the current batch of a model, then stop; open briefs can be resumed.
    `finish()`: stop painting after the current denoising step; each open brief ends with its best picture so far.
    """

    def __init__(self) -> None:
        self.requested = False
        self.finishing = False
        self._at_step = False

    @property
    def pausing(self) -> bool:
        """Whether `pause` was requested, and `finish` was not."""
        return self.requested and not self.finishing

    def pause(self, at_step: bool = False) -> None:
        """With `at_step`, painting stops after the current denoising step, and unfinished pictures are lost."""
        self.requested = True
        self._at_step = self._at_step or at_step

    def finish(self) -> None:
        self.finishing = self._at_step = self.requested = True

    def before_batch(self, stage: str) -> None:
        """Raise Stopped if no further batch may begin. After `finish`, pictures already painted are still judged."""
        if self.requested and not (self.finishing and stage in JUDGES):
            raise Stopped

    def after_step(self, step: Step) -> None:
        """Raise Stopped if painting must end. Pictures at their last step are complete, so they are kept."""
        if self._at_step and step.index < step.total:
            raise Stopped
