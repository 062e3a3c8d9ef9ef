"""How much of a prompt a pipeline's text encoder reads: what lies behind its last token has no effect on the image."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from transformers import PreTrainedTokenizerBase

# Arguments of pipelines that limit the tokens they read.
_OPTIONS = ("max_sequence_length", "tokenizer_max_length")
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
            self.limit = limit if limit < _NO_LIMIT else None

    def cut(self, prompt: str) -> tuple[int, int] | None:
        """How many tokens are read of how many, where that is not all."""
        if self.limit is None:
            return None
        count = len(self._tokenizer(prompt, truncation=False, verbose=False).input_ids)
        return (self.limit, count) if count > self.limit else None
