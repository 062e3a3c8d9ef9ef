"""Runs conversations through a causal language model with the cache that the model makes for itself.

For models whose layers `lanes` cannot run: linear attention and other states (Qwen3.5, LFM2), sinks (gpt-oss), capped
scores (Gemma 2). Conversations take turns, and no part of a prompt is kept for the next one, so it is slower.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from models.text.lanes import Lane

if TYPE_CHECKING:
    import torch


class OwnCacheRunner:
    """Forward passes of one transformers causal model, a lane at a time. It has the methods of lanes.Runner."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.device = model.get_input_embeddings().weight.device

    def read(self, lanes: Sequence[Lane]) -> list[Lane]:
        """Give each lane its whole prompt; returns the lanes that take part in the pass."""
        for lane in lanes:
            lane.pending = lane.prompt
        return list(lanes)

    def states(self, texts: Sequence[Sequence[int]], layers: Sequence[int]) -> list[torch.Tensor]:
        """The hidden states of every token after the given layers (0: embeddings), one float32 tensor (layers, tokens,
        size) for each text, on the CPU."""
        import torch

        found = []
        for tokens in texts:
            ids = torch.tensor([list(tokens)], device=self.device)
            out = self.model(input_ids=ids, use_cache=False, output_hidden_states=True, logits_to_keep=1)
            found.append(torch.stack([out.hidden_states[layer][0] for layer in layers]).float().cpu())
        return found

    def forward(self, lanes: Sequence[Lane], wants_logits: Callable[[Lane], bool]) -> dict[int, torch.Tensor]:
        """Pass every lane's pending tokens. Returns float32 logits (vocabulary,) on the CPU after the last token of
        each lane that wants them, by position in `lanes`."""
        found = {}
        for index, lane in enumerate(lanes):
            wanted = wants_logits(lane)
            logits = self._pass(lane)
            if wanted:
                found[index] = logits
        return found

    def _pass(self, lane: Lane) -> torch.Tensor:
        import torch
        from transformers import DynamicCache

        # Not every model continues a state by several tokens at once; all of them do by one.
        parts = [lane.pending] if lane.cache is None else [[token] for token in lane.pending]
        lane.cache = lane.cache or DynamicCache(config=self.model.config.get_text_config())
        for part in parts:
            ids = torch.tensor([part], device=self.device)
            out = self.model(input_ids=ids, use_cache=True, logits_to_keep=1, cache=lane.cache)
        lane.seen += len(lane.pending)
        lane.pending = []
        logits: torch.Tensor = out.logits[0, -1].float().cpu()
        return logits
