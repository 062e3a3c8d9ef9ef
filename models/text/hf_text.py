"""Text model in this process: a causal language model of transformers, from the hub, a folder or a GGUF file."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.device import numbered, pick_device, pick_dtype
from models.hub.download import snapshot
from models.hub.plan import reader
from models.pretrained import as_words, load_weights, open_weights, without_output
from models.protocols import (
    Identity,
    JsonSchema,
    Marks,
    Message,
    ModelError,
    Schemas,
    Text,
    WeightsMissing,
    schema_of,
)
from models.text.lanes import Lane, Runner, fits
from models.text.language_part import language_part
from models.text.marker import MarkerHead, WordStates, twice
from models.text.own_cache import OwnCacheRunner
from models.text.transformers_backend import TransformersText, needs

if TYPE_CHECKING:
    import torch

    from models.placed import Placed
    from models.text.grammar import Constraint, Grammars

NAN = "the text model's numbers are NaN: its weights are damaged, or too large for its number format (`dtype: float32`)"


def load(spec: TransformersText, base: Path, offline: bool) -> TransformersTextModel:
    """Load the model a spec names; folders are relative to `base`. With `offline` nothing is downloaded. Raises
    ModelError and its kinds."""
    needed = {need.what: need for need in needs(spec, base, reader(offline))}
    where = needed["model"].location
    parts = {what: snapshot(need, offline) for what, need in needed.items()}
    folder, revision = parts["model"]
    adapter, marker = parts.get("adapter"), parts.get("marker")
    for part in filter(None, (adapter, marker)):
        revision = f"{revision}+{part[1]}"
    device = pick_device(spec.device)
    with without_output():
        read = _read(spec, folder, adapter[0] if adapter else None, device)
    if read.tokenizer.chat_template is None:
        raise ModelError(
            f"{spec.model} has no chat template, so it cannot hold a conversation; use an instruct model."
        )
    name = (
        where
        if isinstance(where, str)
        else spec.model.rstrip("/").rpartition("/")[2].removeprefix("package:")
    )
    identity = Identity(
        "transformers", spec.gguf_file or name, revision, numbered(device), read.number_format
    )
    head = MarkerHead.read(marker[0]) if marker else None
    return TransformersTextModel(identity, read, spec.max_batch, head)


@dataclass(frozen=True)
class Read:
    """A causal language model with its tokenizer. `model` may be a part of the network that is placed; `packed`: its
    weights work on the CPU only."""

    placed: Placed
    model: Any
    tokenizer: Any
    number_format: str
    packed: bool = False


def _read(spec: TransformersText, folder: Path, adapter: Path | None, device: str) -> Read:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from models.placed import Placed
    from models.text.adapter import fits_packed, merge, put_beside

    if spec.gguf_file:
        from models.text.gguf import build, converted
        from models.text.packed import runs_packed

        cached = converted(folder / spec.gguf_file)
        tokenizer = AutoTokenizer.from_pretrained(cached, local_files_only=True, trust_remote_code=False)
        packed = runs_packed(device) and spec.dtype in {"auto", "bfloat16"}
        packed = packed and (adapter is None or fits_packed(adapter))
        dtype = torch.bfloat16 if packed else pick_dtype(spec.dtype, device)
        model = build(cached, dtype, keep_packed=packed)
        if adapter and packed:
            put_beside(model, adapter)
        elif adapter:
            model = merge(model, adapter)
        placed = Placed(model, device, dtype, fixed=packed)
        return Read(placed, model, tokenizer, "int4" if packed else placed.number_format, packed)
    dtype = pick_dtype(spec.dtype, device)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        if adapter:  # is added to the weights, which therefore are not shared
            model = merge(load_weights(folder, AutoModelForCausalLM, device, dtype, None), adapter)
            placed = Placed(model, device, dtype)
        elif part := language_part(folder):
            placed = open_weights(folder, part.whole, device, dtype, spec.quantize)
            model = part.of(placed.network)
        else:
            placed = open_weights(folder, AutoModelForCausalLM, device, dtype, spec.quantize)
            model = placed.network
    except OSError as error:
        raise WeightsMissing(
            f"{folder} is no complete transformers model, download it again: {error}"
        ) from error
    except (ValueError, KeyError) as error:
        raise ModelError(f"transformers cannot load {spec.model}, use another model: {error}") from error
    return Read(
        placed, placed.network if adapter else model, tokenizer, spec.quantize or placed.number_format
    )


@dataclass
class _Answer:
    """One answer that is being generated."""

    index: int
    lane: Lane
    limit: int
    noise: torch.Generator
    constraint: Constraint | None = None
    tokens: list[int] = field(default_factory=list)


class TransformersTextModel:
    """Implements protocols.TextModel, and with a `head` protocols.WordMarker; up to `max_batch` conversations share
    each forward pass."""

    def __init__(
        self, identity: Identity, read: Read, max_batch: int, head: MarkerHead | None = None
    ) -> None:
        model, tokenizer = read.model, read.tokenizer
        self.identity = identity
        self._head = head
        self._read = read
        self._runner = self._new_runner()
        self._tokenizer = tokenizer
        self._max_batch = max_batch
        config = model.config.get_text_config()
        self._room = int(getattr(config, "max_position_embeddings", None) or 1 << 30)
        self._vocabulary = int(config.vocab_size)
        ends = model.generation_config.eos_token_id
        listed = ends if isinstance(ends, list) else [ends]
        self._ends = sorted({end for end in (*listed, tokenizer.eos_token_id) if end is not None})
        self._grammars: Grammars | None = None
        self._one_at_a_time = threading.Lock()

    @property
    def bytes(self) -> int:
        """Size of the weights in memory."""
        return self._read.placed.bytes

    def place(self, spec: TransformersText) -> None:
        """Take another spec of the same weights: move them to its device. Raises ModelError where it is missing, or
        where packed weights do not work on it."""
        placed, device = self._read.placed, pick_device(spec.device)
        if self._read.packed and device != "cpu":
            raise ModelError(f"{self.identity.name} is packed for the CPU; it is loaded again for {device}.")
        placed.place(device, pick_dtype(spec.dtype, device))
        fixed = self._read.packed or spec.quantize is not None
        number = self.identity.dtype if fixed else placed.number_format
        self.identity = replace(self.identity, device=numbered(device), dtype=number)
        if placed.place_now != self._ran_at:
            self._runner = self._new_runner()

    @property
    def to_park(self) -> int:
        """Bytes of main memory that `park` takes."""
        return self._read.placed.to_park

    def park(self) -> None:
        """Move the weights to main memory until `place` is called."""
        self._read.placed.park()

    def _new_runner(self) -> Runner | OwnCacheRunner:
        """Lanes set the attention of a model, so one that is a part of another network has its own cache."""
        model = self._read.model
        self._ran_at = self._read.placed.place_now
        alone = model is self._read.placed.network
        return Runner(model) if alone and fits(model) else OwnCacheRunner(model)

    def generate(
        self,
        conversations: Sequence[Sequence[Message]],
        *,
        schema: Schemas = None,
        max_tokens: int = 256,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[Text]:
        """Answer each conversation; see protocols.TextModel. The end token does not count as an output token."""
        import torch

        if max_tokens < 1 or temperature < 0:
            raise ModelError(
                f"max_tokens must be at least 1 and temperature not negative: {max_tokens}, {temperature}."
            )
        texts: dict[int, Text] = {}
        # A conversation given twice gets different noise the second time; the first time it gets the same noise as
        # in a batch of one.
        times: Counter[str] = Counter()
        with self._one_at_a_time, torch.inference_mode():
            waiting: deque[_Answer] = deque()
            for index, conversation in enumerate(conversations):
                prompt = self._prompt(conversation)
                key = str(prompt)
                noise = seed + 1_000_003 * times[key]
                waiting.append(self._start(index, prompt, schema_of(schema, index), max_tokens, noise))
                times[key] += 1
            active: list[_Answer] = []
            while waiting or active:
                while waiting and len(active) < self._max_batch:
                    active.append(waiting.popleft())
                for answer in self._step(active, temperature):
                    texts[answer.index] = self._finish(answer)
                    active.remove(answer)
        return [texts[index] for index in range(len(conversations))]

    def mark(self, texts: Sequence[str]) -> list[Marks]:
        """The marks of each text; see protocols.WordMarker. Raises ModelError without a head."""
        head = self._head
        if head is None:
            raise ModelError(
                f"{self.identity.name} cannot mark words; name a head with `marker:` in the preset."
            )
        return [
            head.marks(words)
            for start in range(0, len(texts), self._max_batch)
            for words in self.word_states(texts[start : start + self._max_batch], head.layers)
        ]

    def word_states(self, texts: Sequence[str], layers: Sequence[int]) -> list[WordStates]:
        """The hidden states of the words of each text, which the model reads twice."""
        import torch

        read_twice = [twice(text, self._tokenizer, self._room) for text in texts]
        with self._one_at_a_time, torch.inference_mode():
            states = self._runner.states([one.tokens for one in read_twice], layers)
        if not all(of_text.isfinite().all() for of_text in states):
            raise ModelError(NAN)
        return [one.words(of_text) for one, of_text in zip(read_twice, states, strict=True)]

    def _prompt(self, conversation: Sequence[Message]) -> list[int]:
        from jinja2 import TemplateError

        turns = [{"role": m.role, "content": as_words(self._tokenizer, m.content)} for m in conversation]
        if not turns:
            raise ModelError("A conversation needs at least one message.")
        # If the last turn is the assistant's, it is continued.
        begun = turns[-1]["role"] == "assistant"
        options = {
            "tokenize": False,
            "add_generation_prompt": not begun,
            "continue_final_message": begun,
            "enable_thinking": False,  # read by the templates of models that think aloud, ignored by others
        }
        try:
            text = self._tokenizer.apply_chat_template(turns, **options)
        except TemplateError:
            # Some templates have no system role: put its text before the user's.
            if len(turns) < 2 or turns[0]["role"] != "system":
                raise
            first = {"role": turns[1]["role"], "content": f"{turns[0]['content']}\n\n{turns[1]['content']}"}
            text = self._tokenizer.apply_chat_template([first, *turns[2:]], **options)
        tokens: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        if len(tokens) >= self._room:
            raise ModelError(
                f"The conversation has {len(tokens)} tokens, the model reads {self._room}; shorten it."
            )
        return tokens

    def _start(
        self, index: int, prompt: list[int], schema: JsonSchema | None, limit: int, seed: int
    ) -> _Answer:
        import torch

        answer = _Answer(
            index,
            Lane(prompt),
            min(limit, self._room - len(prompt)),
            torch.Generator().manual_seed(seed % (1 << 63)),
        )
        if schema is not None:
            if self._grammars is None:
                from models.text.grammar import Grammars

                self._grammars = Grammars(self._tokenizer, self._vocabulary, self._ends)
            answer.constraint = self._grammars.start(schema)
        return answer

    def _step(self, active: list[_Answer], temperature: float) -> list[_Answer]:
        """Run one forward pass; returns the answers that are finished after it."""
        reading = {id(answer.lane) for answer in active if answer.lane.seen < len(answer.lane.prompt)}
        taking = self._runner.read([answer.lane for answer in active if id(answer.lane) in reading])
        taken = {id(lane) for lane in taking}
        passing = [answer for answer in active if id(answer.lane) not in reading or id(answer.lane) in taken]
        logits = self._runner.forward(
            [answer.lane for answer in passing],
            lambda lane: lane.seen + len(lane.pending) >= len(lane.prompt),
        )
        return [
            answer
            for row, answer in enumerate(passing)
            if row in logits and self._choose(answer, logits[row], temperature)
        ]

    def _choose(self, answer: _Answer, logits: torch.Tensor, temperature: float) -> bool:
        """Append the next token and those that the grammar forces after it; True if the answer is finished."""
        import torch

        constraint = answer.constraint
        if constraint is not None:
            if not answer.tokens and (forced := constraint.forced()):
                # Every answer begins with these tokens, so the logits are not needed.
                return self._extend(answer, forced)
            constraint.forbid(logits)
        if temperature > 0:
            # With Gumbel noise added, the index of the largest value is a sample from the softmax.
            uniform = torch.rand(logits.shape, generator=answer.noise).clamp_(1e-20, 1 - 1e-7)
            logits = logits / temperature - torch.log(-torch.log(uniform))
        token = int(logits.argmax())  # that of a NaN, where there is one
        if not logits[token].isfinite():
            raise ModelError(NAN)
        if token in self._ends:
            return True
        if constraint is None:
            return self._extend(answer, [token])
        constraint.take(token)
        return self._extend(answer, [token, *constraint.forced()])

    def _extend(self, answer: _Answer, tokens: list[int]) -> bool:
        tokens = [token for token in tokens if token not in self._ends]
        answer.lane.pending = tokens
        answer.tokens += tokens
        return len(answer.tokens) >= answer.limit or (
            answer.constraint is not None and answer.constraint.complete
        )

    def _finish(self, answer: _Answer) -> Text:
        cut = len(answer.tokens) > answer.limit
        done = len(answer.tokens) < answer.limit or (
            answer.constraint is not None and answer.constraint.complete
        )
        tokens = answer.tokens[: answer.limit]
        text = self._tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return Text(text, len(answer.lane.prompt), len(tokens), "stop" if done and not cut else "length")
