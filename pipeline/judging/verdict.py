"""What the judges found about a candidate → its verdict: one check for each requirement, and the gate over the
must-haves."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal

from pydantic import Field

from models.protocols import Box
from pipeline import pixels
from pipeline.brief import Record, Requirement
from pipeline.config import Band
from pipeline.judging.bands import Measure
from pipeline.judging.basis import Basis
from pipeline.judging.boxes import Finding
from pipeline.judging.routes import Judged
from pipeline.painting.image import Candidate

CheckOutcome = Literal["pass", "fail", "unsure", "unchecked"]
Gate = Literal["pass", "fail", "unsure", "unchecked"]
_WORST: tuple[Gate, ...] = ("fail", "unchecked", "unsure", "pass")
# Checks that every picture must pass, beside those of its requirements, in words.
INTACT: Final = "intact"
NOTHING_ELSE: Final = "nothing else"
ALWAYS: dict[str, str] = {
    INTACT: "a picture in which everything is whole",
    NOTHING_ELSE: "nothing but what was asked for",
}
# Kinds of checks in the plural, where it is not the kind with an s.
_ABOUT = {INTACT: "what is whole", NOTHING_ELSE: "what else is there"}


class Check(Record):
    """The result of checking one requirement against one candidate.

    `requirement`: its id, or one of ALWAYS. `probability`, in [0, 1]: how likely the requirement is met, by the judge;
    None where no model was asked. `said` is that before calibration, and `basis` for what its band holds. `missing`:
    how many more decisions of people the judge needs before it may pass this kind; 0 where it may. `box`: where in the
    picture the fault is, if a judge told; the record of an edit there has it."""

    requirement: str
    probability: float | None
    outcome: CheckOutcome
    judge: str
    reason: str
    said: float | None = None
    basis: Basis | None = None
    missing: int = 0
    box: Box | None = Field(default=None, exclude=True, repr=False)


class Verdict(Record):
    """All checks of a candidate. `gate` is the worst outcome among the must-haves."""

    candidate: str
    checks: tuple[Check, ...]
    gate: Gate
    score: float  # in [0, 1]; ranks candidates with the same gate
    degraded: str | None = None  # which judge failed, and what judged instead
    # What the first judges left open, and who was asked then, in words: "scorer: 2 checks unsure".
    handed_up: tuple[str, ...] = Field(default=(), exclude_if=lambda handed: not handed)


def unmeasured(checks: Sequence[Check]) -> str:
    """What is missing before the judges may decide these checks, in one phrase: "not checked yet: 14 more decisions on
    counts". Empty where nothing is."""
    missing: dict[str, int] = {}
    for check in checks:
        if check.missing and check.basis and check.outcome == "unchecked":
            missing[check.basis.kind] = max(check.missing, missing.get(check.basis.kind, 0))
    return lacking(missing)


def lacking(missing: Mapping[str, int]) -> str:
    """How many more decisions are missing by kind, as a phrase; empty where none are."""
    parts = [f"{n} on {_ABOUT.get(kind, kind + 's')}" for kind, n in missing.items()]
    if not parts:
        return ""
    count, _, first = parts[0].partition(" ")
    return "not checked yet: " + ", ".join(
        [f"{count} more decision{'' if count == '1' else 's'} {first}", *parts[1:]]
    )


def conclude(
    candidate: Candidate,
    requirements: Sequence[Requirement],
    found: Mapping[str, Finding],
    measure: Callable[[Judged], Measure],
    broke: str = "",
    routed: Container[str] = (),
    settled: Mapping[str, Check] | None = None,
    implied: Container[str] = (),
) -> Verdict:
    """Turn findings, by the id of a requirement or one of ALWAYS, into checks and a gate.

    `measure`: the band of a kind of check; `broke`: why findings are missing, as the reason of an unchecked check;
    `routed`: those of ALWAYS that some judge should have told; `settled`: checks that stand already; `implied`: ids of
    the requirements that are met where those of ALWAYS are."""
    done = settled or {}
    always = [_intact(candidate, found.get(INTACT), measure, INTACT in routed, broke)]
    if (alone := found.get(NOTHING_ELSE)) is not None:
        always.append(_decided(NOTHING_ELSE, ALWAYS[NOTHING_ELSE], alone, measure(NOTHING_ELSE)))
    elif NOTHING_ELSE in routed:
        always.append(_unchecked(NOTHING_ELSE, broke))
    intact, *else_ = (done.get(check.requirement, check) for check in always)
    of_wants = [
        _implied(r, [intact, *else_]) if r.id in implied
        else done.get(r.id) or _check(r, candidate, found.get(r.id), measure, broke)
        for r in requirements
    ]  # fmt: skip
    checks = [intact, *of_wants, *else_]
    must = {r.id for r in requirements if r.must} | set(ALWAYS)
    outcomes = {check.outcome for check in checks if check.requirement in must}
    gate = next(outcome for outcome in _WORST if outcome in outcomes)
    worth = {"pass": 1.0, "unsure": 0.5, "unchecked": 0.5, "fail": 0.0}
    parts = [worth[c.outcome] * 0.9 + 0.1 * (0.5 if c.probability is None else c.probability) for c in checks]
    return Verdict(candidate=candidate.id, checks=tuple(checks), gate=gate, score=sum(parts) / len(parts))


def _intact(
    candidate: Candidate,
    whole: Finding | None,
    measure: Callable[[Judged], Measure],
    routed: bool,
    broke: str,
) -> Check:
    """Whether there is a picture at all, of the size that was asked for, with nothing smeared in it."""
    why = pixels.blank(candidate.image) or _shrunk(candidate)
    if whole is not None and not why:
        return _decided(INTACT, ALWAYS[INTACT], whole, measure(INTACT))
    if routed and not why:
        return _unchecked(INTACT, broke)
    return Check(requirement=INTACT, probability=None, outcome="fail" if why else "pass", judge="pixels",
                 reason=why or "there is a picture")  # fmt: skip


def _implied(r: Requirement, always: Sequence[Check]) -> Check:
    """The check of the absence of what no object has as a part: it is not there where all is whole, and nothing but
    the objects that were asked for. Where that does not pass, it may be what is seen."""
    worst = min(always, key=lambda check: _WORST.index(check.outcome))
    passed = worst.outcome == "pass"
    reason = "nothing is there but whole things without it" if passed else f"it may be there: {worst.reason}"
    return Check(
        requirement=r.id, probability=worst.probability, outcome="pass" if passed else "unsure", judge=worst.judge,
        reason=reason,
    )  # fmt: skip


def _unchecked(id: str, why: str) -> Check:
    return Check(requirement=id, probability=None, outcome="unchecked", judge="none",
                 reason=why or "no judge of this preset can check it; a person decides")  # fmt: skip


def _shrunk(candidate: Candidate) -> str | None:
    """Why a fallback's image does not have the size that was asked for; None if it has, or if no size was asked for."""
    plan, image = candidate.plan, candidate.image
    width, height = plan.width or image.width, plan.height or image.height
    if not candidate.degraded or (width, height) == image.size:
        return None
    return f"the image is {image.width} × {image.height} pixels instead of {width} × {height}"


def _check(
    r: Requirement,
    candidate: Candidate,
    finding: Finding | None,
    measure: Callable[[Judged], Measure],
    broke: str,
) -> Check:
    if r.kind == "technical" and (result := pixels.meets(candidate.image, r.subject, r.value)):
        met, why = result
        return Check(
            requirement=r.id, probability=None, outcome="pass" if met else "fail", judge="pixels", reason=why
        )
    if finding is None:
        return _unchecked(r.id, r.note or broke)
    if r.kind == "absence":  # what was found is how likely the object is there
        finding = replace(finding, probability=1 - finding.probability)
    return _decided(r.id, r.text, finding, measure(r.kind))


def _decided(id: str, text: str, finding: Finding, measure: Measure) -> Check:
    """The check of a finding by its band. Without a band, or while its band may not pass, it is unchecked."""
    band = measure.band
    probability = finding.probability if band is None else band.corrected(finding.probability)
    outcome: CheckOutcome = "unchecked" if measure.missing else "unsure"
    if band is not None and band.pass_ is not None and probability >= band.pass_:
        outcome = "pass"
    elif band is not None and band.fail is not None and probability <= band.fail:
        outcome = "fail"
    saw = f"{finding.saw}; " if finding.saw else ""
    if outcome == "unchecked":
        words = lacking({measure.basis.kind: measure.missing})
    else:
        shows = {"pass": "shows", "fail": "does not show", "unsure": "may or may not show"}[outcome]
        words = f"{shows} {text}"
    return Check(
        requirement=id, probability=probability, outcome=outcome, judge=finding.by,
        reason=f"{words} ({saw}{_limits(probability, band)})", said=finding.probability, basis=measure.basis,
        missing=0 if outcome in ("pass", "fail") else measure.missing, box=finding.box,
    )  # fmt: skip


def _limits(probability: float, band: Band | None) -> str:
    """The probability beside the thresholds of its band, in words."""
    parts = [f"p {probability:.2f}"]
    if band is not None:
        thresholds = (("pass from", band.pass_), ("fail to", band.fail))
        parts.append(", ".join(f"{words} {at:.2f}" for words, at in thresholds if at is not None))
        parts.append(
            {"measured": "", "people": "by people's decisions", "self": "self-measured"}[band.source]
        )
    return "; ".join(filter(None, parts))
