"""Runs many conversations through one causal language model at once, without padding.

Each conversation is a lane with its own key-value store. A forward pass takes the next tokens of every lane,
concatenated to one sequence; every layer works on all of them together, and only attention works on one lane at a
time. So lanes may differ in length and in the number of tokens of a pass. Prompts are read in chunks that start at
multiples of CHUNK, and the keys and values of chunks are reused. A lane's numbers depend on the other lanes only as
far as the results of the model's matrix products depend on the number of rows.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from models.protocols import ModelError

if TYPE_CHECKING:
    import torch

CHUNK = 64  # tokens
ATTENTION = "easel_lanes"

_passing: ContextVar[Sequence[Lane]] = ContextVar("lanes_of_this_pass")


@dataclass
class Lane:
    """One conversation: the tokens still to be read, and the keys and values of those that were."""

    prompt: list[int]
    pending: list[int] = field(default_factory=list)  # tokens of this pass
    seen: int = 0  # tokens whose keys and values are stored
    keys: list[torch.Tensor | None] = field(default_factory=list)  # per layer (1, heads, room, size)
    values: list[torch.Tensor | None] = field(default_factory=list)
    masks: dict[int | None, torch.Tensor | None] = field(default_factory=dict)  # of this pass, per window
    cache: Any = None  # instead of keys and values, where the model makes its own; see own_cache.py

    def append(self, layer: int, key: torch.Tensor, value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Store one layer's new keys and values (1, heads, new, size); returns all of that layer's."""
        while len(self.keys) <= layer:
            self.keys.append(None)
            self.values.append(None)
        end = self.seen + key.shape[2]
        self.keys[layer] = stored_keys = _room(self.keys[layer], key, self.seen, end)
        self.values[layer] = stored_values = _room(self.values[layer], value, self.seen, end)
        stored_keys[:, :, self.seen : end] = key
        stored_values[:, :, self.seen : end] = value
        return stored_keys[:, :, :end], stored_values[:, :, :end]

    def mask(self, window: int | None, device: torch.device) -> torch.Tensor | None:
        """Which of all tokens each pending token may attend to, bool (new, all); None if all of them."""
        import torch

        if window not in self.masks:
            new, end = len(self.pending), self.seen + len(self.pending)
            if new == 1 and (window is None or end <= window):
                self.masks[window] = None
            else:
                queries = torch.arange(self.seen, end, device=device)[:, None]
                keys = torch.arange(end, device=device)[None, :]
                allowed = keys <= queries
                self.masks[window] = allowed if window is None else allowed & (keys > queries - window)
        return self.masks[window]


def _room(store: torch.Tensor | None, new: torch.Tensor, used: int, needed: int) -> torch.Tensor:
    if store is not None and store.shape[2] >= needed:
        return store
    batch, heads, _, size = new.shape
    larger = new.new_empty((batch, heads, max(needed + CHUNK, 2 * used), size))
    if store is not None:
        larger[:, :, :used] = store[:, :, :used]
    return larger


def attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: Any,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Attention with the signature that transformers expects: query (1, heads, tokens, size), lanes concatenated."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    odd = [name for name in ("softcap", "s_aux", "position_bias") if options.get(name) is not None]
    if odd:
        raise ModelError(
            f"This model's attention uses {', '.join(odd)}, which Easel's own decoding lacks; run the model "
            "in a server (Ollama, vLLM, transformers serve) and use `kind: server` in the preset."
        )
    groups = query.shape[1] // key.shape[1]
    parts: list[torch.Tensor] = []
    start = 0
    for lane in _passing.get():
        end = start + len(lane.pending)
        asks = query[:, :, start:end]
        keys, values = lane.append(module.layer_idx, key[:, :, start:end], value[:, :, start:end])
        mask = lane.mask(sliding_window, query.device)
        if end - start == 1 and mask is None:
            # Treat the query heads that share a key head as a sequence, so that keys need not be repeated.
            grouped = asks.reshape(1, key.shape[1], groups, -1)
            part = scaled_dot_product_attention(grouped, keys, values, scale=scaling)
            parts.append(part.reshape(1, 1, -1, part.shape[-1]))
        else:
            if groups > 1:
                keys, values = keys.repeat_interleave(groups, 1), values.repeat_interleave(groups, 1)
            part = scaled_dot_product_attention(asks, keys, values, attn_mask=mask, scale=scaling)
            parts.append(part.transpose(1, 2))
        start = end
    return torch.cat(parts, 1) if len(parts) > 1 else parts[0], None


class ChunkStore:
    """Cache of keys and values of prompt chunks, keyed by all tokens up to their end; least recently used go first."""

    def __init__(self, max_bytes: int = 256 << 20) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self._chunks: OrderedDict[tuple[int, ...], torch.Tensor] = OrderedDict()

    def __contains__(self, tokens: tuple[int, ...]) -> bool:
        return tokens in self._chunks

    def restore(self, lane: Lane, tokens: tuple[int, ...]) -> None:
        """Append the stored chunk that ends with `tokens` to the lane."""
        chunk = self._chunks[tokens]
        self._chunks.move_to_end(tokens)
        for layer in range(chunk.shape[0]):
            lane.append(layer, chunk[layer, 0][None], chunk[layer, 1][None])
        lane.seen += CHUNK

    def keep(self, lane: Lane, tokens: tuple[int, ...]) -> None:
        """Store a copy of the lane's last chunk, which ends with `tokens`."""
        import torch

        part = slice(lane.seen - CHUNK, lane.seen)
        pairs = [
            torch.stack((keys[0, :, part], values[0, :, part]))
            for keys, values in zip(lane.keys, lane.values, strict=True)
            if keys is not None and values is not None
        ]
        if len({pair.shape for pair in pairs}) != 1 or len(pairs) != len(lane.keys):
            return  # chunks with layers of different shapes are not stored
        chunk = torch.stack(pairs)
        self._chunks[tokens] = chunk
        self.bytes += chunk.nbytes
        while self.bytes > self.max_bytes:
            self.bytes -= self._chunks.popitem(last=False)[1].nbytes


def fits(model: Any) -> bool:
    """Whether `Runner` can run a transformers causal model: all its layers are attention of the usual kind."""
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ())
    capped = getattr(config, "attn_logit_softcapping", None) is not None
    usual = kinds <= {"full_attention", "sliding_attention"} and not capped
    return usual and bool(getattr(model, "_supports_sdpa", False))


class Runner:
    """Forward passes of one transformers causal model over lanes; `fits` tells for which models."""

    def __init__(self, model: Any) -> None:
        from transformers import AttentionInterface

        AttentionInterface.register(ATTENTION, attend)
        model.set_attn_implementation(ATTENTION)
        self.model = model
        self.device = model.get_input_embeddings().weight.device
        self.chunks = ChunkStore()

    def read(self, lanes: Sequence[Lane]) -> list[Lane]:
        """Give each lane the next chunk of its prompt; returns the lanes that take part in the pass.

        A lane waits while another lane reads the same chunk.
        """
        taking: list[Lane] = []
        being_read: set[tuple[int, ...]] = set()
        for lane in lanes:
            last = (
                (len(lane.prompt) - 1) // CHUNK * CHUNK
            )  # at least one token remains, for the logits after it
            while lane.seen < last:
                wanted = tuple(lane.prompt[: lane.seen + CHUNK])
                if wanted not in self.chunks:
                    break
                self.chunks.restore(lane, wanted)
            if lane.seen < last:
                wanted = tuple(lane.prompt[: lane.seen + CHUNK])
                if wanted in being_read:
                    continue
                being_read.add(wanted)
            lane.pending = lane.prompt[lane.seen : lane.seen + CHUNK]
            taking.append(lane)
        return taking

    def states(self, texts: Sequence[Sequence[int]], layers: Sequence[int]) -> list[torch.Tensor]:
        """The hidden states of every token after the given layers (0: embeddings), one float32 tensor (layers, tokens,
        size) for each text, on the CPU."""
        import torch

        lanes = [Lane(list(tokens), pending=list(tokens)) for tokens in texts]
        mark = _passing.set(lanes)
        try:
            out = self.model(
                input_ids=torch.tensor([[token for tokens in texts for token in tokens]], device=self.device),
                position_ids=torch.tensor([[at for tokens in texts for at in range(len(tokens))]], device=self.device),
                use_cache=False,
                output_hidden_states=True,
                logits_to_keep=1,
            )  # fmt: skip
        finally:
            _passing.reset(mark)
        chosen = torch.stack([out.hidden_states[layer][0] for layer in layers]).float().cpu()
        return list(torch.split(chosen, [len(tokens) for tokens in texts], dim=1))

    def forward(self, lanes: Sequence[Lane], wants_logits: Callable[[Lane], bool]) -> dict[int, torch.Tensor]:
        """Pass every lane's pending tokens.

        Returns float32 logits (vocabulary,) on the CPU after the last token of each lane that wants them, by
        position in `lanes`.
        """
        import torch

        tokens = [token for lane in lanes for token in lane.pending]
        places = [lane.seen + index for lane in lanes for index in range(len(lane.pending))]
        ends: list[int] = []
        wanting: list[int] = []
        total = 0
        for index, lane in enumerate(lanes):
            lane.masks.clear()
            total += len(lane.pending)
            if wants_logits(lane):
                ends.append(total - 1)
                wanting.append(index)
        mark = _passing.set(lanes)
        try:
            out = self.model(
                input_ids=torch.tensor([tokens], device=self.device),
                position_ids=torch.tensor([places], device=self.device),
                use_cache=False,
                logits_to_keep=torch.tensor(ends or [0], device=self.device),
            )
        finally:
            _passing.reset(mark)
        for lane in lanes:
            lane.seen += len(lane.pending)
            if lane.seen % CHUNK == 0 and lane.seen < len(lane.prompt) and len(lane.pending) == CHUNK:
                self.chunks.keep(lane, tuple(lane.prompt[: lane.seen]))
            lane.pending = []
        logits = out.logits[0].float().cpu()
        return {index: logits[row] for row, index in enumerate(wanting)}
