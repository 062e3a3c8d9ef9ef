"""Captions of scenes in many phrasings, from which the painter learns, and the scorer's tokenizer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.english import article, phrase, related
from models.mini.dataset.scene import Scene
from models.mini.dataset.vocabulary import COUNTS, OBJECTS, STYLES
from models.palette import COLOURS

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

MAX_TOKENS = 24
_SIDES = {"left": "on the left", "right": "on the right", "above": "at the top", "below": "at the bottom"}
_FILLERS = (
    "please",
    "nice",
    "for us",
    "sticker",
    "simple",
    "our shop",
    "make",
    "picture",
    "of",
    "we want",
    "lovely",
    "!",
)


def _subjects(scene: Scene, rng: np.random.Generator, placed: bool) -> str:
    first = scene.items[0]
    number = bool(rng.random() < 0.25)
    if scene.kind in ("single", "group"):
        text = phrase(first.object, len(scene.items), first.tint, counted=number)
        return (
            text.replace(COUNTS[len(scene.items)], str(len(scene.items)), 1) if rng.random() < 0.15 else text
        )
    a, b = first, scene.items[1]
    here, there = ("left", "right") if scene.kind == "row" else ("above", "below")
    left, right = (phrase(item.object, 1, item.tint, counted=number) for item in (a, b))
    if not placed:
        return f"{left} and {right}"
    roll = rng.random()
    if roll < 0.45:
        return related(left, here, right)
    if roll < 0.85:
        return related(right, there, left)
    return f"{left} {_SIDES[here]} and {right} {_SIDES[there]}"


def describe(
    scene: Scene,
    rng: np.random.Generator,
    background: bool = True,
    style: bool = True,
    placed: bool = True,
    filled: bool = True,
) -> str:
    """A random caption. It always names the objects; background, style and the positions of a pair (`placed`) as asked.
    `filled`: sometimes with filler words."""
    parts = [_subjects(scene, rng, placed)]
    if background:
        ground = scene.background
        wheres = (
            f"on {article(ground)} background",
            f"with {article(ground)} background",
            f", {ground} background",
            f"on {ground}",
        )
        parts.append(wheres[int(rng.integers(len(wheres)))])
    if style:
        look = scene.style
        if rng.random() < 0.3:
            parts.insert(0, f"{look} style ," if rng.random() < 0.5 else f"{article(look)} picture of")
        else:
            looks = (f", {look} style", f"in {look} style", f", {look}")
            parts.append(looks[int(rng.integers(len(looks)))])
    if filled and rng.random() < 0.3:
        parts.insert(int(rng.integers(0, len(parts) + 1)), _FILLERS[int(rng.integers(len(_FILLERS)))])
    return " ".join(parts).replace(" ,", ",")


def tokenizer() -> PreTrainedTokenizerFast:
    """A word-level tokenizer: each object is one token, in singular or plural and also if its name has two words. Words
    outside the vocabulary become the unknown token."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = ["<pad>", "<unk>", "<end>"]
    rules = [normalizers.NFKC(), normalizers.Lowercase()]
    # Longest first, so that "hot dog" is taken before "dog" and "evergreen tree" before "tree".
    for thing in sorted(OBJECTS, key=lambda t: -len(t.name)):
        token = thing.name.replace(" ", "_")
        forms = "|".join(sorted({thing.name, thing.plural}, key=len, reverse=True))
        rules.append(normalizers.Replace(Regex(rf"(?<![\w]){'(?:' + forms + ')'}(?![\w])"), token))
        words.append(token)
    digits = [str(n) for n in COUNTS]
    words += [*COLOURS, *STYLES, *COUNTS.values(), *digits]
    words += [
        "a",
        "an",
        "and",
        "on",
        "to",
        "the",
        "left",
        "right",
        "of",
        "above",
        "below",
        "at",
        "top",
        "bottom",
    ]
    words += ["background", "style", "with", "in", ","]
    core = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    core.normalizer = normalizers.Sequence(rules)
    core.pre_tokenizer = pre_tokenizers.Split(Regex(r"\w+|[^\w\s]"), "removed", invert=True)
    core.post_processor = processors.TemplateProcessing(single="$A <end>", special_tokens=[("<end>", 2)])
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token="<pad>",
        unk_token="<unk>",
        eos_token="<end>",
        model_max_length=MAX_TOKENS,
    )
