"""Measure reading on briefs that people wrote.

    python -m scripts.evaluation.reader_sets FOLDER --show
    python -m scripts.evaluation.reader_sets FOLDER --preset mini

The reader was developed on scripts/evaluation/briefs/development; scripts/evaluation/briefs measure it and are not for
reading while the reader is changed.

A set is a file NAME.tsv of two columns: a brief, and its wants separated by "; ". The forms of a want are those of
`from_line`, and:

    ?WANT            may be listed or not; "?other no sky" also stands for "no sky"
    PERSON: WORDS    something that the bundled models cannot draw or check: a must-have must be flagged for it
    ~THING           mentioned as context only: it must not be read as wanted

Prints, in percent: recall, invented, exact (briefs read without an error); and how many briefs are silent (a PERSON
entry, and no must-have that needs a person), how many read context as wanted, and how many need a person although they
have no PERSON entry and no want that is flagged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from pipeline.brief import Requirement
from pipeline.range import Range, load_range
from pipeline.reading.finding import Found
from pipeline.reading.flags import flagged
from pipeline.reading.requirements import from_line, to_line
from pipeline.reading.rules import numbered
from scripts.evaluation.reader import (
    RANGE,
    ReaderOf,
    Show,
    canonical,
    reader_of,
)

Reader = Callable[[str], Sequence[Found]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A brief and what its author says that a reader should find."""

    text: str
    wants: tuple[str, ...]
    optional: tuple[str, ...] = ()
    person: tuple[str, ...] = ()
    context: tuple[str, ...] = ()


@dataclass(slots=True)
class Result:
    """Counts of wants (`asked`, `matched`, `read`) and of briefs (the others)."""

    asked: int = 0
    matched: int = 0
    read: int = 0
    briefs: int = 0
    exact: int = 0
    for_person: int = 0  # briefs with a PERSON entry
    silent: int = 0  # of these, the ones in which no must-have needs a person
    misled: int = 0  # briefs that read context as wanted
    cautious: int = 0  # briefs without a PERSON entry in which a must-have needs a person
    errors: list[str] = field(default_factory=list)


def briefs_of(path: Path) -> list[Wanted]:
    """The briefs of a set. Raises ValueError, which names file and line, for a row without two columns."""
    briefs = []
    for number, row in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        columns = row.split("\t")
        if len(columns) != 2:
            raise ValueError(f"{path}:{number}: a row has two columns, a brief and its wants")
        text, wants = columns
        entries = [entry.strip() for entry in wants.split(";") if entry.strip()]
        briefs.append(
            Wanted(
                text,
                wants=tuple(e for e in entries if not e.startswith(("?", "PERSON:", "~"))),
                optional=tuple(e[1:] for e in entries if e.startswith("?")),
                person=tuple(e.removeprefix("PERSON:").strip() for e in entries if e.startswith("PERSON:")),
                context=tuple(e[1:] for e in entries if e.startswith("~")),
            )
        )
    return briefs


def measured(briefs: Iterable[Wanted], read: Reader, drawable: Range) -> Result:
    """How well a reader reads the briefs. An object that is counted counts as found by the count too."""
    total = Result()
    for brief in briefs:
        found = read(brief.text)
        wanted = _keys(brief.wants, brief.text, drawable)
        either = (
            *brief.optional,
            *(o.removeprefix("other ") for o in brief.optional if o.startswith("other no ")),
        )
        allowed = _keys(either, brief.text, drawable)
        got = _without_words(canonical(found, brief.text, drawable))
        extra = {k for k in got if k not in wanted and k not in allowed and not _implied(k, wanted, allowed)}
        missed = {k for k in wanted if k not in got and not _implied(k, got)}
        if brief.person:  # what no model can draw may be read in more than one way
            extra = {k for k in extra if not _flagged(got[k], found, drawable)}
        needs = [w for w in flagged(numbered(found), drawable) if w.must and w.flag]
        misled = [c for c in brief.context if c in _shown(found)]
        silent = bool(brief.person) and not needs
        cautious = not brief.person and bool(needs)
        total.asked += len(wanted)
        total.matched += len(wanted) - len(missed)
        total.read += len(wanted) - len(missed) + len(extra)
        total.briefs += 1
        total.exact += not (missed or extra or silent or misled or cautious)
        total.for_person += bool(brief.person)
        total.silent += silent
        total.misled += bool(misled)
        total.cautious += cautious
        if missed or extra or silent or misled or cautious:
            named = {
                "missed": [" ".join(filter(None, k)) for k in missed],
                "invented": [to_line(got[k]) for k in extra],
                "silent": list(brief.person) if silent else [],
                "misled": misled,
                "cautious": [_said(w) for w in needs] if cautious else [],
            }
            said = "; ".join(f"{name}: {', '.join(items)}" for name, items in named.items() if items)
            total.errors.append(f"{brief.text}\n      {said}")
    return total


def _keys(lines: Sequence[str], text: str, drawable: Range) -> Mapping[tuple[str, ...], Found]:
    return _without_words(canonical(filter(None, map(from_line, lines)), text, drawable))


def _without_words(found: Mapping[tuple[str, ...], Found]) -> dict[tuple[str, ...], Found]:
    """The findings without `other` wants: two people put them into different words."""
    return {key: item for key, item in found.items() if item.kind != "other"}


def _implied(key: tuple[str, ...], *among: Iterable[tuple[str, ...]]) -> bool:
    """Whether a count of one or an object without a number is there in the other form."""
    others = {k for keys in among for k in keys}
    if key[0] == "count":
        return ("object", key[1], "", "") in others and key[2] == "1"
    return key[0] == "object" and any(k[0] == "count" and k[1] == key[1] for k in others)


def _flagged(item: Found, found: Sequence[Found], drawable: Range) -> bool:
    return any(
        want.flag and (want.kind, want.subject, want.value, want.other) == item.key
        for want in flagged(numbered(found), drawable)
    )


def _shown(found: Iterable[Found]) -> set[str]:
    """The objects and colours that are read as wanted."""
    return {
        word
        for item in found
        if item.kind in ("object", "count", "attribute", "background")
        for word in (item.subject, item.value)
    }


def _said(want: Requirement) -> str:
    return f"{to_line(want)} ({want.note})"


def main(
    sets: Annotated[Path, typer.Argument(help="Folder of NAME.tsv.")],
    preset: ReaderOf = None,
    show: Show = False,
) -> None:
    """Measure and print."""
    drawable = load_range(RANGE)

    print(
        f"{'set':<16} {'briefs':>6} {'recall':>7} {'invented':>9} {'exact':>6} {'silent':>9} {'misled':>7} "
        f"{'cautious':>9}"
    )
    for path in sorted(sets.glob("*.tsv")):
        briefs = briefs_of(path)
        r = measured(briefs, reader_of([b.text for b in briefs], drawable, preset), drawable)
        print(
            f"{path.stem:<16} {r.briefs:>6} {_percent(r.matched, r.asked):>7} "
            f"{_percent(r.read - r.matched, r.read):>9} {_percent(r.exact, r.briefs):>6} "
            f"{f'{r.silent} of {r.for_person}':>9} {r.misled:>7} {r.cautious:>9}"
        )
        if show:
            print(*(f"   {error}" for error in r.errors), sep="\n")


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else "-"


if __name__ == "__main__":
    typer.run(main)
