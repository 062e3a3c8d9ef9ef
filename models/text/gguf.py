"""GGUF files for transformers: converted once, then read from the user's cache folder.

transformers takes many seconds to turn a GGUF file into a tokenizer and weights. The result is cached, keyed by the
file's content, so that the next start is fast. Weights with 16 levels stay packed (see models.text.packed).
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from models.protocols import ModelError, WeightsMissing

FORMAT = 1  # of the converted folder; folders of another format are not read
WEIGHTS = "weights.safetensors"
STALE_S = 3600.0  # an unfinished conversion older than this belongs to a process that was stopped


def converted(file: Path) -> Path:
    """The folder with config, tokenizer and weights of a GGUF file, converted now if it is not cached."""
    from platformdirs import user_cache_path

    if not file.is_file():
        raise WeightsMissing(f"There is no {file.name} in {file.parent}; correct `gguf_file:` in the preset.")
    with file.open("rb") as source:
        key = hashlib.file_digest(source, "sha256").hexdigest()[:16]
    cache = user_cache_path("easel") / "gguf"
    folder = cache / f"{key}-{FORMAT}"
    if (folder / WEIGHTS).is_file():
        return folder
    try:
        cache.mkdir(parents=True, exist_ok=True)
        for left in cache.glob(f"{key}-*-unfinished"):
            if time.time() - left.stat().st_mtime > STALE_S:
                shutil.rmtree(left, ignore_errors=True)
        # Written under another name and renamed: other processes see the whole folder or none.
        unfinished = Path(tempfile.mkdtemp(prefix=f"{key}-", suffix="-unfinished", dir=cache))
    except OSError as error:
        raise ModelError(
            f"Cannot write to {cache} ({error}); point XDG_CACHE_HOME at a folder you own."
        ) from error
    try:
        _convert(file, unfinished)
        try:
            unfinished.rename(folder)
        except OSError:
            if not (folder / WEIGHTS).is_file():  # else another process finished first, with the same content
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _convert(file: Path, folder: Path) -> None:
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
    from transformers import modeling_gguf_pytorch_utils as gguf_loader

    from models.text.packed import pack_int4

    # transformers draws this progress bar with tqdm directly, so its switch for progress bars has no effect on it.
    bar, gguf_loader.tqdm = gguf_loader.tqdm, lambda tensors, **_: tensors
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            file.parent, gguf_file=file.name, local_files_only=True, trust_remote_code=False
        )
        model = AutoModelForCausalLM.from_pretrained(
            file.parent,
            gguf_file=file.name,
            quantization_config=GgufConfig(dequantize=True),
            dtype=torch.float32,
            local_files_only=True,
            trust_remote_code=False,
        )
    except (ValueError, KeyError, OSError) as error:
        raise ModelError(
            f"transformers cannot read {file.name}: {error}. Run it in Ollama and use `kind: server`."
        ) from error
    finally:
        gguf_loader.tqdm = bar
    tokenizer.save_pretrained(folder)
    model.config.dtype = torch.bfloat16
    model.config.save_pretrained(folder)
    model.generation_config.save_pretrained(folder)
    linear = {name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    tensors: dict[str, torch.Tensor] = {}
    for name, weight in model.state_dict(keep_vars=False).items():
        if name == "lm_head.weight" and model.config.tie_word_embeddings:
            continue
        pair = pack_int4(weight) if name.removesuffix(".weight") in linear and weight.ndim == 2 else None
        if pair is None:
            tensors[name] = weight.to(torch.bfloat16).contiguous()
        else:
            tensors[f"{name}.nibbles"], tensors[f"{name}.scale_zero"] = pair
    save_file(tensors, folder / WEIGHTS)


def build(folder: Path, dtype: Any, keep_packed: bool) -> Any:
    """A transformers causal model on the CPU from a converted folder.

    With `keep_packed`, weights with 16 levels stay packed, the output layer gets 8 bits, and the rest is bfloat16.
    """
    from safetensors.torch import load_file
    from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig
    from transformers.initialization import no_init_weights

    from models.text.packed import Int4Linear, Int8Linear, unpack_int4

    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    with no_init_weights():
        model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    stored = load_file(folder / WEIGHTS)
    dense = {name: tensor.to(dtype) for name, tensor in stored.items() if name.endswith((".weight", ".bias"))}
    for name in [name.removesuffix(".nibbles") for name in stored if name.endswith(".nibbles")]:
        nibbles, scale_zero = stored[f"{name}.nibbles"], stored[f"{name}.scale_zero"]
        place = name.removesuffix(".weight")
        if keep_packed:
            model.set_submodule(place, Int4Linear(nibbles, scale_zero, dense.pop(f"{place}.bias", None)))
        else:
            dense[name] = unpack_int4(nibbles, scale_zero).to(dtype)
    missing, unknown = model.load_state_dict(dense, strict=False, assign=True)
    model.tie_weights()
    absent = [name for name in missing if not (name == "lm_head.weight" and config.tie_word_embeddings)]
    if absent or unknown:
        raise ModelError(
            f"The converted weights in {folder} do not fit the model; delete that folder and start again."
        )
    if keep_packed:
        head = model.get_output_embeddings()
        model.set_output_embeddings(Int8Linear(head.weight.detach(), head.bias))
        model.config.tie_word_embeddings = False
    model.generation_config = GenerationConfig.from_pretrained(folder, local_files_only=True)
    return model.eval().requires_grad_(False)
