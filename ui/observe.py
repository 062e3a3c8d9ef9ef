"""The Observe tab: statistics of a period, and the trace of a run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any

import gradio as gr

from models.specs import STAGES
from pipeline.calls.energy import format_joules
from pipeline.results.stats import DAY, HOUR, MONTH, Spend, Stats, gather, spend_by
from pipeline.store.tables import RunRow
from pipeline.telemetry.spans import Span, recorded
from pipeline.work.report import duration
from ui.charts import Bar, bars, columns
from ui.desk import Desk
from ui.guard import connect, in_order
from ui.parts import card, figures, html, mark, moment, table, word

PERIODS = {"Last day": 1, "Last 7 days": 7, "Last 30 days": 30, "Everything": None}
OUTCOMES = ("pass", "unsure", "unchecked", "fail")
FUNNEL = ("briefs", "read", "painted", "accepted", "accepted at the first attempt", "approved by a person")
_MOST_COLUMNS = 62  # days that are drawn as columns; more are drawn as months
_FALLEN = 50  # degraded or failed calls that are shown
_TRACEABLE = 60  # newest runs in the list of traces


def totals(stats: Stats) -> str:
    """The figures at the top of the tab."""
    told = stats.totals
    known = "counted" if told.measured else "estimated"
    cells = [
        (f"{told.ended:,}", "brief ended" if told.ended == 1 else "briefs ended"),
        ("–" if told.accepted is None else f"{told.accepted:.0%}", "of them accepted"),
        ("–" if told.images_each is None else f"{told.images_each:.1f}", "images for each accepted one"),
        ("–" if told.seconds is None else duration(told.seconds), "median time of a brief"),
        (f"{told.tokens:,}" if told.tokens else "–", "tokens"),
        (format_joules(told.joules) if told.joules else "–", f"energy, {known}"),
        (f"{told.money:.2f} {stats.currency}" if told.money else "–", "cost, at the preset's price"),
        (f"{told.degraded:,}", "degraded call" if told.degraded == 1 else "degraded calls"),
    ]
    return card(figures(cells), "Figures")


def funnel(stats: Stats) -> str:
    """How many briefs reach each stage. The share that is accepted is among the figures, of the briefs that ended."""
    rows = [Bar(name, ((stats.funnel[name], "c-image"),), f"{stats.funnel[name]:,}") for name in FUNNEL]
    others = ", ".join(f"{n:,} {name}" for name, n in stats.funnel.items() if name not in FUNNEL and n)
    return bars("How far briefs come", rows, note=f"Besides: {others}." if others else "")


def _brief(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds < 1 else duration(seconds)


def by_kind(stats: Stats) -> str:
    """Outcomes of the checks of must-haves, the kind that fails most first."""
    rows = []
    for kind, counts in stats.failures.items():
        if kind == "intact":
            continue
        whole, passed = sum(counts.values()), counts.get("pass", 0)
        parts = tuple((float(counts.get(outcome, 0)), f"c-{outcome}") for outcome in OUTCOMES)
        rows.append((passed / whole, Bar(kind, parts, f"{passed:,} of {whole:,} pass")))
    legend = [(f"c-{outcome}", outcome) for outcome in OUTCOMES]
    return bars(
        "What fails, by kind of requirement", [bar for _, bar in sorted(rows, key=lambda row: row[0])], legend,
        "Checks of must-haves, of every picture that was painted.",
    )  # fmt: skip


def latency(stats: Stats) -> str:
    """Median and 90th percentile of the seconds of a call, by stage."""
    rows = [
        Bar(
            row.stage, ((row.p50, f"c-{row.stage}"), (row.p90 - row.p50, f"c-{row.stage} faint")),
            f"{_brief(row.p50)} · {_brief(row.p90)}",
        )
        for row in stats.latency
        if row.calls
    ]  # fmt: skip
    handed = ", ".join(
        f"{row.stage} {row.handed_up:,} ({row.handed_up_seconds:.1f} s)"
        for row in stats.latency
        if row.handed_up
    )
    note = "The median, and what nine of ten calls keep within; kept answers left out."
    if handed:
        note += f" Calls about what a smaller model left open: {handed}."
    return bars("How long a call takes", rows, note=note)


def tokens(stretches: Sequence[tuple[str, Spend | None]]) -> str:
    points = [
        Bar(label, ((float(s.tokens), "c-text"),) if s else (), f"{s.tokens:,} tokens" if s else "none")
        for label, s in stretches
    ]
    return columns("Tokens", points, lambda n: f"{n:,.0f}")


def energy(stretches: Sequence[tuple[str, Spend | None]]) -> str:
    points = [
        Bar(
            label, tuple((j, f"c-{stage}") for stage, j in s.by_stage.items()) if s else (),
            format_joules(s.joules) if s else "none",
        )
        for label, s in stretches
    ]  # fmt: skip
    used = {stage for _, spend in stretches if spend for stage in spend.by_stage}
    legend = [(f"c-{stage}", stage) for stage in STAGES if stage in used]
    return columns("Energy", points, format_joules, legend)


def cost(stretches: Sequence[tuple[str, Spend | None]], currency: str) -> str:
    points = [
        Bar(label, ((s.money, "c-image"),) if s else (), f"{s.money:.2f} {currency}" if s else "none")
        for label, s in stretches
    ]
    return columns("Cost", points, lambda n: f"{n:.2g} {currency}")


def over_time(
    spend: Sequence[Spend], since: datetime | None, now: datetime
) -> list[tuple[str, Spend | None]]:
    """(label, what it took) of every hour of the last day, else of every day or month. None: nothing happened then."""
    known = {one.day: one for one in spend}
    if since is not None and now - since <= timedelta(days=1):
        times = [now - timedelta(hours=h) for h in range(23, -1, -1)]
        return [(f"{t:%H}:00", known.get(t.strftime(HOUR))) for t in times]
    if since is None and spend and len(spend[0].day) == len("2026-01"):
        return [(one.day, one) for one in spend]
    first = since + timedelta(days=1) if since else datetime.strptime(min(known, default=f"{now:{DAY}}"), DAY)
    days = (now.date() - first.date()).days
    times = [now - timedelta(days=d) for d in range(days, -1, -1)]
    return [(f"{t.day} {t:%b}", known.get(t.strftime(DAY))) for t in times]


def degraded(stats: Stats) -> str:
    """The newest calls that failed, or that a fallback answered."""
    rows = [
        (
            moment(fall.at), escape(fall.stage), escape(fall.model), escape(fall.why),
            f'<a href="?job={escape(fall.run)}">run</a>',
        )
        for fall in reversed(stats.fallen[-_FALLEN:])
    ]  # fmt: skip
    body = table(("When", "Stage", "Model", "Why", ""), rows) if rows else (
        '<p class="soft">None: every answer came from the model that was asked.</p>'
    )  # fmt: skip
    return card(f"<h2>Degraded calls</h2>{body}", "Degraded calls", "chart")


def trace(run: RunRow, spans: Sequence[Span]) -> str:
    """A run as a tree of spans over time."""
    rows = _lines(spans)
    first = min(start for _, _, start, _, _ in rows)
    whole = max(max(start + long for _, _, start, long, _ in rows) - first, 1e-9)
    lines = "".join(
        f'<div class="{"error" if broken else ""}" role="listitem"><span style="padding-left:{depth * 14}px">'
        f'{escape(name)}</span><span class="track"><i style="left:{100 * (start - first) / whole:.2f}%;'
        f'width:{100 * long / whole:.2f}%"></i></span><span>{long:.3f} s</span></div>'
        for depth, name, start, long, broken in rows
    )
    return card(
        f"<h2>Trace</h2><p>{mark(run.status, run.decided_by or '')} {escape(run.text)}</p>"
        f'<div class="tree" role="list">{lines}</div>'
        f'<p class="soft">{len(rows)} spans, {whole:.1f} s from the first to the last.</p>',
        "Trace",
    )


Line = tuple[int, str, float, float, bool]  # depth, name, start and length in seconds, whether it failed


def _lines(spans: Sequence[Span]) -> list[Line]:
    known = {span.span_id for span in spans}
    below: dict[str | None, list[Span]] = {}
    for span in spans:
        below.setdefault(span.parent_id if span.parent_id in known else None, []).append(span)
    lines: list[Line] = []

    def walk(parent: str | None, depth: int) -> None:
        for span in sorted(below.get(parent, ()), key=lambda s: s.start_ns):
            long = (span.end_ns - span.start_ns) / 1e9
            lines.append((depth, span.name, span.start_ns / 1e9, long, span.status == "error"))
            walk(span.span_id, depth + 1)

    walk(None, 0)
    return lines


class Page:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def show(self, period: str, chosen: str | None = None) -> tuple[Any, ...]:
        """Every figure and plot of the tab, and the runs whose trace can be opened."""
        now = datetime.now(UTC)
        days = PERIODS.get(period)
        since = now - timedelta(days=days) if days else None
        by = HOUR if days == 1 else DAY
        stats = gather(self.desk.store, since=since, by=by)
        many = len(stats.spend) > _MOST_COLUMNS
        time = over_time(spend_by(self.desk.store, MONTH, since=since) if many else stats.spend, since, now)
        runs = self.desk.store.runs.find(since=since, limit=_TRACEABLE)
        names = [
            (f"{run.text[:60]} ({run.started:%d %b %H:%M} UTC, {word(run.status)})", run.id) for run in runs
        ]
        kept = chosen if chosen in {run.id for run in runs} else names[0][1] if names else None
        return (
            totals(stats), funnel(stats), by_kind(stats), latency(stats), tokens(time), energy(time), degraded(stats),
            gr.HTML(cost(time, stats.currency), visible=bool(stats.totals.money)), gr.Dropdown(names, value=kept),
        )  # fmt: skip

    def trace(self, id: str | None) -> str:
        run = self.desk.store.runs.get(id) if id else None
        if run is None:
            return card('<p class="soft">Choose a run to see its trace.</p>')
        return trace(run, recorded(self.desk.store, run))


def build(desk: Desk, tab: gr.Tab) -> None:
    """Lay out the tab and connect it."""
    page = Page(desk)
    with gr.Row(elem_classes="beside"):
        period = gr.Dropdown(
            list(PERIODS), value="Last 7 days", label="Period", scale=3, elem_id="observe-period"
        )
        refresh = gr.Button("Refresh", scale=0, min_width=140, elem_id="observe-refresh")
    head = html(elem_id="observe-figures")
    charts = []
    for pair in (("funnel", "kinds"), ("latency", "tokens"), ("energy", "fallen")):
        with gr.Row(equal_height=True):
            for name in pair:
                with gr.Column(min_width=320):
                    charts.append(html(elem_id=f"observe-{name}", elem_classes="fill"))
    spent = html(elem_id="observe-cost", visible=False)
    chosen = gr.Dropdown([], label="Trace of a run", elem_id="observe-run")
    tree = html(elem_id="observe-trace")

    shown = [head, *charts, spent, chosen]
    connect(in_order(tab.select, refresh.click, period.input), page.show, [period, chosen], shown)
    connect(chosen.change, page.trace, [chosen], [tree])
