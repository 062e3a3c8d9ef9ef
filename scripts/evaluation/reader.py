"""Measure how well briefs are read, by the rules, by the text model and by both, and how well the model writes prompts.

    python -m scripts.evaluation.reader --briefs 500
    python -m scripts.evaluation.reader --preset mini

Prints, in percent: recall (requirements found), invented (share of what was read that the brief does not ask for),
exact (briefs read without an error, also in nice-to-haves), unsure (briefs of which some words were not understood, so
that a person decides; these words count neither as found nor as invented), parse (usable answers) and flags
(hand-written briefs with all flags right). Then how many prompts written by the model name every requirement and are
new; a template replaces the others.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from models.mini.dataset.language import Split, write
from models.protocols import ModelError, Text
from pipeline.calls.load import Models, load
from pipeline.calls.operations import TextRequest
from pipeline.calls.stage import Stage
from pipeline.config import load_preset
from pipeline.errors import ConfigError
from pipeline.painting.prompt import write as write_prompts
from pipeline.range import Range, load_range
from pipeline.reading.consensus import Evidence, combined, key_of
from pipeline.reading.finding import NOT_UNDERSTOOD, Found
from pipeline.reading.flags import flagged
from pipeline.reading.requirements import (
    Prompting,
    from_line,
    parsed,
    requests,
    to_line,
)
from pipeline.reading.rules import found_in, numbered
from pipeline.reading.weighing import weighed
from scripts.evaluation.wishes import wishes

ROOT = Path(__file__).parents[2]
RANGE = ROOT / "models/mini/range.json"
HAND_WRITTEN = ROOT / "tests/data/briefs.jsonl"
Reader = Callable[[str], list[Found] | None]


@dataclass(frozen=True, slots=True)
class Example:
    """A brief, the lines that a reader should write, and its flags (requirement line → flag), if known."""

    text: str
    lines: tuple[str, ...]
    flags: dict[str, str] | None = None


def grammar(count: int, split: Split = "test", seed: int = 7) -> list[Example]:
    """Generated briefs in the wordings of a split."""
    rng = np.random.default_rng(seed)
    return [Example(pair.text, pair.lines) for pair in (write(rng, split) for _ in range(count))]


def hand_written(held: bool) -> list[Example]:
    """The hand-written briefs: those held out of development, or the others."""
    rows = map(json.loads, HAND_WRITTEN.read_text(encoding="utf-8").splitlines())
    return [Example(r["text"], tuple(r["lines"]), r["flags"]) for r in rows if r["held"] == held]


def canonical(found: Iterable[Found], text: str, drawable: Range | None) -> dict[tuple[str, ...], Found]:
    """Findings by a key that is equal for equal requirements: with the range's names, and "right of" as "left of"."""
    evidence = Evidence(text, drawable)
    named = [evidence.canonical(item) for item in found]
    counted = {item.subject for item in named if item.kind == "count"}
    keys = {}
    for item in named:
        if item.kind == "object" and item.subject in counted:
            continue
        key = key_of(item)
        if item.kind == "other":
            key = ("other", " ".join(sorted(set(item.value.split()) & _meant(item.value))))
        keys[tuple(part.replace("-", " ") for part in key)] = item
    return keys


def _meant(value: str) -> set[str]:
    """The words that carry the meaning: "feel premium" and "a premium vibe" ask for the same."""
    empty = "a an the of feel feels look looks like it as across come vibe mood is and should make people"
    return set(value.split()) - set(empty.split())


@dataclass
class Score:
    """Counts of requirements (`asked`, `matched`, `read`) and of briefs (the others)."""

    asked: int = 0
    matched: int = 0
    read: int = 0
    exact: int = 0
    briefs: int = 0
    unsure: int = 0
    usable: int = 0
    flags: int = 0
    missed_kinds: Counter[str] | None = None
    invented_kinds: Counter[str] | None = None


def score(examples: Sequence[Example], read: Reader, drawable: Range | None, show: bool = False) -> Score:
    """Compare what a reader finds with the examples. `show` prints the errors."""
    total = Score(missed_kinds=Counter(), invented_kinds=Counter())
    assert total.missed_kinds is not None
    assert total.invented_kinds is not None
    for example in examples:
        wanted = canonical(filter(None, map(from_line, example.lines)), example.text, drawable)
        answer = read(example.text)
        read_as = [item for item in answer or [] if item.subject != NOT_UNDERSTOOD]
        got = canonical(read_as, example.text, drawable)
        both = wanted.keys() & got.keys()
        total.asked += len(wanted)
        total.read += len(got)
        total.matched += len(both)
        total.briefs += 1
        total.unsure += len(read_as) < len(answer or [])
        total.usable += answer is not None
        right = wanted.keys() == got.keys() and all(wanted[k].must == got[k].must for k in both)
        total.exact += right
        total.missed_kinds.update(k[0] for k in wanted.keys() - both)
        total.invented_kinds.update(k[0] for k in got.keys() - both)
        if example.flags is not None:
            flags = {to_line(w): w.flag for w in flagged(numbered(answer or []), drawable) if w.flag}
            total.flags += Counter(flags.values()) == Counter(example.flags.values())
        if show and not right:
            print(example.text)
            print("   missed  ", [to_line(wanted[k]) for k in wanted.keys() - both])
            print("   invented", [to_line(got[k]) for k in got.keys() - both])
            print("   must    ", [to_line(got[k]) for k in both if got[k].must != wanted[k].must])
    return total


def row(name: str, reader: str, s: Score, seconds: float) -> str:
    """A row of the printed table; `seconds` is the time of all briefs."""

    def percent(part: int, whole: int) -> str:
        return f"{100 * part / whole:5.1f}" if whole else "    -"

    return (
        f"{name:<22} {reader:<8} {s.briefs:>6} {percent(s.matched, s.asked):>7} "
        f"{percent(s.read - s.matched, s.read):>9} {percent(s.exact, s.briefs):>6} "
        f"{percent(s.unsure, s.briefs):>6} {percent(s.usable, s.briefs):>6} "
        f"{percent(s.flags, s.briefs) if s.flags else '':>6} {seconds / max(s.briefs, 1):>8.3f}"
    )


def answers(
    model: Stage[TextRequest, Text], texts: Sequence[str], prompting: Prompting
) -> dict[str, list[Found] | None]:
    """Brief → what the text model reads in it; None if its answer cannot be parsed."""
    found = [
        parsed(answer.value.text) if answer.value else None
        for answer in model.ask(requests(texts, prompting)).answers
    ]
    return {text: item if isinstance(item, list) else None for text, item in zip(texts, found, strict=True)}


def reader_of(
    texts: Sequence[str], drawable: Range | None, preset: str | None
) -> Callable[[str], Sequence[Found]]:
    """The reader of these briefs: that of a preset, or the rules alone."""
    if preset is None:
        return lambda text: found_in(text, drawable)
    models, prompting = _models(preset), load_preset(preset).loop.prompting
    assert models.text is not None
    said = answers(models.text, texts, prompting)
    marks = dict(zip(texts, models.marker.ask(texts).answers, strict=True)) if models.marker else {}

    def read(text: str) -> Sequence[Found]:
        found = combined(text, found_in(text, drawable), said[text] or [], drawable)
        marked = marks[text].value if marks else None
        return weighed(text, found, marked, drawable) if marked else found

    return read


def main(
    preset: ReaderOf = None,
    briefs: Annotated[int, typer.Option(help="Number of generated briefs per split.")] = 300,
    show: Annotated[bool, typer.Option(help="Print the errors, except in held-out briefs.")] = False,
) -> None:
    """Measure and print."""
    drawable = load_range(RANGE)
    sets = {
        "wordings, open": grammar(briefs, "dev"),
        "wordings, held": grammar(briefs, "test"),
        "hand-written, open": hand_written(False),
        "hand-written, held": hand_written(True),
    }
    loaded = _models(preset).text if preset else None
    print(
        f"{'briefs':<22} {'reader':<8} {'number':>6} {'recall':>7} {'invented':>9} {'exact':>6} {'unsure':>6} "
        f"{'parse':>6} {'flags':>6} {'s/brief':>8}"
    )
    for name, examples in sets.items():
        visible = show and "held" not in name
        start = time.perf_counter()
        by_rules = score(examples, lambda text: found_in(text, drawable), drawable, visible)
        print(row(name, "rules", by_rules, time.perf_counter() - start))
        print(f"   missed {dict(by_rules.missed_kinds or {})} invented {dict(by_rules.invented_kinds or {})}")
        if loaded is None:
            continue
        start = time.perf_counter()
        texts = [example.text for example in examples]
        found = answers(loaded, texts, load_preset(preset or "").loop.prompting)
        took = time.perf_counter() - start
        for reader, read in {"model": found.get, "preset": reader_of(texts, drawable, preset)}.items():
            result = score(examples, read, drawable, visible)  # type: ignore[arg-type]
            print(row(name, reader, result, took))
            print(f"   missed {dict(result.missed_kinds or {})} invented {dict(result.invented_kinds or {})}")

    if loaded is not None:
        rng = np.random.default_rng(7)
        made = write_prompts([wishes(rng)[0] for _ in range(briefs // 4)], loaded).each
        print(
            f"prompts written: {len(made)}, of them {sum(p.origin == 'model' for p in made)} used as they are"
        )
        print(*(f"   {note}" for note, _ in Counter(p.note for p in made if p.note).most_common(3)), sep="\n")


# The options of all commands that measure reading.
ReaderOf = Annotated[str | None, typer.Option("--preset", help="Whose reader; without it, rules only.")]
Show = Annotated[bool, typer.Option(help="Print the errors.")]


@lru_cache(maxsize=1)
def _models(preset: str) -> Models:
    """The models of a preset that reads with a text model."""
    try:
        models = load(load_preset(preset))
    except (ConfigError, ModelError) as error:
        raise SystemExit(str(error)) from None
    if models.text is None:
        raise SystemExit(f"{preset} reads without a text model; leave out --preset to measure the rules.")
    return models


if __name__ == "__main__":
    typer.run(main)
