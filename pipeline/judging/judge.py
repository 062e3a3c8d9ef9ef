"""Candidates → verdicts. Where the preset has a detector, it is asked first, then the scorer about the whole image and
about the crop of every box; otherwise the scorer is asked about the whole image alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL.Image import Image

from models.protocols import UNCLEAR, Box, Detection, Question
from pipeline.brief import Requirement
from pipeline.calls.judge_operations import DetectRequest, ScoreRequest
from pipeline.calls.record import Answer, Made, Reply
from pipeline.calls.stage import Stage
from pipeline.config import Judge
from pipeline.judging.bands import Bands
from pipeline.judging.basis import Basis, judges_of, versioned
from pipeline.judging.boxes import POSSIBLE, Boxes, Finding, Instance, together
from pipeline.judging.question import checkable, named, question
from pipeline.judging.verdict import INTACT, NOTHING_ELSE, Verdict, conclude
from pipeline.painting.image import Candidate
from pipeline.pixels import left_over
from pipeline.range import Range
from pipeline.stopping import Stop

_MARGIN = 0.06  # of a crop around its box, as a share of the box
# Kinds of which the scorer is asked about the whole image, even where boxes say something of them.
_OF_WHOLE = ("absence", "style")
_OF_THINGS = ("object", "count", "attribute", "relation", "absence")
_MUCH = 0.01  # share of the picture in which an unknown thing stands out


@dataclass(frozen=True, slots=True)
class Judges:
    """Who judges, and the bands by which what they say decides."""

    scorer: Stage[ScoreRequest, list[float]]
    detector: Stage[DetectRequest, list[Detection]] | None
    rules: Judge
    bands: Bands
    known: Range | None


@dataclass(frozen=True, slots=True)
class _Look:
    """One image to score: whole, or the crop of one box. `candidate`: its position among all."""

    candidate: int
    box: Detection | None
    request: ScoreRequest


def judge(
    candidates: Sequence[Sequence[Candidate]],
    requirements: Sequence[Sequence[Requirement]],
    judges: Judges,
    stop: Stop | None = None,
) -> Made[list[Verdict]]:
    """Check every candidate of each brief against that brief's requirements, in one request to each judge.

    `candidates` and `requirements` have one entry for each brief, and so has the result. Where a judge does not answer,
    what it alone can check is unchecked, and a person decides. Bands hold only for the weights they were measured
    with; a fallback with other weights is unmeasured."""
    owners = [i for i, of_brief in enumerate(candidates) for _ in of_brief]  # the brief of each candidate
    flat = [candidate for of_brief in candidates for candidate in of_brief]
    asked = [
        [
            (r, q)
            for r in of_brief
            if checkable(r, judges.rules, judges.known) and (q := question(r, judges.known))
        ]
        for of_brief in requirements
    ]
    sight = _detected(flat, [_names(requirements[owner]) for owner in owners], judges, stop)
    looks = [
        look
        for n, candidate in enumerate(flat)
        for look in _looks(n, candidate.image, asked[owners[n]], sight.answers[n].value or ())
    ]
    reply = judges.scorer.ask([look.request for look in looks], stop=stop)
    answers: list[list[tuple[_Look, Answer[list[float]]]]] = [[] for _ in flat]
    for look, answer in zip(looks, reply.answers, strict=True):
        answers[look.candidate].append((look, answer))
    verdicts: list[list[Verdict]] = [[] for _ in candidates]
    for n, candidate in enumerate(flat):
        owner = owners[n]
        verdicts[owner].append(
            _verdict(candidate, requirements[owner], asked[owner], sight.answers[n], answers[n], judges)
        )
    calls = []
    for i in range(len(candidates)):
        mine = [n for n, owner in enumerate(owners) if owner == i]
        scored = [k for k, look in enumerate(looks) if look.candidate in mine]
        calls.append((*sight.calls_for(mine), *reply.calls_for(scored)))
    return Made(verdicts, calls, sight.stopped or reply.stopped)


def _names(requirements: Sequence[Requirement]) -> tuple[str, ...]:
    """The things that a brief names, wanted or not."""
    named = (name for r in requirements if r.kind in _OF_THINGS for name in (r.subject, r.other) if name)
    return tuple(dict.fromkeys(named))


def _detected(
    flat: Sequence[Candidate], names: Sequence[tuple[str, ...]], judges: Judges, stop: Stop | None
) -> Reply[list[Detection]]:
    """The detector's answers, one for each candidate; empty answers where the preset has none. `names`: what to look
    for in each candidate."""
    if judges.detector is None:
        return Reply([Answer(None)] * len(flat), ())
    asked = [DetectRequest(c.image, named) for c, named in zip(flat, names, strict=True)]
    return judges.detector.ask(asked, stop=stop)


def _looks(
    n: int, image: Image, asked: Sequence[tuple[Requirement, Question]], seen: Sequence[Detection]
) -> list[_Look]:
    """The images of one candidate to score: the whole first, then the crop of each box, of which nothing is asked where
    the detector has no name for it."""
    looks = [_Look(n, None, ScoreRequest(image, tuple(q for _, q in asked)))]
    for box in seen:
        if box.score >= POSSIBLE:
            about = [q for r, q in asked if r.kind == "attribute" and r.subject == box.label]
            questions = () if box.label == UNCLEAR else (named(box.label), *dict.fromkeys(about))
            looks.append(_Look(n, box, ScoreRequest(_crop(image, box.box), questions)))
    return looks


def _crop(image: Image, box: Box) -> Image:
    """The part of an image in a box and a little around it, widened to a square as far as the image goes."""
    left, right = box[0] * image.width, box[2] * image.width
    top, bottom = box[1] * image.height, box[3] * image.height
    half = max(right - left, bottom - top) * (0.5 + _MARGIN)
    x, y = (left + right) / 2, (top + bottom) / 2
    corners = max(0, x - half), max(0, y - half), min(image.width, x + half), min(image.height, y + half)
    return image.crop(tuple(round(at) for at in corners))  # type: ignore[arg-type]


def _verdict(
    candidate: Candidate,
    requirements: Sequence[Requirement],
    asked: Sequence[tuple[Requirement, Question]],
    sight: Answer[list[Detection]],
    scored: Sequence[tuple[_Look, Answer[list[float]]]],
    judges: Judges,
) -> Verdict:
    """The verdict from the answers of both judges. Where the detector of a preset gives none, nothing is found: its
    scorer was not measured alone."""
    whole, *crops = scored
    scores = {r.id: p for (r, _), p in zip(asked, whole[1].value or (), strict=False)}
    found: dict[str, Finding] = {}
    if judges.detector is None:
        found = {id: Finding(p) for id, p in scores.items()}
    elif sight.value is not None:
        boxes = Boxes(tuple(_instance(look, answer) for look, answer in crops))
        found = _found(boxes, asked, scores) | _closed(boxes, requirements, candidate.image, judges.known)
    reasons = dict.fromkeys((sight.degraded, *(answer.degraded for _, answer in scored)))
    degraded = "; ".join(filter(None, reasons)) or None
    names = [answer.name for answer in (sight, whole[1]) if answer.model]
    asked_of = judges_of([sight.model, *(answer.model for _, answer in scored)])
    painter = versioned(candidate.model, candidate.revision)
    as_named = candidate.as_named and sight.calibrated and all(answer.calibrated for _, answer in scored)
    verdict = conclude(
        candidate, requirements, found, " + ".join(names) or "none",
        lambda kind: judges.bands.measure(Basis(kind=kind, judges=asked_of, painter=painter), as_named),
        f"not checked: {degraded}" if degraded else "",
    )  # fmt: skip
    return verdict.model_copy(update={"degraded": degraded})


def _instance(look: _Look, answer: Answer[list[float]]) -> Instance:
    assert look.box is not None
    questions = look.request.questions
    said = {q.statement: p for q, p in zip(questions, answer.value or (), strict=False)}
    return Instance(look.box, said, questions[0].statement if questions else "")


def _found(
    boxes: Boxes, asked: Sequence[tuple[Requirement, Question]], scores: Mapping[str, float]
) -> dict[str, Finding]:
    """The finding about each requirement: by the boxes, by the scorer's view of the whole image, or by both together
    (see _OF_WHOLE)."""
    found = {}
    for r, q in asked:
        by_boxes = boxes.about(r, q.statement)
        if by_boxes is None or r.kind in _OF_WHOLE:
            views = (by_boxes.probability if by_boxes else None, scores.get(r.id))
            if any(view is not None for view in views):
                found[r.id] = Finding(together(*views), by_boxes.saw if by_boxes else "")
        else:
            found[r.id] = by_boxes
    return found


def _closed(
    boxes: Boxes, requirements: Sequence[Requirement], image: Image, known: Range | None
) -> dict[str, Finding]:
    """The findings that everything is whole, and that nothing else is there. On plain grounds, what stands out from the
    ground outside all boxes is a thing that the detector does not know."""
    asked = frozenset(
        name for r in requirements if r.kind in ("object", "count", "attribute", "relation")
        for name in (r.subject, r.other) if name
    )  # fmt: skip
    alone = boxes.nothing_else(asked)
    if known is not None and known.plain_backgrounds:
        share = left_over(image, [i.seen.box for i in boxes.instances])
        if share > _MUCH:
            alone = Finding(
                together(alone.probability, 0.0),
                f"{alone.saw}; {share:.0%} of the picture is something unknown",
            )
    return {INTACT: boxes.whole(), NOTHING_ELSE: alone}
