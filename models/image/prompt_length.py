"""How much of a prompt a pipeline's text encoder reads: what lies behind its last token has no effect on the image."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from transformers import PreTrainedTokenizerBase

# Arguments of pipelines that limit the tokens they read.
_OPTIONS = ("max_sequence_length", "tokenizer_max_length")
_PLACE = "prompt"
_NO_LIMIT = 100_000  # tokens; tokenizers without a limit name a huge one


class PromptLength:
    """Of a diffusers pipeline. Where it has several encoders, that of the longest one counts."""

    def __init__(self, pipe: Any, call_options: Mapping[str, Any]) -> None:
        asked = inspect.signature(type(pipe).__call__).parameters
        given = [call_options.get(name) or asked[name].default for name in _OPTIONS if name in asked]
        most = min((int(number) for number in given if number), default=_NO_LIMIT)
        readers = [c for c in pipe.components.values() if isinstance(c, PreTrainedTokenizerBase)]
        limits = [(min(int(reader.model_max_length), most), reader) for reader in readers]
        self._tokenizer: Any = None
        self.limit: int | None = None  # tokens, special ones included
        if limits:
            limit, self._tokenizer = max(limits, key=lambda one: one[0])
            self.limit = limit - _before_prompt(pipe, self._tokenizer) if limit < _NO_LIMIT else None

    def cut(self, prompt: str) -> tuple[int, int] | None:
        """How many tokens are read of how many, where that is not all."""
        if self.limit is None:
            return None
        count = len(self._tokenizer(prompt, truncation=False, verbose=False).input_ids)
        return (self.limit, count) if count > self.limit else None


def _before_prompt(pipe: Any, tokenizer: Any) -> int:
    """The tokens that a pipeline writes before the prompt and counts like it: of a chat template, or of an instruction
    (Qwen-Image, which leaves out a number of them again)."""

    def tokens(written: str) -> int:
        return len(tokenizer(written, add_special_tokens=False).input_ids)

    if instruction := getattr(pipe, "prompt_template_encode", None):
        left_out = int(getattr(pipe, "prompt_template_encode_start_idx", 0))
        return max(0, tokens(instruction.partition("{}")[0]) - left_out)
    source = inspect.getsource(inspect.getmodule(type(pipe)) or type(pipe))
    if "apply_chat_template(" not in source or not getattr(tokenizer, "chat_template", None):
        return 0
    written: str = tokenizer.apply_chat_template(
        [{"role": "user", "content": _PLACE}], tokenize=False, add_generation_prompt=True
    )
    return tokens(written.partition(_PLACE)[0])
