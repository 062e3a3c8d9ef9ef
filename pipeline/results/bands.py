"""Bands that were learned, in words, and as a file that a preset can name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.config import Judge
from pipeline.judging.basis import Basis
from pipeline.judging.learned import Known, Learned
from pipeline.judging.risk_control import Safe
from pipeline.judging.verdict import lacking

SOURCES = {"measured": "measured", "people": "people's decisions", "self": "self-measured"}


FEW = 20  # answers; shares of fewer say nothing


def who(basis: Basis) -> str:
    """Whose checks a band is about: the judges, and the painter of the pictures."""
    return f"{' + '.join(basis.judges)} on pictures by {basis.painter}"


def grouped(known: Sequence[Known]) -> dict[str, list[Known]]:
    """What is known, by whose checks it is about."""
    groups: dict[str, list[Known]] = {}
    for one in known:
        groups.setdefault(who(one.basis), []).append(one)
    return groups


def in_words(basis: Basis, learned: Learned | None, rules: Judge) -> str:
    """What a judge may decide, and how wrong it is at most: "wrong accepts at most 9.9 % with 90 % confidence"."""
    if learned is None or (learned.passes is None and learned.fails is None):
        return lacking({basis.kind: learned.missing}) if learned else "not checked yet"
    parts = [_bound("wrong accepts", learned.passes, rules), _bound("wrong rejects", learned.fails, rules)]
    if learned.passes is None:
        parts.append(lacking({basis.kind: learned.missing}).removeprefix("not checked yet: ") + " to pass")
    return "; ".join(filter(None, parts))


def _bound(what: str, safe: Safe | None, rules: Judge) -> str:
    if safe is None:
        return ""
    return f"{what} at most {safe.bound:.1%} with {rules.confidence:.0%} confidence".replace("%", " %")


def as_measured(known: Sequence[Known], standing: Mapping[str, Learned]) -> dict[str, list[dict[str, Any]]]:
    """The bands as the content of a file that `judge.measured` of a preset can name: rows by kind."""
    table: dict[str, list[dict[str, Any]]] = {}
    for one in known:
        if (learned := standing.get(one.basis.key)) is not None:
            table.setdefault(one.basis.kind, []).append(_row(one.basis, learned))
    return table


def _row(basis: Basis, learned: Learned) -> dict[str, Any]:
    band = learned.band
    row: dict[str, Any] = {
        "judges": list(basis.judges), "painter": basis.painter, "wording": basis.wording, "source": band.source,
        "pass": band.pass_, "fail": band.fail, "odds": list(band.odds), "answers": learned.answers, "met": learned.met,
        "error_before": round(learned.before, 4), "error_after": round(learned.after, 4), "missing": learned.missing,
    }  # fmt: skip
    for name, safe in (("wrong_accepts", learned.passes), ("wrong_rejects", learned.fails)):
        if safe is not None:
            row[name] = {"of": safe.of, "mistakes": safe.mistakes, "at_most": round(safe.bound, 4)}
    return row
