"""What the judges found about a candidate → its verdict: one check for each requirement, and the gate over the
must-haves."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Final, Literal

from pipeline import pixels
from pipeline.brief import Record, Requirement
from pipeline.config import Band, Judge
from pipeline.judging.boxes import Finding
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


class Check(Record):
    """The result of checking one requirement against one candidate.

    `requirement`: its id, or one of ALWAYS. `probability`, in [0, 1]: how likely the requirement is met, by the judge;
    None where no model was asked."""

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
    degraded: str | None = None  # which judge failed, and what judged instead


def conclude(
    candidate: Candidate,
    requirements: Sequence[Requirement],
    found: Mapping[str, Finding],
    rules: Judge,
    band_of: Mapping[str, Band],
    broke: str = "",
    routed: Container[str] = (),
) -> Verdict:
    """Turn findings, by the id of a requirement or one of ALWAYS, into checks and a gate.

    `broke`: why some are missing, as the reason of an unchecked check; `routed`: those of ALWAYS that some judge should
    have told."""
    checks = [
        _intact(candidate, found.get(INTACT), band_of.get(INTACT, rules.default), INTACT in routed, broke)
    ]
    checks += [_check(r, candidate, found.get(r.id), _band(r, band_of, rules), broke) for r in requirements]
    if (alone := found.get(NOTHING_ELSE)) is not None:
        band = band_of.get(NOTHING_ELSE, rules.default)
        checks.append(_decided(NOTHING_ELSE, ALWAYS[NOTHING_ELSE], alone, band))
    elif NOTHING_ELSE in routed:
        checks.append(_unchecked(NOTHING_ELSE, broke))
    must = {r.id for r in requirements if r.must} | set(ALWAYS)
    outcomes = {check.outcome for check in checks if check.requirement in must}
    gate = next(outcome for outcome in _WORST if outcome in outcomes)
    worth = {"pass": 1.0, "unsure": 0.5, "unchecked": 0.5, "fail": 0.0}
    parts = [worth[c.outcome] * 0.9 + 0.1 * (0.5 if c.probability is None else c.probability) for c in checks]
    return Verdict(candidate=candidate.id, checks=tuple(checks), gate=gate, score=sum(parts) / len(parts))


def _band(r: Requirement, band_of: Mapping[str, Band], rules: Judge) -> Band:
    """The band for a requirement; an absence uses the band of objects unless it has one of its own."""
    return band_of.get(r.kind) or band_of.get("object" if r.kind == "absence" else "", rules.default)


def _intact(candidate: Candidate, whole: Finding | None, band: Band, routed: bool, broke: str) -> Check:
    """Whether there is a picture at all, of the size that was asked for, with nothing smeared in it."""
    why = pixels.blank(candidate.image) or _shrunk(candidate)
    if whole is not None and not why:
        return _decided(INTACT, ALWAYS[INTACT], whole, band)
    if routed and not why:
        return _unchecked(INTACT, broke)
    return Check(requirement=INTACT, probability=None, outcome="fail" if why else "pass", judge="pixels",
                 reason=why or "there is a picture")  # fmt: skip


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


def _check(r: Requirement, candidate: Candidate, finding: Finding | None, band: Band, broke: str) -> Check:
    if r.kind == "technical" and (result := pixels.meets(candidate.image, r.subject, r.value)):
        met, why = result
        return Check(
            requirement=r.id, probability=None, outcome="pass" if met else "fail", judge="pixels", reason=why
        )
    if finding is None:
        return _unchecked(r.id, r.note or broke)
    if r.kind == "absence":  # found and measured is whether the object is there
        gone = Finding(1 - band.corrected(finding.probability), finding.saw, finding.by)
        return _decided(
            r.id, r.text, gone, Band.model_validate({"pass": 1 - band.fail, "fail": 1 - band.pass_})
        )
    return _decided(r.id, r.text, finding, band)


def _decided(id: str, text: str, finding: Finding, band: Band) -> Check:
    """The check of a finding by its band."""
    probability = band.corrected(finding.probability)
    outcome: CheckOutcome = "unsure"
    if probability >= band.pass_:
        outcome = "pass"
    elif probability <= band.fail:
        outcome = "fail"
    words = {"pass": "shows", "fail": "does not show", "unsure": "may or may not show"}[outcome]
    saw = f"{finding.saw}; " if finding.saw else ""
    reason = f"{words} {text} ({saw}p {probability:.2f}; pass from {band.pass_:.2f}, fail to {band.fail:.2f})"
    return Check(requirement=id, probability=probability, outcome=outcome, judge=finding.by, reason=reason)
