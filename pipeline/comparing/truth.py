"""Whether accepted pictures are right: by people's decisions, and otherwise by a second judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pipeline.calls.load import load
from pipeline.config import Preset
from pipeline.judging.judge import Judges, judge
from pipeline.painting.image import Candidate, candidate_of
from pipeline.store import Store
from pipeline.store.tables import CandidateRow
from pipeline.work.row import Row


class Opinion(NamedTuple):
    """`right`: whether the picture shows what the brief asks for; None where the one who was asked is not sure. `by`: a
    person, or the preset of the second judge."""

    right: bool | None
    by: str


def of_people(best: Mapping[str, CandidateRow], store: Store) -> dict[str, Opinion]:
    """What people decided about these pictures, by run; of several decisions on one the last."""
    found = {}
    for run, reviews in store.reviews.standing(list(best)).items():
        for review in reviews:
            if review.candidate == best[run].id:
                found[run] = Opinion(review.decision == "approve", review.who)
    return found


def of_judge(
    rows: Sequence[Row], best: Mapping[str, CandidateRow], preset: Preset, store: Store
) -> dict[str, Opinion]:
    """What the judges of another preset say of the pictures of these rows. It reads the briefs itself, so that a brief
    that was misread does not make a wrong picture right. Pictures whose files are gone are left out.

    Raises ModelError where its models cannot be loaded."""
    shown = [
        (row, candidate)
        for row in rows
        if row.id in best and (candidate := _candidate(best[row.id], store)) is not None
    ]
    if not shown:
        return {}
    models = load(preset, store.results)
    readings = models.read([row.brief for row, _ in shown], preset).each
    judges = Judges(models.judges, preset.routes, models.bands, models.range)
    verdicts = judge(
        [[candidate] for _, candidate in shown], [reading.requirements for reading in readings], judges
    ).each
    right = {"pass": True, "fail": False}
    return {
        row.id: Opinion(right.get(verdict.gate), preset.name)
        for (row, _), (verdict,) in zip(shown, verdicts, strict=True)
    }


def _candidate(row: CandidateRow, store: Store) -> Candidate | None:
    """A candidate with its picture; None where the picture's file is gone."""
    image = store.pictures.get(row.image)
    if image is None:
        return None
    return candidate_of(row.record, image)
