"""Who is asked what about a picture: the judges of a panel, and the images and questions that each of them gets."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from models.protocols import UNCLEAR, Detection, Identity
from models.specs import Stage as StageName
from pipeline.brief import Requirement
from pipeline.judging.basis import WORDING
from pipeline.judging.boxes import POSSIBLE
from pipeline.judging.question import checkable, implied
from pipeline.judging.routes import Judged, Route
from pipeline.judging.verdict import INTACT, NOTHING_ELSE
from pipeline.judging.viewers import VIEWERS, Asks
from pipeline.range import Range

NAMED = "named"  # key of the question whether a crop shows what the detector named
_OF_CROPS = ("object", "attribute")  # asked of the crop of every box, where a detector is on the route
_OF_THINGS = ("object", "count", "attribute", "relation", "action")

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

    def asks(self, judge: str) -> bool:
        """Whether some route asks this judge."""
        return any(judge in route.ask for route in self.routes.values())

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
    requirement, NOTHING_ELSE or NAMED."""

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
        # Of each check, by the id of a requirement, INTACT or NOTHING_ELSE.
        self.kinds: dict[str, Judged] = {r.id: r.kind for r in requirements}
        self.kinds |= {INTACT: INTACT, NOTHING_ELSE: NOTHING_ELSE}
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

    def needs(self, judge: str, only: Collection[str]) -> bool:
        """Whether one of these checks depends on this judge."""
        return any(judge in self._panel.involved(self.kinds[id]) for id in only)

    def looks(
        self, judge: str, seen: Mapping[str, Sequence[Detection]], only: Collection[str] | None = None
    ) -> Iterator[Look]:
        """The images of a candidate that a judge must be shown. `seen`: what the detectors saw in it; `only`: the
        checks that matter, by the id of a requirement, INTACT or NOTHING_ELSE; None: all."""
        if about := _of(only, self._of_whole(judge)):
            yield Look(None, about)
        for detector, detections in seen.items():
            for at, one in enumerate(detections):
                if one.score < POSSIBLE:
                    continue
                keys = only
                if only is not None and self._matters(one.label, only):
                    keys = {*only, NAMED}
                if about := _of(keys, self._of_crop(judge, detector, one.label)):
                    yield Look((detector, at), about)

    def _matters(self, label: str, only: Collection[str]) -> bool:
        """Whether one of these checks depends on what is in a box with this label."""
        about = {name for r in self.checked if r.id in only for name in (r.subject, r.other)}
        return label in about or not {INTACT, NOTHING_ELSE}.isdisjoint(only)

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
            thing = Requirement(id=NAMED, kind="object", subject=label, text=label)
            about[NAMED] = viewer.asks(thing, panel.known, many=False)
        if {judge, detector} <= set(panel.route("attribute").ask):
            for r in self.checked:
                if r.kind == "attribute" and r.subject == label:
                    about[r.id] = viewer.asks(r, panel.known, many=False)
        return {key: asks for key, asks in about.items() if asks}


def _of(only: Collection[str] | None, about: dict[str, Asks]) -> dict[str, Asks]:
    return about if only is None else {key: asks for key, asks in about.items() if key in only}
