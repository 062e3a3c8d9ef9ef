"""Holds a language model's output to a JSON schema, token by token, with llguidance."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from models.protocols import JsonSchema, ModelError

if TYPE_CHECKING:
    import torch


class Grammars:
    """Grammars for one tokenizer; `vocabulary` is the width of the model's logits. It may be less than the number of
    the tokenizer's tokens, some of which were added later and which the model never writes."""

    def __init__(self, tokenizer: Any, vocabulary: int, ends: list[int]) -> None:
        from llguidance.hf import from_tokenizer

        self._vocabulary = max(vocabulary, len(tokenizer))
        self._tokens = from_tokenizer(tokenizer, n_vocab=self._vocabulary, eos_token=ends)
        self._template = lru_cache(maxsize=32)(self._compile)

    def start(self, schema: JsonSchema) -> Constraint:
        """A new constraint for one answer. Raises ModelError for a schema that llguidance refuses."""
        return Constraint(self._template(json.dumps(schema)).deep_copy(), self._vocabulary)

    def _compile(self, text: str) -> Any:
        from llguidance import LLMatcher

        schema = json.loads(text)
        # If optional whitespace is allowed, a small model fills its answer with it.
        schema.setdefault("x-guidance", {"whitespace_flexible": False})
        matcher = LLMatcher(self._tokens, LLMatcher.grammar_from_json_schema(json.dumps(schema)))
        if matcher.is_error():
            raise ModelError(f"This JSON schema cannot guide a model, simplify it: {matcher.get_error()}")
        return matcher


class Constraint:
    """The state of one answer in its grammar."""

    def __init__(self, matcher: Any, vocabulary: int) -> None:
        self._matcher = matcher
        self._vocabulary = vocabulary

    @property
    def complete(self) -> bool:
        """Whether only the end token may follow."""
        return bool(self._matcher.is_stopped())

    def forbid(self, logits: torch.Tensor) -> None:
        """Set the logits (vocabulary,) of tokens that the grammar does not allow next to minus infinity."""
        import torch

        words = torch.empty((self._vocabulary + 31) // 32, dtype=torch.int32)
        self._matcher.unsafe_compute_mask_ptr(words.data_ptr(), words.nbytes)
        bits = (words[:, None] >> torch.arange(32, dtype=torch.int32)) & 1
        known = min(self._vocabulary, len(logits))
        logits[:known].masked_fill_(bits.reshape(-1)[:known] == 0, float("-inf"))
        logits[self._vocabulary :] = float("-inf")

    def take(self, token: int) -> None:
        """Advance by the token that the model chose. Raises ModelError if the grammar fails."""
        if not self._matcher.consume_token(token) or self._matcher.is_error():
            raise ModelError(f"The JSON grammar failed, simplify the schema: {self._matcher.get_error()}")

    def forced(self) -> list[int]:
        """Advance by the tokens that the grammar leaves no choice about, and return them."""
        if self._matcher.is_stopped():
            return []
        tokens: list[int] = self._matcher.compute_ff_tokens()
        if tokens and not self._matcher.consume_tokens(tokens):
            raise ModelError(f"The JSON grammar failed, simplify the schema: {self._matcher.get_error()}")
        return tokens
