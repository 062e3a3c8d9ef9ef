"""The report of a batch, as one self-contained HTML page and as CSV: what passed, what did not, and why."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.brief import Kind
from pipeline.calls.record import Paid
from pipeline.files import write
from pipeline.judging.verdict import ALWAYS
from pipeline.results.decided import picture_name
from pipeline.results.thumbnail import thumbnail
from pipeline.store import Store
from pipeline.store.figures import StageCost
from pipeline.store.reviews import Review
from pipeline.store.runs import OPEN
from pipeline.store.tables import CheckRow, RunRow
from pipeline.work.retry import newest
from pipeline.work.row import Row, Rows, Unstarted

EXAMPLES = 5  # of each group of reasons
OUTCOMES = {
    "accepted": "Accepted",
    "needs_review": "Needs review",
    "rejected": "Rejected",
    "exhausted": "Not met",
    "failed": "Failed",
    "open": "Not finished",
    "bad": "Bad row",
}
ENDED = ("accepted", "needs_review", "rejected", "exhausted", "failed")  # of a run that is done
_COLUMNS = (
    "line", "name", "brief", "preset", "seed", "outcome", "why", "images", "tokens", "seconds", "joules", "money",
    "score", "failed", "unsure", "unchecked", "decided by", "decided at", "people said", "picture",
    "images kept", "tokens kept", "joules kept", "money kept",
)  # fmt: skip
_KEPT = ("images", "tokens", "joules", "money")
ANSWERS = {"pass": "yes", "fail": "no"}  # a person's, about a requirement
_CHECKS = ("fail", "unchecked", "unsure", "pass")


@dataclass(frozen=True)
class Entry:
    """One row of the file, and its outcome."""

    line: int
    name: str
    text: str
    status: str  # a key of OUTCOMES
    reason: str
    row: Row | None = None
    run: RunRow | None = None
    picture: str | None = None  # fingerprint
    score: float | None = None  # of the picture, by the judge
    checks: tuple[CheckRow, ...] = ()
    reviews: tuple[Review, ...] = ()  # the decisions on the picture that stand
    extra: Mapping[str, Any] = field(default_factory=dict)  # the columns of the file that Easel does not know
    paid: Paid = field(default_factory=Paid)  # what the models did for its run

    @property
    def label(self) -> str:
        """The outcome in words, with the person who decided it."""
        by = f" by {self.run.decided_by}" if self.run and self.run.decided_by else ""
        return OUTCOMES[self.status] + by

    @property
    def loop_label(self) -> str:
        """The outcome of the loop in words, without what people decided."""
        return OUTCOMES.get(self.run.loop_status if self.run else "", OUTCOMES["open"])

    @property
    def decided_at(self) -> str:
        """When a person decided: "2026-03-01 14:05 UTC"; empty where nobody did."""
        return utc(self.run.decided_at) if self.run and self.run.decided_at else ""

    def answers(self, requirement: str) -> list[tuple[str, str, str]]:
        """What people said of a requirement: (who, yes or no, why not)."""
        return [
            (r.who, ANSWERS[r.requirements[requirement]], r.reasons.get(requirement, ""))
            for r in self.reviews
            if requirement in r.requirements
        ]

    @property
    def said(self) -> str:
        """Every answer of people beside the judge's, in words: "two owls: ann no, the judge unsure"."""
        return "; ".join(
            f"{self.wants[check.requirement]}: {who} {answer}{f' ({why})' if why else ''}, the judge {check.outcome}"
            for check in self.checks
            for who, answer, why in self.answers(check.requirement)
        )

    def open(self, check: CheckRow) -> bool:
        """Whether a requirement is not met, by the last person who answered it, or by the judge where nobody did."""
        answers = self.answers(check.requirement)
        return answers[-1][1] == "no" if answers else check.outcome != "pass"

    @property
    def wants(self) -> dict[str, str]:
        """Requirement id → its words."""
        reading = (self.run.reading if self.run else None) or {}
        words: dict[str, str] = {r["id"]: r["text"] for r in reading.get("requirements", ())}
        return words | ALWAYS

    def lacking(self, *outcomes: str) -> str:
        """The requirements whose checks have one of these outcomes, in words."""
        return "; ".join(self.wants[c.requirement] for c in self.checks if c.outcome in outcomes)

    @property
    def shown(self) -> str | None:
        """Path of the picture below the output folder; None if there is none yet."""
        if self.run is None or self.picture is None or self.run.status in OPEN:
            return None
        return f"{self.run.folder}/{picture_name(self.status)}"


@dataclass(frozen=True)
class Group:
    """Rows with something in common. `examples`: what they have in detail, and how often; the most frequent."""

    name: str
    rows: int
    examples: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Report:
    name: str
    entries: tuple[Entry, ...]
    costs: tuple[StageCost, ...]
    presets: tuple[str, ...]
    at: datetime
    currency: str
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def summary(self) -> str:
        """How many rows have which outcome, in words."""
        named = OUTCOMES | ({"bad": "Bad rows"} if self.counts["bad"] != 1 else {})
        return ", ".join(
            f"{self.counts[s]:,} {label.lower()}" for s, label in named.items() if self.counts[s]
        )

    @property
    def images(self) -> int:
        """Images that were painted, kept ones left out."""
        return sum(e.paid.images for e in self.entries)

    @property
    def images_in_all(self) -> int:
        """Images that the rows needed, kept ones included."""
        return sum(max(e.run.images, e.paid.images) for e in self.entries if e.run)

    @property
    def seconds(self) -> float:
        return sum(cost.seconds for cost in self.costs)

    @property
    def tokens(self) -> int:
        return sum(cost.tokens for cost in self.costs)

    @property
    def money(self) -> float:
        return sum(cost.money for cost in self.costs)

    @property
    def spent(self) -> str:
        """Images, model time and money in words."""
        money = f", {self.money:.2f} {self.currency}" if self.money else ""
        kept = self.images_in_all - self.images
        more = f" and {kept} kept ones" if kept else ""
        return f"{self.images} images painted{more}, {duration(self.seconds)} of model time{money}"

    @property
    def kept(self) -> int:
        """Inputs that were answered from kept results."""
        return sum(cost.kept for cost in self.costs)

    @property
    def met(self) -> bool:
        """Whether the loop accepted a picture for every row. What people decided later does not count."""
        return all(e.run is not None and e.run.loop_status == "accepted" for e in self.entries)

    def by_kind(self) -> list[tuple[str, dict[str, int]]]:
        """(kind of requirement, outcome → checks of the best pictures), the kind that passes least first."""
        tally: dict[str, Counter[str]] = {}
        for check in (c for e in self.entries for c in e.checks if c.kind in Kind.__args__):  # type: ignore[attr-defined]
            tally.setdefault(check.kind, Counter())[check.outcome] += 1
        rows = [(kind, {outcome: counts[outcome] for outcome in _CHECKS}) for kind, counts in tally.items()]
        return sorted(rows, key=lambda row: row[1]["pass"] / sum(row[1].values()))

    def by_images(self) -> list[tuple[int, int]]:
        """(n, how many briefs were accepted at their n-th image)."""
        found = Counter(e.run.images for e in self.entries if e.run and e.status == "accepted")
        return [(n, found[n]) for n in range(1, max(found, default=0) + 1)]

    def reasons(self) -> list[Group]:
        """Why briefs were not accepted, by kind of requirement, and by outcome where nothing was judged; the most
        frequent first. A brief counts once in a group."""
        briefs: Counter[str] = Counter()
        texts: dict[str, Counter[str]] = {}
        for entry in self.entries:
            for kind, found in _missing(entry).items():
                briefs[kind] += 1
                texts.setdefault(kind, Counter()).update(found)
        return [Group(kind, n, tuple(texts[kind].most_common(EXAMPLES))) for kind, n in briefs.most_common()]

    def bad_rows(self) -> list[Group]:
        """The rows that could not be run, by what to change; the most frequent first."""
        bad = Counter(entry.reason for entry in self.entries if entry.status == "bad")
        return [Group(why, n, ()) for why, n in bad.most_common()]


def _missing(entry: Entry) -> dict[str, set[str]]:
    """Kind of requirement → the must-haves of a brief that are not met, in words."""
    if entry.status in ("accepted", "open", "bad"):
        return {}
    found: dict[str, set[str]] = {}
    for check in entry.checks:
        if check.must and entry.open(check):
            found.setdefault(check.kind, set()).add(entry.wants[check.requirement])
    return found or {OUTCOMES[entry.status].lower(): {entry.reason}}


def gather(rows: Rows, store: Store, unstarted: Sequence[Unstarted] = ()) -> Report:
    """The report of the newest runs of the rows of a file, in the order of the file. `unstarted`: rows whose models
    cannot be loaded."""
    good = newest(rows.good, store)
    ids = [row.id for row in good]
    paid = store.figures.paid(ids)
    runs, best, checks = store.figures.runs(ids), store.figures.best(ids), store.figures.checks(ids)
    reviews = store.reviews.standing(ids)
    why = {row.id: group.why for group in unstarted for row in group.rows}
    entries = [Entry(bad.line, "", bad.text, "bad", bad.why, extra=bad.extra) for bad in rows.bad]
    for row in good:
        run = runs.get(row.id)
        ended = run is not None and run.status not in OPEN
        entries.append(
            Entry(
                row.line, row.brief.name, row.brief.text,
                status=run.status if run and ended else "open",
                reason=run.reason if run and ended else why.get(row.id, "run the same command again to continue"),
                row=row, run=run, picture=best[row.id].image if row.id in best else None,
                score=best[row.id].score if row.id in best else None,
                checks=tuple(checks.get(row.id, ())),
                reviews=tuple(r for r in reviews.get(row.id, ()) if run and r.candidate == run.best),
                extra=row.extra, paid=paid.get(row.id, Paid()),
            )
        )  # fmt: skip
    entries.sort(key=lambda entry: entry.line)
    return Report(
        name=rows.name, entries=tuple(entries), costs=tuple(store.figures.costs(ids)),
        presets=tuple(dict.fromkeys(row.preset.name for row in rows.good)), at=datetime.now().astimezone(),
        currency=rows.good[0].preset.machine.currency if rows.good else "",
        counts=Counter(entry.status for entry in entries),
    )  # fmt: skip


def write_report(report: Report, store: Store, stem: str = "report") -> Path:
    """Write the page and the CSV into the output folder. Returns the path of the page."""
    page = store.out / f"{stem}.html"
    write(page.with_suffix(".csv"), as_csv(report).encode())
    write(page, as_html(report, store).encode())
    return page


def as_csv(report: Report) -> str:
    lines = io.StringIO()
    table = csv.writer(lines, lineterminator="\n")
    extra = list(dict.fromkeys(key for e in report.entries for key in e.extra))
    table.writerow(plain(name) for name in (*_COLUMNS, *(_beside(name) for name in extra)))
    for e in report.entries:
        run, row = e.run, e.row
        kept = _kept(e)
        table.writerow(
            plain(cell)
            for cell in (
                e.line, e.name, e.text, row.preset.name if row else "", row.brief.seed if row else "",
                e.status, e.reason, *(
                    (e.paid.images, e.paid.tokens, f"{e.paid.seconds:.1f}", f"{e.paid.joules:.0f}",
                     f"{e.paid.money:.4f}")
                    if run else [""] * 5
                ),
                "" if e.score is None else f"{e.score:.3f}",
                e.lacking("fail"), e.lacking("unsure"), e.lacking("unchecked"), (run.decided_by if run else "") or "",
                e.decided_at, e.said, e.shown or "", *kept, *(e.extra.get(name, "") for name in extra),
            )
        )  # fmt: skip
    return lines.getvalue()


def _kept(entry: Entry) -> tuple[Any, ...]:
    """What the kept answers of a run took when they were made; empty cells until the run has an outcome."""
    outcome = entry.run.outcome if entry.run else None
    if outcome is None:
        return "", "", "", ""
    left = {name: max(0, outcome.get(name, 0) - getattr(entry.paid, name)) for name in _KEPT}
    return left["images"], left["tokens"], f"{left['joules']:.0f}", f"{left['money']:.4f}"


def _beside(name: str) -> str:
    """The name of a column of the user's file beside the report's own."""
    return f"{name} (yours)" if name.lower() in _COLUMNS else name


def plain(cell: Any) -> Any:
    """The cell; a text that a spreadsheet would read as a formula gets a leading quote."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in tuple("=+-@\t\r") else cell


def as_html(report: Report, store: Store) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    pages = Environment(
        loader=PackageLoader("pipeline.work", "."), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    pages.filters |= {"duration": duration, "utc": utc}
    return pages.get_template("report.html.j2").render(
        report=report,
        outcomes=OUTCOMES,
        order={status: n for n, status in enumerate(OUTCOMES)},
        thumbnail=lambda name: thumbnail(store, name),
    )


def utc(moment: datetime) -> str:
    """A time in UTC, in words: "2026-03-01 14:05 UTC"."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def duration(seconds: float) -> str:
    """Seconds in words: 40 s, 12 min, 3 h 20 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
