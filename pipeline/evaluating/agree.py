"""What the judges of a preset say of the cases of a set, beside what people said."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.brief import Record
from pipeline.calls.load import load
from pipeline.config import Preset
from pipeline.errors import BriefError
from pipeline.evaluating.cases import Case, CaseSet
from pipeline.judging.judge import Judges, judge
from pipeline.judging.learned import standing
from pipeline.judging.verdict import Verdict
from pipeline.painting.image import Candidate
from pipeline.store import Store

PICTURE = "whole picture"  # the kind of the decision on a picture: approved or rejected
_SAYS = {"pass": True, "fail": False}
_TOGETHER = 16  # pictures in one request


class Answer(Record):
    """One yes or no of people, and what the judges say now. `requirement`: in words; `was`: what they said when the
    case was added; `reason`: the judge's."""

    case: str
    brief: str
    kind: str
    requirement: str
    picture: str  # path of the file
    people: bool
    judge: str  # pass, fail, unsure or unchecked
    was: str
    reason: str = ""

    @property
    def agrees(self) -> bool | None:
        """Whether the judges say the same; None where they decide nothing."""
        said = _SAYS.get(self.judge)
        return None if said is None else said == self.people

    @property
    def is_new(self) -> bool:
        """Whether the judges said the same as people when the case was added."""
        return _SAYS.get(self.was) == self.people


class Tally(Record):
    """How often judges and people agree. `open`: unsure or unchecked."""

    kind: str
    agree: int
    against: int
    open: int

    @property
    def share(self) -> float | None:
        """Of what the judges decided."""
        decided = self.agree + self.against
        return self.agree / decided if decided else None


class Evaluation(Record):
    preset: str
    cases: int
    gone: int  # cases whose picture is gone
    tallies: tuple[Tally, ...]  # by kind of requirement, and PICTURE last
    whole: Tally
    against: tuple[Answer, ...]  # what the judges say otherwise than people, new ones first
    kept: int  # answers of the models that were kept
    asked: int  # answers that the models gave now


def evaluate(cases: CaseSet, preset: Preset, store: Store) -> Evaluation:
    """Judge all cases, and compare with what people said. Answers are kept in the store, so only what has changed is
    asked again. Raises BriefError for an empty set, ModelError where the judges cannot be loaded."""
    found = cases.cases()
    if not found:
        raise BriefError(f"{cases.folder} has no cases; add some with `easel eval add RUN`")
    models = load(preset, store.results, learned=standing(store.bases.known(), preset.judge))
    judges = Judges(models.judges, preset.routes, models.bands, models.range)
    shown = [(case, picture) for case in found if (picture := cases.candidate(case)) is not None]
    answers: list[Answer] = []
    kept = asked = 0
    for start in range(0, len(shown), _TOGETHER):
        some = shown[start : start + _TOGETHER]
        made = judge([[picture] for _, picture in some], [case.requirements for case, _ in some], judges)
        for (case, picture), (verdict,) in zip(some, made.each, strict=True):
            answers += _answers(case, picture, verdict, cases)
        for call in (call for calls in made.calls for call in calls):
            kept += len(call.kept)
            asked += len(call.inputs) - len(call.kept)
    kinds = sorted({answer.kind for answer in answers} - {PICTURE})
    against = [answer for answer in answers if answer.agrees is False]
    return Evaluation(
        preset=preset.name, cases=len(shown), gone=len(found) - len(shown),
        tallies=tuple(_tally(kind, [a for a in answers if a.kind == kind]) for kind in (*kinds, PICTURE)),
        whole=_tally("all", answers), against=tuple(sorted(against, key=lambda answer: not answer.is_new)),
        kept=kept, asked=asked,
    )  # fmt: skip


def _answers(case: Case, picture: Candidate, verdict: Verdict, cases: CaseSet) -> list[Answer]:
    checks = {check.requirement: check for check in verdict.checks}
    path = str(cases.path(case))
    found = []
    for want in case.requirements:
        check = checks.get(want.id)
        if want.id in case.truth and check is not None:
            found.append(
                Answer(
                    case=case.id, brief=case.brief, kind=want.kind, requirement=want.text, picture=path,
                    people=case.truth[want.id], judge=check.outcome, was=case.was.get(want.id, ""),
                    reason=check.reason,
                )
            )  # fmt: skip
    must = {want.id for want in case.requirements if want.must}
    was = [
        outcome
        for id, outcome in case.was.items()
        if id in must or id not in {w.id for w in case.requirements}
    ]
    gate = next((one for one in ("fail", "unchecked", "unsure") if one in was), "pass" if was else "")
    failed = "; ".join(check.reason for check in verdict.checks if check.outcome == verdict.gate != "pass")
    found.append(
        Answer(
            case=case.id, brief=case.brief, kind=PICTURE, requirement=PICTURE, picture=path,
            people=case.approved, judge=verdict.gate, was=gate, reason=failed or "every must-have passes",
        )
    )  # fmt: skip
    return found


def _tally(kind: str, answers: Sequence[Answer]) -> Tally:
    said = [answer.agrees for answer in answers]
    return Tally(kind=kind, agree=said.count(True), against=said.count(False), open=said.count(None))
