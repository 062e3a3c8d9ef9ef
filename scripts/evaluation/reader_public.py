"""Measure reading on the prompts of public benchmarks, which state what they ask for in a regular form.

    python -m scripts.evaluation.reader_public FOLDER
    python -m scripts.evaluation.reader_public FOLDER --preset mini

FOLDER holds the benchmarks' own files: GenEval's `geneval_evaluation_metadata.jsonl` (arXiv 2310.11513), and of
T2I-CompBench (arXiv 2307.06350) `t2i_numeracy_val.txt`, `t2i_color_val.txt`, `t2i_spatial_val.txt` and
`t2i_complex_val.txt`. Prints for GenEval the prompts that are read exactly: class, count, colour and position. For
numeracy: recall of the pairs of a thing and its number. For all: the prompts that name something outside the bundled
range and of which no must-have is flagged ("silent").
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from models.english import NUMBERS, singular
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
class Prompt:
    """A benchmark's prompt with the lines that a reader should find."""

    text: str
    lines: tuple[str, ...]


def geneval(path: Path) -> list[Prompt]:
    """GenEval's prompts with their truth: class, count, colour and position."""
    prompts = []
    for row in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
        lines: list[str] = []
        names = [item["class"] for item in row["include"]]
        for item in row["include"]:
            counted = row["tag"] == "counting"
            lines.append(f"{item['count']} {item['class']}" if counted else item["class"])
            if "color" in item:
                lines.append(f"{item['class']} is {item['color']}")
            if "position" in item:
                where, other = item["position"]
                lines.append(f"{item['class']} {where} {names[other]}")
        prompts.append(Prompt(row["prompt"], tuple(lines)))
    return prompts


_COUNTED = re.compile(rf"\b({'|'.join(NUMBERS[1:])}) ([a-z]+)")


def numeracy(path: Path) -> list[Prompt]:
    """T2I-CompBench's prompts on numbers. In all of them a number stands directly before a noun of one word."""
    return [
        Prompt(
            text,
            tuple(f"{NUMBERS.index(m[1])} {singular(m[2])}" for m in _COUNTED.finditer(text.lower())),
        )
        for text in _texts(path)
    ]


def _texts(path: Path) -> list[str]:
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def pairs(found: Iterable[Found], text: str, drawable: Range) -> set[tuple[str, str]]:
    """Things with their numbers; a thing without one counts as one."""
    keys = canonical(found, text, drawable)
    return {(k[1], k[2]) for k in keys if k[0] == "count"} | {(k[1], "1") for k in keys if k[0] == "object"}


def silent(text: str, found: Sequence[Found], drawable: Range) -> bool:
    """Whether no must-have needs a person and not every word of the prompt that could name a thing is read: nothing
    tells then that the reading is not the whole prompt."""
    if any(want.must and want.flag for want in flagged(numbered(found), drawable)):
        return False
    words = {singular(word) for word in re.findall(r"[a-z]+", text.lower())}
    known = {
        singular(w)
        for names in (drawable.objects or {}).items()
        for n in (names[0], *names[1])
        for w in n.split()
    }
    known |= {
        w for names in (drawable.colours or {}).items() for n in (names[0], *names[1]) for w in n.split()
    }
    return bool(words - known - _HELD_TOGETHER)


# Words of the benchmarks' prompts that ask for nothing by themselves.
_HELD_TOGETHER = frozenset(
    """
    a an the and is are was of on in to left right above below top bottom next near side beside photo with by under over
    one two three four
    """.split()  # noqa: SIM905
)


def main(
    folder: Annotated[Path, typer.Argument(help="The benchmarks' files.")],
    preset: ReaderOf = None,
    show: Show = False,
) -> None:
    """Measure and print."""
    drawable = load_range(RANGE)

    prompts = geneval(folder / "geneval_evaluation_metadata.jsonl")
    read = reader_of([p.text for p in prompts], drawable, preset)
    exact = 0
    for prompt in prompts:
        wanted = canonical(filter(None, map(from_line, prompt.lines)), prompt.text, drawable)
        got = canonical(read(prompt.text), prompt.text, drawable)
        exact += wanted.keys() == got.keys()
        if show and wanted.keys() != got.keys():
            print(
                f"   {prompt.text}\n      {[to_line(item) for item in got.values()]}, not {list(prompt.lines)}"
            )
    print(f"GenEval: {exact} of {len(prompts)} exact")

    prompts = numeracy(folder / "t2i_numeracy_val.txt")
    read = reader_of([p.text for p in prompts], drawable, preset)
    asked = found = 0
    for prompt in prompts:
        wanted_pairs = pairs(filter(None, map(from_line, prompt.lines)), prompt.text, drawable)
        got_pairs = pairs(read(prompt.text), prompt.text, drawable)
        asked, found = asked + len(wanted_pairs), found + len(wanted_pairs & got_pairs)
        if show and wanted_pairs - got_pairs:
            print(f"   {prompt.text}\n      missed {sorted(wanted_pairs - got_pairs)} in {sorted(got_pairs)}")
    print(f"T2I-CompBench numeracy: {found} of {asked} counted things")

    for name in ("color", "spatial", "numeracy", "complex"):
        texts = _texts(folder / f"t2i_{name}_val.txt")
        read = reader_of(texts, drawable, preset)
        quiet = [text for text in texts if silent(text, read(text), drawable)]
        print(f"T2I-CompBench {name}: {len(quiet)} of {len(texts)} silent")
        if show:
            print(*(f"   {text}\n      {[to_line(item) for item in read(text)]}" for text in quiet), sep="\n")


if __name__ == "__main__":
    typer.run(main)
