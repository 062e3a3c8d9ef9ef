"""Opens a diffusers pipeline as a spec describes it: weights, class, LoRAs, scheduler, offloading."""

from __future__ import annotations

import inspect
import json
import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import diffusers
import torch
import transformers

from models.device import pick_dtype
from models.hub.download import snapshot
from models.hub.need import Need
from models.hub.plan import reader
from models.image.diffusers_backend import DiffusersImage, Lora, needs
from models.image.pipeline_files import NETWORKS, narrow
from models.image.prompt_cache import forget_encoded, keep_encoded
from models.image.sizes import native_side, tile
from models.protocols import ModelError, WeightsMissing
from models.quantize import settings

if TYPE_CHECKING:
    from models.image.upscaler import UpscalingNetwork


def open_pipeline(
    spec: DiffusersImage, base: Path, device: str, offline: bool
) -> tuple[Any, str, str, list[dict[str, Any]], torch.dtype]:
    """The pipeline, ready to paint, with its name and revision, the LoRAs in it and the number format of its weights.

    Raises WeightsMissing if a model is neither on disk nor downloaded, ModelError if it cannot be read or does not
    fit the spec.
    """
    own, *others = needs(spec, base, reader(offline))
    named = {need.what: need for need in others}
    folder, revision = snapshot(own, offline)
    index = _index(folder)
    dtype = pick_dtype(spec.dtype, device, narrow(spec.pipeline or index.get("_class_name", "")))
    with _without_output():
        parts = _quantised(spec, index, device, dtype)
        if spec.gguf:
            where, of_file = snapshot(named["GGUF"], offline)
            revision = f"{revision}+{of_file}"
            parts |= _network(where / spec.gguf.file, folder, index, dtype)
        pipe = _pipeline(spec, folder, index, own.name, dtype, parts)
        loras = _add_loras(pipe, spec, [need for need in others if need.what == "LoRA"], offline)
    pipe.set_progress_bar_config(disable=True)
    if spec.scheduler is not None:
        pipe.scheduler = _scheduler(spec, pipe.scheduler)
    place(pipe, spec, device, dtype)
    _speed_up(pipe, spec)
    unknown = sorted(set(spec.call_options) - parameters(pipe))
    if unknown:
        raise ModelError(
            f"{type(pipe).__name__} takes no argument {', '.join(unknown)}; correct `call_options`."
        )
    return pipe, own.name, revision, loras, dtype


def native(pipe: Any, spec: DiffusersImage) -> int:
    """The side in pixels of the square whose pixel count a pipeline paints at."""
    return spec.native or spec.paint_size or native_side(pipe) or math.isqrt(spec.width * spec.height)


def open_upscaler(spec: DiffusersImage, base: Path, device: str, offline: bool) -> UpscalingNetwork | None:
    """The upscaler of a spec, where it names one. Raises as `open_pipeline`, ModuleNotFoundError without spandrel."""
    if spec.upscaler is None:
        return None
    from models.image.upscaler import load_upscaler

    need = next(need for need in needs(spec, base, reader(offline)) if need.what == "upscaler")
    folder, _revision = snapshot(need, offline)
    return load_upscaler(folder, spec.upscaler.file, need.name, device)


def holds_quantised(spec: DiffusersImage) -> bool:
    """Whether some weights are quantised; then the number format of the computation cannot change once they are
    loaded."""
    return spec.quantize is not None or spec.gguf is not None


def networks(pipe: Any) -> list[Any]:
    """The networks among the parts of a pipeline."""
    return [part for part in pipe.components.values() if isinstance(part, torch.nn.Module)]


def parameters(pipe: Any) -> frozenset[str]:
    """The names of the arguments that a pipeline takes when it is called."""
    return frozenset(inspect.signature(type(pipe).__call__).parameters)


def _index(folder: Path) -> dict[str, Any]:
    try:
        index: dict[str, Any] = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
        return index
    except (OSError, ValueError) as error:
        raise WeightsMissing(
            f"{folder} is no diffusers pipeline: it has no readable model_index.json; correct `model`."
        ) from error


def _quantised(
    spec: DiffusersImage, index: dict[str, Any], device: str, dtype: torch.dtype
) -> dict[str, Any]:
    """The argument of `from_pretrained` that quantises the network and the text encoders; empty where nothing is
    quantised."""
    if spec.quantize is None:
        return {}
    libraries = {"diffusers": diffusers, "transformers": transformers}
    parts = {
        name: libraries[kind[0]]
        for name, kind in index.items()
        if (name in NETWORKS and not spec.gguf) or (name.startswith("text_encoder") and kind[0])
    }
    configs = {name: settings(spec.quantize, device, dtype, library) for name, library in parts.items()}
    return {"quantization_config": diffusers.PipelineQuantizationConfig(quant_mapping=configs)}


def _network(file: Path, folder: Path, index: dict[str, Any], dtype: torch.dtype) -> dict[str, Any]:
    """The network of a pipeline from a GGUF file, by its name in the pipeline."""
    name = next((one for one in NETWORKS if one in index), None)
    found: Any = getattr(diffusers, index[name][1], None) if name else None
    if name is None or not hasattr(found, "from_single_file"):
        raise ModelError(
            f"diffusers {version('diffusers')} reads no GGUF file for {index.get('_class_name')}; remove `gguf`."
        )
    if not file.is_file():
        raise WeightsMissing(f"There is no {file.name} in {file.parent}; correct `gguf` in the preset.")
    config = diffusers.GGUFQuantizationConfig(compute_dtype=dtype)
    try:
        network = found.from_single_file(
            str(file), quantization_config=config, dtype=dtype, config=str(folder), subfolder=name,
            local_files_only=True,
        )  # fmt: skip
    except (OSError, ValueError, TypeError, KeyError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(
            f"diffusers cannot load {file.name} as {index[name][1]}, use another `gguf` file: {reason}"
        ) from error
    return {name: network}


def _pipeline(
    spec: DiffusersImage,
    folder: Path,
    index: dict[str, Any],
    name: str,
    dtype: torch.dtype,
    parts: dict[str, Any],
) -> Any:
    """`parts`: further arguments of `from_pretrained`."""
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
            **parts,
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
    if spec.fuse_loras:
        pipe.fuse_lora(components=list(pipe.get_list_adapters()), adapter_names=names)
        pipe.unload_lora_weights()
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


def place(pipe: Any, spec: DiffusersImage, device: str, dtype: torch.dtype) -> None:
    """Move a loaded pipeline to where and how the spec wants it: device, number format, offloading and tiling. Raises
    ModelError where its autoencoder cannot tile."""
    vae = getattr(pipe, "vae", None)
    if spec.vae_tiling and not hasattr(vae, "enable_tiling"):
        raise ModelError(
            f"{type(pipe).__name__} has no autoencoder that tiles; remove `vae_tiling` from the preset."
        )
    if spec.vae_tiling:
        tile(vae, native(pipe, spec))
    elif getattr(vae, "use_tiling", False):
        vae.disable_tiling()  # type: ignore[union-attr]
    pipe.remove_all_hooks()
    forget_encoded(pipe)
    keep_encoded(pipe, spec.prompt_cache)
    if not holds_quantised(spec) and any(part.dtype != dtype for part in networks(pipe)):
        pipe.to(dtype, silence_dtype_warnings=True)
    if spec.offload == "none" or device == "cpu":  # on a CPU there is nothing to offload from
        pipe.to(device)
    elif spec.offload == "model":
        pipe.enable_model_cpu_offload(device=device)
    else:
        pipe.enable_sequential_cpu_offload(device=device)


def _speed_up(pipe: Any, spec: DiffusersImage) -> None:
    """What a spec asks for that changes how fast the networks are, and no more than the last bits of the image."""
    network = getattr(pipe, "unet", None) or getattr(pipe, "transformer", None)
    if spec.channels_last:
        for part in (network, getattr(pipe, "vae", None)):
            if part is not None:
                part.to(memory_format=torch.channels_last)
    if spec.compile and network is not None:
        # Compiling the block that is repeated takes a tenth of the time that the whole network takes.
        if getattr(network, "_repeated_blocks", None):
            network.compile_repeated_blocks()
        else:
            network.compile()


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
