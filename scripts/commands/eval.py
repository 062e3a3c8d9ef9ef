"""`easel eval`: pictures that people decided on, as a set that judges are measured on again and again."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from pipeline.calls import load as models
from pipeline.comparing.replay import recorded
from pipeline.config import Preset
from pipeline.errors import BriefError
from pipeline.evaluating.agree import Answer, Evaluation, evaluate
from pipeline.evaluating.cases import FOLDER, CaseSet, decided, imported
from pipeline.files import write
from pipeline.store import Store
from pipeline.work.lock import exclusive
from scripts.commands.interrupt import ACCEPTED
from scripts.commands.plain import escape

BELOW = 1  # exit status: judges and people agree less than they must


def run_eval(
    preset: Preset, at_least: float, out: Path, folder: Path | None, store_url: str | None, as_json: bool
) -> int:
    """Judge a set and print how far judges and people agree; returns the exit status."""
    models.quiet_libraries()
    models.check(preset)
    cases = set_in(out, folder)
    if not cases.cases():
        raise BriefError(f"{cases.folder} has no cases; add some with `easel eval add RUN`")
    store = Store(out, store_url)
    with exclusive(store):
        made = evaluate(cases, preset, store)
    share = made.whole.share
    status = ACCEPTED if share is not None and share >= at_least else BELOW
    if as_json:
        print(made.model_dump_json())
        return status
    show(Console(highlight=False, soft_wrap=True), made, at_least)
    return status


def show(console: Console, made: Evaluation, at_least: float) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("kind", "agree", "against", "open", "agreement"):
        table.add_column(heading, justify="right" if heading != "kind" else "left")
    for tally in (*made.tallies, made.whole):
        told = "–" if tally.share is None else f"{tally.share:.0%}"
        table.add_row(tally.kind, str(tally.agree), str(tally.against), str(tally.open), told)
    console.print(table)
    for answer in made.against:
        console.print(_line(answer))
    if made.gone:
        console.print(f"[yellow]pictures that are gone: {made.gone};[/] add their runs again")
    share = made.whole.share
    held = share is not None and share >= at_least
    said = "the judges decide nothing" if share is None else f"judges and people agree in {share:.1%}"
    console.print(
        f"[bold {'green' if held else 'red'}]{said}[/] of what the judges decide, wanted: {at_least:.1%} "
        f"(cases: {made.cases}, answers of models: {made.asked}, kept: {made.kept})"
    )


def _line(answer: Answer) -> str:
    people = "yes" if answer.people else "no"
    before = (
        "as before"
        if answer.was == answer.judge
        else f"{answer.was} before"
        if answer.was
        else "not judged before"
    )
    new = "new" if answer.is_new else before
    return (
        f"[red]against[/] ({new}) {escape(answer.requirement)}: people say {people}, the judges {answer.judge}: "
        f"{escape(answer.reason)}\n    {escape(answer.brief[:100])}: {escape(answer.picture)}"
    )


def run_add(what: str, out: Path, folder: Path | None, store_url: str | None) -> None:
    store, cases = Store.existing(out, store_url), set_in(out, folder)
    runs = recorded(store, what)
    found = list(decided(runs, store))
    if not found:
        raise BriefError(f"no person has decided on {what[:100]}; decide with `easel review`, then add it")
    new, replaced = cases.add(found)
    approved = sum(case.approved for case, _ in found)
    undecided = len(runs) - len({case.run for case, _ in found})
    print(
        f"{cases.folder}: {new} added, {replaced} replaced ({approved} approved, {len(found) - approved} rejected)"
        + (f"; runs without a decision: {undecided}" if undecided else "")
    )


def run_export(file: Path, out: Path, folder: Path | None) -> None:
    cases = set_in(out, folder)
    lines = list(cases.export())
    if not lines:
        raise BriefError(f"{cases.folder} has no cases; add some with `easel eval add RUN`")
    write(file, "".join(line + "\n" for line in lines).encode())
    print(f"{file}: {len(lines)} cases")


def run_import(file: Path, out: Path, folder: Path | None) -> None:
    cases = set_in(out, folder)
    new, replaced = cases.add(list(imported(file)))
    print(f"{cases.folder}: {new} added, {replaced} replaced")


def set_in(out: Path, folder: Path | None) -> CaseSet:
    return CaseSet(folder or out / FOLDER)
