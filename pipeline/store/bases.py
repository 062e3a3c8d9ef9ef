"""What is known about judges: people's answers about their checks, and what they measured of themselves.

Nothing that follows from the log of decisions is stored. Bands are learned from it whenever they are asked for, so
every decision and every undo counts at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, and_, func, select
from sqlalchemy.orm import Session

from pipeline.judging.basis import Answer, Basis
from pipeline.judging.learned import Known
from pipeline.store.engine import reading, writing
from pipeline.store.outcomes import latest
from pipeline.store.rows import add_new, chunks
from pipeline.store.tables import BasisRow, CandidateRow, CheckRow, ReviewRow


class Bases:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def known(self, until: datetime | None = None) -> list[Known]:
        """All answers about each basis in the store; a basis without answers is listed too. `until`: leaves out
        decisions that were made later."""
        with reading(self._engine) as session:
            rows = list(session.scalars(select(BasisRow).order_by(BasisRow.kind, BasisRow.key)))
            people = _answers(session, {row.key: row.after for row in rows}, until)
        return [
            Known(
                _basis(row),
                tuple(people.get(row.key, ())),
                tuple(Answer(p, bool(met)) for p, met in row.itself),
            )
            for row in rows
        ]

    def measured(self, basis: Basis, answers: Sequence[Answer]) -> None:
        """Keep what a judge measured of itself. An earlier measurement of the basis is replaced."""
        with writing(self._engine) as session:
            add_new(session, BasisRow, rows_of([basis]))
            row = session.get_one(BasisRow, basis.key)
            row.itself = [[answer.probability, answer.met] for answer in answers]

    def reset(self, keys: Iterable[str]) -> int:
        """Begin anew for these bases: what was decided and measured so far no longer counts. The log of decisions stays
        as it is. Returns how many there were."""
        with writing(self._engine) as session:
            last = session.scalar(select(func.max(ReviewRow.id))) or 0
            rows = [row for key in keys if (row := session.get(BasisRow, key)) is not None]
            for row in rows:
                row.after, row.itself = last, []
            return len(rows)


def rows_of(bases: Iterable[Basis]) -> list[dict[str, Any]]:
    """Rows that enter bases into the table."""
    return [
        {"key": basis.key, "after": 0, "itself": [], **basis.model_dump(mode="json")}
        for basis in dict.fromkeys(bases)
    ]


def _basis(row: BasisRow) -> Basis:
    return Basis(kind=row.kind, judges=tuple(row.judges), painter=row.painter, wording=row.wording)


def _answers(session: Session, after: dict[str, int], until: datetime | None) -> dict[str, list[Answer]]:
    """People's answers by key of the basis. The latest answer to a check stands; where the same picture was judged
    several times with the same result, only the latest answer counts. `after`: the review from which on answers to a
    basis count."""
    said: dict[tuple[str, str, str], tuple[int, str]] = {}  # by run, candidate and requirement
    log = select(ReviewRow).order_by(ReviewRow.id)
    reviews = latest(list(session.scalars(log if until is None else log.where(ReviewRow.at <= until))))
    for review in sorted(reviews, key=lambda review: review.id):
        if review.decision != "skip":
            for requirement, word in review.record["requirements"].items():
                said[review.run, review.candidate, requirement] = review.id, word
    found: dict[tuple[str, str, float], tuple[int, bool]] = {}  # by basis, picture and what the judge said
    its = and_(CandidateRow.run == CheckRow.run, CandidateRow.id == CheckRow.candidate)
    columns = select(
        CheckRow.run,
        CheckRow.candidate,
        CheckRow.requirement,
        CheckRow.basis,
        CheckRow.said,
        CandidateRow.image,
    ).join(CandidateRow, its)
    for some in chunks(sorted({run for run, _, _ in said})):
        asked = columns.where(CheckRow.run.in_(some), CheckRow.basis.is_not(None), CheckRow.said.is_not(None))
        for run, candidate, requirement, basis, p, image in session.execute(asked):
            assert basis is not None
            assert p is not None
            id, word = said.get((run, candidate, requirement), (0, ""))
            if id > after.get(basis, 0) and id > found.get((basis, image, p), (0, False))[0]:
                found[basis, image, p] = id, word == "pass"
    answers: dict[str, list[Answer]] = {}
    for (basis, _, p), (_, met) in found.items():
        answers.setdefault(basis, []).append(Answer(p, met))
    return answers
