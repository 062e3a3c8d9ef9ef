"""`easel verify` and `easel key`: whether a picture is as Easel wrote it, and the key that signs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from pipeline.config import available, load_preset
from pipeline.errors import ConfigError, OutputError
from pipeline.judging.judge import Judges
from pipeline.judging.verdict import Check
from pipeline.results.seal import key_file, make_key, own_public_key
from pipeline.results.verify import Again, Examined, examine, judged_again, judges_of
from scripts.commands.interrupt import ACCEPTED, BAD_INPUT, NOT_MET
from scripts.commands.plain import escape

_SIGNATURES = {
    "none": "not signed",
    "yours": "signed by your key",
    "another": "signed by a key that is not yours",
    "broken": "the signature does not hold",
}


def run_verify(pictures: Sequence[Path], again: bool, preset: str | None, as_json: bool) -> int:
    """Print what is found about each picture, with `as_json` as one line of JSON each; returns the exit status."""
    console = Console(highlight=False, soft_wrap=True)
    status, judges = ACCEPTED, dict[str, Judges]()
    for path in pictures:
        try:
            found = examine(path)
            checks = _judge_again(path, found, preset, judges) if again and found.record else []
        except OutputError as error:
            status = BAD_INPUT
            if as_json:
                print(json.dumps({"file": str(path), "error": str(error)}, ensure_ascii=False))
            else:
                console.print(f"[red]cannot be examined[/] {escape(str(error))}")
            continue
        if as_json:
            told = [_record(*one) for one in checks]
            print(json.dumps({"file": str(path), **found.model_dump(), "again": told}, ensure_ascii=False))
        else:
            _show(console, path, found, checks)
        if found.state != "intact" and status == ACCEPTED:
            status = NOT_MET
    return status


def _show(console: Console, path: Path, found: Examined, checks: Sequence[Again]) -> None:
    colour = {"intact": "green", "changed": "red"}.get(found.state, "yellow")
    key = f" ({found.key})" if found.signature == "another" else ""
    what = "; ".join(found.faults) or _SIGNATURES[found.signature] + key
    if found.state == "not sealed":
        what = "an earlier version of Easel wrote it, or another program saved it"
    console.print(f"[{colour}]{found.state}[/] {escape(str(path))}: {escape(what)}")
    if found.lacking:
        console.print(f"  the record lacks {escape(', '.join(found.lacking))}")
    if found.record:
        console.print(f"  brief: {escape(str(found.record.get('brief', {}).get('text', ''))[:200])}")
        console.print(
            f"  preset {escape(str(found.record.get('preset')))}, models: {escape(', '.join(found.models))}"
        )
    for review in found.record.get("reviews", ()):
        console.print(f"  {escape(str(review.get('decision')))} by {escape(str(review.get('who')))}")
    for want, was, now in checks:
        told = "not checked now" if now is None else f"{_told(now)} now"
        changed = "" if now and now.outcome == was.outcome else " [yellow]another outcome[/]"
        console.print(f"  {escape(want)}: {_told(was)} in the record, {told}{changed}")


def _judge_again(path: Path, found: Examined, given: str | None, judges: dict[str, Judges]) -> list[Again]:
    """What the judges of the recorded preset say now, or those of the one that is given. `judges`: those that are
    loaded, by preset. Raises ConfigError where the recorded preset is not a bundled one: a picture may come from
    anybody, and its record could name any file of this machine."""
    name = given or str(found.record.get("preset", ""))
    if given is None and name not in available():
        raise ConfigError(
            f"{path}: its preset {name[:100]!r} is not a bundled one; name its file with --preset"
        )
    if name not in judges:
        judges[name] = judges_of(load_preset(name))
    return judged_again(path, found.record, judges[name])


def _record(want: str, was: Check, now: Check | None) -> dict[str, object]:
    return {"requirement": want, "recorded": was.model_dump(), "now": now.model_dump() if now else None}


def _told(check: Check) -> str:
    return check.outcome if check.probability is None else f"{check.outcome} {check.probability:.2f}"


def run_key() -> None:
    """Make this user's key where there is none, and print the public one."""
    made = own_public_key()
    if made is None:
        made = make_key()
        print(f"made {key_file()}; from now on it signs every picture. Keep a copy of it.")
    print(f"public key: {made}")
