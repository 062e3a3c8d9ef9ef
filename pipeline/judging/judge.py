"""Candidates → verdicts. The detectors of a preset are asked first; then the other judges, about the whole image and
about the crop of every box, as the routes of the kinds say (see routes.py)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL.Image import Image

from models.protocols import Box, Detection
from pipeline.brief import Requirement
from pipeline.calls.judge_operations import DetectRequest
from pipeline.calls.record import Answer, Made, Reply
from pipeline.calls.stage import Stage
from pipeline.judging.bands import Bands, Measure
from pipeline.judging.basis import versioned
from pipeline.judging.evidence import Asked, Evidence, Look, Panel
from pipeline.judging.routes import Judged, Route
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
    def panel(self) -> Panel:
        stages = {name: stage.operation.stage for name, stage in self.stages.items()}
        vocabularies = {name: self.stages[name].vocabulary for name in stages if stages[name] == "detector"}
        identities = {name: stage.identity for name, stage in self.stages.items()}
        calibrated = frozenset(name for name in vocabularies if self.stages[name].calibrated)
        return Panel(self.routes, stages, identities, vocabularies, calibrated, self.known)


@dataclass(frozen=True, slots=True)
class _Shown:
    """What one judge was asked, and its reply: for each item the position of its candidate, and the look of one that is
    no detector."""

    of: Sequence[int]
    looks: Sequence[Look]
    reply: Reply[Any]

    def of_candidate(self, n: int) -> list[tuple[Look, Answer[Any]]]:
        shown = zip(self.of, self.looks, self.reply.answers, strict=True)
        return [(look, answer) for owner, look, answer in shown if owner == n]


def judge(
    candidates: Sequence[Sequence[Candidate]],
    requirements: Sequence[Sequence[Requirement]],
    judges: Judges,
    stop: Stop | None = None,
) -> Made[list[Verdict]]:
    """Check every candidate of each brief against that brief's requirements, in one request to each judge.

    `candidates` and `requirements` have one entry for each brief, and so has the result. Where a judge does not answer,
    what is routed to it is unchecked, and a person decides. Bands hold only for the weights they were measured with; a
    fallback with other weights is unmeasured."""
    panel = judges.panel
    owners = [i for i, of_brief in enumerate(candidates) for _ in of_brief]  # the brief of each candidate
    flat = [candidate for of_brief in candidates for candidate in of_brief]
    briefs = [Asked(of_brief, panel) for of_brief in requirements]
    asked = [briefs[owner] for owner in owners]  # of each candidate
    sight = {
        name: stage.ask(
            [DetectRequest(c.image, a.names) for c, a in zip(flat, asked, strict=True)], stop=stop
        )
        for name, stage in judges.stages.items()
        if panel.detects(name)
    }
    shown = {
        name: _show(name, stage, flat, asked, sight, stop)
        for name, stage in judges.stages.items()
        if not panel.detects(name)
    }
    verdicts: list[list[Verdict]] = [[] for _ in candidates]
    for n, candidate in enumerate(flat):
        seen = {name: reply.answers[n] for name, reply in sight.items()}
        said = {name: one.of_candidate(n) for name, one in shown.items()}
        evidence = Evidence(candidate.image, asked[n], panel, seen, said)
        verdicts[owners[n]].append(_verdict(candidate, asked[n], evidence, judges))
    calls = []
    for i in range(len(candidates)):
        mine = {n for n, owner in enumerate(owners) if owner == i}
        parts = [reply.calls_for(sorted(mine)) for reply in sight.values()]
        for one in shown.values():
            parts.append(one.reply.calls_for([k for k, n in enumerate(one.of) if n in mine]))
        calls.append(tuple(call for part in parts for call in part))
    replies = (*sight.values(), *(one.reply for one in shown.values()))
    return Made(verdicts, calls, any(reply.stopped for reply in replies))


def _show(
    name: str,
    stage: Stage[Any, Any],
    flat: Sequence[Candidate],
    asked: Sequence[Asked],
    sight: Mapping[str, Reply[list[Detection]]],
    stop: Stop | None,
) -> _Shown:
    """Show a judge the candidates and the crops of their boxes, all in one request."""
    viewer = VIEWERS[stage.operation.stage]
    of, looks, requests = list[int](), list[Look](), []
    for n, candidate in enumerate(flat):
        seen = {detector: reply.answers[n].value or [] for detector, reply in sight.items()}
        for look in asked[n].looks(name, seen):
            image = candidate.image
            if look.box is not None:
                detector, at = look.box
                image = _crop(image, seen[detector][at].box)
            of.append(n)
            looks.append(look)
            requests.append(viewer.request(image, look.asks))
    return _Shown(of, looks, stage.ask(requests, stop=stop) if requests else Reply([], []))


def _crop(image: Image, box: Box) -> Image:
    """The part of an image in a box and a little around it, widened to a square as far as the image goes."""
    left, right = box[0] * image.width, box[2] * image.width
    top, bottom = box[1] * image.height, box[3] * image.height
    half = max(right - left, bottom - top) * (0.5 + _MARGIN)
    x, y = (left + right) / 2, (top + bottom) / 2
    corners = max(0, x - half), max(0, y - half), min(image.width, x + half), min(image.height, y + half)
    return image.crop(tuple(round(at) for at in corners))  # type: ignore[arg-type]


def _verdict(candidate: Candidate, asked: Asked, evidence: Evidence, judges: Judges) -> Verdict:
    degraded = evidence.degraded
    painter = versioned(candidate.model, candidate.revision)

    def measure(kind: Judged) -> Measure:
        as_named = candidate.as_named and evidence.calibrated(kind)
        return judges.bands.measure(evidence.basis(kind, painter), as_named)

    verdict = conclude(
        candidate, asked.requirements, evidence.found(), measure,
        f"not checked: {degraded}" if degraded else "", judges.routes, asked.implied,
    )  # fmt: skip
    return verdict.model_copy(update={"degraded": degraded})
