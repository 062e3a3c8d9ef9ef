"""How the judges that look at a whole picture, or at a crop of it, are asked, and what their answers say.

Each stage has a viewer. `asks` are in the words of its models; one request holds all asks about one image.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL.Image import Image

from models.protocols import Box, Line, Question, YesNo
from models.specs import Stage
from pipeline.brief import Requirement
from pipeline.calls.judge_operations import AskRequest, ScoreRequest
from pipeline.judging import claims, letters
from pipeline.judging.question import question
from pipeline.judging.routes import clipped, combined
from pipeline.range import Range

Ask = Any  # hashable: what one question is
Asks = tuple[Ask, ...]


@dataclass(frozen=True, slots=True)
class View:
    """What a judge says: a probability, what it saw, in words, and where, if it says."""

    probability: float
    saw: str = ""
    box: Box | None = None


class Viewer(ABC):
    @abstractmethod
    def asks(self, r: Requirement, known: Range | None, many: bool) -> Asks:
        """What to ask about a requirement; nothing where these judges cannot tell. `many`: the image must show several
        of its subject."""

    def about_rest(self, requirements: Sequence[Requirement]) -> Asks:
        """What to ask to find out whether a picture shows nothing else than was asked for."""
        return ()

    @abstractmethod
    def request(self, image: Image, asks: Asks) -> Any:
        """The request to the stage that holds all asks about an image."""

    @abstractmethod
    def answers(self, asks: Asks, out: Any) -> Mapping[Ask, View]:
        """The answer to each ask, from the stage's answer to their request."""

    def view(self, asks: Asks, answers: Mapping[Ask, View]) -> View:
        """What the answers say about the requirement that `asks` are about."""
        return answers[asks[0]]


class ScorerViewer(Viewer):
    """Asks CLIP for a statement against contrasts."""

    def asks(self, r: Requirement, known: Range | None, many: bool) -> Asks:
        if r.kind == "count" and int(r.value) > claims.MOST_COUNTED:
            return ()
        asked = question(r, known)
        return (asked,) if asked else ()

    def request(self, image: Image, asks: Asks) -> ScoreRequest:
        return ScoreRequest(image, asks)

    def answers(self, asks: Asks, out: list[float]) -> Mapping[Question, View]:
        return {ask: View(clipped(p)) for ask, p in zip(asks, out, strict=True)}


class VisionViewer(Viewer):
    """Asks a vision-language model for a statement and for its negation."""

    def asks(self, r: Requirement, known: Range | None, many: bool) -> Asks:
        return claims.claims(r, many) or ()

    def about_rest(self, requirements: Sequence[Requirement]) -> Asks:
        return claims.nothing_else(requirements)

    def request(self, image: Image, asks: Asks) -> AskRequest:
        return AskRequest(image, asks)

    def answers(self, asks: Asks, out: YesNo) -> Mapping[str, View]:
        return {ask: View(clipped(p)) for ask, p in zip(asks, out.probabilities, strict=True)}

    def view(self, asks: Asks, answers: Mapping[str, View]) -> View:
        statement, negation = (answers[ask].probability for ask in asks)
        both = combined("agree", (statement, 1 - negation))
        assert both is not None
        contradicts = (statement > 0.5) == (negation > 0.5)
        return View(both, "it says the same of the opposite" if contradicts else "")


class OcrViewer(Viewer):
    """Reads a picture once, and compares what is read with each text that must be there. An ask is that text; "" asks
    for any."""

    def asks(self, r: Requirement, known: Range | None, many: bool) -> Asks:
        if r.kind == "text":
            return (r.value,)
        return ("",) if r.kind == "absence" and r.subject in letters.WRITING else ()

    def request(self, image: Image, asks: Asks) -> Image:
        return image

    def answers(self, asks: Asks, out: list[Line]) -> Mapping[str, View]:
        where = letters.around(out)
        return {
            ask: View(*(letters.shows(ask, out) if ask else letters.any_text(out)), where) for ask in asks
        }


VIEWERS: dict[Stage, Viewer] = {"scorer": ScorerViewer(), "vlm": VisionViewer(), "ocr": OcrViewer()}
