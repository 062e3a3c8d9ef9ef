"""`easel review`: what waits for a person, and their decisions, without the page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from pipeline.errors import BriefError
from pipeline.results.decide import decide, take_back
from pipeline.results.decided import catch_up, picture_name
from pipeline.results.review import Item, queue
from pipeline.store import Store
from scripts.commands.named import the_run
from scripts.commands.plain import escape

WHY = {
    "unsure": "the judge is unsure", "unchecked": "no judge could check it", "degraded": "a fallback was used",
    "audit": "picked at random, to check the judge",
}  # fmt: skip


def do(
    what: Literal["list", "approve", "reject", "undo"],
    run: str | None,
    by: str,
    out: Path,
    store_url: str | None,
    candidate: str | None = None,
    reason: str = "",
    yes: Sequence[str] = (),
    no: Sequence[str] = (),
    as_json: bool = False,
) -> None:
    """List what waits, or decide and print what became of the run.

    `run`: its folder, its id or the beginning of its id; `by`: who decides, and whose decisions are not asked again;
    `candidate`: by default the run's best; `yes`, `no`: ids of requirements that the picture shows, or does not show;
    "r1=five legs" says why. Raises EaselError for a decision that makes no sense."""
    store = Store.existing(out, store_url)
    catch_up(store)
    if what == "list":
        _list(queue(store, by), out, as_json)
        return
    if not by.strip():
        raise BriefError(f"say who decides: easel review {what} … --by NAME")
    row = the_run(store, run) if run else None
    if what == "undo":
        last, _ = take_back(store, by, row.id if row else None)
        _tell(store, last.run, as_json)
        return
    if row is None:
        raise BriefError(f"say which run: easel review {what} RUN --by NAME; easel review lists what waits")
    chosen = candidate or row.best
    if chosen is None:
        raise BriefError(f"{row.folder} has no best picture yet; name one with --candidate")
    answers: dict[str, Literal["pass", "fail"]] = dict.fromkeys(yes, "pass")
    reasons: dict[str, str] = {}
    for given in no:
        id, _, why = given.partition("=")
        answers[id] = "fail"
        if why.strip():
            reasons[id] = why
    decide(store, row.id, chosen, by, what, requirements=answers, reasons=reasons, reason=reason)
    _tell(store, row.id, as_json)


def _list(items: Sequence[Item], out: Path, as_json: bool) -> None:
    if as_json:
        print(json.dumps([_entry(item, out) for item in items], ensure_ascii=False))
        return
    console = Console(highlight=False, soft_wrap=True)
    for item in items:
        console.print(f"[bold]{escape(item.run.folder)}[/] candidate {item.candidate}: {WHY[item.why]}")
        console.print(f"    {escape(item.run.text)}")
        for want in item.reading.requirements if item.reading else ():
            console.print(
                f"    [dim]{want.id:4}[/] {escape(want.text)}{'' if want.must else ' (nice to have)'}"
            )
        console.print(f"    [dim]{escape(str(_picture(item, out)))}[/]")
    if items:
        console.print(f"{len(items)} waiting; decide with: easel review approve RUN --by NAME, or reject")
    else:
        console.print("nothing waits for a person")


def _tell(store: Store, id: str, as_json: bool) -> None:
    """Print what became of a run."""
    row = store.runs.get(id)
    assert row is not None
    picture = store.out / row.folder / picture_name(row.status) if row.best else None
    if as_json:
        told: dict[str, Any] = {
            "run": row.id, "folder": row.folder, "outcome": row.status, "reason": row.reason, "best": row.best,
            "decided_by": row.decided_by, "decided_at": row.decided_at.isoformat() if row.decided_at else None,
            "picture": str(picture) if picture else None,
        }  # fmt: skip
        print(json.dumps(told, ensure_ascii=False))
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[bold]{row.status.replace('_', ' ')}[/]: {escape(row.folder)}: {escape(row.reason)}")
    if picture:
        console.print(str(picture), markup=False)


def _entry(item: Item, out: Path) -> dict[str, Any]:
    requirements = (
        [want.model_dump(mode="json") for want in item.reading.requirements] if item.reading else []
    )
    return {
        "run": item.run.id, "folder": item.run.folder, "candidate": item.candidate, "brief": item.run.text,
        "why": item.why, "requirements": requirements, "picture": str(_picture(item, out)),
    }  # fmt: skip


def _picture(item: Item, out: Path) -> Path:
    return out / item.run.folder / "attempts" / f"{item.candidate}.png"
