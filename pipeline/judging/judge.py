"""Candidates → verdicts. The detectors of a preset are asked first; then the other judges, about the whole image and
about the crop of every box, as the routes of the kinds say (see routes.py)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL.Image import Image

from models.protocols import Box, Detection
from pipeline.brief import Requirement
from pipeline.calls.judge_operations import DetectRequest
from pipeline.calls.record import Answer, Call, Made, Reply
from pipeline.calls.stage import Stage
from pipeline.judging.bands import Bands, Measure
from pipeline.judging.basis import versioned
from pipeline.judging.evidence import Evidence
from pipeline.judging.panel import Asked, Look, Panel
from pipeline.judging.routes import Judged, Route, levels
from pipeline.judging.verdict import Verdict, conclude
from pipeline.judging.viewers import VIEWERS
from pipeline.painting.image import Candidate
from pipeline.range import Range
from pipeline.stopping import Stop

_MARGIN = 0.06  # of a crop around its box, as a share of the box


@dataclass(frozen=True, slots=True)
class Judges:
    """Who judges: the stages by the names that the preset gives them, and its routes; and the bands by which what they
    say decides."""

    stages: Mapping[str, Stage[Any, Any]]
    routes: Mapping[Judged, Route]
    bands: Bands
    known: Range | None

    @property
    def panels(self) -> list[Panel]:
        """The panel of each level: the first judges of the routes that escalate, then those with the next ones, at last
        all. One panel where no route does."""
        stages = {name: stage.operation.stage for name, stage in self.stages.items()}
        vocabularies = {name: self.stages[name].vocabulary for name in stages if stages[name] == "detector"}
        identities = {name: stage.identity for name, stage in self.stages.items()}
        calibrated = frozenset(name for name in vocabularies if self.stages[name].calibrated)
        return [
            Panel(routes, stages, identities, vocabularies, calibrated, self.known)
            for routes in levels(self.routes)
        ]

    @property
    def panel(self) -> Panel:
        """All judges."""
        return self.panels[-1]


@dataclass(eq=False)
class _Case:
    """One candidate before the judges. `seen`: the answers of detectors; `said`: of each other judge, the looks and the
    answers; `open`: the ids of the checks that the next judges are asked about, None where all are."""

    owner: int  # the position of its brief
    candidate: Candidate
    seen: dict[str, Answer[list[Detection]]] = field(default_factory=dict)
    said: dict[str, list[tuple[Look, Answer[Any]]]] = field(default_factory=dict)
    open: frozenset[str] | None = None
    verdict: Verdict | None = None
    asked: list[str] = field(default_factory=list)  # the judges that were asked at the present level
    # Each reply with the position of an item in it.
    calls: list[tuple[Reply[Any], int]] = field(default_factory=list)

    def take(self, judge: str, reply: Reply[Any], at: int) -> None:
        """Note that a judge was asked, and the item of its reply that is about this candidate."""
        self.calls.append((reply, at))
        if judge not in self.asked:
            self.asked.append(judge)

    def new(self, judge: str, look: Look) -> Look | None:
        """What of a look the judge was not asked before; None where that is nothing."""
        asked = {(old.box, key) for old, _ in self.said.get(judge, ()) for key in old.about}
        about = {key: asks for key, asks in look.about.items() if (look.box, key) not in asked}
        return Look(look.box, about) if about else None


def judge(
    candidates: Sequence[Sequence[Candidate]],
    requirements: Sequence[Sequence[Requirement]],
    judges: Judges,
    stop: Stop | None = None,
) -> Made[list[Verdict]]:
    """Check every candidate of each brief against that brief's requirements, in one request to each judge.

    `candidates` and `requirements` have one entry for each brief, and so has the result. Where a judge does not answer,
    what is routed to it is unchecked, and a person decides. Bands hold only for the weights they were measured with; a
    fallback with other weights is unmeasured. Where routes escalate, the next judges are asked about the checks that
    are open, and all others stand."""
    cases = [_Case(i, candidate) for i, of_brief in enumerate(candidates) for candidate in of_brief]
    panels, stopped = judges.panels, False
    for level, panel in enumerate(panels):
        briefs = [Asked(of_brief, panel) for of_brief in requirements]
        later = panels[level + 1 :]
        todo = [case for case in cases if case.open is None or case.open]
        if not todo:
            break
        handed_up = "checks that the judges before left open" if level else None
        for detects in (True, False):  # others are shown the crops of boxes
            for name, stage in judges.stages.items():
                if panel.detects(name) is detects and panel.asks(name):
                    ask = _detect if detects else _show
                    stopped = ask(name, stage, todo, briefs, handed_up, stop) or stopped
        for case in todo:
            _conclude(case, briefs[case.owner], panel, judges, part=bool(later))
            case.open = _left_open(case, briefs[case.owner], panel, later)
    verdicts: list[list[Verdict]] = [[] for _ in candidates]
    calls: list[tuple[Call, ...]] = []
    for case in cases:
        assert case.verdict is not None
        verdicts[case.owner].append(case.verdict)
    for i in range(len(candidates)):
        items: dict[int, tuple[Reply[Any], list[int]]] = {}
        for reply, at in (pair for case in cases if case.owner == i for pair in case.calls):
            items.setdefault(id(reply), (reply, []))[1].append(at)
        calls.append(tuple(call for reply, of_brief in items.values() for call in reply.calls_for(of_brief)))
    return Made(verdicts, calls, stopped)


def _detect(
    name: str,
    stage: Stage[Any, Any],
    cases: Sequence[_Case],
    briefs: Sequence[Asked],
    handed_up: str | None,
    stop: Stop | None,
) -> bool:
    """Let a detector look for what the briefs name; whether it was stopped."""
    shown = [
        case
        for case in cases
        if name not in case.seen and (case.open is None or briefs[case.owner].needs(name, case.open))
    ]
    requests = [DetectRequest(case.candidate.image, briefs[case.owner].names) for case in shown]
    reply = stage.ask(requests, stop=stop, handed_up=handed_up) if requests else Reply([], [])
    for n, (case, answer) in enumerate(zip(shown, reply.answers, strict=True)):
        case.seen[name] = answer
        case.take(name, reply, n)
    return reply.stopped


def _show(
    name: str,
    stage: Stage[Any, Any],
    cases: Sequence[_Case],
    briefs: Sequence[Asked],
    handed_up: str | None,
    stop: Stop | None,
) -> bool:
    """Show a judge the candidates and the crops of their boxes, all in one request; whether it was stopped."""
    viewer = VIEWERS[stage.operation.stage]
    of, looks, requests = list[_Case](), list[Look](), []
    for case in cases:
        seen = {detector: answer.value or [] for detector, answer in case.seen.items()}
        for whole in briefs[case.owner].looks(name, seen, case.open):
            look = case.new(name, whole)
            if look is None:
                continue
            image = case.candidate.image
            if look.box is not None:
                detector, at = look.box
                image = _crop(image, seen[detector][at].box)
            of.append(case)
            looks.append(look)
            requests.append(viewer.request(image, look.asks))
    reply = stage.ask(requests, stop=stop, handed_up=handed_up) if requests else Reply([], [])
    for case in cases:
        case.said.setdefault(name, [])
    for n, (case, look, answer) in enumerate(zip(of, looks, reply.answers, strict=True)):
        case.said[name].append((look, answer))
        case.take(name, reply, n)
    return reply.stopped


def _left_open(case: _Case, asked: Asked, panel: Panel, later: Sequence[Panel]) -> frozenset[str]:
    """The checks of a case that are unsure or unchecked, and that a later panel asks more judges about."""
    assert case.verdict is not None
    return frozenset(
        check.requirement
        for check in case.verdict.checks
        for kind in (asked.kinds[check.requirement],)
        if check.outcome in ("unsure", "unchecked")
        and any(other.involved(kind) != panel.involved(kind) for other in later)
    )


def _crop(image: Image, box: Box) -> Image:
    """The part of an image in a box and a little around it, widened to a square as far as the image goes."""
    left, right = box[0] * image.width, box[2] * image.width
    top, bottom = box[1] * image.height, box[3] * image.height
    half = max(right - left, bottom - top) * (0.5 + _MARGIN)
    x, y = (left + right) / 2, (top + bottom) / 2
    corners = max(0, x - half), max(0, y - half), min(image.width, x + half), min(image.height, y + half)
    return image.crop(tuple(round(at) for at in corners))  # type: ignore[arg-type]


def _conclude(case: _Case, asked: Asked, panel: Panel, judges: Judges, part: bool) -> None:
    """Set the verdict of a case by what was said so far; checks that were not open stand. `part`: whether there are
    judges that were not asked yet."""
    evidence = Evidence(case.candidate.image, asked, panel, case.seen, case.said)
    degraded, before = evidence.degraded, case.verdict
    painter = versioned(case.candidate.model, case.candidate.revision)

    def measure(kind: Judged) -> Measure:
        as_named = case.candidate.as_named and evidence.calibrated(kind)
        return judges.bands.measure(evidence.basis(kind, painter), as_named, part)

    settled = (
        {c.requirement: c for c in before.checks if c.requirement not in (case.open or ())} if before else {}
    )
    verdict = conclude(
        case.candidate, asked.requirements, evidence.found(), measure,
        f"not checked: {degraded}" if degraded else "", judges.routes, settled, asked.implied,
    )  # fmt: skip
    handed = before.handed_up if before else ()
    if before and case.asked:
        handed += (f"{', '.join(case.asked)}: {_counted(before, case.open or ())}",)
    case.verdict = verdict.model_copy(update={"degraded": degraded, "handed_up": handed})
    case.asked = []


def _counted(verdict: Verdict, ids: Collection[str]) -> str:
    """How many of these checks came out how: "2 checks unsure, 1 unchecked"."""
    counts = Counter(check.outcome for check in verdict.checks if check.requirement in ids)
    first, *rest = (f"{number} {outcome}" for outcome, number in counts.items())
    number, _, outcome = first.partition(" ")
    return ", ".join((f"{number} check{'' if number == '1' else 's'} {outcome}", *rest))
