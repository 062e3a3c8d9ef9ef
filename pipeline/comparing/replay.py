"""Runs that are in the store, once more with parts of their preset changed. What the change does not concern is taken
from kept answers, so the models are asked only what has another input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.brief import Brief, Record
from pipeline.comparing.comparison import Line
from pipeline.comparing.variants import Variant
from pipeline.config import FOLDER, Preset, available
from pipeline.errors import BriefError, ConfigError
from pipeline.judging.verdict import ALWAYS
from pipeline.preset_faults import describe
from pipeline.preset_file import PresetFile
from pipeline.store import Store
from pipeline.store.runs import OPEN
from pipeline.store.tables import CheckRow, RunRow
from pipeline.work.row import Row

WAS = "as it was"


class Change(Record):
    """How a requirement of one brief came out before and after. None: it was not read, or nothing was painted."""

    requirement: str  # in words
    before: str | None
    after: str | None
    p_before: float | None = None
    p_after: float | None = None


def recorded(store: Store, what: str) -> list[RunRow]:
    """The run of this folder, id or beginning of an id, or the newest runs of the batch of this name, in the order in
    which they began. Raises BriefError where there is none, or more than one, or where it has not ended."""
    found = store.runs.named(what)
    if len(found) != 1:
        batch = list(reversed(store.runs.find(batch=what)))
        if not batch:
            many = f"{len(found)} runs" if found else "no run and no batch"
            raise BriefError(
                f"{many} in {store.out} named {what[:100]}; give a run's folder or id, or a batch"
            )
        found = [run for run in batch if run.loop_status not in OPEN]
    if not found or found[0].loop_status in OPEN:
        raise BriefError(f"{what[:100]} has not ended yet; replay it when it has")
    return found


def replayed(
    runs: Sequence[RunRow], overrides: Sequence[str], file: Path | None = None
) -> tuple[Variant, Variant]:
    """The runs as they were, and as they become with `overrides`. `file`: the preset's file, where it is not a bundled
    one; only the locations in the record are relative to it. Raises ConfigError or BriefError."""
    loaded: dict[tuple[str, str], tuple[Preset, Preset]] = {}
    rows: list[tuple[Row, Row]] = []
    for number, run in enumerate(runs, 1):
        key = (run.preset, str(run.settings))
        if key not in loaded:
            loaded[key] = _preset(run, (), file), _preset(run, overrides, file)
        was, now = loaded[key]
        brief = Brief.model_validate(run.brief)
        rows.append((Row(number, brief, was, run=run.id), Row(number, brief, now)))
    if all(now.preset == was.preset for was, now in rows):
        raise BriefError("the preset is as it was; say with --set what to change")
    first_was, first_now = rows[0]
    name = ", ".join(overrides)
    return (
        Variant(WAS, first_was.preset, tuple(was for was, _ in rows)),
        Variant(name, first_now.preset, tuple(now for _, now in rows)),
    )


def _preset(run: RunRow, overrides: Sequence[str], file: Path | None) -> Preset:
    """The preset as the run's record has it, with changes."""
    source = file or FOLDER / f"{run.preset}.yaml"
    if file is None and run.preset not in available():
        raise ConfigError(f"the preset {run.preset} is not a bundled one; name its file with --preset")
    settings: dict[str, Any] = dict(run.settings)
    changed = PresetFile(source, settings, {})
    for override in overrides:
        changed.override(override)
    try:
        return Preset.model_validate({**changed.data, "name": run.preset, "source": source})
    except ValidationError as error:
        raise ConfigError(describe(Preset, changed, error)) from None


def changes(line: Line, store: Store) -> list[Change]:
    """The requirements of a brief whose outcome is another one after the replay, in the order of the brief; the first
    result of the line is the run as it was."""
    ids = [result.run for result in line.results]
    checks, runs = store.figures.checks(ids), store.figures.runs(ids)
    before, after = (_by_words(runs[id], checks.get(id, ())) for id in ids)
    found = []
    for words in dict.fromkeys((*before, *after)):
        was, now = before.get(words), after.get(words)
        change = Change(
            requirement=words, before=was.outcome if was else None, after=now.outcome if now else None,
            p_before=was.probability if was else None, p_after=now.probability if now else None,
        )  # fmt: skip
        if change.before != change.after:
            found.append(change)
    return found


def _by_words(run: RunRow, checks: Sequence[CheckRow]) -> Mapping[str, CheckRow | None]:
    """The check of each requirement of a run by its words, as another reading may number them otherwise."""
    wants = {r["id"]: str(r["text"]) for r in (run.reading or {}).get("requirements", ())}
    by_id = {check.requirement: check for check in checks}
    return {words: by_id.get(id) for id, words in (wants | ALWAYS).items()}
