"""What all judges say of one candidate → a finding for each requirement, as the routes of the kinds say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from PIL.Image import Image

from models.protocols import Detection, Identity
from pipeline.brief import Requirement
from pipeline.calls.record import Answer
from pipeline.judging.basis import Basis, judges_of
from pipeline.judging.boxes import POSSIBLE, Boxes, Finding, Instance
from pipeline.judging.panel import NAMED, Asked, Box, Look, Panel
from pipeline.judging.routes import Judged, combined, is_sure
from pipeline.judging.verdict import INTACT, NOTHING_ELSE
from pipeline.judging.viewers import VIEWERS, View
from pipeline.pixels import left_over

_MUCH = 0.01  # share of the picture in which an unknown thing stands out


class Evidence:
    """Everything that the judges said of one candidate.

    `seen`: the answer of each detector; `said`: of each other judge, the looks and the answers to them."""

    def __init__(
        self,
        image: Image,
        asked: Asked,
        panel: Panel,
        seen: Mapping[str, Answer[list[Detection]]],
        said: Mapping[str, Sequence[tuple[Look, Answer[Any]]]],
    ) -> None:
        self._image, self._asked, self._panel, self._seen = image, asked, panel, seen
        self._answers: dict[str, list[Answer[Any]]] = {name: [answer] for name, answer in seen.items()}
        self._answers |= {name: [answer for _, answer in looks] for name, looks in said.items()}
        self._views: dict[tuple[str, Box | None, str], View] = {}
        for name, looks in said.items():
            viewer = VIEWERS[panel.stages[name]]
            for look, answer in looks:
                if answer.value is not None:
                    answers = viewer.answers(look.asks, answer.value)
                    for key, asks in look.about.items():
                        self._views[name, look.box, key] = viewer.view(asks, answers)
        self._boxes = {
            name: Boxes(tuple(self._instances(name, answer.value)), name in panel.calibrated)
            for name, answer in seen.items()
            if answer.value is not None
        }

    @property
    def degraded(self) -> str | None:
        """Which judges failed, and what judged instead."""
        answers = (answer for answers in self._answers.values() for answer in answers)
        return "; ".join(dict.fromkeys(filter(None, (answer.degraded for answer in answers)))) or None

    def _answers_of(self, judge: str) -> Sequence[Answer[Any]]:
        """The answers of a judge; none where it was not asked."""
        return self._answers.get(judge, ())

    def calibrated(self, kind: Judged) -> bool:
        """Whether a kind was judged by the weights that its band was measured with."""
        answers = (answer for name in self._panel.involved(kind) for answer in self._answers_of(name))
        return all(answer.calibrated for answer in answers if answer.value is not None)

    def basis(self, kind: Judged, painter: str) -> Basis:
        """What a band of this kind holds for. Of a judge that gave no answer, the model that it has counts."""
        models: list[Identity | None] = []
        for name in self._panel.involved(kind):
            answered = [answer.model for answer in self._answers_of(name) if answer.value is not None]
            models += answered or [self._panel.identities[name]]
        wording = self._panel.wording(kind)
        return Basis(kind=kind, judges=judges_of(models), painter=painter, wording=wording)

    def found(self) -> dict[str, Finding]:
        """The findings, by the id of a requirement, INTACT or NOTHING_ELSE. One is missing where a judge gave no
        answer, or where none can tell."""
        found = {r.id: self._about(r.kind, r) for r in self._asked.checked}
        found[INTACT], found[NOTHING_ELSE] = self._about(INTACT, None), self._about(NOTHING_ELSE, None)
        return {key: finding for key, finding in found.items() if finding is not None}

    def _about(self, kind: Judged, r: Requirement | None) -> Finding | None:
        """What the judges on the route of a kind say together, of a requirement or of the whole picture."""
        route, panel = self._panel.route(kind), self._panel
        said: list[Finding | View] = []
        for name in route.ask:
            if self._broken(name):
                return None
            view: Finding | View | None
            if panel.detects(name):
                view = self._by_boxes(name, kind, r) if name in self._boxes else None
            else:
                view = self._views.get((name, None, r.id if r else kind))
            if view is not None:
                said.append(view)
                if route.how == "first" and is_sure(view.probability):
                    break
        # A judge of an absence says whether the thing is there.
        absent = kind == "absence"
        together = combined(route.how, [1 - v.probability if absent else v.probability for v in said])
        if together is None:
            return None
        saw = "; ".join(dict.fromkeys(view.saw for view in said if view.saw))
        box = next((view.box for view in said if view.box is not None), None)
        return Finding(1 - together if absent else together, saw, self._names(kind), box)

    def _by_boxes(self, name: str, kind: Judged, r: Requirement | None) -> Finding | None:
        boxes = self._boxes[name]
        if r is None:
            return boxes.whole() if kind == INTACT else self._alone(boxes)
        vocabulary = self._panel.vocabularies[name]
        if vocabulary is not None and not {r.subject, r.other or r.subject} - {""} <= vocabulary:
            return None
        return boxes.about(r)

    def _alone(self, boxes: Boxes) -> Finding:
        """Whether nothing is there that was not asked for. On plain grounds, what stands out from the ground outside
        all boxes is a thing that the detector does not know."""
        alone, known = boxes.nothing_else(self._asked.wanted), self._panel.known
        if known is not None and known.plain_backgrounds:
            share = left_over(self._image, [i.seen.box for i in boxes.instances])
            if share > _MUCH:
                sure = combined("mean", (alone.probability, 0.0)) or 0.0
                saw = f"{alone.saw}; {share:.0%} of the picture is something unknown"
                return replace(alone, probability=sure, saw=saw)
        return alone

    def _broken(self, name: str) -> bool:
        """Whether a judge gave no answer, or one that a detector's boxes are confirmed by gave none."""
        needed = self._panel.route("object").ask if self._panel.detects(name) else ()
        return any(answer.value is None for each in {name, *needed} for answer in self._answers_of(each))

    def _instances(self, detector: str, detections: Sequence[Detection]) -> Iterator[Instance]:
        """The boxes of a detector, with what the other judges say of their crops."""
        object_, attribute = self._panel.route("object"), self._panel.route("attribute")
        confirming = object_.ask if detector in object_.ask else ()
        for at, one in enumerate(detections):
            if one.score < POSSIBLE:
                continue
            named = self._of_crop(confirming, (detector, at), NAMED)
            there = combined(object_.how, [one.score, *named])
            clear = combined("mean", [1 - one.unclear, *named])
            assert there is not None
            assert clear is not None
            holds = {}
            for r in self._asked.checked:
                if r.kind == "attribute" and r.subject == one.label:
                    told = one.colours.get(r.value)
                    each = [told, *self._of_crop(attribute.ask, (detector, at), r.id)]
                    both = combined(attribute.how, each)
                    holds[r.id] = 0.5 if both is None else both
            yield Instance(one, there, clear, holds)

    def _of_crop(self, judges: Sequence[str], box: Box, key: str) -> list[float]:
        views = (self._views.get((name, box, key)) for name in judges)
        return [view.probability for view in views if view is not None]

    def _names(self, kind: Judged) -> str:
        """The names of the models that judged a kind."""
        names = []
        for judge in self._panel.involved(kind):
            names += [answer.name for answer in self._answers_of(judge) if answer.model][:1] or [judge]
        return " + ".join(names)
