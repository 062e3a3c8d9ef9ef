"""The Observe tab: what passes, what fails and why, what it costs, and the trace of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from statistics import median
from typing import Any

import gradio as gr
import pandas as pd

from pipeline.report import duration
from pipeline.store.runs import OPEN
from pipeline.store.spans import Span
from pipeline.store.tables import CallRow, CheckRow, RunRow
from ui.desk import Desk
from ui.guard import spoken
from ui.parts import card, figures, html, mark, table

PERIODS = {"Last day": 1, "Last 7 days": 7, "Last 30 days": 30, "Everything": None}
STEPS = ("Briefs", "Ended", "Painted", "Accepted", "At the first image", "Approved by a person")
STAGES = ("text", "image", "scorer")
COLOURS = {"pass": "#2f8f56", "unsure": "#c9851f", "unchecked": "#8a857b", "fail": "#c8402f"}
STAGE_COLOURS = {"text": "#3d6fb4", "image": "#1b8a75", "scorer": "#a4578f"}
_RUNS = 2_000  # newest runs that are looked at


def funnel(runs: Sequence[RunRow], approved: int) -> pd.DataFrame:
    """How many briefs come how far."""
    ended = [run for run in runs if run.status not in OPEN]
    accepted = [run for run in ended if run.status == "accepted"]
    counts = (
        len(runs), len(ended), sum(run.images > 0 for run in ended), len(accepted),
        sum(run.images == 1 for run in accepted), approved,
    )  # fmt: skip
    return pd.DataFrame(zip(STEPS, counts, strict=True), columns=["Step", "Briefs"])


def by_kind(checks: Sequence[CheckRow]) -> pd.DataFrame:
    """Outcomes of the checks of best pictures, by kind of requirement."""
    tally = Counter((check.kind, check.outcome) for check in checks if check.kind != "intact")
    rows = [(kind, outcome, n) for (kind, outcome), n in sorted(tally.items())]
    return pd.DataFrame(rows, columns=["Kind", "Outcome", "Checks"])


def latency(calls: Sequence[CallRow]) -> pd.DataFrame:
    """Median and 95th percentile of the seconds of a call, by stage; answers that were kept take none."""
    rows = []
    for stage in STAGES:
        seconds = sorted(call.seconds for call in calls if call.stage == stage and call.seconds > 0)
        if seconds:
            most = seconds[int(0.95 * (len(seconds) - 1))]
            rows += [(f"{stage}, median", "median", median(seconds)), (f"{stage}, 95 %", "95 %", most)]
    return pd.DataFrame(rows, columns=["Stage", "Share", "Seconds"])


def over_time(calls: Sequence[CallRow], days: int | None) -> pd.DataFrame:
    """Tokens, energy and seconds by stage, for each hour of a short period or each day of a long one."""
    step = "%Y-%m-%d %H:00" if days is not None and days <= 7 else "%Y-%m-%d"
    sums: dict[tuple[str, str], list[float]] = {}
    for call in calls:
        cell = sums.setdefault((call.started.strftime(step), call.stage), [0.0, 0.0, 0.0])
        for i, value in enumerate((call.tokens, call.joules / 1000, call.seconds)):
            cell[i] += value
    rows = [(when, stage, *values) for (when, stage), values in sorted(sums.items())]
    return pd.DataFrame(rows, columns=["When", "Stage", "Tokens", "Kilojoules", "Seconds"])


def totals(runs: Sequence[RunRow], calls: Sequence[CallRow]) -> str:
    """The figures at the top."""
    ended = [run for run in runs if run.status not in OPEN]
    accepted = [run for run in ended if run.status == "accepted"]
    images = sum(run.images for run in ended)
    joules, money = sum(call.joules for call in calls), sum(call.money for call in calls)
    cells = [
        (str(len(ended)), "briefs ended"),
        (f"{len(accepted) / len(ended):.0%}" if ended else "–", "accepted"),
        (f"{images / len(accepted):.1f}" if accepted else "–", "images for each accepted one"),
        (duration(median(run.seconds for run in ended)) if ended else "–", "median time of a brief"),
        (f"{sum(call.tokens for call in calls):,}", "text tokens"),
        (f"{joules / 3.6e6:.3f} kWh" if joules else "–", "energy of model calls"),
        (f"{money:.2f}" if money else "–", "cost, at the preset's price"),
        (str(sum(bool(call.degraded) for call in calls)), "degraded calls"),
    ]
    return card(figures(cells), "Figures")


def degraded(calls: Sequence[CallRow]) -> str:
    """Which calls a stand-in answered, and which failed."""
    rows = [
        (
            f"{call.started:%d %b %H:%M:%S}", escape(call.stage), escape(call.model),
            escape(call.degraded or call.error or ""), f'<a href="?job={escape(call.run)}">run</a>',
        )
        for call in calls
        if call.degraded or call.error
    ]  # fmt: skip
    if not rows:
        return card(
            '<h2>Degraded calls</h2><p class="soft">None: every answer came from the model that was asked.</p>'
        )
    return card(
        "<h2>Degraded calls</h2>"
        + table(("When", "Stage", "Model", "What stood in, or failed", ""), rows[-50:])
    )


def trace(run: RunRow, spans: Sequence[Span], calls: Sequence[CallRow]) -> str:
    """A run as a tree over time: its spans, or where none were recorded its model calls."""
    rows = _of_spans(spans) if spans else _of_calls(run, calls)
    if not rows:
        return card('<p class="soft">Nothing was recorded of this run.</p>')
    first = min(start for _, _, start, _, _ in rows)
    whole = max(max(start + long for _, _, start, long, _ in rows) - first, 1e-9)
    lines = "".join(
        f'<div class="{"error" if broken else ""}" role="listitem"><span style="padding-left:{depth * 14}px">'
        f'{escape(name)}</span><span class="track"><i style="left:{100 * (start - first) / whole:.2f}%;'
        f'width:{100 * long / whole:.2f}%"></i></span><span>{long:.3f} s</span></div>'
        for depth, name, start, long, broken in rows
    )
    source = "spans" if spans else "model calls"
    return card(
        f'<h2>Trace</h2><p>{mark(run.status)} {escape(run.text)}</p><div class="tree" role="list">{lines}</div>'
        f'<p class="soft">{len(rows)} {source}, {whole:.1f} s from the first to the last.</p>',
        "Trace",
    )


Line = tuple[int, str, float, float, bool]  # depth, name, start and length in seconds, whether it failed


def _of_spans(spans: Sequence[Span]) -> list[Line]:
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


def _of_calls(run: RunRow, calls: Sequence[CallRow]) -> list[Line]:
    lines: list[Line] = []
    for attempt in dict.fromkeys(call.attempt for call in calls):
        mine = [call for call in calls if call.attempt == attempt]
        start = min(call.started.timestamp() for call in mine)
        end = max(call.started.timestamp() + call.seconds for call in mine)
        lines.append((0, f"attempt {attempt}" if attempt else "reading", start, end - start, False))
        for call in mine:
            kept = " (kept)" if call.kept else ""
            name = f"{call.stage}{kept}"
            lines.append((1, name, call.started.timestamp(), call.seconds, bool(call.error)))
    return lines


class Page:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def show(self, period: str) -> tuple[Any, ...]:
        """Every figure and plot of the tab, and the runs whose trace can be opened."""
        days = PERIODS.get(period)
        since = datetime.now(UTC) - timedelta(days=days) if days else datetime(1970, 1, 1, tzinfo=UTC)
        store = self.desk.store
        runs = [run for run in store.runs.find(limit=_RUNS) if run.started >= since]
        ids = [run.id for run in runs]
        checks = [check for mine in store.figures.checks(ids).values() for check in mine]
        calls = store.runs.calls_of(ids)
        approved = {r.run for r in store.reviews.standing() if r.decision == "approve"} & set(ids)
        time = over_time(calls, days)
        names = [(f"{run.text[:60]} ({run.started:%d %b %H:%M}, {run.status})", run.id) for run in runs[:60]]
        return (
            totals(runs, calls), funnel(runs, len(approved)), by_kind(checks), latency(calls), time,
            gr.BarPlot(time, visible=any(call.joules for call in calls)),
            degraded(calls), gr.Dropdown(names, value=names[0][1] if names else None),
        )  # fmt: skip

    def trace(self, id: str | None) -> str:
        run = self.desk.store.runs.get(id) if id else None
        if run is None:
            return card('<p class="soft">Choose a run to see its trace.</p>')
        return trace(run, self.desk.store.spans.of_run(run.id), self.desk.store.runs.calls(run.id))


def build(desk: Desk, tab: gr.Tab) -> None:
    """Lay out the tab and connect it."""
    page = Page(desk)
    with gr.Row():
        period = gr.Dropdown(list(PERIODS), value="Last 7 days", label="Period", scale=2)
        refresh = gr.Button("Refresh", scale=1)
    head = html(elem_id="observe-figures")
    plot: dict[str, Any] = {"height": 260, "buttons": []}
    with gr.Row():
        steps = gr.BarPlot(
            x="Step", y="Briefs", title="How far briefs come", sort=list(STEPS), x_label_angle=-25, **plot
        )
        kinds = gr.BarPlot(
            x="Kind", y="Checks", color="Outcome", title="Checks of the best pictures, by kind",
            color_map=COLOURS, x_label_angle=-25, **plot,
        )  # fmt: skip
    with gr.Row():
        waits = gr.BarPlot(
            x="Stage", y="Seconds", color="Share", title="Seconds of a call, by stage", x_label_angle=-25,
            sort=[f"{stage}, {share}" for stage in STAGES for share in ("median", "95 %")],
            color_map={"median": "#1b8a75", "95 %": "#c9851f"}, **plot,
        )  # fmt: skip
        tokens = gr.BarPlot(
            x="When", y="Tokens", color="Stage", title="Text tokens over time", color_map=STAGE_COLOURS,
            x_label_angle=-25, **plot,
        )  # fmt: skip
    energy = gr.BarPlot(
        x="When", y="Kilojoules", color="Stage", title="Energy over time", color_map=STAGE_COLOURS,
        x_label_angle=-25, **plot,
    )  # fmt: skip
    chosen = gr.Dropdown([], label="Trace of a run", elem_id="observe-run")
    tree = html(elem_id="observe-trace")
    fallen = html(elem_id="observe-degraded")

    def on(event: Callable[..., Any], handler: Callable[..., Any], inputs: Any, outputs: Any) -> Any:
        return event(
            spoken(handler),
            inputs,
            outputs,
            show_progress="hidden",
            api_visibility="private",
            concurrency_limit=None,
        )

    shown = [head, steps, kinds, waits, tokens, energy, fallen, chosen]
    for event in (tab.select, refresh.click, period.input):
        on(event, page.show, [period], shown)
    on(chosen.change, page.trace, [chosen], [tree])
