"""What all judges say of one candidate → a finding for each requirement, as the routes of the kinds say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from PIL.Image import Image

from models.protocols import UNCLEAR, Detection, Identity
from models.specs import Stage as StageName
from pipeline.brief import Requirement
from pipeline.calls.record import Answer
from pipeline.judging.basis import WORDING, Basis, judges_of
from pipeline.judging.boxes import POSSIBLE, Boxes, Finding, Instance
from pipeline.judging.question import checkable, implied
from pipeline.judging.routes import Judged, Route, combined, is_sure
from pipeline.judging.verdict import INTACT, NOTHING_ELSE
from pipeline.judging.viewers import VIEWERS, Asks, View
from pipeline.pixels import left_over
from pipeline.range import Range

_NAMED = "named"  # key of the question whether a crop shows what the detector named
_OF_CROPS = ("object", "attribute")  # asked of the crop of every box, where a detector is on the route
_OF_THINGS = ("object", "count", "attribute", "relation", "action")
_MUCH = 0.01  # share of the picture in which an unknown thing stands out

Box = tuple[str, int]  # a detector's name, and the position of the box in its answer


@dataclass(frozen=True, slots=True)
class Panel:
    """Who judges what. `stages`: the stage of each judge by its name; `identities`: its model; `vocabularies`: the
    names that a detector knows, None where it finds whatever is named; `calibrated`: the detectors whose scores are
    probabilities; `known`: the range of the image model."""

    routes: Mapping[Judged, Route]
    stages: Mapping[str, StageName]
    identities: Mapping[str, Identity]
    vocabularies: Mapping[str, frozenset[str] | None]
    calibrated: frozenset[str]
    known: Range | None

    def route(self, kind: Judged) -> Route:
        return self.routes.get(kind, Route())

    def detects(self, name: str) -> bool:
        return self.stages[name] == "detector"

    def by_crops(self, kind: Judged) -> bool:
        """Whether judges are asked about crops to check this kind."""
        return kind in _OF_CROPS and any(map(self.detects, self.route(kind).ask))

    def involved(self, kind: Judged) -> tuple[str, ...]:
        """The judges whose answers a finding of this kind depends on: those of its route, and where boxes are on it
        those that say whether a thing in a box is there."""
        names = self.route(kind).ask
        confirming = self.route("object").ask if any(map(self.detects, names)) else ()
        return tuple(dict.fromkeys((*names, *confirming)))

    def wording(self, kind: Judged) -> str:
        """The revision of what judges are asked about a kind, with the ways of combining their answers but for the
        mean: that of the first who is sure with their order."""
        boxed = any(map(self.detects, self.route(kind).ask))
        asked = (self.route(kind), self.route("object")) if boxed else (self.route(kind),)
        hows = (
            f"first of {', '.join(route.ask)}" if route.how == "first" else route.how
            for route in asked
            if len(route.ask) > 1 and route.how != "mean"
        )
        return " ".join((WORDING, *dict.fromkeys(hows)))


@dataclass(frozen=True, slots=True)
class Look:
    """One image that a judge is shown: whole, or the crop of one box. `about`: what is asked, by the id of a
    requirement, NOTHING_ELSE or _NAMED."""

    box: Box | None
    about: Mapping[str, Asks]

    @property
    def asks(self) -> Asks:
        """All asks, each once."""
        return tuple(dict.fromkeys(ask for asks in self.about.values() for ask in asks))


class Asked:
    """The requirements of a brief, and what of them each judge is asked. `checked`: those that judges are asked about;
    `implied`: ids of those that follow from what is checked of every picture."""

    def __init__(self, requirements: Sequence[Requirement], panel: Panel) -> None:
        self.requirements, self._panel = requirements, panel
        self.implied = {r.id for r in requirements if implied(r, self.wanted, panel.routes, panel.known)}
        self.checked = [
            r for r in requirements if r.id not in self.implied and checkable(r, panel.routes, panel.known)
        ]
        self._several = {r.subject for r in requirements if r.kind == "count" and int(r.value) > 1}

    @property
    def names(self) -> tuple[str, ...]:
        """The things that the brief names, wanted or not."""
        named = (
            name
            for r in self.requirements
            if r.kind in (*_OF_THINGS, "absence")
            for name in (r.subject, r.other)
        )
        return tuple(dict.fromkeys(filter(None, named)))

    @property
    def wanted(self) -> frozenset[str]:
        """The things that must show."""
        shown = [r for r in self.requirements if r.kind in _OF_THINGS]
        return frozenset(name for r in shown for name in (r.subject, r.other) if name)

    def looks(self, judge: str, seen: Mapping[str, Sequence[Detection]]) -> Iterator[Look]:
        """The images of a candidate that a judge must be shown. `seen`: what the detectors saw in it."""
        if about := self._of_whole(judge):
            yield Look(None, about)
        for detector, detections in seen.items():
            for at, one in enumerate(detections):
                if one.score >= POSSIBLE and (about := self._of_crop(judge, detector, one.label)):
                    yield Look((detector, at), about)

    def _of_whole(self, judge: str) -> dict[str, Asks]:
        panel, viewer = self._panel, VIEWERS[self._panel.stages[judge]]
        about = {
            r.id: viewer.asks(r, panel.known, r.subject in self._several)
            for r in self.checked
            if judge in panel.route(r.kind).ask and not panel.by_crops(r.kind)
        }
        if judge in panel.route(NOTHING_ELSE).ask:
            about[NOTHING_ELSE] = viewer.about_rest(self.requirements)
        return {key: asks for key, asks in about.items() if asks}

    def _of_crop(self, judge: str, detector: str, label: str) -> dict[str, Asks]:
        panel, viewer = self._panel, VIEWERS[self._panel.stages[judge]]
        about: dict[str, Asks] = {}
        if {judge, detector} <= set(panel.route("object").ask) and label != UNCLEAR:
            thing = Requirement(id=_NAMED, kind="object", subject=label, text=label)
            about[_NAMED] = viewer.asks(thing, panel.known, many=False)
        if {judge, detector} <= set(panel.route("attribute").ask):
            for r in self.checked:
                if r.kind == "attribute" and r.subject == label:
                    about[r.id] = viewer.asks(r, panel.known, many=False)
        return {key: asks for key, asks in about.items() if asks}


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

    def calibrated(self, kind: Judged) -> bool:
        """Whether a kind was judged by the weights that its band was measured with."""
        answers = (answer for name in self._panel.involved(kind) for answer in self._answers[name])
        return all(answer.calibrated for answer in answers if answer.value is not None)

    def basis(self, kind: Judged, painter: str) -> Basis:
        """What a band of this kind holds for. Of a judge that gave no answer, the model that it has counts."""
        models: list[Identity | None] = []
        for name in self._panel.involved(kind):
            answered = [answer.model for answer in self._answers[name] if answer.value is not None]
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
                view = self._by_boxes(name, kind, r)
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
        return any(answer.value is None for each in {name, *needed} for answer in self._answers[each])

    def _instances(self, detector: str, detections: Sequence[Detection]) -> Iterator[Instance]:
        """The boxes of a detector, with what the other judges say of their crops."""
        object_, attribute = self._panel.route("object"), self._panel.route("attribute")
        confirming = object_.ask if detector in object_.ask else ()
        for at, one in enumerate(detections):
            if one.score < POSSIBLE:
                continue
            named = self._of_crop(confirming, (detector, at), _NAMED)
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
            names += [answer.name for answer in self._answers[judge] if answer.model][:1] or [judge]
        return " + ".join(names)
