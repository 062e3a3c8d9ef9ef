"""Answers about a judge → its band: calibration, and thresholds that keep the wanted risk."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.config import Band, Judge, Source
from pipeline.judging.basis import Answer, Basis
from pipeline.judging.risk_control import (
    Bools,
    Floats,
    Safe,
    lower_bound,
    missing,
    needed,
    platt,
    safe_threshold,
)

_LEAST = 1e-9  # probabilities are held so far from 0 and 1, as Band does


@dataclass(frozen=True, slots=True)
class Known:
    """All answers about one basis: those of people, and those of the judge's own measurement."""

    basis: Basis
    people: tuple[Answer, ...] = ()
    itself: tuple[Answer, ...] = ()


@dataclass(frozen=True, slots=True)
class Learned:
    """A band and what it rests on.

    `passes`, `fails`: the answers that reach each threshold, None where no threshold is known to be safe. `missing`:
    how many more decisions passing needs at least, 0 where it may pass. `before`, `after`: the share of the answers
    with which the judge disagrees (it finds the opposite more likely), without and with calibration."""

    band: Band
    answers: int
    met: int
    passes: Safe | None
    fails: Safe | None
    missing: int
    before: float
    after: float


def standing(known: Iterable[Known], rules: Judge) -> dict[str, Learned]:
    """The band that stands for each basis that has answers, by its key: that of people's decisions; until it may pass,
    the judge's own measurement, unless people's decisions show that it passes too much."""
    every = list(known)
    people = _by_basis({one.basis: one.people for one in every}, rules, "people")
    itself = _by_basis({one.basis: one.itself for one in every}, rules, "self")
    found = {}
    for one in every:
        of_people, of_itself = people.get(one.basis), itself.get(one.basis)
        usable = of_itself is not None and not _refuted(of_itself.band, one.people, rules)
        if of_people is not None and of_people.band.pass_ is not None:
            found[one.basis.key] = of_people
        elif of_itself is not None and usable and of_itself.band.pass_ is not None:
            found[one.basis.key] = of_itself
        elif of_people is not None:
            found[one.basis.key] = of_people
        elif of_itself is not None:
            found[one.basis.key] = replace(of_itself, missing=all_missing(rules))
    return found


def learn(answers: Sequence[Answer], rules: Judge, source: Source, prior: tuple[float, float]) -> Learned:
    """The band of one kind from answers about it. `prior`: calibration that few answers change little."""
    p, met = _arrays(answers)
    plain = Band(odds=platt(_odds(p), met, prior), source=source)
    passes = safe_threshold(p, ~met, rules.risk, rules.confidence)
    fails = safe_threshold(-p, met, rules.risk, rules.confidence)
    # What is more likely wrong than right never passes, and the other way round.
    thresholds = {
        "pass": max(plain.corrected(passes.threshold), 0.5) if passes else None,
        "fail": min(plain.corrected(-fails.threshold), 0.5) if fails else None,
    }
    calibrated = np.array([plain.corrected(float(one)) for one in p])
    return Learned(
        band=Band.model_validate(plain.model_dump(by_alias=True) | thresholds),
        answers=len(met),
        met=int(met.sum()),
        passes=passes,
        fails=fails,
        missing=0 if passes else missing(p, ~met, rules.risk, rules.confidence),
        before=float(((p >= 0.5) != met).mean()),
        after=float(((calibrated >= 0.5) != met).mean()),
    )


def all_missing(rules: Judge) -> int:
    """How many decisions a judge needs of which nothing is known."""
    return needed(rules.risk, rules.confidence)


def _by_basis(
    answers: Mapping[Basis, Sequence[Answer]], rules: Judge, source: Source
) -> dict[Basis, Learned]:
    """The band of each basis that has answers. Kinds of the same judges share a prior: the calibration of all their
    answers together."""
    pools: dict[tuple[str, ...], list[Answer]] = {}
    for basis, some in answers.items():
        pools.setdefault(basis.judges, []).extend(some)
    priors = {}
    for judges, some in pools.items():
        p, met = _arrays(some)
        priors[judges] = platt(_odds(p), met)
    return {b: learn(some, rules, source, priors[b.judges]) for b, some in answers.items() if some}


def _refuted(band: Band, decided: Sequence[Answer], rules: Judge) -> bool:
    """Whether people's decisions show, with the wanted confidence, that more than the wanted risk passes wrongly."""
    if band.pass_ is None:
        return False
    passed = [answer.met for answer in decided if band.corrected(answer.probability) >= band.pass_]
    return lower_bound(passed.count(False), len(passed), rules.confidence) > rules.risk


def _arrays(answers: Sequence[Answer]) -> tuple[Floats, Bools]:
    p = np.array([min(max(a.probability, _LEAST), 1 - _LEAST) for a in answers], np.float64)
    return p, np.array([a.met for a in answers], np.bool_)


def _odds(p: Floats) -> Floats:
    return np.array([math.log(one / (1 - one)) for one in p], np.float64)
