"""Opens models of transformers through its Auto classes: where the files are, on which device, in which format."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from models.device import numbered, pick_device, pick_dtype
from models.hub.download import snapshot
from models.hub.need import checkpoint
from models.locate import locate
from models.protocols import DependencyMissing, Identity, ModelError, WeightsMissing
from models.quantize import Quantize, settings
from models.specs import Device, DType

if TYPE_CHECKING:
    import torch

    from models.placed import Placed


class Checkpoint(Protocol):
    """What a spec says of a checkpoint of transformers."""

    @property
    def kind(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def revision(self) -> str | None: ...
    @property
    def device(self) -> Device: ...
    @property
    def dtype(self) -> DType: ...


@dataclass(frozen=True)
class Opened:
    """A model on its device, in evaluation mode, with the processor that makes its inputs."""

    placed: Placed
    processor: Any
    identity: Identity

    @property
    def model(self) -> Any:
        return self.placed.network


def open_model(
    spec: Checkpoint, base: Path, offline: bool, auto: tuple[str, str], finest: DType = "auto"
) -> Opened:
    """The model of a spec. `auto`: the names of the Auto classes of the model and of its processor. `finest`: what
    `dtype: auto` stands for.

    Raises WeightsMissing where the files are neither on disk nor downloaded, DependencyMissing where a package is not
    installed, ModelError where they do not fit."""
    import transformers

    need = checkpoint("model", locate(spec.model, base), spec.revision)
    folder, revision = snapshot(need, offline)
    device = pick_device(spec.device)
    dtype = pick_dtype(finest if spec.dtype == "auto" else spec.dtype, device)
    quantize: Quantize | None = getattr(spec, "quantize", None)
    model_class, processor_class = (getattr(transformers, name) for name in auto)
    if not (folder / "config.json").is_file():
        raise WeightsMissing(f"{folder} is no transformers model, download it again: it has no config.json")
    try:
        with without_output():
            placed = open_weights(folder, model_class, device, dtype, quantize)
            processor = processor_class.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
    except ImportError as error:  # a package that only this model needs; the message says which
        raise DependencyMissing(f"{spec.model} cannot be loaded: {_first_line(error)}") from error
    except OSError as error:
        raise WeightsMissing(
            f"{folder} is no complete transformers model, download it again: {_first_line(error)}"
        ) from error
    except (ValueError, KeyError, RuntimeError) as error:
        raise ModelError(
            f"`kind: {spec.kind}` cannot load {spec.model}, use another model: {_first_line(error)}"
        ) from error
    number = quantize or str(dtype).removeprefix("torch.")
    identity = Identity(spec.kind, need.name, revision, numbered(device), number)
    return Opened(placed, processor, identity)


def open_weights(
    folder: Path, model_class: Any, device: str, dtype: torch.dtype, quantize: Quantize | None
) -> Placed:
    """The network in a folder on a device; the same one for all models that ask for it."""
    from models.placed import shared

    return shared(
        folder, device, dtype, quantize, lambda: load_weights(folder, model_class, device, dtype, quantize)
    )


def load_weights(
    folder: Path, model_class: Any, device: str, dtype: torch.dtype, quantize: Quantize | None
) -> Any:
    """The network in a folder, in main memory, in evaluation mode. `device`: that it is meant for."""
    network = model_class.from_pretrained(
        folder, dtype=dtype, local_files_only=True, use_safetensors=True, trust_remote_code=False,
        **quantised(quantize, device, dtype),
    )  # fmt: skip
    return network.eval().requires_grad_(False)


def quantised(kind: Quantize | None, device: str, dtype: torch.dtype) -> dict[str, Any]:
    """The argument of `from_pretrained` that quantises a model; empty where it is not quantised. Raises as
    `models.quantize.settings`."""
    import transformers

    return {"quantization_config": settings(kind, device, dtype, transformers)} if kind else {}


def as_words(tokenizer: Any, text: str) -> str:
    """The text with the tokenizer's control tokens written apart, so that a model reads them as words: `<|im_end|>` in
    a brief ends no turn."""
    control = {
        *tokenizer.all_special_tokens,
        *(str(t) for t in tokenizer.added_tokens_decoder.values() if t.special),
    }
    for token in sorted(control, key=len, reverse=True):
        if len(token) > 1 and token in text:
            text = text.replace(token, f"{token[0]} {token[1:]}")
    return text


def on_device(inputs: Any, device: str, dtype: torch.dtype) -> dict[str, Any]:
    """The tensors of a processor's output on a device; numbers with a fraction in the model's format."""
    return {
        name: value.to(device, dtype) if value.is_floating_point() else value.to(device)
        for name, value in inputs.items()
    }


@contextmanager
def without_output() -> Iterator[None]:
    """Hide progress bars and warnings of transformers while a model loads."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
