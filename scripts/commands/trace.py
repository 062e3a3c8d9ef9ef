"""`easel trace`: print one run as a tree of spans, with the time and cost of each."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.tree import Tree

from pipeline.store import Store
from pipeline.telemetry import names as name
from pipeline.telemetry.spans import Span, recorded
from pipeline.work.lock import stop_abandoned
from pipeline.work.report import ANSWERS, utc
from scripts.commands.named import the_run
from scripts.commands.plain import escape

_MARKS = {"pass": "[green]✓[/]", "fail": "[red]✗[/]", "unsure": "[yellow]?[/]", "unchecked": "[dim]–[/]"}


def show(run: str, out: Path, store_url: str | None, as_json: bool) -> None:
    """Print the trace of a run. `run`: its folder, its id or the beginning of its id. Raises EaselError unless it names
    exactly one run."""
    store = Store.existing(out, store_url)
    stop_abandoned(store)
    found = the_run(store, run)
    spans = recorded(store, found)
    if as_json:
        print(json.dumps([span.model_dump(mode="json") for span in spans], ensure_ascii=False))
        return
    Console(highlight=False).print(tree(spans, found.folder))


def tree(spans: list[Span], label: str) -> Tree:
    """The spans as a tree. Shares are of the total model time and cost of the run's calls."""
    below: dict[str | None, list[Span]] = defaultdict(list)
    known = {span.span_id for span in spans}
    for span in sorted(spans, key=lambda s: (s.start_ns, -s.end_ns)):
        below[span.parent_id if span.parent_id in known else None].append(span)
    calls = [span for span in spans if name.STAGE in span.attributes]
    seconds = sum(s.attributes[name.SECONDS] for s in calls)
    money = sum(s.attributes[name.COST] for s in calls)
    ended = any(name.STATUS in span.attributes for span in spans)
    root = Tree(
        f"[bold]{escape(label)}[/]"
        + ("" if ended else " [yellow](no outcome: interrupted, or still running)[/]")
    )

    def add(parent: Tree, span: Span) -> None:
        branch = parent.add(_line(span, seconds, money))
        for event in span.events:
            if event["name"] == name.EVALUATION:
                branch.add(_check(event["attributes"]))
            elif event["name"] == name.REVIEW:
                branch.add(_decision(event["attributes"], event["time_ns"]))
        for child in below[span.span_id]:
            add(branch, child)

    for span in below[None]:
        add(root, span)
    return root


def _line(span: Span, seconds: float, money: float) -> str:
    attributes, elapsed = span.attributes, (span.end_ns - span.start_ns) / 1e9
    parts = [f"[bold]{escape(span.name)}[/] {elapsed:.2f} s"]
    if name.STAGE in attributes:
        model_seconds = attributes[name.SECONDS]
        parts.append(f"{model_seconds / seconds:.0%} of model time" if seconds else "from kept results")
        if attributes[name.BATCH] > attributes[name.PART]:
            parts.append(f"{attributes[name.PART]} of a batch of {attributes[name.BATCH]}")
    if tokens := attributes.get(name.INPUT_TOKENS, 0) + attributes.get(name.OUTPUT_TOKENS, 0):
        parts.append(f"{tokens} tokens")
    if name.STEPS in attributes:
        parts.append(f"seed {attributes[name.SEED]}, {attributes[name.STEPS]} steps")
    if cost := attributes.get(name.COST):
        share = f" ({cost / money:.0%})" if name.STAGE in attributes and money else ""
        parts.append(f"{cost:.6f} {attributes[name.CURRENCY]}{share}")
    if name.STATUS in attributes:
        parts.append(
            f"{attributes[name.STATUS].replace('_', ' ')}: {escape(attributes.get(name.REASON, ''))}"
        )
    if span.status == "error" and name.STATUS not in attributes:
        parts.append(f"[red]{escape(attributes.get(name.REASON, 'error'))}[/]")
    if name.HANDED_UP in attributes:
        parts.append(f"[cyan]handed up: {escape(attributes[name.HANDED_UP])}[/]")
    parts += [f"[yellow]degraded: {escape(text)}[/]" for text in attributes.get(name.DEGRADED, ())]
    return ", ".join(parts)


def _check(attributes: dict[str, Any]) -> str:
    probability = f" {attributes[name.SCORE]:.2f}" if name.SCORE in attributes else ""
    mark, candidate = _MARKS[attributes[name.LABEL]], escape(attributes[name.CANDIDATE])
    said = ""
    if name.WHO in attributes:
        why = f" ({attributes[name.EXPLANATION]})" if attributes[name.EXPLANATION] else ""
        answer, judge = ANSWERS[attributes[name.LABEL]], attributes[name.JUDGE_LABEL]
        said = f": {answer} by {attributes[name.WHO]}{why}, the judge {judge}"
    return f"{mark} [dim]{candidate}[/] {escape(attributes[name.WANT])}{probability}{escape(said)}"


def _decision(attributes: dict[str, Any], time_ns: int) -> str:
    """A person's decision on a candidate."""
    approved = attributes[name.DECISION] == "approve"
    at = utc(datetime.fromtimestamp(time_ns / 1e9, UTC))
    why = f": {attributes[name.REASON]}" if attributes[name.REASON] else ""
    said = f"{'approved' if approved else 'rejected'} by {attributes[name.WHO]}, {at}{why}"
    return f"{_MARKS['pass' if approved else 'fail']} [dim]{escape(attributes[name.CANDIDATE])}[/] {escape(said)}"
