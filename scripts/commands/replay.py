"""`easel replay`: runs again with parts of the preset changed, and what that changes, requirement by requirement."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from pipeline.calls.record import Paid
from pipeline.comparing.comparison import Line, compare
from pipeline.comparing.page import write_comparison
from pipeline.comparing.replay import Change, changes, recorded, replayed
from pipeline.store import Store
from pipeline.work.lock import exclusive
from pipeline.work.report import OUTCOMES, duration
from pipeline.work.row import Rows
from scripts.commands.batch import written
from scripts.commands.interrupt import ACCEPTED, BAD_INPUT, INTERRUPTED
from scripts.commands.plain import escape
from scripts.commands.rows import begin, run_rows, tell_how_to_go_on

MOST = 20  # briefs whose changes are printed


def run_replay(
    what: str, overrides: Sequence[str], out: Path, store_url: str | None, file: Path | None, as_json: bool
) -> int:
    """Replay a run or a batch, and print what changed; returns the exit status. Raises EaselError where there is no
    such run, or nothing to change."""
    console = Console(highlight=False, soft_wrap=True, stderr=as_json)
    store = Store.existing(out, store_url)
    variants = replayed(recorded(store, what), overrides, file)
    rows = Rows(f"{what}-replayed", variants[1].rows)
    with exclusive(store):
        ran = run_rows(console, rows, begin(console, rows, store), store)
        made = compare(what, variants, store)
        page = write_comparison(made, store, "replay")
    told = [(line, changes(line, store)) for line in made.ended]
    paid = store.figures.paid([row.id for row in rows.good])
    if as_json:
        print(json.dumps([_record(line, changed, paid) for line, changed in told], ensure_ascii=False))
    else:
        _show(console, told, paid)
    ran.tell_unstarted(console)
    console.print(written(page))
    if ran.stopped and len(made.ended) < len(made.lines):
        tell_how_to_go_on(console)
        return INTERRUPTED
    return ACCEPTED if made.ended else BAD_INPUT


def _show(console: Console, told: Sequence[tuple[Line, list[Change]]], paid: dict[str, Paid]) -> None:
    different = [pair for pair in told if _differs(*pair)]
    for line, changed in different[:MOST]:
        console.print(f"[bold]{escape(line.name)}[/]: {_outcomes(line)}")
        for change in changed:
            before, after = _side(change.before, change.p_before), _side(change.after, change.p_after)
            console.print(f"    {escape(change.requirement)}: {before} → {after}")
    if len(different) > MOST:
        console.print(f"… and {len(different) - MOST} more; the page shows all")
    costs = [paid.get(line.results[1].run, Paid()) for line, _ in told]
    console.print(
        f"Briefs that came out differently: {len(different)} of {len(told)}. Asked anew: images: "
        f"{sum(cost.images for cost in costs)}, tokens: {sum(cost.tokens for cost in costs)}, model time: "
        f"{duration(sum(cost.seconds for cost in costs))}; all else was kept"
    )


def _differs(line: Line, changed: Sequence[Change]) -> bool:
    was, now = line.results
    return bool(changed) or was.status != now.status or was.picture != now.picture


def _outcomes(line: Line) -> str:
    was, now = line.results
    words = [OUTCOMES[result.status].lower() for result in line.results]
    outcome = f"still {words[0]}" if words[0] == words[1] else f"{words[0]} → {words[1]}"
    return f"{outcome}, {'the same' if was.picture == now.picture else 'another'} picture"


def _side(outcome: str | None, p: float | None) -> str:
    if outcome is None:
        return "not asked for"
    return outcome if p is None else f"{outcome} {p:.2f}"


def _record(line: Line, changed: Sequence[Change], paid: dict[str, Paid]) -> dict[str, object]:
    was, now = line.results
    return {
        "name": line.name, "brief": line.text, "before": was.model_dump(mode="json"),
        "after": now.model_dump(mode="json"), "changes": [change.model_dump() for change in changed],
        "paid": paid.get(now.run, Paid()).model_dump(),
    }  # fmt: skip
