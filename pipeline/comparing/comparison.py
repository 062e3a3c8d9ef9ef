"""What became of the same briefs in several variants, and how the variants compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, get_args

from pipeline.brief import Record
from pipeline.calls.record import Paid
from pipeline.comparing import paired
from pipeline.comparing.paired import Difference, Interval
from pipeline.comparing.truth import Opinion, of_judge, of_people
from pipeline.comparing.variants import Variant
from pipeline.config import Preset
from pipeline.store import Store
from pipeline.store.runs import OPEN
from pipeline.store.tables import CandidateRow, RunRow

Measure = Literal["images", "seconds", "tokens", "joules", "money"]
MARGIN = 0.05  # a variant does as well if the interval of its difference ends above this loss
_MEASURES: tuple[Measure, ...] = get_args(Measure)


class Result(Record):
    """What became of one brief in one variant. `needed`: what it took in all, kept answers included. `right`: whether
    the accepted picture is right, by `judged_by`; None where nobody said."""

    run: str
    folder: str
    status: str  # of the loop; "open" where it has no outcome yet
    reason: str
    needed: Paid
    picture: str | None = None  # fingerprint
    right: bool | None = None
    judged_by: str = ""

    @property
    def good(self) -> bool:
        """Whether the loop accepted a picture that nobody found wrong."""
        return self.status == "accepted" and self.right is not False


class Line(Record):
    """One brief, and its results in the order of the variants."""

    line: int
    name: str
    text: str
    results: tuple[Result, ...]


class Standing(Record):
    """One variant over all briefs that every variant ended.

    `accepted`: by the loop; `wrong`: of the accepted pictures about which somebody said something; `good`: accepted and
    not found wrong. `each`: what a good picture took in all. `against`: its share of good ones less that of the first
    variant; `multiple`: of what a good picture took with the first variant. `best_of_its_cost`: no other variant has
    more good pictures for at most this cost."""

    name: str
    preset: str
    accepted: Interval
    wrong: Interval
    good: Interval
    count: int  # of good ones
    each: dict[Measure, float]
    against: Difference
    multiple: dict[Measure, Interval]
    best_of_its_cost: bool = False


class Comparison(Record):
    """`lines` has every brief; only those that all variants `ended` are counted."""

    name: str
    at: datetime
    currency: str
    lines: tuple[Line, ...]
    standings: tuple[Standing, ...]
    cost: Measure  # what the variants are compared by

    @property
    def ended(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if all(result.status != "open" for result in line.results))

    @property
    def judged_by(self) -> tuple[str, ...]:
        """Who said whether accepted pictures are right."""
        return tuple(sorted({r.judged_by for line in self.lines for r in line.results if r.judged_by}))


def compare(name: str, variants: Sequence[Variant], store: Store, second: Preset | None = None) -> Comparison:
    """Compare what the store holds of these variants. `second`: whose judges say whether an accepted picture is right,
    where no person did. Raises ModelError where its models cannot be loaded."""
    results = [_results(variant, store, second) for variant in variants]
    lines = tuple(
        Line(line=row.line, name=row.brief.name, text=row.brief.text, results=each)
        for row, each in zip(variants[0].rows, zip(*results, strict=True), strict=True)
    )
    made = Comparison(
        name=name, at=datetime.now().astimezone(), currency=variants[0].preset.machine.currency, lines=lines,
        standings=(), cost="seconds",
    )  # fmt: skip
    cost: Measure = "money" if all(variant.preset.machine.price for variant in variants) else "seconds"
    first = [line.results[0] for line in made.ended]
    standings = [
        _standing(variant, [line.results[i] for line in made.ended], first)
        for i, variant in enumerate(variants)
    ]
    marked = (
        one.model_copy(update={"best_of_its_cost": _undominated(one, standings, cost)}) for one in standings
    )
    return made.model_copy(update={"standings": tuple(marked), "cost": cost})


def _results(variant: Variant, store: Store, second: Preset | None) -> list[Result]:
    ids = [row.id for row in variant.rows]
    runs, needed = store.figures.runs(ids), store.figures.in_all(ids)
    best = _best(runs, store)
    accepted = {id: best[id] for id, run in runs.items() if run.loop_status == "accepted" and id in best}
    said = of_people(accepted, store)
    if second is not None:
        unknown = {id: candidate for id, candidate in accepted.items() if id not in said}
        said |= of_judge(variant.rows, unknown, second, store)
    return [
        _result(id, runs.get(id), best.get(id), needed.get(id, Paid()), said.get(id, Opinion(None, "")))
        for id in ids
    ]


def _best(runs: Mapping[str, RunRow], store: Store) -> dict[str, CandidateRow]:
    """The candidate that the loop ended with; people may have chosen another one."""
    best = store.figures.best(list(runs))
    for id, run in runs.items():
        of_loop = ((run.outcome or {}).get("best") or {}).get("id")
        if of_loop and of_loop != run.best:
            best[id] = next(c for c in store.runs.candidates(id) if c.id == of_loop)
    return best


def _result(id: str, run: RunRow | None, best: CandidateRow | None, needed: Paid, said: Opinion) -> Result:
    ended = run is not None and run.loop_status not in OPEN
    return Result(
        run=id, folder=run.folder if run else "", status=run.loop_status if run and ended else "open",
        reason=str((run.outcome or {}).get("reason", "")) if run and ended else "",
        needed=needed, picture=best.image if best else None, right=said.right, judged_by=said.by,
    )  # fmt: skip


def _standing(variant: Variant, mine: Sequence[Result], first: Sequence[Result]) -> Standing:
    good, good_first = [one.good for one in mine], [one.good for one in first]
    told = [one.right for one in mine if one.status == "accepted" and one.right is not None]
    count = sum(good)
    costs = {measure: [float(getattr(one.needed, measure)) for one in mine] for measure in _MEASURES}
    return Standing(
        name=variant.name, preset=variant.preset.name, count=count,
        accepted=paired.share(sum(one.status == "accepted" for one in mine), len(mine)),
        wrong=paired.share(told.count(False), len(told)), good=paired.share(count, len(mine)),
        each={measure: sum(cost) / count for measure, cost in costs.items() if count},
        against=paired.difference(good_first, good),
        multiple={
            measure: paired.ratio(
                [float(getattr(one.needed, measure)) for one in first], good_first, costs[measure], good
            )
            for measure in _MEASURES
        },
    )  # fmt: skip


def _undominated(one: Standing, standings: Sequence[Standing], cost: Measure) -> bool:
    """Whether no other variant is at least as good at both, and better at one: the Pareto front."""
    if not one.count:
        return False
    return not any(
        other.count >= one.count
        and other.each[cost] <= one.each[cost]
        and (other.count, -other.each[cost]) != (one.count, -one.each[cost])
        for other in standings
        if other.count
    )
