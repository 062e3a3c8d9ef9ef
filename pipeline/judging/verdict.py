"""Candidates → verdicts: one check for each requirement, and the gate over the must-haves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from models.english import OPPOSITE, STYLES, phrase, statement
from models.palette import COLOURS
from models.protocols import Arrangement, Question
from pipeline import pixels
from pipeline.brief import Record, Requirement
from pipeline.calls.operations import ScoreRequest
from pipeline.calls.record import Made
from pipeline.calls.stage import Stage
from pipeline.config import Band, Judge
from pipeline.painting.image import Candidate
from pipeline.range import Range
from pipeline.stopping import Stop

CheckOutcome = Literal["pass", "fail", "unsure", "unchecked"]
Gate = Literal["pass", "fail", "unsure", "unchecked"]
_WORST: tuple[Gate, ...] = ("fail", "unchecked", "unsure", "pass")


class Check(Record):
    """The result of checking one requirement against one candidate.

    `probability`, in [0, 1]: how likely the requirement is met, by the judge; None where no scorer was used."""

    requirement: str
    probability: float | None
    outcome: CheckOutcome
    judge: str
    reason: str


class Verdict(Record):
    """All checks of a candidate. `gate` is the worst outcome among the must-haves."""

    candidate: str
    checks: tuple[Check, ...]
    gate: Gate
    score: float  # in [0, 1]; ranks candidates with the same gate
    degraded: str | None = None  # which scorer failed, and what judged instead


def question(r: Requirement, known: Range | None = None) -> Question | None:
    """The question for a scorer: the requirement as a statement, and contrasts: statements of what the image might
    show instead. None for a kind of requirement that has no statement. `known`: the preset's range."""
    claim = statement(r.kind, r.subject, r.value, r.other)
    if claim is None:
        return None

    def others(kind: str, values: Sequence[str]) -> tuple[str, ...]:
        statements = (statement(kind, r.subject, value, r.other) for value in values if value != r.value)
        return tuple(text for text in statements if text)

    contrasts: tuple[str, ...]
    if r.kind in ("object", "absence"):
        contrasts = ("a picture of something else", "an empty picture")
    elif r.kind == "count":
        count = int(r.value)
        contrasts = others("count", [str(n) for n in range(max(1, count - 2), count + 3)])
    elif r.kind == "attribute":
        contrasts = others("attribute", list(COLOURS))
    elif r.kind == "relation":
        contrasts = (
            statement("relation", r.other, r.value, r.subject) or "",
            f"a picture of {phrase(r.subject)}",
        )
        if r.value in OPPOSITE:
            contrasts = (*contrasts, f"a picture of {phrase(r.other)}")
    elif r.kind == "background":
        contrasts = others("background", list(COLOURS))
    else:
        named = (known.styles or ()) if known else ()
        contrasts = others("style", list(dict.fromkeys((*named, *STYLES))))
    return Question(claim, contrasts, _arrangement(r))


def _arrangement(r: Requirement) -> Arrangement | None:
    """The objects of a requirement, how many there are, and where they stand. None for kinds without objects."""
    thing = statement("object", r.subject) or ""
    if r.kind in ("object", "absence"):
        return Arrangement((thing,))
    if r.kind == "count":
        return Arrangement((thing,), count=int(r.value))
    if r.kind == "attribute":
        return Arrangement((statement("attribute", r.subject, r.value) or "",))
    if r.kind == "relation":
        return Arrangement((thing, statement("object", r.other) or ""), where=r.value)
    return None


def judge(
    candidates: Sequence[Sequence[Candidate]],
    requirements: Sequence[Sequence[Requirement]],
    scorer: Stage[ScoreRequest, list[float]],
    rules: Judge,
    band_of: Mapping[str, Band],
    known: Range | None,
    stop: Stop | None = None,
) -> Made[list[Verdict]]:
    """Check every candidate of each brief against that brief's requirements, in one request to the scorer.

    `candidates` and `requirements` have one entry for each brief, and so has the result. `band_of`: the measured band
    by kind of requirement. Where no scorer answers, the outcome is unchecked, and a person decides. Measured bands
    hold only for the weights they were measured with; a fallback with other weights uses the default band."""
    asked = [
        [(r, q) for r in of_brief if checkable(r, rules, known) and (q := question(r, known))]
        for of_brief in requirements
    ]
    owners = [i for i, of_brief in enumerate(candidates) for _ in of_brief]  # the brief of each candidate
    flat = [candidate for of_brief in candidates for candidate in of_brief]
    reply = scorer.ask(
        [
            ScoreRequest(candidate.image, tuple(q for _, q in asked[i]))
            for i, candidate in zip(owners, flat, strict=True)
        ],
        stop=stop,
    )
    verdicts: list[list[Verdict]] = [[] for _ in candidates]
    for i, candidate, answer in zip(owners, flat, reply.answers, strict=True):
        scores = answer.value or []
        verdict = conclude(
            candidate, requirements[i], {r.id: p for (r, _), p in zip(asked[i], scores, strict=False)},
            answer.model.name if answer.model else "none", rules, band_of if answer.calibrated else {},
            f"not checked: {answer.degraded}" if answer.degraded else "",
        )  # fmt: skip
        verdicts[i].append(verdict.model_copy(update={"degraded": answer.degraded}))
    positions = [[n for n, owner in enumerate(owners) if owner == i] for i in range(len(candidates))]
    return Made(verdicts, [reply.calls_for(of_brief) for of_brief in positions], reply.stopped)


def conclude(
    candidate: Candidate,
    requirements: Sequence[Requirement],
    probability: Mapping[str, float],
    name: str,
    rules: Judge,
    band_of: Mapping[str, Band],
    broke: str = "",
) -> Verdict:
    """Turn probabilities by requirement id into checks and a gate.

    `name`: the scorer's; `broke`: why the scorer gave no probability, as the reason of an unchecked check."""
    checks = [_intact(candidate)]
    checks += [
        _check(r, candidate, probability.get(r.id), name, _band(r, band_of, rules), broke)
        for r in requirements
    ]
    must = {r.id for r in requirements if r.must} | {"intact"}
    outcomes = {check.outcome for check in checks if check.requirement in must}
    gate = next(outcome for outcome in _WORST if outcome in outcomes)
    worth = {"pass": 1.0, "unsure": 0.5, "unchecked": 0.5, "fail": 0.0}
    parts = [worth[c.outcome] * 0.9 + 0.1 * (0.5 if c.probability is None else c.probability) for c in checks]
    return Verdict(candidate=candidate.id, checks=tuple(checks), gate=gate, score=sum(parts) / len(parts))


def _band(r: Requirement, band_of: Mapping[str, Band], rules: Judge) -> Band:
    """The band for a requirement; an absence uses the band of objects unless it has one of its own."""
    return band_of.get(r.kind) or band_of.get("object" if r.kind == "absence" else "", rules.default)


def checkable(r: Requirement, rules: Judge, known: Range | None) -> bool:
    """Whether the scorer can be asked about a requirement. An absence can be checked only of an object that the range
    knows."""
    if r.flag in ("uncheckable", "outside") or r.kind in rules.cannot or r.kind in ("technical", "other"):
        return False
    return r.kind != "absence" or known is None or known.objects is None or r.subject in known.objects


def _intact(candidate: Candidate) -> Check:
    why = pixels.blank(candidate.image) or _shrunk(candidate)
    return Check(requirement="intact", probability=None, outcome="fail" if why else "pass", judge="pixels",
                 reason=why or "there is a picture")  # fmt: skip


def _shrunk(candidate: Candidate) -> str | None:
    """Why a fallback's image does not have the size that was asked for; None if it has, or if no size was asked for."""
    plan, image = candidate.plan, candidate.image
    width, height = plan.width or image.width, plan.height or image.height
    if not candidate.degraded or (width, height) == image.size:
        return None
    return f"the image is {image.width} × {image.height} pixels instead of {width} × {height}"


def _check(
    r: Requirement, candidate: Candidate, probability: float | None, scorer: str, band: Band, broke: str
) -> Check:
    if r.kind == "technical" and (result := pixels.meets(candidate.image, r.subject, r.value)):
        met, why = result
        return Check(
            requirement=r.id, probability=None, outcome="pass" if met else "fail", judge="pixels", reason=why
        )
    if probability is None:
        return Check(requirement=r.id, probability=None, outcome="unchecked", judge="none",
                     reason=r.note or broke or "no judge of this preset can check it; a person decides")  # fmt: skip
    probability = band.corrected(probability)
    if r.kind == "absence":
        probability = 1 - probability
        band = Band.model_validate({"pass": 1 - band.fail, "fail": 1 - band.pass_})
    outcome: CheckOutcome = "unsure"
    if probability >= band.pass_:
        outcome = "pass"
    elif probability <= band.fail:
        outcome = "fail"
    words = {"pass": "shows", "fail": "does not show", "unsure": "may or may not show"}[outcome]
    reason = f"{words} {r.text} (p {probability:.2f}; pass from {band.pass_:.2f}, fail to {band.fail:.2f})"
    return Check(requirement=r.id, probability=probability, outcome=outcome, judge=scorer, reason=reason)
