"""The painter's tokenizer: a caption becomes a few keywords, followed by anchor tokens."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from models.mini.dataset.vocabulary import COUNTS, OBJECTS, STYLES
from models.palette import COLOURS

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

ANCHORS = tuple(f"<{n}>" for n in range(6))
MAX_TOKENS = 12 + len(ANCHORS)


def tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer with one token for each meaningful part of a caption and none for other words: "a cat to the left of
    two red dogs on a pink background, flat style" becomes cat, left, two, red, dog, on_pink, flat. So image tokens
    attend to a few words that all matter. Words outside the vocabulary are left out.

    Every caption ends with the same anchor tokens. The denoiser has rotary position embeddings only; from the attention
    of its rotated query to these constant keys an image token can tell its absolute position."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    digits = [str(n) for n in COUNTS]
    sides = {
        "left": r"to the left of|left of",
        "right": r"to the right of|right of",
        "above": "above|over",
        "below": "below|under",
    }
    alone = {
        "at_left": "on the left",
        "at_right": "on the right",
        "at_top": "at the top",
        "at_bottom": "at the bottom",
    }
    rules = [normalizers.NFKC(), normalizers.Lowercase()]
    words = ["<pad>", "<unk>", "<end>", *ANCHORS]

    def fold(token: str, forms: str) -> None:
        rules.append(normalizers.Replace(Regex(rf"(?<!\w)(?:{forms})(?!\w)"), token))
        if token not in words:
            words.append(token)

    # Longest first, so that "hot dog" is taken before "dog" and "evergreen tree" before "tree".
    for thing in sorted(OBJECTS, key=lambda thing: -len(thing.name)):
        fold(
            thing.name.replace(" ", "_"), "|".join(sorted({thing.name, thing.plural}, key=len, reverse=True))
        )
    for colour in COLOURS:
        fold(
            f"on_{colour}",
            rf"(?:(?:on|with|against|and)\s+)?(?:an?\s+)?(?:plain\s+)?{colour} (?:background|backdrop)|on {colour}",
        )
    for token, forms in (sides | alone).items():
        fold(f"_{token}", forms)
    words += [*COLOURS, *STYLES, *COUNTS.values(), *digits]
    known = "|".join(re.escape(word) for word in words if word[0] != "<")
    rules.append(normalizers.Replace(Regex(rf"(?<!\w)(?!(?:{known})(?!\w))\w+"), " "))
    core = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    core.normalizer = normalizers.Sequence(rules)
    core.pre_tokenizer = pre_tokenizers.Split(Regex(r"\w+"), "removed", invert=True)
    core.post_processor = processors.TemplateProcessing(
        single=f"$A <end> {' '.join(ANCHORS)}",
        special_tokens=[(token, words.index(token)) for token in ("<end>", *ANCHORS)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token="<pad>",
        unk_token="<unk>",
        eos_token="<end>",
        model_max_length=MAX_TOKENS,
    )
