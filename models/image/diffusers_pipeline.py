"""Opens a diffusers pipeline as a spec describes it: weights, class, LoRAs, scheduler, offloading."""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

from models.hub.download import snapshot
from models.hub.need import Need
from models.hub.plan import reader
from models.image.diffusers_backend import DiffusersImage, Lora, needs
from models.protocols import ModelError, WeightsMissing


def open_pipeline(
    spec: DiffusersImage, base: Path, device: str, dtype: torch.dtype, offline: bool
) -> tuple[Any, str, str, list[dict[str, Any]]]:
    """The pipeline, ready to paint, with its name and revision and the LoRAs in it.

    Raises WeightsMissing if a model is neither on disk nor downloaded, ModelError if it cannot be read or does not
    fit the spec.
    """
    own, *others = needs(spec, base, reader(offline))
    folder, revision = snapshot(own, offline)
    with _without_output():
        pipe = _pipeline(spec, folder, own.name, dtype)
        loras = _add_loras(pipe, spec, others, offline)
    pipe.set_progress_bar_config(disable=True)
    if spec.scheduler is not None:
        pipe.scheduler = _scheduler(spec, pipe.scheduler)
    if spec.vae_tiling:
        if not hasattr(getattr(pipe, "vae", None), "enable_tiling"):
            raise ModelError(
                f"{own.name} has no autoencoder that tiles; remove `vae_tiling` from the preset."
            )
        pipe.vae.enable_tiling()
    _place(pipe, spec, device)
    unknown = sorted(set(spec.call_options) - parameters(pipe))
    if unknown:
        raise ModelError(
            f"{type(pipe).__name__} takes no argument {', '.join(unknown)}; correct `call_options`."
        )
    return pipe, own.name, revision, loras


def parameters(pipe: Any) -> frozenset[str]:
    """The names of the arguments that a pipeline takes when it is called."""
    return frozenset(inspect.signature(type(pipe).__call__).parameters)


def _pipeline(spec: DiffusersImage, folder: Path, name: str, dtype: torch.dtype) -> Any:
    try:
        index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsMissing(
            f"{folder} is no diffusers pipeline: it has no readable model_index.json; correct `model`."
        ) from error
    without: dict[str, Any] = {}
    if "safety_checker" in index:
        without["safety_checker"] = None
    if "requires_safety_checker" in index:
        without["requires_safety_checker"] = False
    try:
        return _pipeline_class(spec, index).from_pretrained(
            folder,
            dtype=dtype,
            variant=spec.variant,
            use_safetensors=True,
            local_files_only=True,
            **without,
            trust_remote_code=False,
        )
    except (OSError, ValueError, TypeError, KeyError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(
            f"diffusers cannot load {name} as {spec.pipeline or index.get('_class_name')}: {reason}"
        ) from error


def _pipeline_class(spec: DiffusersImage, index: dict[str, Any]) -> Any:
    """The class that loads the folder: the one that the preset names, else AutoPipelineForText2Image if it knows the
    model."""
    if spec.pipeline is not None:
        found = getattr(diffusers, spec.pipeline, None)
        if not (inspect.isclass(found) and issubclass(found, diffusers.DiffusionPipeline)):
            raise ModelError(
                f"diffusers {version('diffusers')} has no pipeline class {spec.pipeline!r}; correct "
                f"`pipeline` or leave it out (the model itself names {index.get('_class_name')})."
            )
        return found
    from diffusers.pipelines.auto_pipeline import AUTO_TEXT2IMAGE_PIPELINES_MAPPING

    wanted = index.get("_class_name")
    if wanted not in {known.__name__ for known in AUTO_TEXT2IMAGE_PIPELINES_MAPPING.values()}:
        raise ModelError(
            f"AutoPipelineForText2Image does not know {wanted}; write `pipeline: {wanted}` in the preset."
        )
    return diffusers.AutoPipelineForText2Image


def _add_loras(
    pipe: Any, spec: DiffusersImage, needed: Sequence[Need], offline: bool
) -> list[dict[str, Any]]:
    """Load the LoRAs in the preset's order and set their scales; returns what was loaded, for the record."""
    if not spec.loras:
        return []
    if not hasattr(pipe, "load_lora_weights"):
        raise ModelError(f"{type(pipe).__name__} takes no LoRA; remove `loras` from the preset.")
    used = []
    for number, (lora, need) in enumerate(zip(spec.loras, needed, strict=True)):
        folder, revision = snapshot(need, offline)
        name = _lora_file(folder, lora)
        try:
            pipe.load_lora_weights(
                folder, weight_name=name, adapter_name=f"lora{number}", local_files_only=True
            )
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ModelError(f"The LoRA {lora.model} does not load: {reason}") from error
        used.append({"model": need.name, "revision": revision, "scale": lora.scale})
    names = [f"lora{number}" for number in range(len(spec.loras))]
    loaded = {name for found in pipe.get_list_adapters().values() for name in found}
    for name, lora in zip(names, spec.loras, strict=True):
        if name not in loaded:
            raise ModelError(f"The LoRA {lora.model} has no weight that fits {type(pipe).__name__}.")
    pipe.set_adapters(names, adapter_weights=[lora.scale for lora in spec.loras])
    return used


def _lora_file(folder: Path, lora: Lora) -> str:
    """The safetensors file of a LoRA folder; diffusers itself would ask the network for its name."""
    if lora.weight_name is not None:
        return lora.weight_name
    files = sorted(path.name for path in folder.glob("*.safetensors"))
    if "pytorch_lora_weights.safetensors" in files:
        return "pytorch_lora_weights.safetensors"
    if len(files) != 1:
        raise ModelError(
            f"The LoRA {lora.model} has {len(files)} safetensors files; name one of them by `weight_name`."
        )
    return files[0]


def _scheduler(spec: DiffusersImage, present: Any) -> Any:
    wanted = spec.scheduler
    assert wanted is not None
    found = getattr(diffusers, wanted.name, None)
    if not isinstance(found, type) or diffusers.SchedulerMixin not in found.__mro__:
        raise ModelError(
            f"diffusers {version('diffusers')} has no scheduler {wanted.name!r}; correct `scheduler: name`."
        )
    scheduler_class: Any = found
    unknown = sorted(set(wanted.options) - set(inspect.signature(scheduler_class).parameters))
    if unknown:
        raise ModelError(f"{wanted.name} has no option {', '.join(unknown)}; correct `scheduler: options`.")
    with _without_output():
        return scheduler_class.from_config(present.config, **wanted.options)


def _place(pipe: Any, spec: DiffusersImage, device: str) -> None:
    if spec.offload == "none" or device == "cpu":  # on a CPU there is nothing to offload from
        pipe.to(device)
    elif spec.offload == "model":
        pipe.enable_model_cpu_offload(device=device)
    else:
        pipe.enable_sequential_cpu_offload(device=device)


@contextmanager
def _without_output() -> Iterator[None]:
    """Hide warnings and progress bars of both libraries while they load."""
    loggers = [logging.getLogger("diffusers"), logging.getLogger("transformers")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    bars = (diffusers.utils.logging, transformers.utils.logging)
    shown = [bar.is_progress_bar_enabled() for bar in bars]
    for bar in bars:
        bar.disable_progress_bar()
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        for bar, was in zip(bars, shown, strict=True):
            if was:
                bar.enable_progress_bar()
